"""Pickles of plain values and of NumPy's arrays of unsigned bytes, and of nothing else.

A pickle is a program. This machine for it has the instructions that make numbers, texts, lists, tuples and
dictionaries, and knows three names: those with which NumPy says how to rebuild an array. Even these are not
NumPy's own but stand-ins, which check what they are given and call nothing. It is written in Python, so that
no length or memory index that a pickle claims is believed before the bytes are there.
"""

from __future__ import annotations

import math
import pickle
import struct
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import FileError

__all__ = ["ByteArray", "unpickle"]


def unpickle(content: bytes) -> Any:
    """The value of a pickle: texts of Python 2 become bytes, arrays become :class:`ByteArray`.

    Raises:
        FileError: damaged, or with an instruction, a name or an array that is not admitted.

    >>> unpickle(pickle.dumps({b"labels": [6, 9]}, protocol=2 + 1))
    {b'labels': [6, 9]}
    """
    try:
        return _Machine(_Counted(content), encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise FileError(f"a pickle that is not read here: {error}", _HINT) from error
    except (
        ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError, struct.error
    ) as error:  # fmt: skip
        raise FileError(f"a damaged pickle: {type(error).__name__}: {error}", _HINT) from error


_HINT = "expected the file as its makers publish it; nothing of it was executed"
_MOST_READS = 250_000  # a real batch, of 10,000 labels and names, takes about 80,000
_MOST_AXES = 4
_LONGEST_AXIS = 1 << 15


class _Counted(BytesIO):
    """A pickle that is read no longer than one of the makers' would take: each instruction reads."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        self._reads += 1
        if self._reads > _MOST_READS:
            raise pickle.UnpicklingError(f"it has more than {_MOST_READS:,} instructions and values")
        return super().read(size)


class ByteArray:
    """Stands in for ``numpy.ndarray``: first ``_reconstruct``'s empty array, then the state of a full one."""

    __slots__ = ("_content", "_order", "_shape")

    def __init__(self, kind: object, shape: object, code: object) -> None:
        if kind is not _ArrayType or shape != (0,) or code != b"b":
            raise pickle.UnpicklingError("an array that NumPy would not have written so")
        self._shape: tuple[int, ...] = (0,)
        self._order, self._content = "C", b""

    def __setstate__(self, state: object) -> None:
        match state:
            case (1, tuple(shape), _ByteType(), bool(fortran), bytes(content)) if (
                len(shape) <= _MOST_AXES
                and all(type(size) is int and 0 <= size <= _LONGEST_AXIS for size in shape)
                and math.prod(shape) == len(content)
            ):
                self._shape, self._content = shape, content
                self._order = "F" if fortran else "C"
            case _:
                raise pickle.UnpicklingError("an array that is not whole, or not of unsigned bytes")

    def array(self) -> NDArray[np.uint8]:
        """The array itself."""
        flat = np.frombuffer(self._content, dtype=np.uint8)
        return flat.reshape(self._shape, order="F" if self._order == "F" else "C")


class _ByteType:
    """Stands in for ``numpy.dtype``: unsigned bytes alone."""

    __slots__ = ()

    def __init__(self, code: object, align: object, copy: object) -> None:
        if code not in (b"u1", "u1") or align not in (0, False) or copy not in (0, 1, False, True):
            raise pickle.UnpicklingError("an array of another type than unsigned bytes")

    def __setstate__(self, state: object) -> None:
        if state not in (
            (3, b"|", None, None, None, -1, -1, 0),
            (3, "|", None, None, None, -1, -1, 0),
        ):
            raise pickle.UnpicklingError("an array of a type with further properties")


class _ByText(dict[Any, Any]):
    """A dictionary whose keys are texts: to hash nested tuples that share parts could take for ever."""

    def __setitem__(self, key: object, value: object) -> None:
        if not isinstance(key, str | bytes):
            raise pickle.UnpicklingError("a dictionary with other keys than texts")
        super().__setitem__(key, value)


class _ArrayType:
    """Stands in for the name ``numpy.ndarray``, the first argument of ``_reconstruct``."""

    __slots__ = ()

    def __init__(self, *_: object) -> None:
        raise pickle.UnpicklingError("an array that NumPy would not have written so")


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): ByteArray,  # NumPy 1
    ("numpy._core.multiarray", "_reconstruct"): ByteArray,  # NumPy 2
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _ByteType,
}

# Values, containers, the memo; and GLOBAL, REDUCE and BUILD, for the names above. Not among them: INST, OBJ,
# NEWOBJ, EXT and PERSID, which call or fetch something, and BYTEARRAY8, which allocates before it reads.
_INSTRUCTIONS = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP,
    pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.INT, pickle.BININT, pickle.BININT1,
    pickle.BININT2, pickle.LONG, pickle.LONG1, pickle.LONG4, pickle.FLOAT, pickle.BINFLOAT, pickle.STRING,
    pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8,
    pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8, pickle.EMPTY_LIST,
    pickle.APPEND, pickle.APPENDS, pickle.LIST, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1,
    pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS, pickle.PUT,
    pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.GET, pickle.BINGET, pickle.LONG_BINGET,
    pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD,
)  # fmt: skip


class _Machine(pickle._Unpickler):
    """Python's own unpickler in Python, with fewer instructions and other names."""

    dispatch: ClassVar[dict[int, Any]] = {code: pickle._Unpickler.dispatch[code] for (code,) in _INSTRUCTIONS}

    def load_empty_dictionary(self) -> None:
        """A dictionary of our own for EMPTY_DICT."""
        self.append(_ByText())  # type: ignore[attr-defined]

    dispatch[pickle.EMPTY_DICT[0]] = load_empty_dictionary

    def load_frame(self) -> None:
        """A frame says how much may be fetched at once; here it is passed over, so that every read counts."""
        self.read(8)  # type: ignore[attr-defined]

    dispatch[pickle.FRAME[0]] = load_frame

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name of NumPy's."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not admitted") from None
