"""Rebuild bnnedge/complexity/ctm.npz from the CTM data of the installed pybdm, or check that it is the same.

pybdm ships its tables as gzipped pickles. They are read here without importing pybdm, by an unpickler
that knows two containers of the standard library and refuses every other name, so that no code of a
pickle can run. Each table is written as float64 bits, indexed by block code.
"""

from __future__ import annotations

import argparse
import gzip
import io
import pickle
import sys
import zipfile
from collections import OrderedDict, defaultdict
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bnnedge
from bnnedge.errors import BnnedgeError, FileError
from bnnedge.files import write_atomically

SHIPPED = Path(bnnedge.__file__).parent / "complexity" / "ctm.npz"
PYBDM = "0.1.0"
SOURCES = ("pybdm/ctmdata/ctm-b2-d4x4.pkl.gz", "pybdm/ctmdata/ctm-b2-d12.pkl.gz")

Tables = dict[str, NDArray[np.float64]]


class Containers(pickle.Unpickler):
    """An unpickler that makes numbers, strings, tuples and the two containers that pybdm's data use."""

    ADMITTED = {  # noqa: RUF012 (a constant)
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): defaultdict,
    }

    def find_class(self, module: str, name: str) -> type:
        """The class of that name.

        Raises:
            FileError: it is not one of the two.
        """
        if (module, name) not in self.ADMITTED:
            raise FileError(f"a CTM pickle asks for {module}.{name}", "this is not the data of pybdm 0.1.0")
        return self.ADMITTED[module, name]


def build() -> Tables:
    """One table a block shape but the single bit: ``4x4``, ``3x3``, ``2x2``, ``12`` … ``2``."""
    tables: Tables = {}
    for source in SOURCES:
        content = gzip.decompress(locate(source).read_bytes())
        for shape, values in Containers(io.BytesIO(content)).load().items():
            bits = int(np.prod(shape))
            if bits > 1:
                tables["x".join(map(str, shape))] = expand(values, bits)
    return tables


def locate(name: str) -> Path:
    """The path of a file of the installed pybdm.

    Raises:
        FileError: pybdm is not installed, or is another version.
    """
    hint = f"pip install pybdm=={PYBDM}"
    try:
        pybdm = distribution("pybdm")
    except PackageNotFoundError as error:
        raise FileError("pybdm is not installed", hint) from error
    if pybdm.version != PYBDM:
        raise FileError(f"pybdm {pybdm.version} is installed, expected {PYBDM}", hint)
    return Path(str(pybdm.locate_file(name)))


def expand(values: dict[str, float], bits: int) -> NDArray[np.float64]:
    """All 2**bits entries, of the half whose first bit is 0: a block and its complement have one value.

    Raises:
        FileError: a block is missing.
    """
    half = np.full(2 ** (bits - 1), np.nan)
    for block, value in values.items():
        half[int(block, base=2)] = value
    if np.isnan(half).any():
        raise FileError(f"a table of {bits}-bit blocks has gaps", f"pip install pybdm=={PYBDM}")
    return np.concatenate([half, half[::-1]])


def differences(built: Tables, path: Path) -> list[str]:
    """What a file lacks, has too much, or says otherwise, a line each.

    Raises:
        FileError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            shipped: Tables = dict(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise FileError(f"cannot read {path}: {error}", "run scripts/build_ctm to write it anew") from error
    lines = [f"{name}: only in one of the two" for name in sorted(built.keys() ^ shipped.keys())]
    for name in sorted(built.keys() & shipped.keys()):
        if built[name].dtype != shipped[name].dtype or built[name].tobytes() != shipped[name].tobytes():
            lines.append(f"{name}: other values")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=SHIPPED, help="default: the shipped one")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    options = parser.parse_args()
    tables = build()
    if options.check:
        lines = differences(tables, options.file)
        print("\n".join(lines) or f"{options.file.name}: {len(tables)} tables, the same as pybdm {PYBDM}")
        return 1 if lines else 0
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **tables)
    write_atomically(options.file, buffer.getvalue())
    print(f"{options.file.name}: {len(tables)} tables, {len(buffer.getvalue()):,} bytes")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BnnedgeError as error:
        sys.exit(f"{error.message}\nHint: {error.hint}")
