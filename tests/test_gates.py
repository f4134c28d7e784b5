"""Gates: expressions against Python's own reading of them, names against the audit's figures."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bnnedge.analysis.audit import Audit, LayerAudit
from bnnedge.analysis.expressions import DEEPEST, MOST_CHARACTERS, parse_condition
from bnnedge.analysis.findings import Finding
from bnnedge.analysis.gates import check, gate_names, parse_gate
from bnnedge.analysis.measures import Measures
from bnnedge.complexity.nulls import NullScore
from bnnedge.complexity.sampling import Value
from bnnedge.errors import ConfigError

NUMBERS = {"a": 1.5, "b": -2.0, "c": 0.0, "total.d": 7.0}
NAN = math.nan


def joined(parts: st.SearchStrategy[str], operators: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Two to three parts with operators and careless spaces between them."""
    between = st.tuples(st.sampled_from(operators), st.sampled_from(["", " ", "  "]))
    more = st.lists(st.tuples(between, parts), min_size=1, max_size=2)

    def write(first: str, rest: list[tuple[tuple[str, str], str]]) -> str:
        return first + "".join(
            f" {word} {part}" if word.isalpha() else f"{space}{word}{space}{part}"
            for (word, space), part in rest
        )

    return st.builds(write, parts, more)


atoms = st.one_of(
    st.sampled_from(sorted(NUMBERS)),
    st.integers(0, 20).map(str),
    st.floats(0, 100).map(lambda value: f"{value:.3e}"),
    st.sampled_from([".5", "2.", "1E2"]),
    joined(st.integers(1, 9).map(str), ("/", "*")),  # by nothing that could be 0, where Python stops
)
sums = st.recursive(
    atoms,
    lambda inner: st.one_of(
        joined(inner, ("+", "-", "*")), inner.map(lambda x: f"({x})"), inner.map(lambda x: f"- {x}")
    ),
    max_leaves=6,
)
comparisons = joined(sums, ("<", "<=", ">", ">=", "==", "!="))
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        joined(inner, ("and", "or")), inner.map(lambda x: f"({x})"), inner.map(lambda x: f"not {x}")
    ),
    max_leaves=6,
)


@given(conditions)
def test_conditions_mean_what_python_means_by_them(text: str) -> None:
    python = re.sub(r"total\.d", "d", text)
    names = {name.removeprefix("total."): value for name, value in NUMBERS.items()}
    assume(len(text) <= MOST_CHARACTERS)
    expected = eval(python, {"__builtins__": {}}, names)  # noqa: S307 (written above)
    assert parse_condition(text).holds(NUMBERS.__getitem__) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3 == 9", True),
        ("8 / 4 / 2 == 1", True),
        ("10 - 4 - 3 == 3", True),
        ("--2 == 2", True),
        ("-a * 2 == -3", True),
        ("0 < a < 2", True),
        ("0 < a < 1", False),
        ("3 > a != 1", True),
        ("not a > 1 or b < 0", True),
        ("not (a > 1 or b < 0)", False),
        ("c == 1 and c == 1 or a > 1", True),
        ("c == 1 and (c == 1 or a > 1)", False),
        ("a>1", True),
        ("\ta\n>\r\n1 ", True),
    ],
)
def test_precedence(text: str, expected: bool) -> None:
    assert parse_condition(text).holds(NUMBERS.__getitem__) is expected


def test_names_come_in_order_with_their_positions() -> None:
    names = parse_condition("a > 1 and  not total.d < a").names
    assert [(name.text, name.position) for name in names] == [("a", 0), ("total.d", 15), ("a", 25)]


@pytest.mark.parametrize(("x", "y"), list(itertools.product([True, False, None], repeat=2)))
def test_unknown_follows_kleene(x: bool | None, y: bool | None) -> None:
    numbers = {"x": NAN if x is None else float(x), "y": NAN if y is None else float(y)}

    def holds(text: str) -> bool | None:
        return parse_condition(text).holds(numbers.__getitem__)

    rank = {False: 0, None: 1, True: 2}
    assert holds("x == 1 and y == 1") is min(x, y, key=rank.__getitem__)
    assert holds("x == 1 or y == 1") is max(x, y, key=rank.__getitem__)
    assert holds("not x == 1") is (None if x is None else not x)


def test_a_nan_is_unknown_in_every_comparison_and_a_quotient_by_zero_is_one() -> None:
    numbers = {"x": NAN, "zero": 0.0}
    for operator in ("<", "<=", ">", ">=", "==", "!="):
        for text in (f"x {operator} 1", f"1 {operator} x", f"x {operator} x", f"1 / zero {operator} 1"):
            assert parse_condition(text).holds(numbers.__getitem__) is None
    assert parse_condition("2 < 1 < x").holds(numbers.__getitem__) is False


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 1, "the end where a name, a number or '\\('"),
        ("   ", 1, "the end where a name"),
        ("a", 1, "a number stands where a condition must"),
        ("a > ", 4, "the end where a name"),
        ("a > 1 b", 7, "'b' where an operator or the end"),
        ("(a > 1", 7, "the end where '\\)' for the parenthesis at position 1"),
        ("a > 1)", 6, "'\\)' where an operator"),
        ("a = 1", 3, "'=' is not understood"),
        ("a > €", 5, "'€' is not understood"),
        ("a >\u00a01", 4, "is not understood"),
        ("a > 1 and b", 11, "a number stands where a condition must"),
        ("not a", 5, "a number stands"),
        ("1 + (a > 1) > 0", 6, "a condition stands where a number must"),
        ("(a > 1) == (b > 1)", 2, "a condition stands"),
        ("-(a > 1)", 3, "a condition stands"),
        ("a > not b", 5, "'not' where a name"),
        ("a > 2x", 6, "'x' where an operator"),
        ("a.b.c > 1", 4, "'.' is not understood"),
        ("__import__('os')", 12, '"\'" is not understood'),
        ("a ** 2 > 1", 4, "'\\*' where a name"),
    ],
)
def test_errors_mark_the_position(text: str, position: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as raised:
        parse_condition(text)
    assert f"position {position}:" in raised.value.message


@pytest.mark.parametrize(
    "nest",
    [
        lambda depth: "(" * depth + "a > 1" + ")" * depth,
        lambda depth: "not " * depth + "a > 1",
        lambda depth: "-" * depth + "a > 1",
    ],
)
def test_nesting_has_a_limit(nest: Callable[[int], str]) -> None:
    assert parse_condition(nest(DEEPEST)).holds(NUMBERS.__getitem__) is not None
    with pytest.raises(ConfigError, match="nested deeper than 50 levels"):
        parse_condition(nest(DEEPEST + 1))


def test_length_has_a_limit() -> None:
    long = "a > 1" + " or a > 1" * 110
    assert len(long) <= MOST_CHARACTERS
    assert parse_condition(long).holds(NUMBERS.__getitem__) is True
    with pytest.raises(ConfigError, match="1,001 characters is too long"):
        parse_condition(long.ljust(MOST_CHARACTERS + 1))


# Gates on an audit.


def measures(bits: int = 64, bdm: float = 100.0, reason: str = "") -> Measures:
    return Measures(bits, bits, 3, 0.5, 0.9, 4, 2, 1.5, bdm, reason)


def score(null: str, measure: str, z: float) -> NullScore:
    return NullScore(null, measure, 10.0 + z, 10.0, 0.0 if math.isnan(z) else 1.0, z, 8.0, 12.0, 20)


def layer(name: str, measured: Measures, *nulls: NullScore, **values: Value) -> LayerAudit:
    return LayerAudit(name, (8, 8), "flat", "packed", measured, values, nulls, ())


def finding(kind: str, where: str, *neurons: int) -> Finding:
    return Finding(kind, where, neurons, "message", "saves", 0, False)


def an_audit() -> Audit:
    first = layer(
        "fc1",
        measures(bdm=90),
        score("shuffle", "bdm_bits", -3.0),
        score("neurons", "bdm_bits", 0.5),
        score("inputs", "bdm_bits", -4.0),
        score("shuffle", "block_entropy_bits", NAN),
        bdm_1d_bits=Value(5.0),
    )
    second = layer(
        "fc2",
        measures(bits=12, bdm=NAN, reason="no whole 4x4 block fits"),
        bdm_1d_bits=Value(NAN, "the layer is too small"),
    )
    findings = (
        finding("duplicate-neurons", "fc1", 1, 2),
        finding("duplicate-neurons", "fc1", 2, 5, 6),
        finding("constant-neuron", "fc2", 0),
        finding("dead-inputs", "fc2", 3, 4, 5),
    )
    return Audit("net", "0" * 64, {}, (), "4x4 blocks", (first, second), measures(76, 95.0), findings)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("bits >= 12", ["fc1", "fc2"]),
        ("bits < 64", ["fc2"]),
        ("bits > 64", []),
        ("bits_kept == 64 and bits_dropped == 3 and density == 0.5 and blocks == 4", ["fc1"]),
        ("distinct_blocks == 2 and bit_entropy_bits == 0.9 and block_entropy_bits == 1.5", ["fc1", "fc2"]),
        ("bdm_bits < 95", ["fc1"]),
        ("bdm_per_bit > 1 and bits == 64", ["fc1"]),
        ("bdm_z < -2", ["fc1"]),
        ("bdm_z_inputs < -2", ["fc1"]),
        ("bdm_z_inputs > -2", []),
        ("bits == 64 and bdm_z_neurons > 0", ["fc1"]),
        ("bdm_1d_bits == 5", ["fc1"]),
        ("bits > 12 and bdm_z > -2", []),
        ("findings == 2", ["fc1", "fc2"]),
        ("duplicate_neurons == 4", ["fc1"]),
        ("constant_neurons > 0", ["fc2"]),
        ("dead_inputs == 3", ["fc2"]),
        ("complementary_neurons + same_weights + shared_patterns + rows_outside_blocks > 0", []),
        ("total.bits == 76 and total.findings == 4", ["all"]),
        ("total.duplicate_neurons == 4", ["all"]),
        ("total.bdm_bits > 96", []),
        ("bits < total.bits / 2", ["fc2"]),
    ],
)
def test_gates_look_at_layers_and_at_the_total(text: str, layers: list[str]) -> None:
    assert [failure.layer for failure in check([parse_gate(text)], an_audit())] == layers


def test_a_failure_says_where_and_with_which_numbers() -> None:
    gates = [parse_gate("bdm_z < -2"), parse_gate("total.bits > 70")]
    assert [str(failure) for failure in check(gates, an_audit())] == [
        "net, fc1: bdm_z < -2 (bdm_z is -3)",
        "net, all: total.bits > 70 (total.bits is 76)",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bdm_bits > 95", "fc2: bdm_bits: no whole 4x4 block fits"),
        ("bdm_z > -2", "fc2: bdm_z: the null model 'shuffle' was not drawn"),
        ("block_entropy_z > 0 and bits > 12", "fc1: block_entropy_z: every draw of the null model 'shuffle'"),
        ("bdm_1d_bits > 5", "fc2: bdm_1d_bits: the layer is too small"),
        ("bdm_tile_per_bit > 5", "fc1: bdm_tile_per_bit: it was not measured"),
        ("bits / (bits - 64) > 1", "fc1: its arithmetic gives no number"),
    ],
)
def test_a_number_that_is_not_there_passes_no_gate(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(why)) as raised:
        check([parse_gate(text)], an_audit())
    assert text in raised.value.message
    assert raised.value.hint


def test_a_total_without_blocks_passes_no_gate() -> None:
    empty = dataclasses.replace(an_audit(), total=measures(12, NAN, "no whole 4x4 block fits"))
    with pytest.raises(ConfigError, match=re.escape("all: total.bdm_bits: no whole 4x4 block fits")):
        check([parse_gate("total.bdm_bits > 1")], empty)


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("bdm_zz > -2", 1, "did you mean 'bdm_z'?"),
        ("bits > 3 and duplicated_neurons > 0", 14, "did you mean 'duplicate_neurons'?"),
        ("total.bdm_z > 0", 1, "'bdm_z' is a number of layers; the total has none"),
        ("qqqqqqqqqqqqqqqqq > 0", 1, "README"),
    ],
)
def test_unknown_names_bring_the_closest(text: str, position: int, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"position {position}: no number is called") as raised:
        parse_gate(text)
    assert hint in raised.value.hint


def test_a_gate_names_something() -> None:
    with pytest.raises(ConfigError, match="names nothing of the audit"):
        parse_gate("1 < 2")


def test_every_known_name_can_be_parsed() -> None:
    names = gate_names()
    assert len(set(names)) == len(names)
    for name in names:
        assert parse_gate(f"{name} > 0").condition.names[0].text == name
