"""Tables of numbers as text: one sample a line, its label first or last; commas, semicolons or tabs between.

Read strictly: every line has the same number of cells, every cell but the label is a finite decimal number,
and whatever is not is an error that names the line. A first line without a number is a header.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.arrays import Samples, source_set
from bnnedge.data.dataset import SourceSet
from bnnedge.data.files import check_digest
from bnnedge.errors import FileError
from bnnedge.files import sha256_of

__all__ = ["LabelColumn", "read_csv", "read_known_parts", "read_known_table", "read_table"]

LabelColumn = Literal["first", "last"]

_LONGEST_LABEL = 256  # characters; NumPy gives every label the room of the longest
_TOGETHER = 4096  # lines


def read_csv(path: Path, label: LabelColumn, shape: tuple[int, ...] | None) -> SourceSet:
    """A user's own table: one file, or a folder with ``train.csv`` and ``test.csv``.

    Args:
        path: of the file or folder.
        label: the column that the label stands in.
        shape: (channels, height, width) of images whose pixels are the columns; None: a table.

    Raises:
        FileError: a file that is missing, or that is no such table.
        DataError: samples that are no set to learn from.
    """
    if path.is_dir():
        train, test = (read_table(path / name, label) for name in ("train.csv", "test.csv"))
        return source_set(train, test, shape, f"train.csv and test.csv in {path}")
    return source_set(read_table(path, label), None, shape, str(path))


def read_known_parts(
    files: Mapping[str, Path], digests: Mapping[str, str], *, label: LabelColumn
) -> SourceSet:
    """A known set of two tables, the training part and the test part, in this order.

    Raises:
        FileError: unreadable, or not the real files.
    """
    train, test = (_verified(path, digests[name], label) for name, path in files.items())
    return source_set(train, test, None, _folder(files), verified=True)


def read_known_table(
    files: Mapping[str, Path], digests: Mapping[str, str], *, label: LabelColumn, train: int | None = None
) -> SourceSet:
    """A known set of one table, whose first ``train`` rows are its training part (None: it has no parts).

    Raises:
        FileError: unreadable, or not the real file.
    """
    ((name, path),) = files.items()
    table = _verified(path, digests[name], label)
    if train is None:
        return source_set(table, None, None, _folder(files), verified=True)
    first = Samples(table.inputs[:train], table.labels[:train])
    rest = Samples(table.inputs[train:], table.labels[train:])
    return source_set(first, rest, None, _folder(files), verified=True)


def read_table(path: Path, label: LabelColumn) -> Samples:
    """(samples, features) float64 and (samples,) text of a table.

    Raises:
        FileError: missing, no UTF-8 text, empty, of uneven lines, or with a cell that is no number.
    """
    rows: list[list[float]] = []
    whole: list[NDArray[np.float64]] = []  # rows of before, in an eighth of the memory
    labels: list[str] = []
    known: dict[str, str] = {}  # a text for each class, not for each line
    for position, (line, cells) in enumerate(_lines(path)):
        name = cells.pop(0 if label == "first" else -1).strip()
        values = _numbers(cells)
        if values is None:
            if position == 0 and not any(map(_is_number, cells)):
                continue  # a header
            raise _no_number(path, line, cells, label)
        if not 0 < len(name) <= _LONGEST_LABEL:
            what = f"of {len(name):,} characters" if name else "empty"
            raise FileError(
                f"{path}, line {line}: the label is {what}",
                f"fill it in with at most {_LONGEST_LABEL}, or delete the line",
            )
        rows.append(values)
        labels.append(known.setdefault(name, name))
        if len(rows) == _TOGETHER:
            whole.append(np.array(rows))
            rows.clear()
    if not labels:
        raise FileError(f"{path} has no samples", "expected one sample a line")
    if not _is_number(labels[0]) and len(labels) > 1 and all(map(_is_number, labels[1:])):
        raise FileError(
            f"{path}: the first label is {labels[0][:40]!r}, but all others are numbers",
            "if the columns of a header are called 0, 1, 2, …, delete it; else give all labels names",
        )
    return Samples(np.concatenate([*whole, np.array(rows)] if rows else whole), np.array(labels))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells, blank lines left out, all of one width."""
    width = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=_delimiter(stream.readline()), strict=True)
            stream.seek(0)
            for cells in reader:
                if not any(map(str.strip, cells)):
                    continue
                width = width or len(cells)
                if len(cells) != width or width < 2:
                    raise FileError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, expected {max(width, 2)}",
                        "expected a label and at least one number, as many on every line",
                    )
                yield reader.line_num, cells
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except csv.Error as error:
        raise FileError(
            f"{path}, line {reader.line_num}: {error}", "the quotes or the line are broken"
        ) from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no UTF-8 text: {error.reason}", "save the table as UTF-8") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _delimiter(line: str) -> str:
    """A tab or a semicolon where there is one, since neither stands in a number; else a comma."""
    return next((mark for mark in "\t;" if mark in line), ",")


def _numbers(cells: list[str]) -> list[float] | None:
    """The numbers in cells, or None where one is none; Python's own ``1_000`` and ``nan`` are none."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) and "_" not in "".join(cells) else None


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _no_number(path: Path, line: int, cells: list[str], label: LabelColumn) -> FileError:
    position = next(i for i, cell in enumerate(cells) if not _is_number(cell))
    column = position + (2 if label == "first" else 1)
    return FileError(
        f"{path}, line {line}, column {column}: {cells[position][:40]!r} is no finite number",
        f"numbers are written 1.5 or 1.5e3, and the label is taken to be {label} (data.label)",
    )


def _verified(path: Path, digest: str, label: LabelColumn) -> Samples:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    check_digest(path, found, digest)
    return read_table(path, label)


def _folder(files: Mapping[str, Path]) -> str:
    return f"{' and '.join(files)} in {next(iter(files.values())).parent}"
