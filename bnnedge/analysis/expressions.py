"""Conditions over named numbers: a small grammar, parsed by descent, typed, and never handed to ``eval``.

::

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | comparison
    comparison  = sum { ("<" | "<=" | ">" | ">=" | "==" | "!=") sum }
    sum         = product { ("+" | "-") product }
    product     = factor { ("*" | "/") factor }
    factor      = ("-" | "+") factor | number | name | "(" condition ")"

Precedence, chains (``0 < a < 1``) and the arithmetic of floats are Python's. What depends on a number that is
not there (a NaN, a division by zero) is neither true nor false, but None; ``and``, ``or`` and ``not`` follow
Kleene's three-valued logic, so ``blocks > 0 and bdm_z > -2`` is false where there is no block.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import NoReturn

from bnnedge.analysis.tokens import Token, fail_at, tokens_of
from bnnedge.errors import ConfigError

__all__ = ["Condition", "Lookup", "Name", "parse_condition"]

MOST_CHARACTERS = 1000
DEEPEST = 50

Lookup = Callable[[str], float]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Name:
    """A name in an expression, and the position of its first character."""

    text: str
    position: int


@dataclass(frozen=True)
class Condition:
    """A parsed expression.

    Attributes:
        text: as it was written.
        names: each one used, in order of appearance.
        holds: True, False, or None where numbers that it needs are not there (NaN).
    """

    text: str
    names: tuple[Name, ...]
    holds: Callable[[Lookup], bool | None]


def parse_condition(text: str) -> Condition:
    """Parse an expression that is true or false.

    Raises:
        ConfigError: it does not follow the grammar, is a number and no condition, is longer than 1,000
            characters or nested deeper than 50 levels; the message marks the position.

    >>> condition = parse_condition("a > 1 and not b == 0")
    >>> [name.text for name in condition.names], condition.holds({"a": 2.0, "b": 3.0}.__getitem__)
    (['a', 'b'], True)
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(
            f"an expression of {len(text):,} characters is too long",
            f"at most {MOST_CHARACTERS:,} are read; give --fail-on more than once",
        )
    parser = _Parser(text, tokens_of(text))
    holds = parser.condition(parser.disjunction())
    parser.expect_end()
    return Condition(text, tuple(parser.names), holds)


@dataclass(frozen=True)
class _Number:
    position: int
    value: Callable[[Lookup], float]


@dataclass(frozen=True)
class _Truth:
    position: int
    holds: Callable[[Lookup], bool | None]


class _Parser:
    """One method for each rule of the grammar; each gives a closure that evaluates its part."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.next = 0
        self.depth = 0
        self.names: list[Name] = []

    def disjunction(self) -> _Number | _Truth:
        return self._joined("or", self.conjunction, any_of)

    def conjunction(self) -> _Number | _Truth:
        return self._joined("and", self.negation, all_of)

    def negation(self) -> _Number | _Truth:
        if (token := self._take("not")) is None:
            return self.comparison()
        holds = self.condition(self._deeper(self.negation))

        def negated(lookup: Lookup) -> bool | None:
            held = holds(lookup)
            return None if held is None else not held

        return _Truth(token.position, negated)

    def comparison(self) -> _Number | _Truth:
        first = self.sum()
        operands, compare = [first], []
        while (token := self._take(*_COMPARISONS)) is not None:
            compare.append(_COMPARISONS[token.text])
            operands.append(self.sum())
        if not compare:
            return first
        values = [self._number(operand) for operand in operands]

        def compared(lookup: Lookup) -> bool | None:
            numbers = [value(lookup) for value in values]
            pairs = zip(compare, numbers, numbers[1:], strict=False)
            return all_of([None if math.isnan(a) or math.isnan(b) else test(a, b) for test, a, b in pairs])

        return _Truth(first.position, compared)

    def sum(self) -> _Number | _Truth:
        return self._folded({"+": operator.add, "-": operator.sub}, self.product)

    def product(self) -> _Number | _Truth:
        return self._folded({"*": operator.mul, "/": _divide}, self.factor)

    def factor(self) -> _Number | _Truth:
        token = self.tokens[self.next]
        if self._take("-", "+") is not None:
            value = self._number(self._deeper(self.factor))
            return _Number(token.position, (lambda lookup: -value(lookup)) if token.text == "-" else value)
        if self._take("(") is not None:
            inner = self._deeper(self.disjunction)
            if self._take(")") is None:
                self._unexpected("')' for the parenthesis at position " + str(token.position + 1))
            return inner
        if token.kind == "number":
            self.next += 1
            number = float(token.text)
            return _Number(token.position, lambda _: number)
        if token.kind != "name":
            self._unexpected("a name, a number or '('")
        self.next += 1
        self.names.append(Name(token.text, token.position))
        return _Number(token.position, lambda lookup: lookup(token.text))

    def condition(self, part: _Number | _Truth) -> Callable[[Lookup], bool | None]:
        """The part as a condition."""
        if isinstance(part, _Number):
            hint = "compare it with something, as in 'bdm_z > -2'"
            fail_at(self.text, part.position, "a number stands where a condition must", hint)
        return part.holds

    def expect_end(self) -> None:
        """Nothing may be left."""
        if self.tokens[self.next].kind != "end":
            self._unexpected("an operator or the end")

    def _number(self, part: _Number | _Truth) -> Callable[[Lookup], float]:
        if isinstance(part, _Truth):
            fail_at(
                self.text,
                part.position,
                "a condition stands where a number must",
                "join conditions with 'and'",
            )
        return part.value

    def _joined(
        self,
        word: str,
        part: Callable[[], _Number | _Truth],
        join: Callable[[list[bool | None]], bool | None],
    ) -> _Number | _Truth:
        parts = [part()]
        while self._take(word) is not None:
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        conditions = [self.condition(each) for each in parts]
        return _Truth(parts[0].position, lambda lookup: join([holds(lookup) for holds in conditions]))

    def _folded(
        self, operators: dict[str, Callable[[float, float], float]], part: Callable[[], _Number | _Truth]
    ) -> _Number | _Truth:
        first = part()
        rest = []
        while (token := self._take(*operators)) is not None:
            rest.append((operators[token.text], self._number(part())))
        if not rest:
            return first
        start = self._number(first)
        return _Number(
            first.position,
            lambda lookup: reduce(lambda total, step: step[0](total, step[1](lookup)), rest, start(lookup)),
        )

    def _take(self, *texts: str) -> Token | None:
        token = self.tokens[self.next]
        if token.kind != "operator" or token.text not in texts:
            return None
        self.next += 1
        return token

    def _deeper(self, rule: Callable[[], _Number | _Truth]) -> _Number | _Truth:
        self.depth += 1
        if self.depth > DEEPEST:
            position = self.tokens[self.next].position
            fail_at(self.text, position, f"nested deeper than {DEEPEST} levels", "use fewer parentheses")
        part = rule()
        self.depth -= 1
        return part

    def _unexpected(self, wanted: str) -> NoReturn:
        token = self.tokens[self.next]
        found = f"{token.text!r}" if token.kind != "end" else "the end"
        fail_at(self.text, token.position, f"{found} where {wanted} was expected")


def all_of(parts: list[bool | None]) -> bool | None:
    """Kleene's and: false where one is false, else unknown where one is unknown."""
    return False if False in parts else None if None in parts else True


def any_of(parts: list[bool | None]) -> bool | None:
    """Kleene's or: true where one is true, else unknown where one is unknown."""
    return True if True in parts else None if None in parts else False


def _divide(a: float, b: float) -> float:
    return a / b if b else math.nan
