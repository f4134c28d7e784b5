"""The restricted unpickler: arrays of bytes and plain values come through, programs do not."""

from __future__ import annotations

import contextlib
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bnnedge.data.unpickle import ByteArray, unpickle
from bnnedge.errors import FileError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=40)
@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_plain_values(value: object, protocol: int) -> None:
    assert unpickle(pickle.dumps(value, protocol)) == value


@given(arrays(np.uint8, array_shapes(min_side=0)), st.booleans(), st.sampled_from([3, 4]))
def test_arrays_of_bytes(array: Any, fortran: bool, protocol: int) -> None:
    written = np.asfortranarray(array) if fortran else array
    read = unpickle(pickle.dumps({b"data": written}, protocol))[b"data"]
    assert isinstance(read, ByteArray)
    np.testing.assert_array_equal(read.array(), array)


def python_2(values: bytes) -> bytes:
    """What Python 2 and NumPy 1 wrote of an array, instruction by instruction."""
    size = struct.pack("<I", len(values))
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01K" + bytes([len(values)]) + b"\x85cnumpy\ndtype\nq\x03U\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + size + values + b"tb."
    )


def test_arrays_of_python_2() -> None:
    assert unpickle(python_2(b"\x00\x7f\xff")).array().tolist() == [0, 127, 255]


class Runs:
    """Unpickled by Python, this calls something."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def touch(path: Path) -> list[bytes]:
    """Pickles that would make a folder, were they believed, in every way that a pickle has of calling."""
    command = f"__import__('os').mkdir({str(path)!r})"
    text = command.encode()
    return [
        *(pickle.dumps(Runs(eval, command), protocol) for protocol in range(6)),
        pickle.dumps([1, {"labels": Runs(exec, command)}]),
        b"c__builtin__\neval\n(V" + text + b"\ntR.",  # GLOBAL, REDUCE
        b"(V" + text + b"\ni__builtin__\neval\n.",  # INST
        b"(c__builtin__\neval\nV" + text + b"\no.",  # OBJ
        b"\x80\x02c__builtin__\neval\nV" + text + b"\n\x85\x81.",  # NEWOBJ
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93V" + text + b"\n\x85R.",  # STACK_GLOBAL
        b"cnumpy\nndarray\n(V" + text + b"\ntR.",
        b"cnumpy\ndtype\n}V__setstate__\nc__builtin__\neval\nsb.",  # BUILD of a class
        b"cos\nsystem\n(S'mkdir " + bytes(path) + b"'\ntR.",
        b"cnumpy.core.multiarray\nfrombuffer\n(tR.",
        b"cnumpy\nload\n(V" + bytes(path) + b"\ntR.",
        b"Pidentity\n.",  # PERSID
        b"\x80\x02\x82\x01.",  # EXT1
    ]


@pytest.mark.parametrize("number", range(len(touch(Path("x")))))
def test_programs_are_refused(tmp_path: Path, number: int) -> None:
    proof = tmp_path / "executed"
    with pytest.raises(FileError) as caught:
        unpickle(touch(proof)[number])
    assert not proof.exists()
    assert "nothing of it was executed" in caught.value.hint


def test_the_programs_above_are_programs(tmp_path: Path) -> None:
    """Python itself obeys the first of them, so that refusing them means something."""
    proof = tmp_path / "executed"
    pickle.loads(touch(proof)[0])
    assert proof.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, np.int8),
        np.zeros(3),
        np.zeros(3, "S1"),
        np.array([print, None], object),
        np.zeros(2, [("a", "u1")]),
        np.zeros(3, ">u2"),
    ],
)
def test_other_arrays_are_refused(array: Any) -> None:
    with pytest.raises(FileError):
        unpickle(pickle.dumps(array, 4))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"K\x03\x85cnumpy", b"K\x09\x85cnumpy"),  # more values than there are bytes
        (b"K\x03\x85cnumpy", b"J\xff\xff\xff\xff\x85cnumpy"),  # a negative size
        (b"K\x00\x85U\x01b", b"K\x07\x85U\x01b"),
        (b"U\x02u1", b"U\x02O8"),
        (b"NNNJ", b"NN}J"),  # fields
    ],
)
def test_arrays_that_numpy_would_not_have_written(before: bytes, after: bytes) -> None:
    whole = python_2(b"\x00\x7f\xff")
    assert before in whole
    with pytest.raises(FileError, match="an array"):
        unpickle(whole.replace(before, after))


def test_every_truncation_is_an_error() -> None:
    whole = python_2(b"\x00\x7f\xff")
    for length in range(len(whole)):
        with pytest.raises(FileError):
            unpickle(whole[:length])


@given(st.binary(max_size=60))
def test_noise_is_an_error_or_a_value(content: bytes) -> None:
    for pickled in (content, b"\x80\x04" + content, python_2(content[:20])[:-5] + content):
        with contextlib.suppress(FileError):  # and no other exception
            unpickle(pickled)


@pytest.mark.parametrize(
    "claim",
    [
        b"\x8e" + struct.pack("<Q", 1 << 40),  # BINBYTES8
        b"\x96" + struct.pack("<Q", 1 << 33),  # BYTEARRAY8
        b"B" + struct.pack("<I", 1 << 31),
        b"T" + struct.pack("<i", (1 << 31) - 1),
        b"Nr" + struct.pack("<I", (1 << 32) - 1) + b"0.",  # a memo of four thousand million places
        b"\x8b" + struct.pack("<i", (1 << 31) - 1),
    ],
)
def test_claims_are_not_believed(claim: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(FileError):
        unpickle(b"\x80\x04" + claim)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_keys_that_would_take_for_ever_to_hash() -> None:
    """A tuple of two equal tuples of two equal tuples …: 2^60 parts in 200 bytes."""
    nested = b"K\x01" + b"2\x86" * 60  # DUP, TUPLE2
    with pytest.raises(FileError, match="other keys than texts"):
        unpickle(b"\x80\x02}" + nested + b"Ns.")
