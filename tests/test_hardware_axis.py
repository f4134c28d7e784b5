"""The AXI4-Stream wrapper, driven by cocotb with cocotbext-axi: see tests/axis_bench.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from bnnedge.hardware.folded.order import sample_order
from bnnedge.hardware.generated import generate
from bnnedge.packed.model import PackedModel
from tests.networks import Filters, random_conv_model, random_inputs, random_model

PACKETS = (1, 3, 2, 1, 5)  # samples; more than fit the pipeline at a time
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "model",
    [
        random_model(3, (24, 16, 12, 5), kind="thermometer", maximum=16),
        random_conv_model(4, (3, 6, 6), (Filters(4, pool=2),), (8, 3)),
    ],
    ids=["dense", "convolution"],
)
def test_packets_survive_random_back_pressure(model: PackedModel, tmp_path: Path) -> None:
    design = generate(model, "folded")
    for name, text in design.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "cases.json").write_text(json.dumps(packets(model)), encoding="utf-8")
    runner = get_runner("icarus")
    runner.build(
        sources=sorted(tmp_path.glob("*.sv")),
        hdl_toplevel="network_axis",
        build_dir=tmp_path / "build",
        build_args=["-g2012"],
        timescale=("1ns", "1ps"),
        log_file=tmp_path / "build.log",
    )
    results = runner.test(
        hdl_toplevel="network_axis",
        test_module="tests.axis_bench",
        build_dir=tmp_path / "build",
        test_dir=tmp_path,
        seed=6,
        extra_env={"AXIS_CASES": str(tmp_path / "cases.json"), "PYTHONPATH": str(ROOT)},
        log_file=tmp_path / "test.log",
    )
    assert get_results(results) == (1, 0), (tmp_path / "test.log").read_text(encoding="utf-8")[-2000:]


def packets(model: PackedModel) -> list[dict[str, list[int]]]:
    """Bytes that are sent in a packet, and bytes that must come back in one."""
    inputs = random_inputs(model, sum(PACKETS))
    prediction = model.predict(inputs)
    words = np.column_stack((prediction.scores, prediction.labels)).astype("<i4")
    sent = np.split(inputs[:, sample_order(model)], np.cumsum(PACKETS)[:-1])
    expected = np.split(words, np.cumsum(PACKETS)[:-1])
    return [
        {"send": list(samples.tobytes()), "expect": list(answers.tobytes())}
        for samples, answers in zip(sent, expected, strict=True)
    ]
