"""Tables as text: read to the last digit, or refused with the line; and the three known sets of tables."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnnedge.data.digits import load_digits
from bnnedge.data.dna import table_of_rda
from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.data.tables import LabelColumn, read_table
from bnnedge.errors import ConfigError, DataError, FileError

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LABELS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1).filter(
    lambda text: text == text.strip() and text[0].isalpha()
)
ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.tuples(st.lists(NUMBERS, min_size=width, max_size=width), LABELS), min_size=1, max_size=6
    )
)


@given(ROWS, st.sampled_from(",;\t"), st.sampled_from(["first", "last"]), st.sampled_from(["", "\ufeff"]))
def test_round_trip(
    rows: list[tuple[list[float], str]], delimiter: str, label: LabelColumn, mark: str
) -> None:
    """With a header, so that the first row cannot be one, and quotes where a label needs them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    width = len(rows[0][0])
    header = [f"f{i}" for i in range(width)]
    writer.writerow(["y", *header] if label == "first" else [*header, "y"])
    for numbers, name in rows:
        cells = list(map(repr, numbers))
        writer.writerow([name, *cells] if label == "first" else [*cells, name])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        path.write_text(mark + text.getvalue(), encoding="utf-8", newline="")
        table = read_table(path, label)
    assert table.inputs.tolist() == [numbers for numbers, _ in rows]
    assert table.labels.tolist() == [name for _, name in rows]


def write(folder: Path, text: str) -> Path:
    path = folder / "own.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("1,2,a\n3,4,b\n", ["a", "b"]),
        ("x,y,class\n1,2,a\n3,4,b", ["a", "b"]),
        ("\n1,2,a\n\n   \n3,4,b\n\n", ["a", "b"]),
        (" 1 , 2 , a \n3,4,b", ["a", "b"]),
        ('"1","2","a"\r\n"3","4","b"\r\n', ["a", "b"]),
        ("1;2;a,b\n3;4;b\n", ["a,b", "b"]),
    ],
)
def test_customs(tmp_path: Path, text: str, labels: list[str]) -> None:
    table = read_table(write(tmp_path, text), "last")
    assert table.labels.tolist() == labels
    assert table.inputs.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,a\n3,x,b\n", r"line 2, column 2: 'x' is no finite number"),
        ("1,x,a\n3,4,b\n", r"line 1, column 2: 'x'"),  # half a header is none
        ("a,b,c\nd,e,f\n1,2,x\n", r"line 2, column 1: 'd'"),  # one header is enough
        ("1,2,a\n3,,b\n", r"line 2, column 2: '' is no finite number"),
        ("1,2,a\n3,nan,b\n", r"line 2, column 2: 'nan'"),
        ("1,2,a\n-inf,4,b\n", r"line 2, column 1: '-inf'"),
        ("1,2,a\n1_000,4,b\n", r"line 2, column 1: '1_000'"),
        ("1,5;2,5;a\n1,5;2,5;a\n", r"line 2, column 1: '1,5'"),
        ("1,2,a\n3,4\n", r"line 2: 2 cells, expected 3"),
        ("1,2,a\n3,4,5,b\n", r"line 2: 4 cells, expected 3"),
        ("1\n2\n", r"line 1: 1 cells, expected 2"),
        ("1,2,a\n3,4,\n", r"line 2: the label is empty"),
        ('1,2,a\n3,"4,b\n', r"line 2: unexpected end of data"),
        ("", "has no samples"),
        ("x,y,class\n", "has no samples"),
        ("0,1,label\n1,2,7\n3,4,8\n", "the first label is 'label', but all others are"),  # pandas' header
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FileError, match=message) as caught:
        read_table(path, "last")
    assert str(path) in caught.value.message


def test_the_column_counts_the_label(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"line 2, column 3: 'x'") as caught:
        read_table(write(tmp_path, "a,1,2\nb,1,x\n"), "first")
    assert "label is taken to be first" in caught.value.hint


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    with pytest.raises(FileError, match="no file"):
        read_table(path, "last")
    path.write_bytes(b"1,2,\xff\n")
    with pytest.raises(FileError, match="no UTF-8 text"):
        read_table(path, "last")
    with pytest.raises(FileError, match="cannot read"):
        read_table(tmp_path, "last")


def digits_csv(*, delimiter: str = ",", samples: int = 600) -> str:
    digits = load_digits()
    rows = digits.train_inputs[:samples].reshape(samples, -1)
    return "".join(
        delimiter.join(map(str, [label, *row])) + "\n"
        for row, label in zip(rows.tolist(), digits.train_labels.tolist(), strict=False)
    )


def test_digits_as_a_users_table(tmp_path: Path) -> None:
    """As an image with its shape, the bytes of the file; as a table, each pixel with a map of its own."""
    path = write(tmp_path, digits_csv())
    image = load_dataset("csv", path=path, label="first", shape=(1, 8, 8))
    assert (image.shape, image.maximum, image.scaling, image.verified) == ((1, 8, 8), 16, None, False)
    assert image.class_names == tuple("0123456789")
    assert (len(image.train.labels), len(image.validation.labels), len(image.test.labels)) == (432, 48, 120)
    digits = load_digits().train_inputs[:600].reshape(600, -1)
    parts = [split.inputs for split in (image.train, image.validation, image.test)]
    assert sorted(map(bytes, np.concatenate(parts))) == sorted(map(bytes, digits))
    table = load_dataset("csv", path=path, label="first")
    assert (table.shape, table.maximum) == ((64,), 255)
    assert table.scaling is not None
    assert len(table.scaling.low) == 64
    resized = load_dataset("csv", path=path, label="first", shape=(1, 8, 8), resize=4)
    assert resized.shape == (1, 4, 4)
    with pytest.raises(ConfigError, match="no set of images to resize"):
        load_dataset("csv", path=path, label="first", resize=4)
    with pytest.raises(DataError, match="is no 1 x 8 x 9"):
        load_dataset("csv", path=path, label="first", shape=(1, 8, 9))


def test_a_test_part_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(digits_csv())
    (tmp_path / "test.csv").write_text(digits_csv(delimiter=";", samples=200))
    data = load_dataset("csv", path=tmp_path, label="first", shape=(1, 8, 8))
    assert len(data.train.labels) + len(data.validation.labels) == 600
    np.testing.assert_array_equal(data.test.inputs, load_digits().train_inputs[:200].reshape(200, -1))
    (tmp_path / "test.csv").unlink()
    with pytest.raises(FileError, match=r"no file .*test\.csv"):
        load_dataset("csv", path=tmp_path, label="first")


def test_dna() -> None:
    """StatLog's parts: 2000 and 1186, and its counts of classes; a base is one of three bits, or none."""
    folder = fetch("dna")
    data = load_dataset("dna")
    assert (data.shape, data.maximum, data.scaling, data.verified) == ((180,), 1, None, True)
    assert str(folder) in data.source
    assert data.class_names == ("ei", "ie", "n")
    assert np.bincount(data.test.labels).tolist() == [303, 280, 603]
    assert (np.bincount(data.train.labels) + np.bincount(data.validation.labels)).tolist() == [464, 485, 1051]
    bases = data.train.inputs.reshape(-1, 60, 3).sum(axis=2)
    assert bases.max() == 1
    # An intron starts with GT and ends with AG, so at a boundary two bases are all but certain.
    for label, base in ((0, 30), (0, 31), (1, 28), (1, 29)):
        letters = data.train.inputs[data.train.labels == label].reshape(-1, 60, 3)[:, base] @ [1, 2, 3]
        assert np.bincount(letters).max() > 0.98 * len(letters)


def test_another_rda_is_refused() -> None:
    with pytest.raises(FileError, match=r"DNA\.rda is not the real file"):
        table_of_rda(io.BytesIO(b"RDX3\n"), 0)


def test_ecg5000() -> None:
    fetch("ecg5000")
    data = load_dataset("ecg5000")
    assert (data.shape, data.maximum, data.classes, data.verified) == ((140,), 255, 5, True)
    assert len(data.train.labels) + len(data.validation.labels) == 500
    assert np.bincount(data.test.labels).tolist() == [2627, 1590, 86, 175, 22]
    assert data.scaling is not None
    assert len(data.scaling.low) == 140


def test_magic_and_its_scaling() -> None:
    """12332 gammas, 6688 hadrons; the map is fitted on the training split alone."""
    fetch("magic")
    data, other = load_dataset("magic"), load_dataset("magic", split_seed=1)
    assert (data.shape, data.maximum, data.class_names) == ((10,), 255, ("g", "h"))
    counts = sum(np.bincount(split.labels) for split in (data.train, data.validation, data.test))
    assert np.asarray(counts).tolist() == [12332, 6688]
    assert data.scaling is not None
    assert other.scaling is not None
    assert data.scaling != other.scaling
    assert np.array_equal(data.test.labels, other.test.labels)
    assert all(math.isfinite(low) for low in data.scaling.low)
    assert (data.train.inputs.min(axis=0) == 0).all()
    assert (data.train.inputs.max(axis=0) == 255).all()


def test_users_own_copies_of_known_tables(tmp_path: Path) -> None:
    folder = fetch("ecg5000")
    own = tmp_path / "UCRArchive_2018" / "ECG5000"
    own.mkdir(parents=True)
    for name in ("ECG5000_TRAIN.tsv", "ECG5000_TEST.tsv"):
        (own / name).write_bytes((folder / name).read_bytes())
    assert load_dataset("ecg5000", path=tmp_path).verified
    (own / "ECG5000_TRAIN.tsv").write_bytes((folder / "ECG5000_TRAIN.tsv").read_bytes()[:-20])
    with pytest.raises(FileError, match=r"ECG5000_TRAIN\.tsv is not the real file"):
        load_dataset("ecg5000", path=tmp_path)
