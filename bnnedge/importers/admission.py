"""What a PyTorch file's pickles ask for, looked at before PyTorch reads them.

PyTorch's restricted reader runs no foreign code, but it calls a hundred functions of its own with whatever
arguments a file has (``bytearray`` makes a gigabyte of ten bytes), and it inflates what is compressed. A
state dict needs half a dozen names and no compression.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from itertools import islice
from pathlib import Path
from typing import IO

__all__ = ["check_pickles"]

_ADMITTED = re.compile(
    r"collections OrderedDict|(builtins|__builtin__) set|torch\.nn\.parameter Parameter"
    r"|torch (\w+Storage|Size|device|\w*float\w*|\w*int\w*)|torch\.storage (Typed|Untyped)Storage"
    r"|torch\._utils _rebuild_(tensor_v2|parameter)|torch\.serialization _get_layout"
)
_MOST_INSTRUCTIONS = 2_000_000  # a state dict has about 40 a tensor
_LEGACY_PICKLES = 5  # magic number, protocol, machine, content, keys of the storages


def check_pickles(path: Path) -> None:
    """Refuse what no state dict needs.

    Raises:
        pickle.UnpicklingError: compressed, too long, or with a name that is not admitted.
        ValueError, OSError, zipfile.BadZipFile: it is damaged.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            for _ in range(_LEGACY_PICKLES):
                _check(stream)
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError("it is compressed, which PyTorch's files are not")
            if info.filename.endswith("data.pkl"):
                with archive.open(info) as stream:
                    _check(stream)


def _check(stream: IO[bytes]) -> None:
    """One pickle, from where the stream is to its end."""
    instructions = 0
    for code, argument, _ in islice(pickletools.genops(stream), _MOST_INSTRUCTIONS + 1):
        instructions += 1
        if code.name == "GLOBAL" and not _ADMITTED.fullmatch(str(argument)):
            raise pickle.UnpicklingError(f"it asks for {str(argument)[:100]!r}, which no state dict needs")
    if instructions > _MOST_INSTRUCTIONS:
        raise pickle.UnpicklingError(f"it has more than {_MOST_INSTRUCTIONS:,} instructions")
