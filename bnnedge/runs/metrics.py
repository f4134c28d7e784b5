"""metrics.jsonl: one JSON object a line, one line an epoch; a line cut short by a kill does not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def read_records(path: Path) -> list[Record]:
    """All whole lines; none where there is no file yet.

    Raises:
        FileError: a line that is no JSON object.
    """
    if not path.exists():
        return []
    whole, _, _cut_short = path.read_text(encoding="utf-8").rpartition("\n")
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise FileError(f"{path}, line {number} is no JSON: {error}") from error
        if not isinstance(record, dict):
            raise FileError(f"{path}, line {number} is no JSON object")
        records.append(record)
    return records


def keep_records(path: Path, epochs: int) -> None:
    """Drop what was written after epoch ``epochs``: a resumed run writes those lines again."""
    records = [record for record in read_records(path) if record["epoch"] <= epochs]
    write_atomically(path, "".join(json.dumps(record) + "\n" for record in records))
