"""Data sets by name: where they are looked for, what is checked, how they are split."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnnedge.data.cache import cache_dir
from bnnedge.data.dataset import Dataset, Split
from bnnedge.data.fetch import fetch
from bnnedge.data.idx import AXES
from bnnedge.data.known import File
from bnnedge.data.registry import NAMES, load_dataset
from bnnedge.data.resize import resize
from bnnedge.data.sources import SETS
from bnnedge.errors import ConfigError, DataError, FileError


def write_set(folder: Path, *, samples: int = 40, classes: int = 4) -> dict[str, File]:
    """A small set in a folder; returns what its files are."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(classes)
    files = {}
    for part, axes in AXES.items():
        count = samples if part.startswith("train") else samples // 2
        shape = (count, 5, 4)[:axes]
        values = rng.integers(0, 256, shape) if axes == 3 else np.arange(count) % classes
        sizes = b"".join(size.to_bytes(4, "big") for size in shape)
        content = bytes([0, 0, 8, axes]) + sizes + values.astype(np.uint8).tobytes()
        (folder / part).write_bytes(content)
        files[part] = File(hashlib.sha256(content).hexdigest(), len(content))
    return files


def believe(monkeypatch: pytest.MonkeyPatch, name: str, **facts: object) -> None:
    """Change what is known of a set."""
    monkeypatch.setitem(SETS, name, dataclasses.replace(SETS[name], **facts))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no packages of Debian's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    believe(monkeypatch, "fashion-mnist", installed=(tmp_path / "debian",))
    return tmp_path / "cache" / "bnnedge" / "datasets"


MNIST_COUNTS = (
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
)


@pytest.mark.parametrize(
    ("name", "counts", "mean", "deviation", "first"),
    [
        ("mnist", MNIST_COUNTS, 0.1307, 0.3081, [7, 2, 1, 0, 4]),
        ("fashion-mnist", ([6000] * 10, [1000] * 10), 0.2860, 0.3530, [9, 2, 1, 1, 6]),
    ],
)
def test_the_real_sets(
    name: str, counts: tuple[list[int], list[int]], mean: float, deviation: float, first: list[int]
) -> None:
    """Fetched into the user's cache unless they are there; compared with what is published of them."""
    folder = fetch(name)
    data = load_dataset(name)
    assert data.verified
    assert data.source == f"IDX files in {folder}"
    assert (data.shape, data.maximum, data.classes) == ((1, 28, 28), 255, 10)
    assert (len(data.train.labels), len(data.validation.labels), len(data.test.labels)) == (
        54000,
        6000,
        10000,
    )
    held = np.bincount(data.validation.labels)
    assert (np.bincount(data.train.labels) + held).tolist() == counts[0]
    assert (np.abs(held - 0.1 * np.array(counts[0])) < 1).all()
    assert np.bincount(data.test.labels).tolist() == counts[1]
    assert data.test.labels[:5].tolist() == first
    official = [data.train.inputs, data.validation.inputs]
    pixels = 60000 * 784 * 255
    average = sum(int(inputs.sum(dtype=np.int64)) for inputs in official) / pixels
    squares = (
        sum(int((inputs.astype(np.uint16) ** 2).sum(dtype=np.int64)) for inputs in official) / pixels / 255
    )
    assert average == pytest.approx(mean, abs=5e-5)
    assert np.sqrt(squares - average**2) == pytest.approx(deviation, abs=5e-5)


def test_official_parts_stay_apart(cache: Path) -> None:
    write_set(cache)
    data = load_dataset("idx", path=cache, validation=0.25, split_seed=3)
    train = (cache / "train-images-idx3-ubyte").read_bytes()[16:]
    samples = [train[start : start + 20] for start in range(0, len(train), 20)]
    split = [row.tobytes() for row in data.train.inputs] + [row.tobytes() for row in data.validation.inputs]
    assert sorted(split) == sorted(samples)
    assert len(data.validation.labels) == 10
    assert data.test.inputs.tobytes() == (cache / "t10k-images-idx3-ubyte").read_bytes()[16:]
    other = load_dataset("idx", path=cache, validation=0.25, split_seed=4)
    assert other.validation.inputs.tobytes() != data.validation.inputs.tobytes()
    assert other.test.inputs.tobytes() == data.test.inputs.tobytes()


def test_labels_stay_with_their_images(cache: Path) -> None:
    write_set(cache)
    data = load_dataset("idx", path=cache)
    images = np.frombuffer((cache / "train-images-idx3-ubyte").read_bytes()[16:], np.uint8).reshape(40, 20)
    for split in (data.train, data.validation):
        for row, label in zip(split.inputs, split.labels, strict=True):
            assert label == np.flatnonzero((images == row).all(axis=1))[0] % 4


def test_torch_takes_the_arrays_as_they_are(cache: Path) -> None:
    write_set(cache)
    for data in (load_dataset("digits"), load_dataset("idx", path=cache)):
        for split in (data.train, data.validation, data.test):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert torch.from_numpy(split.inputs).is_contiguous()
                assert torch.from_numpy(split.labels).dtype == torch.int64


def test_a_users_own_files(cache: Path) -> None:
    write_set(cache, classes=7)
    data = load_dataset("idx", path=cache)
    assert (data.name, data.classes, data.shape, data.verified) == ("idx", 7, (1, 5, 4), False)
    assert str(cache) in data.source


def test_resizing(cache: Path) -> None:
    write_set(cache)
    stored, small = (load_dataset("idx", path=cache, resize=size) for size in (None, 3))
    assert (stored.shape, small.shape) == ((1, 5, 4), (1, 3, 3))
    for split in ("train", "validation", "test"):
        before, after = getattr(stored, split), getattr(small, split)
        expected = resize(before.inputs.reshape(-1, 1, 5, 4), 3).reshape(-1, 9)
        np.testing.assert_array_equal(after.inputs, expected)
        np.testing.assert_array_equal(after.labels, before.labels)
    with pytest.raises(ConfigError, match="cannot resize"):
        load_dataset("digits", resize=0)


def test_the_order_of_places(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debian, own = tmp_path / "debian", tmp_path / "own"
    believe(monkeypatch, "fashion-mnist", files=write_set(debian))
    for path in list(debian.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert load_dataset("fashion-mnist").source == f"IDX files in {debian}"
    write_set(cache / "fashion-mnist")
    (cache / "fashion-mnist" / "t10k-labels-idx1-ubyte").unlink()  # a fetch that was cut short
    assert load_dataset("fashion-mnist").source == f"IDX files in {debian}"
    write_set(cache / "fashion-mnist")
    assert load_dataset("fashion-mnist").source == f"IDX files in {cache / 'fashion-mnist'}"
    write_set(own / "FashionMNIST" / "raw")
    write_set(own / "MNIST" / "raw", classes=3)
    data = load_dataset("fashion-mnist", path=own)
    assert data.source == f"IDX files in {own / 'FashionMNIST' / 'raw'}"
    assert data.verified


def test_a_folder_that_cannot_be_looked_into(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(FileError, match="cannot look into /secret: Permission denied"):
        load_dataset("idx", path="/secret")
    with pytest.raises(FileError, match=f"cannot look into {cache}/mnist: Permission denied"):
        load_dataset("mnist")


def test_a_set_that_is_not_here(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"mnist is not on this machine: not in {cache / 'mnist'}") as caught:
        load_dataset("mnist")
    assert "bnnedge data fetch mnist" in caught.value.hint
    assert "--data" in caught.value.hint
    with pytest.raises(DataError, match=f"nor in {tmp_path / 'debian'}"):
        load_dataset("fashion-mnist")


def test_only_the_given_folder_counts(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    believe(monkeypatch, "mnist", files=write_set(cache / "mnist"))
    assert load_dataset("mnist").verified
    shutil.copytree(cache / "mnist", tmp_path / "half")
    (tmp_path / "half" / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"missing train-labels-idx1-ubyte$") as caught:
        load_dataset("mnist", path=tmp_path / "half")
    assert "bnnedge data fetch mnist" in caught.value.hint
    with pytest.raises(DataError, match=r"no idx in .*missing train-images-idx3-ubyte, ") as caught:
        load_dataset("idx", path=tmp_path / "nowhere")
    assert "fetch" not in caught.value.hint


def test_files_of_another_set_are_refused_under_a_known_name(cache: Path) -> None:
    write_set(cache / "mnist")
    with pytest.raises(FileError, match="is not the real file"):
        load_dataset("mnist")
    with pytest.raises(FileError, match="is not the real file"):
        load_dataset("mnist", path=cache / "mnist")
    assert not load_dataset("idx", path=cache / "mnist").verified


@pytest.mark.parametrize(
    ("name", "near"),
    [("minst", "mnist"), ("fashion", "fashion-mnist"), ("cifar10", "cifar-10"), ("imagenet", None)],
)
def test_unknown_names(name: str, near: str | None) -> None:
    with pytest.raises(ConfigError, match=f"no data set '{name}'") as caught:
        load_dataset(name)
    assert all(known in caught.value.hint for known in NAMES)
    assert (f"did you mean '{near}'?" in caught.value.hint) == (near is not None)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no path was given") as caught:
        load_dataset("idx")
    assert "--data" in caught.value.hint
    with pytest.raises(ConfigError, match="digits is embedded"):
        load_dataset("digits", path=tmp_path)
    with pytest.raises(ConfigError, match="share of 1"):
        load_dataset("digits", validation=1)


def test_too_few_samples_or_classes(tmp_path: Path) -> None:
    write_set(tmp_path, samples=4)
    with pytest.raises(DataError, match="leaves one part empty"):
        load_dataset("idx", path=tmp_path)
    write_set(tmp_path, classes=1)
    with pytest.raises(DataError, match="a set of 1 classes"):
        load_dataset("idx", path=tmp_path)


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", "caches"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert cache_dir() == tmp_path / ".cache" / "bnnedge" / "datasets"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert cache_dir() == Path("/var/cache/me/bnnedge/datasets")


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ConfigError, match="home folder"):
        cache_dir()


def zeros(*shape: int) -> NDArray[np.uint8]:
    return np.zeros(shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (zeros(2, 8, 8), np.zeros(2, np.int64), "inputs are uint8 of shape"),
        (zeros(2, 64).astype(np.float32), np.zeros(2, np.int64), "inputs are float32"),
        (zeros(2, 64), np.zeros(2, np.int32), "labels are int32"),
        (zeros(2, 64), np.zeros((2, 1), np.int64), "labels are int64 of shape"),
        (zeros(2, 64), np.zeros(3, np.int64), "2 inputs but 3 labels"),
    ],
)
def test_splits_check_their_arrays(
    inputs: NDArray[np.uint8], labels: NDArray[np.int64], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Split(inputs, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ("0",)}, "a set of 1 classes"),
        ({"class_names": tuple("012345678")}, r"labels from 0 to 9 \(train\), expected 0 … 8"),
        ({"maximum": 0}, "values up to 0"),
        ({"maximum": 256}, "values up to 256"),
        ({"maximum": 15}, r"a value of 16 \(train\), expected 0 … 15"),
        ({"shape": (1, 8, 7)}, r"64 features \(train\) are no sample of 1 x 8 x 7"),
        ({"shape": (8, 8)}, r"samples of shape \(8, 8\)"),
        ({"test": Split(zeros(3, 63), np.zeros(3, np.int64))}, r"63 features \(test\)"),
        ({"test": Split(zeros(0, 64), np.zeros(0, np.int64))}, "the test split is empty"),
        ({"validation": Split(zeros(1, 64), np.array([-1]))}, r"labels from -1 to -1 \(validation\)"),
        ({"shape": (0,), "train": Split(zeros(3, 0), np.zeros(3, np.int64))}, "no sample of 0"),
    ],
)
def test_datasets_check_their_parts(change: dict[str, object], message: str) -> None:
    digits: Dataset = load_dataset("digits")
    with pytest.raises(DataError, match=f"digits: .*{message}"):
        dataclasses.replace(digits, **change)  # type: ignore[arg-type]
