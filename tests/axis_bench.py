"""Run by cocotb inside a simulator: samples through the AXI4-Stream wrapper, both sides pausing at random."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def packets_come_back_whole(dut: Any) -> None:
    """Each packet of samples comes back as one packet of scores and labels, whatever the pauses."""
    cases = json.loads(Path(os.environ["AXIS_CASES"]).read_text(encoding="utf-8"))
    chance = random.Random(6)  # noqa: S311 (no secret)
    Clock(dut.aclk, 10, "ns").start()
    dut.aresetn.value = 0
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, False)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, False)
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    source.set_pause_generator(iter(lambda: chance.random() < 0.3, None))
    sink.set_pause_generator(iter(lambda: chance.random() < 0.5, None))
    for packet in cases:
        await source.send(AxiStreamFrame(bytes(packet["send"])))
    for number, packet in enumerate(cases):
        frame = await sink.recv()
        assert list(frame.tdata) == packet["expect"], f"packet {number}"
    assert sink.empty()
