"""Mutations of bytes and texts, which know nothing of formats but what hostile values look like."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

__all__ = ["INTEGERS", "Mutation", "bytewise", "gunzipped", "lines", "tokens"]

Mutation = Callable[[bytes, random.Random], bytes]

INTEGERS = (
    0, 1, -1, 2, 3, 7, 8, 15, 16, 64, 100, 127, 128, 255, 256, 1023, 4096, 32767, 32768, 65535, 65536,
    1 << 20, (1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) + 1,
    (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -128, -(1 << 31), -(1 << 63),
)  # fmt: skip
"""At the ends of types, of blocks and of limits."""

_TEXTS = (
    b"\x00", b"\xff\xfe", b"\x80", b"\xc3\x28", b"\xed\xa0\x80", "\ufeff".encode(), "\u2028".encode(),
    "١".encode(), b"../../secret", b"/etc/passwd", b"/dev/zero", b"<script>alert(1)</script>", b"$(touch x)",
    b"%s%n", b"[/b]", b"nan", b"NaN", b"inf", b"-Infinity", b"1e999", b"-0.0", b"1_000", b"9" * 5000,
    b"1e-400", b"true", b"null", b'"', b"'", b"\\", b"\r", b"\n\n", b",", b";", b"\t", b"=", b"#",
    b"[" * 2000, b"{" * 2000, b'{"a":' * 500,
)  # fmt: skip


def bytewise(content: bytes, dice: random.Random) -> bytes:
    """One to four changes: bits, lengths, ends, pieces that move, and values at the ends of types."""
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        dice.choice(_CHANGES)(changed, dice)
    return bytes(changed)


def tokens(content: bytes, dice: random.Random) -> bytes:
    """Words, numbers and quoted texts in the place of others, lines twice or not at all."""
    found = list(_TOKEN.finditer(content))
    if not found or dice.random() < 0.2:
        return _line(content, dice)
    one, other = dice.choice(found), dice.choice(found)
    value = dice.choice((_hostile(dice), str(dice.choice(INTEGERS)).encode(), other[0]))
    return content[: one.start()] + value + content[one.end() :]


def lines(inner: Mutation) -> Mutation:
    """A mutation of one line of several."""

    def mutate(content: bytes, dice: random.Random) -> bytes:
        rows = content.split(b"\n")
        place = dice.randrange(len(rows))
        rows[place] = inner(rows[place], dice)
        return b"\n".join(rows)

    return mutate


def gunzipped(inner: Mutation) -> Mutation:
    """A mutation of what was compressed by gzip; bytes that were not stay as they are."""
    import gzip
    import zlib

    def mutate(content: bytes, dice: random.Random) -> bytes:
        try:
            plain = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return inner(content, dice)
        return gzip.compress(inner(plain, dice), compresslevel=1, mtime=0)

    return mutate


_TOKEN = re.compile(rb'"[^"\n]*"|[A-Za-z_][\w.-]*|-?[0-9][0-9_.e+-]*|[^\s\w]')


def _hostile(dice: random.Random) -> bytes:
    return dice.choice(_TEXTS)


def _line(content: bytes, dice: random.Random) -> bytes:
    rows = content.split(b"\n")
    place, other = dice.randrange(len(rows)), dice.randrange(len(rows))
    match dice.randrange(4):
        case 0:
            rows.insert(place, rows[other])
        case 1:
            del rows[place]
        case 2:
            rows[place], rows[other] = rows[other], rows[place]
        case _:
            rows.insert(place, _hostile(dice))
    return b"\n".join(rows)


def _flip(content: bytearray, dice: random.Random) -> None:
    if content:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)


def _integer(content: bytearray, dice: random.Random) -> None:
    """A length field, wherever it may lie: 1 to 8 bytes, either end first."""
    size = dice.choice((1, 2, 4, 8))
    value = dice.choice(INTEGERS) & ((1 << 8 * size) - 1)
    place = (
        dice.randrange(min(len(content), 256) + 1)
        if dice.random() < 0.5
        else dice.randrange(len(content) + 1)
    )
    content[place : place + size] = value.to_bytes(size, dice.choice(("big", "little")))


def _cut(content: bytearray, dice: random.Random) -> None:
    del content[dice.randrange(len(content) + 1) :]


def _remove(content: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(content) + 1)
    del content[start : start + dice.choice((1, 2, 8, 64, 512))]


def _repeat(content: bytearray, dice: random.Random) -> None:
    start, size = dice.randrange(len(content) + 1), dice.choice((1, 4, 16, 128, 1024))
    content[start:start] = content[start : start + size] * dice.choice((1, 1, 2, 16))


def _swap(content: bytearray, dice: random.Random) -> None:
    size = dice.choice((1, 2, 4, 16))
    one, other = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    left, right = content[one : one + size], content[other : other + size]
    if len(left) == len(right) and one + size <= other:
        content[one : one + size], content[other : other + size] = right, left


def _insert(content: bytearray, dice: random.Random) -> None:
    place = dice.randrange(len(content) + 1)
    content[place:place] = _hostile(dice)


def _fill(content: bytearray, dice: random.Random) -> None:
    start, size = dice.randrange(len(content) + 1), dice.choice((4, 32, 256))
    size = len(content[start : start + size])
    content[start : start + size] = bytes([dice.choice((0, 0x7F, 0x80, 0xFF))]) * size


_CHANGES: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip, _flip, _integer, _integer, _cut, _remove, _repeat, _swap, _insert, _fill
)  # fmt: skip
