"""Mutations of JSON: of values, keys and nesting, and of the safetensors headers that are made of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from fuzz_bytes import INTEGERS, Mutation, tokens

__all__ = ["json_text", "metadata", "safetensors_header"]

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**400, -(10**30), 1e308, float("nan"), float("inf"), float("-inf"), "",
    "0", "../../secret", "/etc/passwd", "\x00", "\ud800", "</script><b>", "a" * 3000, "9" * 5000, [], {},
    [[]], [None], [0] * 300, [-1, 2**64], {"": {}}, {"__proto__": 1}, ["conv1", "conv1"],
)  # fmt: skip


def json_text(content: bytes, dice: random.Random) -> bytes:
    """JSON with another value, a key gone, moved or twice, or nesting beyond measure; else other tokens."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return tokens(content, dice)
    if dice.random() < 0.1:
        return _beyond(content, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        value = _mutated(value, dice)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def safetensors_header(content: bytes, dice: random.Random) -> bytes:
    """A safetensors file with another header, whose length is right again, or with other tensors."""
    length = int.from_bytes(content[:8], "little")
    header, rest = content[8 : 8 + length], content[8 + length :]
    if not header or dice.random() < 0.1:
        return content[: dice.randrange(len(content) + 1)] + bytes(dice.randrange(16))
    changed = dice.choice((json_text, json_text, tokens))(header, dice)
    return len(changed).to_bytes(8, "little") + changed + rest


def metadata(entry: str) -> Mutation:
    """A mutation of the JSON that stands as a text in one entry of a safetensors file's metadata."""

    def mutate(content: bytes, dice: random.Random) -> bytes:
        length = int.from_bytes(content[:8], "little")
        try:
            header = json.loads(content[8 : 8 + length])
            inner = str(header["__metadata__"][entry])
        except (ValueError, KeyError, TypeError, RecursionError):
            return tokens(content, dice)
        changed = json_text(inner.encode("utf-8", "surrogatepass"), dice)
        header["__metadata__"][entry] = changed.decode("utf-8", "replace")
        written = json.dumps(header).encode("utf-8", "replace")
        return len(written).to_bytes(8, "little") + written + content[8 + length :]

    return mutate


def _beyond(content: bytes, dice: random.Random) -> bytes:
    depth = dice.choice((100, 1000, 100_000))
    match dice.randrange(3):
        case 0:
            return b"[" * depth + content + b"]" * depth
        case 1:
            return b'{"schema":' * depth + content + b"}" * depth
        case _:  # each key twice: which one counts is for the reader to say
            return content.rstrip().removesuffix(b"}") + b"," + content.lstrip().removeprefix(b"{")


def _mutated(value: Any, dice: random.Random) -> Any:
    """The value with one place in it changed."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        return _CHANGES[dice.randrange(len(_CHANGES))](value, key, dice)
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        changed = list(value)
        match dice.randrange(4):
            case 0:
                del changed[place]
            case 1:
                changed.insert(place, dice.choice(value))
            case _:
                changed[place] = _mutated(value[place], dice)
        return changed
    if type(value) is int and dice.random() < 0.5:
        return value + dice.choice((-1, 1)) if dice.random() < 0.5 else dice.choice(INTEGERS)
    return dice.choice(_VALUES)


def _inside(value: dict[str, Any], key: str, dice: random.Random) -> dict[str, Any]:
    return value | {key: _mutated(value[key], dice)}


def _without(value: dict[str, Any], key: str, _: random.Random) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != key}


def _moved(value: dict[str, Any], key: str, dice: random.Random) -> dict[str, Any]:
    other = dice.choice(list(value))
    return value | {key: value[other], other: value[key]}


def _renamed(value: dict[str, Any], key: str, dice: random.Random) -> dict[str, Any]:
    name = dice.choice((key + "x", "", "\x00", "../" + key, key.upper(), "9" * 5000, "é", "__metadata__"))
    return {(name if each == key else each): inner for each, inner in value.items()}


_CHANGES: tuple[Callable[[dict[str, Any], str, random.Random], dict[str, Any]], ...] = (
    _inside, _inside, _inside, _inside, _inside, _inside, _without, _moved, _renamed
)  # fmt: skip
