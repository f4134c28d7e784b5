"""Run by cocotb in a simulator: samples through the AXI4-Stream wrapper, with random pauses and without."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource


@cache
def cases() -> Any:
    """What the test that started the simulator wants to be driven."""
    return json.loads(Path(os.environ["AXIS_CASES"]).read_text(encoding="utf-8"))


async def started(dut: Any) -> tuple[AxiStreamSource, AxiStreamSink]:
    """Both ends of the wrapper, which comes out of reset."""
    Clock(dut.aclk, 10, "ns").start()
    dut.aresetn.value = 0
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, False)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, False)
    await reset(dut)
    return source, sink


async def reset(dut: Any) -> None:
    """Four clock cycles of reset."""
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1


async def answered(source: AxiStreamSource, sink: AxiStreamSink) -> None:
    """Every packet of samples comes back as one packet of scores and labels, and nothing else does."""
    for packet in cases()["packets"]:
        await source.send(AxiStreamFrame(bytes(packet["send"])))
    for number, packet in enumerate(cases()["packets"]):
        frame = await sink.recv()
        assert list(frame.tdata) == packet["expect"], f"packet {number}"
    assert sink.empty()


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def packets_come_back_whole(dut: Any) -> None:
    """Whatever the pauses of both sides."""
    chance = random.Random(6)  # noqa: S311 (no secret)
    source, sink = await started(dut)
    source.set_pause_generator(iter(lambda: chance.random() < 0.3, None))
    sink.set_pause_generator(iter(lambda: chance.random() < 0.5, None))
    await answered(source, sink)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_reset_in_mid_sample_leaves_nothing(dut: Any) -> None:
    """Neither of a sample that entered in part, nor of one whose answer was on its way out."""
    source, sink = await started(dut)
    whole = cases()["packets"][0]["send"]
    part = len(whole) // 2 // cases()["beat_bytes"] * cases()["beat_bytes"]
    for sent in (part, len(whole) + part):
        await source.send(AxiStreamFrame(bytes((whole + whole)[:sent])))
        await source.wait()
        for _ in range(cases()["latency"] // 2):
            await RisingEdge(dut.aclk)
        await reset(dut)
        sink.clear()
        await answered(source, sink)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def samples_keep_the_pace(dut: Any) -> None:
    """The first label comes when it should, and the others one after another as fast as they should."""
    source, sink = await started(dut)
    sent = bytes(chain.from_iterable(packet["send"] for packet in cases()["packets"]))
    await source.send(AxiStreamFrame(sent))
    labels: list[int] = []
    cycle, first, words = 0, None, 0
    while len(labels) < cases()["samples"]:
        await RisingEdge(dut.aclk)
        await ReadOnly()
        cycle += 1
        if first is None and dut.s_axis_tvalid.value and dut.s_axis_tready.value:
            first = cycle
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
            words += 1
            if words % cases()["words"] == 0:
                labels.append(cycle)
    assert first is not None
    assert 0 <= labels[0] - first - cases()["latency"] <= cases()["slack"], labels[0] - first
    paces = [after - before for before, after in pairwise(labels)]
    assert paces[-1] == cases()["interval"], paces
    assert len(await sink.recv()) == 4 * words
