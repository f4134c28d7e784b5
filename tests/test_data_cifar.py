"""CIFAR-10 in both layouts, from the real batches; the test batch stands for all where one is enough."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from bnnedge.data.cifar import BATCHES, CLASSES, find_files, read_set, records_of_pickle
from bnnedge.data.fetch import fetch
from bnnedge.data.known import File
from bnnedge.data.registry import load_dataset
from bnnedge.data.resize import resize
from bnnedge.data.sources import SETS
from bnnedge.errors import DataError, FileError


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder of the real batches; fetched unless they are there."""
    return fetch("cifar-10")


@pytest.fixture(scope="module")
def records(real: Path) -> bytes:
    return (real / "test_batch.bin").read_bytes()


def pickled(records: bytes, protocol: int = 4) -> bytes:
    """The Python layout of a batch."""
    table = np.frombuffer(records, dtype=np.uint8).reshape(-1, 3073)
    batch = {
        b"batch_label": b"testing batch 1 of 1",
        b"labels": table[:, 0].tolist(),
        b"data": np.ascontiguousarray(table[:, 1:]),
        b"filenames": [b"domestic_cat_s_000907.png"] * len(table),
    }
    return pickle.dumps(batch, protocol)


def test_published_facts(real: Path) -> None:
    """Counts, the channels' means that everybody normalises with, and the makers' MD5."""
    data = load_dataset("cifar-10", validation=0.1)
    assert (data.shape, data.maximum, data.classes) == ((3, 32, 32), 255, 10)
    assert data.class_names == CLASSES
    assert data.verified
    assert data.source == f"CIFAR-10 batches in {real}"
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert (np.bincount(data.train.labels) + np.bincount(data.validation.labels)).tolist() == [5000] * 10
    assert data.test.labels[:5].tolist() == [3, 8, 8, 0, 6]  # cat, ship, ship, airplane, frog
    sums = sum(
        split.inputs.reshape(-1, 3, 1024).sum(axis=(0, 2), dtype=np.int64)
        for split in (data.train, data.validation)
    )
    np.testing.assert_allclose(sums / (50_000 * 1024 * 255), [0.4914, 0.4822, 0.4465], atol=5e-5)
    digest = hashlib.md5((real / "test_batch.bin").read_bytes(), usedforsecurity=False)
    assert digest.hexdigest() == "803d5f7f4d78ea53de84dbe85f74fb6d"


def test_planes_are_red_green_blue(records: bytes) -> None:
    """Aeroplanes and ships are bluer than frogs and deer; so only if blue is the last plane."""
    table = np.frombuffer(records, dtype=np.uint8).reshape(-1, 3073)
    by_class = [table[table[:, 0] == label, 1:].reshape(-1, 3, 1024).mean(axis=(0, 2)) for label in range(10)]
    for blue in ("airplane", "ship"):
        red, _, last = by_class[CLASSES.index(blue)]
        assert last > red
    for brown in ("frog", "deer", "cat", "dog", "bird", "horse"):
        red, _, last = by_class[CLASSES.index(brown)]
        assert last < red
    image = load_dataset("cifar-10").test.inputs[7].reshape(3, 32, 32)
    assert [image[channel, 5, 9] for channel in range(3)] == [table[7, 1 + 1024 * c + 169] for c in range(3)]


@pytest.mark.parametrize("protocol", [3, 4])
def test_both_layouts_are_the_same_records(records: bytes, protocol: int) -> None:
    assert records_of_pickle(pickled(records, protocol)) == records


def believe(monkeypatch: pytest.MonkeyPatch, records: bytes) -> None:
    """Let every batch be the test batch."""
    file = File(hashlib.sha256(records).hexdigest(), len(records))
    monkeypatch.setitem(
        SETS, "cifar-10", dataclasses.replace(SETS["cifar-10"], files=dict.fromkeys(BATCHES, file))
    )


@pytest.mark.parametrize(
    ("layout", "subfolder"),
    [("binary", ""), ("binary", "cifar-10-batches-bin"), ("python", ""), ("python", "cifar-10-batches-py")],
)
def test_users_own_copies(
    tmp_path: Path, records: bytes, monkeypatch: pytest.MonkeyPatch, subfolder: str, layout: str
) -> None:
    believe(monkeypatch, records)
    folder = tmp_path / subfolder
    folder.mkdir(exist_ok=True)
    first = folder / "content"
    first.write_bytes(records if layout == "binary" else pickled(records))
    for name in BATCHES:
        (folder / (name if layout == "binary" else name.removesuffix(".bin"))).hardlink_to(first)
    data = load_dataset("cifar-10", path=tmp_path)
    assert data.verified
    assert data.source == f"CIFAR-10 batches in {folder}"
    table = np.frombuffer(records, dtype=np.uint8).reshape(-1, 3073)
    np.testing.assert_array_equal(data.test.inputs, table[:, 1:])
    np.testing.assert_array_equal(data.test.labels, table[:, 0])


def test_the_layout_with_more_files_is_taken(tmp_path: Path) -> None:
    for name in (*BATCHES[:2], *(name.removesuffix(".bin") for name in BATCHES)):
        (tmp_path / name).touch()
    assert find_files(tmp_path) == {name: tmp_path / name.removesuffix(".bin") for name in BATCHES}
    for name in BATCHES:
        (tmp_path / name).touch()
    assert find_files(tmp_path) == {name: tmp_path / name for name in BATCHES}


def test_missing_batches(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").touch()
    with pytest.raises(DataError, match=r"missing data_batch_2\.bin, ") as caught:
        load_dataset("cifar-10", path=tmp_path)
    assert "cifar-10-batches-py/" in caught.value.hint
    assert "bnnedge data fetch cifar-10" in caught.value.hint


def changed(records: bytes) -> bytes:
    return records[:-1] + bytes([records[-1] ^ 1])


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_other_records_are_refused(tmp_path: Path, records: bytes, layout: str) -> None:
    path = tmp_path / ("batch.bin" if layout == "binary" else "batch")
    path.write_bytes(changed(records) if layout == "binary" else pickled(changed(records)))
    digest = hashlib.sha256(records).hexdigest()
    with pytest.raises(FileError, match=r"batch.* is not the real file: its SHA-256 is"):
        read_set(dict.fromkeys(BATCHES, path), dict.fromkeys(BATCHES, digest))
    path.write_bytes(bytes(40_000_001))
    with pytest.raises(FileError, match="more than the 40,000,000 bytes"):
        read_set(dict.fromkeys(BATCHES, path), dict.fromkeys(BATCHES, digest))
    with pytest.raises(FileError, match="no file"):
        read_set(dict.fromkeys(BATCHES, tmp_path / "absent.bin"), dict.fromkeys(BATCHES, digest))
    with pytest.raises(FileError, match="cannot read"):
        read_set(dict.fromkeys(BATCHES, tmp_path), dict.fromkeys(BATCHES, digest))


def test_a_hostile_batch_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "test_batch"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(FileError, match=r"test_batch: .* os\.system, which is not admitted"):
        read_set(dict.fromkeys(BATCHES, path), {})


IMAGES = np.zeros((10_000, 3072), np.uint8)


@pytest.mark.parametrize(
    "batch",
    [
        [],
        {b"data": IMAGES},
        {b"labels": [0] * 10_000},
        {b"data": IMAGES[:9999], b"labels": [0] * 9999},
        {b"data": IMAGES, b"labels": [0] * 9999},
        {b"data": IMAGES, b"labels": [10] * 10_000},
        {b"data": IMAGES, b"labels": [True] * 10_000},
        {b"data": IMAGES.reshape(10_000, 3, 1024), b"labels": [0] * 10_000},
        {b"data": b"bytes", b"labels": [0] * 10_000},
    ],
)
def test_batches_that_are_none(batch: object) -> None:
    with pytest.raises(FileError, match=r"without the data and labels|a batch of shape"):
        records_of_pickle(pickle.dumps(batch, 4))


def test_resizing_keeps_the_channels(records: bytes) -> None:
    """Of the first thousand test images, the mean of each channel hardly moves."""
    table = np.frombuffer(records, np.uint8).reshape(-1, 3073)
    images = np.ascontiguousarray(table[:1000, 1:]).reshape(-1, 3, 32, 32)
    small = resize(images, 8)
    np.testing.assert_allclose(small.mean(axis=(0, 2, 3)), images.mean(axis=(0, 2, 3)), atol=1)
