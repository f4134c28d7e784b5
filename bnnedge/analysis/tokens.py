"""Expressions cut into numbers, names and operators, each with its position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from bnnedge.errors import ConfigError

__all__ = ["Token", "fail_at", "tokens_of"]

_SPACE = re.compile(r"\s*", re.ASCII)
_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)"
    r"|(?P<operator><=|>=|==|!=|[-+*/()<>])",
    re.ASCII,
)
_WORDS = ("and", "or", "not")


@dataclass(frozen=True)
class Token:
    """One piece of an expression.

    Attributes:
        text: of the piece; empty for the end.
        kind: ``number``, ``name``, ``operator`` (words among them) or ``end``.
        position: of its first character, from 0.
    """

    text: str
    kind: str
    position: int


def tokens_of(text: str) -> list[Token]:
    """The pieces of an expression, and its end.

    Raises:
        ConfigError: a character that begins none.

    >>> [token.text for token in tokens_of("bdm_z>=-2 and bits < 4e3")]
    ['bdm_z', '>=', '-', '2', 'and', 'bits', '<', '4e3', '']
    """
    tokens: list[Token] = []
    position = end = 0
    while (position := _after_space(text, position)) < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            hint = "write == to compare" if text[position] == "=" else "see 'Gates' in the README"
            fail_at(text, position, f"{text[position]!r} is not understood", hint)
        kind = "operator" if match[0] in _WORDS else str(match.lastgroup)
        tokens.append(Token(match[0], kind, position))
        position = end = match.end()
    return [*tokens, Token("", "end", end)]


def fail_at(text: str, position: int, what: str, hint: str = "") -> NoReturn:
    """Raise the ConfigError that says what is wrong where, counted from 1."""
    raise ConfigError(f"{text!r}, position {position + 1}: {what}", hint)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return position if match is None else match.end()
