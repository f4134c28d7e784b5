"""Unrolled networks, simulated: scores and labels equal the golden model's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bnnedge
from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError, UnsupportedError
from bnnedge.hardware.unrolled import Design, generate
from bnnedge.hardware.unrolled.labels import MOST_RANKS
from bnnedge.packed.file import digest
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from tests.networks import Kind, packed_models, random_conv_model, random_inputs, random_model

BENCH = """module bench;
  reg clk = 0, rst = 1, in_valid = 0;
  reg [{sample}:0] in_sample = 0, samples [0:{count}];
  wire out_valid;
  wire [{label}:0] out_label;
  wire [{scores}:0] out_scores;
  integer cycle = 0, at;
  network dut (.clk(clk), .rst(rst), .in_valid(in_valid), .in_sample(in_sample),
               .out_valid(out_valid), .out_label(out_label), .out_scores(out_scores));
  always #1 clk = ~clk;
  always @(negedge clk) begin
    cycle <= cycle + 1;
    if (out_valid) $display("%0d %h %h", cycle, out_label, out_scores);
  end
  initial begin
    $readmemh("samples.hex", samples);
    repeat (8) @(negedge clk);
    rst = 0;
    for (at = 0; at <= {count}; at = at + 1) begin
      in_valid = 1; in_sample = samples[at]; @(negedge clk);
    end
    in_valid = 0;
    repeat ({latency} + 2) @(negedge clk);
    $finish(0);
  end
endmodule
"""


def simulated(
    design: Design, model: PackedModel, samples: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels and scores by Icarus Verilog, of samples that enter one a cycle."""
    ports, classes = design.ports, model.classes
    bench = BENCH.format(
        sample=model.encoding.features * ports.feature - 1,
        count=len(samples) - 1,
        label=ports.label - 1,
        scores=classes * ports.score - 1,
        latency=design.latency,
    )
    packed = [sum(int(value) << (at * ports.feature) for at, value in enumerate(row)) for row in samples]
    with TemporaryDirectory() as scratch:
        for name, text in {
            **design.files,
            "bench.sv": bench,
            "samples.hex": "\n".join(f"{one:x}" for one in packed),
        }.items():
            (Path(scratch) / name).write_text(text, encoding="utf-8")
        sources = [*design.files, "bench.sv"]
        subprocess.run(
            ["iverilog", "-g2012", "-s", "bench", "-o", "bench", *sources], cwd=scratch, check=True
        )
        said = subprocess.run(["vvp", "bench"], cwd=scratch, check=True, capture_output=True, text=True)
    lines = [line.split() for line in said.stdout.splitlines()]
    cycles = [int(cycle) for cycle, _, _ in lines]
    assert np.diff(cycles).tolist() == [design.interval] * (len(samples) - 1)
    half = 1 << (ports.score - 1)
    scores = [
        [((int(word, 16) >> (at * ports.score)) + half) % (2 * half) - half for at in range(classes)]
        for _, _, word in lines
    ]
    return np.array([int(label, 16) for _, label, _ in lines]), np.array(scores)


def check(model: PackedModel, design: Design, samples: NDArray[np.uint8]) -> None:
    labels, scores = simulated(design, model, samples)
    expected = model.predict(samples)
    np.testing.assert_array_equal(scores, expected.scores)
    np.testing.assert_array_equal(labels, expected.labels)


def test_the_digits_net_on_its_whole_test_set() -> None:
    model = bnnedge.load("digits-tfc")
    check(model, generate(model), load_dataset("digits").test.inputs)


@pytest.mark.parametrize("options", [{"plain": True}, {"max_depth": 8}])
def test_other_designs_of_the_digits_net(options: dict[str, int]) -> None:
    model = bnnedge.load("digits-tfc")
    check(model, generate(model, **options), load_dataset("digits").test.inputs[:40])  # type: ignore[arg-type]


def test_whole_numbers_and_a_head_of_its_own_for_each_class() -> None:
    model = random_model(3, (9, 12, 5), kind="integer", maximum=200, head="per-class")
    assert model.needs_head
    check(model, generate(model), random_inputs(model, 40))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packed_models(max_width=40), st.sampled_from(["cheapest", "plain"]) | st.integers(20, 32))
def test_random_networks_of_every_encoding(model: PackedModel, style: str | int) -> None:
    max_depth = style if isinstance(style, int) else None
    try:
        design = generate(model, max_depth=max_depth, plain=style == "plain")
    except UnsupportedError as refusal:
        error = refusal
    else:
        check(model, design, random_inputs(model, 12))
        return
    if max_depth is not None and "cannot be built with" in error.message:
        assert least_depth(error) > max_depth
        return
    lattice = model.lattices[-1]
    ranks = (2 * lattice.bound // lattice.step + 1) * model.classes
    assert model.needs_head
    assert ranks > MOST_RANKS


def least_depth(error: UnsupportedError) -> int:
    """The depth that an error says a layer can be built with, which may be deeper than was asked for."""
    found = re.search(r"the least is (\d+)", error.hint or "")
    assert found is not None
    return int(found[1])


def degenerate(
    weights: NDArray[np.bool_], thresholds: list[int], kind: Kind = "bipolar", maximum: int = 1
) -> PackedModel:
    """A random network with a first layer of these weights and thresholds; a thermometer has two bits."""
    outputs, inputs = weights.shape
    features = inputs // 2 if kind == "thermometer" else inputs
    model = random_model(1, (features, outputs, 3), kind=kind, maximum=maximum, bits=2)
    values = Thresholds(np.array(thresholds, np.int32), np.ones(outputs, np.int8))
    first = PackedLayer("fc1", PackedMatrix.from_bits(weights), values)
    return PackedModel(model.encoding, (first, *model.layers[1:]), model.head)


@pytest.mark.parametrize(
    ("weights", "thresholds"),
    [
        pytest.param(np.ones((6, 8)), [0] * 6, id="equal-neurons"),
        pytest.param(np.arange(48).reshape(6, 8) % 2 == np.arange(6)[:, None] % 2, [2] * 6, id="opposites"),
        pytest.param(np.ones((4, 8)), [-8, 10, -8, 10], id="constant-neurons"),
        pytest.param(np.ones((3, 1)), [-1, 1, 3], id="one-input"),
        pytest.param(np.ones((1, 30)), [4], id="one-neuron"),
        pytest.param(np.eye(12), [2] * 12, id="one-hot"),
        pytest.param(np.ones((5, 7)), [-7, -5, 1, 7, 9], id="equal-weights"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"plain": True}, {"max_depth": 8}])
def test_degenerate_layers(
    weights: NDArray[np.float64], thresholds: list[int], options: dict[str, int]
) -> None:
    model = degenerate(weights > 0, thresholds)
    check(model, generate(model, **options), random_inputs(model, 30))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "maximum"), [("thermometer", 255), ("integer", 1), ("integer", 5)])
@pytest.mark.parametrize("options", [{}, {"plain": True}, {"max_depth": 9}])
def test_neurons_that_say_the_same_the_opposite_or_nothing_new(
    kind: Kind, maximum: int, options: dict[str, int]
) -> None:
    row = np.arange(8) % 3 == 0
    weights = np.stack([row, row, ~row, ~row, np.ones(8, bool), ~row])
    # Twice the same, the opposite by weights and bound, twice another bound, and two that never change.
    model = degenerate(weights, [1, 1, 0, 2, -100, 100], kind, maximum)
    check(model, generate(model, **options), random_inputs(model, 30))  # type: ignore[arg-type]


def test_generation_is_deterministic_and_says_what_it_made() -> None:
    model = bnnedge.load("digits-tfc")
    one, other = generate(model), generate(model)
    assert one == other
    assert [layer.name for layer in one.layers] == ["fc1", "fc2", "fc3", "fc4"]
    assert (one.latency, one.interval) == (6, 1)
    text = one.files["layer1_fc1.sv"]
    assert f"sha256 {digest(model)[:16]}" in text
    assert "64 neurons of 64 inputs: spanning tree" in text


def test_depth_is_kept_and_costs_logic() -> None:
    model = bnnedge.load("digits-tfc")
    deep, shallow = generate(model), generate(model, max_depth=8)
    for free, bounded in zip(deep.layers, shallow.layers, strict=True):
        assert bounded.depth <= 8 < free.depth
        assert bounded.luts > free.luts
    with pytest.raises(UnsupportedError, match="layer fc1 cannot be built with 2 adders"):
        generate(model, max_depth=2)


def test_sharing_leaves_little_of_the_baseline() -> None:
    model = bnnedge.load("mnist-tfc")
    ours, plain = generate(model), generate(model, plain=True)
    for layer, baseline in zip(ours.layers, plain.layers, strict=True):
        assert layer.luts < 0.4 * baseline.luts


@pytest.mark.parametrize("options", [{"max_depth": 0}, {"max_depth": 9, "plain": True}])
def test_depths_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="a depth of"):
        generate(random_model(0, (4, 3)), **options)  # type: ignore[arg-type]


def test_convolutions_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="layer conv1 is a convolution"):
        generate(random_conv_model(0))


def test_an_order_of_scores_that_takes_too_large_a_table() -> None:
    model = random_model(3, (300, 10), kind="integer", head="per-class")
    with pytest.raises(UnsupportedError, match="too many for tables"):
        generate(model)


def test_verilator_takes_the_sources(tmp_path: Path) -> None:
    assert shutil.which("verilator"), "apt-get install verilator"
    design = generate(random_model(5, (20, 15, 4), kind="thermometer"))
    for name, text in design.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    lint = [
        "verilator",
        "--lint-only",
        "-Wall",
        "-Wno-UNUSED",
        "-Wno-DECLFILENAME",
        "--top-module",
        "network",
    ]
    subprocess.run([*lint, *design.files], cwd=tmp_path, check=True)
