"""The AXI4-Stream wrapper of both styles, driven by cocotb with cocotbext-axi: see tests/axis_bench.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner
from numpy.typing import NDArray

from bnnedge import load
from bnnedge.data.registry import load_dataset
from bnnedge.hardware.bench import Style
from bnnedge.hardware.folded.order import sample_order
from bnnedge.hardware.generated import Generated, generate
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.wrapper import WRAPPER, bytes_a_beat
from bnnedge.packed.model import PackedModel
from tests.networks import Filters, random_conv_model, random_inputs, random_model

PACKETS = (1, 3, 2, 1, 5)  # samples; more than fit the pipeline at a time
ROOT = Path(__file__).parents[1]
TESTS = 3

DENSE = random_model(3, (24, 16, 12, 5), kind="thermometer", maximum=16)
REGROUPED = random_model(5, (12, 8, 3))  # 4 bytes a beat, of which the folded network takes 6 at a time
ODD = random_model(6, (15, 6, 2), maximum=1)  # a byte a beat, and fewer answers than places for them
CONVOLUTION = random_conv_model(4, (3, 6, 6), (Filters(4, pool=2),), (8, 3))  # a pixel is 3 bytes, a beat 4


@pytest.mark.parametrize("style", ["folded", "unrolled"])
@pytest.mark.parametrize("model", [DENSE, REGROUPED, ODD], ids=["dense", "regrouped", "odd"])
def test_packets_survive_back_pressure_and_reset(model: PackedModel, style: Style, tmp_path: Path) -> None:
    drive(model, style, random_inputs(model, sum(PACKETS)), tmp_path)


def test_images_enter_pixel_by_pixel(tmp_path: Path) -> None:
    drive(CONVOLUTION, "folded", random_inputs(CONVOLUTION, sum(PACKETS)), tmp_path)


@pytest.mark.parametrize("style", ["folded", "unrolled"])
def test_real_digits(style: Style, tmp_path: Path) -> None:
    drive(load("digits-tfc"), style, load_dataset("digits").test.inputs[: sum(PACKETS)], tmp_path)


def drive(model: PackedModel, style: Style, inputs: NDArray[np.uint8], folder: Path) -> None:
    """Run the tests of tests/axis_bench.py on a wrapped network."""
    design = generate(model, style)
    for name, text in design.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    latency, slack, interval = expected_cycles(design, model, inputs)
    cases = {
        "packets": packets(model, inputs),
        "samples": len(inputs),
        "words": model.classes + 1,
        "beat_bytes": bytes_a_beat(model),
        "latency": latency,
        "slack": slack,
        "interval": interval,
    }
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    runner = get_runner("icarus")
    runner.build(
        sources=sorted(folder.glob("*.sv")),
        hdl_toplevel=WRAPPER,
        build_dir=folder / "build",
        build_args=["-g2012"],
        timescale=("1ns", "1ps"),
        log_file=folder / "build.log",
    )
    results = runner.test(
        hdl_toplevel=WRAPPER,
        test_module="tests.axis_bench",
        build_dir=folder / "build",
        test_dir=folder,
        seed=6,
        extra_env={"AXIS_CASES": str(folder / "cases.json"), "PYTHONPATH": str(ROOT)},
        log_file=folder / "test.log",
    )
    said = (folder / "test.log").read_text(encoding="utf-8")
    assert get_results(results) == (TESTS, 0), said[-3000:]


def expected_cycles(design: Generated, model: PackedModel, inputs: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Clock cycles from the first beat to the first label, how many more it may be, and from label to label.

    What is unrolled takes a sample a cycle; beats that enter and words that leave set the pace. A cycle is
    spent as the last beat makes a sample whole, another as its result enters the queue. What is folded has
    streams of its own, to which only a regrouping of beats adds.
    """
    beats = model.encoding.features // bytes_a_beat(model)
    if design.style == "unrolled":
        return beats + design.cycles + 1 + model.classes, 0, max(beats, model.classes + 1)
    bare = simulate(design, model, inputs, tool="iverilog")
    assert bare.interval_cycles is not None
    regrouped = bytes_a_beat(model) != design.features
    return bare.latency_cycles, (beats + 2) * regrouped, max(bare.interval_cycles, beats)


def packets(model: PackedModel, inputs: NDArray[np.uint8]) -> list[dict[str, list[int]]]:
    """Bytes that are sent in a packet, and bytes that must come back in one."""
    prediction = model.predict(inputs)
    words = np.column_stack((prediction.scores, prediction.labels)).astype("<i4")
    sent = np.split(inputs[:, sample_order(model)], np.cumsum(PACKETS)[:-1])
    expected = np.split(words, np.cumsum(PACKETS)[:-1])
    return [
        {"send": list(samples.tobytes()), "expect": list(answers.tobytes())}
        for samples, answers in zip(sent, expected, strict=True)
    ]
