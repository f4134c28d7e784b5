"""The embedded digits are the real ones, and their test part never moves."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from bnnedge.data import digits as module
from bnnedge.data.digits import load_digits
from bnnedge.data.registry import load_dataset
from bnnedge.errors import FileError

FILE = Path(module.__file__).with_name("digits.csv.gz")


def test_the_file_is_scikit_learns() -> None:
    digest = hashlib.md5(FILE.read_bytes(), usedforsecurity=False).hexdigest()
    assert digest == "9b335364a7bfd63947c7480a5bd51f2d"


def test_the_notice_names_authors_and_licence() -> None:
    notice = FILE.with_name("NOTICE.digits").read_text(encoding="utf-8")
    for words in ("Alpaydin", "Kaynak", "CC BY 4.0", "UCI", "9b335364a7bfd63947c7480a5bd51f2d"):
        assert words in notice


def test_published_facts() -> None:
    digits = load_digits()
    images = np.concatenate([digits.train_inputs, digits.test_inputs])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.uint8
    assert (images.min(), images.max(), digits.maximum) == (0, 16, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.mean() == pytest.approx(4.884164579855314)  # sklearn.datasets.load_digits().data.mean()
    assert digits.verified
    assert "CC BY 4.0" in digits.source


def test_every_line_of_the_file_is_there_once() -> None:
    """Read with nothing that the module reads with."""
    lines = gzip.decompress(FILE.read_bytes()).decode().split()
    expected = sorted(bytes(int(float(value)) for value in line.split(",")) for line in lines)
    digits = load_digits()
    found = sorted(
        image.tobytes() + bytes([label])
        for images, labels in (
            (digits.train_inputs, digits.train_labels),
            (digits.test_inputs, digits.test_labels),
        )
        for image, label in zip(images, labels.tolist(), strict=True)
    )
    assert found == expected


def test_the_test_part_is_a_fixed_stratified_fifth() -> None:
    digits = load_digits()
    assert len(digits.test_labels) == 359
    per_class = np.bincount(digits.test_labels)
    assert (np.abs(per_class - 0.2 * np.bincount(np.r_[digits.train_labels, digits.test_labels])) < 1).all()
    pinned = hashlib.sha256(digits.test_inputs.tobytes() + digits.test_labels.astype("<i8").tobytes())
    assert pinned.hexdigest() == "69c06dfbbbf7ba7c31443e13ed1aeea05378095e3e7fc19ce7a313ed3c54e3cf"


@pytest.mark.parametrize(("validation", "seed"), [(0.1, 0), (0.1, 1), (0.5, 0), (0.25, 12345)])
def test_the_test_split_ignores_the_users_settings(validation: float, seed: int) -> None:
    data = load_dataset("digits", validation=validation, split_seed=seed)
    np.testing.assert_array_equal(data.test.inputs, load_digits().test_inputs.reshape(359, 64))
    assert len(data.validation.labels) == round(1438 * validation)
    assert len(data.train.labels) == 1438 - len(data.validation.labels)


def test_a_damaged_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "digits.csv.gz"
    monkeypatch.setattr(module, "_FILE", damaged)
    with pytest.raises(FileError, match="cannot read") as caught:
        load_digits()
    assert caught.value.hint == "install bnnedge again"
    damaged.write_bytes(FILE.read_bytes()[:-1])
    with pytest.raises(FileError, match="is not the file that bnnedge comes with"):
        load_digits()
