"""metrics.jsonl: one JSON object a line, one line an epoch; a line cut short by a kill does not count."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.files import write_atomically, writing

__all__ = ["append_record", "keep_records", "read_records"]

Record = dict[str, Any]


def append_record(path: Path, record: Record) -> None:
    """Add one line.

    Raises:
        OutputError: the file cannot be written.
    """
    with writing(path), path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(record, allow_nan=False) + "\n")
        handle.flush()
        os.fsync(handle.fileno())  # before the state, which counts on it


def read_records(path: Path) -> list[Record]:
    """All whole lines; none where there is no file yet.

    Raises:
        FileError: unreadable, or a line that is no JSON object with whole numbers of an epoch and a step.
    """
    if not path.exists():
        return []
    try:
        whole, _, _cut_short = path.read_text(encoding="utf-8").rpartition("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}: {error}") from error
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = parse_json(line)
        except ValueError as error:
            raise FileError(f"{path}, line {number} is no JSON: {error}") from error
        if not isinstance(record, dict) or not all(type(record.get(key)) is int for key in ("epoch", "step")):
            raise FileError(f"{path}, line {number} is no JSON object of an epoch")
        records.append(record)
    return records


def keep_records(path: Path, epochs: int) -> None:
    """Drop what was written after epoch ``epochs``: a resumed run writes those lines again."""
    records = [record for record in read_records(path) if record["epoch"] <= epochs]
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in records))
