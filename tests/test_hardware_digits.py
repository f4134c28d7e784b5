"""The demo's network as hardware of both styles: simulated on its whole test set, and synthesised for xc7."""

from __future__ import annotations

import pytest

from bnnedge import load
from bnnedge.data.registry import load_dataset
from bnnedge.hardware.bench import Style
from bnnedge.hardware.boards import board
from bnnedge.hardware.generated import generate
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.synthesise import synthesise


@pytest.mark.parametrize(("style", "interval", "share"), [("folded", 32, 0.04), ("unrolled", 1, 0.06)])
def test_digits_are_simulated_and_synthesised(style: Style, interval: int, share: float) -> None:
    """Shares of a Zynq-7020's LUTs are a little above what Yosys 0.23 counts, so that a loss is seen."""
    model, inputs = load("digits-tfc"), load_dataset("digits").test.inputs
    design = generate(model, style)
    ran = simulate(design, model, inputs, tool="iverilog")
    assert (ran.samples, ran.interval_cycles) == (359, interval)
    assert ran.layers == ("fc1", "fc2", "fc3", "fc4")
    takes = synthesise(design.files, design.modules, "xc7")
    assert [one.layer for one in takes.layers] == list(ran.layers)
    assert all(one.resources.luts for one in takes.layers)
    assert takes.total.luts <= share * board("Pynq-Z1").lut
