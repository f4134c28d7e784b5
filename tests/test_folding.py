"""The folding search: legal, exact against trying everything, and monotone."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.folding import Choice, Design, Folder
from bnnedge.hardware.matrix_units import LONGEST_ROW, WIDEST_STREAM, MatrixVector, accumulator_bits
from bnnedge.hardware.memory import block_rams, lutram_of_smallest
from bnnedge.hardware.units import Thresholding
from bnnedge.hardware.window_units import Window
from bnnedge.packed.geometry import Geometry, LayerGeometry, geometry_of
from bnnedge.packed.model import PackedModel
from tests.networks import conv_models, packed_models

PLENTY = 10**9


def folder_of(model: PackedModel) -> Folder:
    return Folder(units_of(geometry_of(model)))


def paces(folder: Folder) -> list[int]:
    return sorted({choice.cycles for choices in folder.choices for choice in choices})


def dense(*widths: int) -> Geometry:
    layers = [
        LayerGeometry.untrained(f"fc{place}", inputs, outputs)
        for place, (inputs, outputs) in enumerate(pairwise(widths), start=1)
    ]
    return Geometry((widths[0],), 255, 1, 128, False, tuple(layers), head_keeps_order=True)


@given(packed_models() | conv_models(), st.data())
def test_foldings_are_those_that_finn_takes(model: PackedModel, data: st.DataObject) -> None:
    folder = folder_of(model)
    design = folder.cheapest(data.draw(st.sampled_from(paces(folder))), PLENTY)
    for choice in design.choices if design else ():
        unit, folding = choice.unit, choice.folding
        if isinstance(unit, MatrixVector):
            assert unit.rows % folding.pe == unit.columns % folding.simd == 0
            assert unit.columns / folding.simd <= LONGEST_ROW
            assert folding.pe * folding.simd * unit.weight_bits <= WIDEST_STREAM
        elif isinstance(unit, Window):
            assert unit.channels % folding.simd == 0
            assert folding.simd == unit.channels or not folding.parallel
        elif isinstance(unit, Thresholding):
            assert unit.channels % folding.pe == 0


@settings(max_examples=60)
@given(packed_models(max_width=12), st.data())
def test_the_search_finds_what_trying_everything_finds(model: PackedModel, data: st.DataObject) -> None:
    folder = folder_of(model)
    some = [data.draw(st.permutations(choices))[:4] for choices in folder.choices]  # 4^6 designs at most
    folder.choices = some
    pace = data.draw(st.sampled_from(paces(folder)))
    designs = [Design(choices) for choices in product(*some)]
    most_brams = data.draw(st.sampled_from(sorted({design.bram18 for design in designs})))
    allowed = [design for design in designs if design.cycles <= pace and design.bram18 <= most_brams]
    found = folder.cheapest(pace, most_brams)
    if not allowed:
        assert found is None
        return
    assert found is not None
    assert found.cycles <= pace
    assert (found.luts, found.bram18) == min((design.luts, design.bram18) for design in allowed)
    luts = data.draw(st.sampled_from(sorted({design.luts for design in designs})))
    fitting = [design for design in designs if design.luts <= luts and design.bram18 <= most_brams]
    best = folder.fastest(luts, most_brams)
    if not fitting:
        assert best is None
        return
    assert best is not None
    assert best.luts <= luts
    assert best.bram18 <= most_brams
    assert best.cycles == min(design.cycles for design in fitting)


@given(packed_models() | conv_models(), st.integers(0, 60))
def test_more_time_never_takes_more_logic(model: PackedModel, brams: int) -> None:
    folder = folder_of(model)
    before: Design | None = None
    for pace in paces(folder):
        design = folder.cheapest(pace, brams)
        assert (design is None) == (before is None) or before is None  # what fits goes on fitting
        if design is not None:
            assert design.cycles <= pace
            assert design.bram18 <= brams
            assert before is None or design.luts <= before.luts
            before = design
    unlimited = folder.cheapest(folder.fastest_cycles(), PLENTY)
    assert unlimited is not None
    assert unlimited.cycles == folder.fastest_cycles()
    assert folder.cheapest(folder.fastest_cycles() - 1, PLENTY) is None


@given(packed_models() | conv_models(), st.data())
def test_the_search_says_the_same_again(model: PackedModel, data: st.DataObject) -> None:
    pace = data.draw(st.sampled_from(paces(folder_of(model))))
    found = [folder_of(model).cheapest(pace, 100) for _ in range(2)]
    assert found[0] == found[1]
    wanted = folder_of(model).wanted(pace)
    assert found[0] is None or wanted.luts <= found[0].luts


def test_names_are_counted_as_finn_counts_them() -> None:
    design = Folder(units_of(dense(64, 32, 10))).wanted(PLENTY)
    assert list(design.folding_config()) == [
        "Defaults", "Thresholding_rtl_0", "MVAU_hls_0", "MVAU_hls_1", "LabelSelect_hls_0",
    ]  # fmt: skip
    assert design.folding_config()["MVAU_hls_0"] == {
        "PE": 1, "SIMD": 1, "ram_style": "auto", "resType": "lut", "mem_mode": "internal_decoupled",
    }  # fmt: skip
    assert design.latency == 64 + 64 * 32 + 32 * 10 + 10


def test_long_rows_are_folded_no_further_than_hls_goes() -> None:
    smallest = Folder(units_of(dense(4608, 10))).wanted(PLENTY)
    matrix = next(choice for choice in smallest.choices if isinstance(choice.unit, MatrixVector))
    assert 4608 // matrix.folding.simd <= LONGEST_ROW
    assert 4608 // matrix.folding.simd > LONGEST_ROW // 2


def test_a_row_that_cannot_be_folded_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="layer fc1 has too many inputs to be folded") as caught:
        Folder(units_of(dense(8209, 10)))  # a prime above the widest stream
    assert "multiple of 64" in caught.value.hint


def test_of_equal_costs_the_smallest_folding() -> None:
    design = Folder(units_of(dense(64, 32, 10))).wanted(1000)
    ends: dict[str, Choice] = {choice.unit.layer: choice for choice in design.choices}
    assert ends["output"].folding.pe == 1
    assert Folder(units_of(dense(64, 32, 10))).wanted(3).choices[-1].folding.pe == 5


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (1, 16384, 1),
        (2, 8193, 2),
        (3, 4096, 1),
        (9, 2049, 2),
        (18, 1024, 1),
        (36, 512, 1),
        (37, 512, 2),
        (36, 513, 2),
    ],
)
def test_block_rams_at_the_edges_of_their_shapes(width: int, depth: int, blocks: int) -> None:
    assert block_rams(width, depth) == blocks


def test_small_tables_take_what_wastes_least() -> None:
    assert lutram_of_smallest(8, 784) == (8 * 13, 0)
    assert lutram_of_smallest(36, 512) == (0, 1)
    assert lutram_of_smallest(72, 4096) == (0, 0)  # one UltraRAM, which is not counted


def test_accumulators_are_as_wide_as_their_sums() -> None:
    for least, most in ((-64, 64), (-64, 63), (-1, 0), (-129, 5), (-5, 128)):
        bits = accumulator_bits(least, most)
        assert -(2 ** (bits - 1)) <= least
        assert most < 2 ** (bits - 1)
        assert not (-(2 ** (bits - 2)) <= least and most < 2 ** (bits - 2)) or bits == 1
    assert accumulator_bits(0, 255) == 8
