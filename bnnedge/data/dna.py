"""StatLog's DNA as R keeps it, to a plain table: 180 bits and one of three classes a line."""

from __future__ import annotations

import hashlib
import warnings
from typing import IO, Any

from bnnedge.errors import FileError

__all__ = ["table_of_rda"]

_RDA_SHA256 = "df941ad89a49f705a29bf38e52c91dc34029539cedb13fa24f803f1224278c9e"
_CLASSES = ("ei", "ie", "n")  # levels of the factor Class; those of the bits are "0" and "1"


def table_of_rda(stream: IO[bytes], _size: int) -> bytes:
    """The lines of ``DNA.rda`` of R's mlbench: bits V1 … V180, then the class, with commas between.

    Only the known file is read, by PyPI's rdata, which comes with ``pip install 'bnnedge[dna]'``: it brings
    pandas and xarray, 100 MB that nothing else here needs.

    Raises:
        FileError: another file, or no rdata on this machine.
    """
    content = stream.read(1 << 20)
    if (found := hashlib.sha256(content).hexdigest()) != _RDA_SHA256:
        raise FileError(f"DNA.rda is not the real file: its SHA-256 is {found}, expected {_RDA_SHA256}")
    try:
        import rdata
    except ImportError as error:
        raise FileError("no rdata to read R's files with: pip install 'bnnedge[dna]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdata's, about the encoding of names
        frame: Any = rdata.parser.parse_data(content).object.value[0]
    *bits, classes = [column.value.tolist() for column in frame.value]  # a factor's codes count from 1
    rows = zip(*bits, strict=True)
    lines = [
        "".join(f"{code - 1}," for code in row) + f"{_CLASSES[label - 1]}\n"
        for row, label in zip(rows, classes, strict=True)
    ]
    return "".join(lines).encode()
