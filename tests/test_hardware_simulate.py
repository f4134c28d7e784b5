"""Generated hardware of both styles, simulated: equal to the golden model, whatever the network."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnnedge import load, report
from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError, DataError, FileError, UnsupportedError, VerificationError
from bnnedge.hardware.bench import Style, bench_files, vectors
from bnnedge.hardware.folded import Fold
from bnnedge.hardware.folded.fold import cycles_of
from bnnedge.hardware.folded.memories import Coding
from bnnedge.hardware.generated import STYLES, generate
from bnnedge.hardware.simulate import Simulation, simulate
from bnnedge.hardware.simulators import SIMULATORS, BenchRun, check_sources, find_simulator, run_bench
from bnnedge.hardware.units import divisors
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from tests.networks import Filters, conv_models, packed_models, random_conv_model, random_inputs, random_model

SCHEMA = json.loads((Path(report.__file__).parent / "schemas" / "simulation.schema.json").read_text())
CODINGS: list[Coding] = ["plain", "dictionary", "banks", "smallest"]
LIMITS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("tool", SIMULATORS)
def test_a_result_is_told_in_json_and_in_a_line(tool: str) -> None:
    result = Simulation(tool, "0" * 64, 1234, ("fc1", "fc2"), 17, 5, 6200)
    told = result.to_dict()
    assert json.loads(json.dumps(told)) == told
    jsonschema.validate(told, SCHEMA)
    assert {key: told[key] for key in ("kind", "samples", "layers", "latency_cycles", "cycles")} == {
        "kind": "bnnedge.simulation",
        "samples": 1234,
        "layers": ["fc1", "fc2"],
        "latency_cycles": 17,
        "cycles": 6200,
    }
    assert str(result).endswith("1,234 samples; a label after 17 clock cycles, then one every 5")
    assert str(replace(result, interval_cycles=None)).endswith("a label after 17 clock cycles")


@st.composite
def folds_of(draw: st.DrawFn, model: PackedModel) -> dict[str, Fold]:
    """Any folding that divides the sides of the layers, of at most 4,000 clock cycles a layer."""
    folds = {}
    for layer in model.layers:
        options = [
            Fold(pe, simd) for pe in divisors(layer.outputs) for simd in divisors(layer.input_shape[0])
        ]
        quick = [fold for fold in options if cycles_of(layer, fold) <= 4000]
        folds[layer.name] = draw(st.sampled_from(quick or options[-1:]))
    return folds


@LIMITS
@given(st.data(), packed_models(max_width=40), st.sampled_from(CODINGS), st.booleans())
def test_any_dense_network_folded_in_any_way(
    data: st.DataObject, model: PackedModel, coding: Coding, stall: bool
) -> None:
    model = replace(model, head=Affine(np.ones(1, np.float32), np.zeros(1, np.float32)))
    design = generate(model, "folded", folds=data.draw(folds_of(model)), coding=coding)
    simulate(design, model, random_inputs(model, 3), tool="iverilog", stall=stall)


@LIMITS
@given(st.data(), conv_models(), st.sampled_from(CODINGS), st.booleans())
def test_any_convolutional_network_folded_in_any_way(
    data: st.DataObject, model: PackedModel, coding: Coding, stall: bool
) -> None:
    design = generate(model, "folded", folds=data.draw(folds_of(model)), coding=coding)
    simulate(design, model, random_inputs(model, 2), tool="iverilog", stall=stall)


def constant_neurons(model: PackedModel) -> PackedModel:
    """All weights equal; thresholds out of reach, above and below by turns."""
    first, *others = model.layers
    assert first.thresholds is not None
    bound = model.lattices[0].bound
    step = model.lattices[0].step
    values = np.where(np.arange(first.outputs) % 2, -bound, bound + step).astype(np.int32)
    weights = PackedMatrix.from_bits(np.ones(first.weights.shape, dtype=bool))
    limits = Thresholds(values, first.thresholds.directions)
    return replace(model, layers=(replace(first, weights=weights, thresholds=limits), *others))


@pytest.mark.parametrize("style", ["folded", "unrolled"])
@pytest.mark.parametrize(
    "model",
    [
        random_model(1, (1, 1)),
        random_model(2, (1, 1, 2), maximum=1),
        random_model(3, (5, 3), kind="integer", maximum=1),
        random_model(4, (7, 4, 3), kind="integer"),
        constant_neurons(random_model(5, (12, 6, 4))),
        constant_neurons(random_model(6, (6, 5, 4), kind="thermometer", maximum=16)),
        random_model(7, (9, 8, 6), head="per-class"),
    ],
    ids=["one-bit", "one-input", "bits-as-numbers", "numbers", "constant", "constant-thermometer", "head"],
)
def test_degenerate_networks(model: PackedModel, style: str) -> None:
    design = generate(model, "folded" if style == "folded" else "unrolled")
    result = simulate(design, model, random_inputs(model, 20), tool="iverilog")
    assert result.samples == 20


def test_a_small_cnv_pools_and_pads() -> None:
    filters = (Filters(6), Filters(8, padding=1, pool=2), Filters(4, stride=2, padding=2))
    model = random_conv_model(8, (3, 12, 11), filters, (10, 5))
    result = simulate(generate(model, "folded", cycles=2000), model, random_inputs(model, 3), tool="iverilog")
    assert result.layers == ("conv1", "conv2", "conv3", "fc4", "fc5")


def test_digits_over_the_whole_test_set_in_verilator() -> None:
    model = load("digits-tfc")
    inputs = load_dataset("digits").test.inputs
    design = generate(model, "folded")
    result = simulate(design, model, inputs, tool="verilator")
    assert result.samples == len(inputs) == 359
    # The slowest layer sets the pace: no cycle is lost between samples.
    slowest = max(cycles_of(layer, design.folds[layer.name]) for layer in model.layers)
    assert result.interval_cycles == slowest
    assert result.latency_cycles < result.cycles


@pytest.mark.parametrize("style", STYLES)
def test_simulators_agree_to_the_clock_cycle(style: Style) -> None:
    model = random_model(14, (16, 8, 4))
    inputs = random_inputs(model, 20)
    design = generate(model, style)
    known = simulate(design, model, inputs, tool="iverilog")
    for tool in ("verilator", "cxxrtl"):
        assert simulate(design, model, inputs, tool=tool) == replace(known, tool=tool)


def test_cxxrtl_pauses_at_random_times() -> None:
    model = random_model(15, (9, 6, 5))
    inputs = random_inputs(model, 20)
    design = generate(model, "folded")
    steady, paused = (simulate(design, model, inputs, tool="cxxrtl", stall=stall) for stall in (False, True))
    assert paused.cycles > steady.cycles


def test_cxxrtl_finds_a_wrong_answer_and_a_network_that_says_nothing() -> None:
    model = random_model(16, (9, 4))
    design = generate(model, "unrolled")

    def run(samples: int, files: dict[str, str]) -> BenchRun:
        bench = bench_files(model, "unrolled", design.features, design.layers, design.cycles)
        sent = vectors(model, "unrolled", design.features, random_inputs(model, samples))
        if samples > 3:
            first, second, third, *others = sent["expected.hex"].splitlines()
            changed = f"{int(third, 16) ^ 1:0{len(third)}x}"
            sent["expected.hex"] = "\n".join([first, second, changed, *others]) + "\n"
        return run_bench(design.files | files | bench | sent, tool="cxxrtl")

    (complaint,) = run(5, {}).complaints
    assert complaint.startswith("WRONG sample 2, word 0: ")
    dead = design.files["network.sv"].replace("assign out_valid = ", "assign out_valid = 1'b0 & ")
    with pytest.raises(FileError, match="came to no end: FAIL: nothing leaves after word 0"):
        run(3, {"network.sv": dead})


def test_cxxrtl_is_taken_where_no_simulator_of_systemverilog_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("g++")
    assert compiler is not None
    assert find_simulator() == "verilator"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VerificationError, match="verilator or iverilog or cxxrtl is not there"):
        find_simulator()
    (tmp_path / "g++").symlink_to(compiler)
    assert find_simulator() == "cxxrtl"  # Yosys is beside this Python
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(VerificationError, match="cxxrtl is not there"):
        find_simulator("cxxrtl")


def test_a_wrong_weight_is_found_and_named() -> None:
    model = random_model(9, (16, 8, 8, 4))
    folds = {"fc1": Fold(4, 8), "fc2": Fold(2, 4), "fc3": Fold(1, 8)}
    design = generate(model, "folded", folds=folds, coding="plain")
    memory = next(name for name in design.files if name.endswith("fc2_weights.mem"))
    header, *words = design.files[memory].splitlines()
    changed = "\n".join([header, *(f"{int(word, 16) ^ 0xF:02x}" for word in words)]) + "\n"
    broken = replace(design, files=design.files | {memory: changed})
    with pytest.raises(VerificationError, match=r"layer fc2, neuron \d+, sample \d+"):
        simulate(broken, model, random_inputs(model, 20), tool="iverilog")
    with pytest.raises(VerificationError, match="layer fc1"):
        simulate(design, random_model(10, (16, 8, 8, 4)), random_inputs(model, 20), tool="iverilog")


def test_what_cannot_be_is_refused() -> None:
    model = random_model(11, (16, 8, 4))
    with pytest.raises(ConfigError, match="layer fc1 cannot be folded 3 x 1"):
        generate(model, "folded", folds={"fc1": Fold(3, 1), "fc2": Fold(1, 1)})
    with pytest.raises(ConfigError, match="folds for fc1"):
        generate(model, "folded", folds={"fc1": Fold(1, 1)})
    with pytest.raises(ConfigError, match="every clock cycle"):
        generate(model, "unrolled", cycles=3)
    with pytest.raises(ConfigError, match="conv1 takes at least 36 clock cycles"):
        generate(random_conv_model(1, (1, 4, 4), (Filters(2),), (3,)), "folded", cycles=16)
    with pytest.raises(UnsupportedError, match="needs a table"):
        generate(random_model(12, (784, 30), kind="integer", head="per-class"), "folded")
    design = generate(model, "folded")
    with pytest.raises(DataError, match="no inputs"):
        simulate(design, model, np.zeros((0, 16), dtype=np.uint8))
    with pytest.raises(ConfigError, match="unknown simulator"):
        simulate(design, model, random_inputs(model, 1), tool="spice")


@pytest.mark.parametrize(
    "text",
    [
        'initial $system("true");',
        '`include "/etc/passwd"',
        'import "DPI-C" function void f();',
        'initial $writememh("x", y);',
        "/* verilator public_flat_rw */",
        'initial $c("exit(1);");',
    ],
)
def test_sources_that_could_do_more_than_compute_are_refused(text: str) -> None:
    with pytest.raises(FileError, match=r"a\.sv uses"):
        check_sources({"a.sv": f"module a;\n{text}\nendmodule\n"})


def test_a_bench_that_does_not_compile_or_end_says_so() -> None:
    with pytest.raises(FileError, match="iverilog exited"):
        run_bench({"network_tb.sv": "module network_tb; wrong endmodule"}, tool="iverilog")
    with pytest.raises(FileError, match="came to no end"):
        run_bench({"network_tb.sv": "module network_tb; initial $finish; endmodule"}, tool="iverilog")


XOR_TREE = """
module network_tb;
    logic clk = 1'b0, same;
    logic [15:0] chosen = 16'd0;
    logic [127:0] bits = 128'd0;
    integer cycle = 0, wrong = 0;
    always #5 clk = ~clk;

    wire first = ~(bits[104] ^ bits[96]);
    wire second = ~(bits[88] ^ bits[80]);
    wire both = ~(first ^ second);
    wire others = ~((bits[72] ^ bits[64]) ^ (bits[120] ^ bits[112]));
    wire upper = ~(both ^ others);
    wire third = ~(bits[24] ^ bits[16]);
    wire fourth = ~((bits[40] ^ bits[32]) ^ third);
    wire last = ~((bits[8] ^ bits[0]) ^ (bits[56] ^ bits[48]));
    wire lower = ~(fourth ^ last);
    wire tree = ~(upper ^ lower);

    always @(posedge clk) begin
        for (int place = 0; place < 16; place++) bits[8 * place] <= chosen[place];
        same <= ^chosen;
        if (cycle > 1 && tree !== same) wrong <= wrong + 1;
        chosen <= chosen * 16'd5 + 16'd3;
        cycle <= cycle + 1;
        if (cycle == 100) begin
            if (wrong != 0) $display("WRONG %0d of the trees", wrong);
            $display("samples 1 latency 1 interval 1 cycles %0d wrong %0d", cycle, wrong);
            $finish;
        end
    end
endmodule
"""


@pytest.mark.parametrize("tool", ["verilator", "iverilog"])
def test_a_tree_of_xor_that_verilator_once_inverted(tool: str) -> None:
    # verilator/verilator#4059: without the option in simulators.py, 5.006 fails here.
    assert run_bench({"network_tb.sv": XOR_TREE}, tool=tool).complaints == ()


def test_repeated_blocks_save_memory() -> None:
    model = random_model(13, (64, 32, 4))
    blocks = np.random.default_rng(0).random((4, 4, 4)) < 0.5
    chosen = np.random.default_rng(1).integers(0, 4, (8, 16))
    weights = PackedMatrix.from_bits(blocks[chosen].transpose(0, 2, 1, 3).reshape(32, 64))
    model = replace(model, layers=(replace(model.layers[0], weights=weights), model.layers[1]))
    folds = {"fc1": Fold(4, 8), "fc2": Fold(4, 8)}
    plain, coded = (generate(model, "folded", folds=folds, coding=kind) for kind in (CODINGS[0], CODINGS[-1]))
    name = "layer1_fc1_weights.mem"
    assert 4 * len(coded.files[name]) < 3 * len(plain.files[name])
    assert "a dictionary of 4 distinct 4 x 4 blocks" in coded.files["layer1_fc1.sv"]
    simulate(coded, model, random_inputs(model, 4), tool="iverilog")
