"""What drivers see of PYNQ and of a board: data movers, memory, and the golden model as accelerator.

It is made from FINN's register map and from PYNQ's DMA class, not from the drivers' code: channels of images
come last, a result leaves least significant byte first, and nothing crosses a cache that was not flushed or
invalidated.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bnnedge.hardware.folded.order import sample_order
from bnnedge.packed.model import PackedModel

FIRST_ADDRESS = 0x8_4000_0000  # above 4 GiB, where both halves of an address count


class Buffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """Memory as the processor sees it; ``memory`` is what the data movers see."""

    memory: NDArray[np.uint8]
    device_address: int

    def flush(self) -> None:
        self.memory[...] = self

    def invalidate(self) -> None:
        self[...] = self.memory


class Board:
    """An FPGA with one network on it."""

    def __init__(self, model: PackedModel) -> None:
        self.model = model
        self.buffers: list[Buffer] = []
        self.batches: list[int] = []
        self.downloads: list[tuple[str, bool]] = []
        self.hangs = False
        self.wrong: set[int] = set()  # samples, counted from the first, of which the label comes out wrong
        self.clocks = types.SimpleNamespace(fclk0_mhz=50.0)

    def allocate(self, shape: tuple[int, ...], dtype: type, cacheable: bool) -> Buffer:
        assert dtype is np.uint8
        assert cacheable
        buffer = np.full(shape, 0xA5, np.uint8).view(Buffer)
        buffer.memory = np.full(shape, 0x5A, np.uint8)
        buffer.device_address = FIRST_ADDRESS + 0x10_0000 * len(self.buffers)
        self.buffers.append(buffer)
        return buffer

    def labels(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The golden model's, but for the wrong ones."""
        labels = self.model.predict(images).labels.copy()
        for sample in self.wrong:
            if 0 <= (place := sample - sum(self.batches)) < len(labels):
                labels[place] = (labels[place] + 1) % self.model.classes
        return labels


class FinnBoard(Board):
    """With what FINN builds: a data mover on either side."""

    def __init__(self, model: PackedModel, settings: dict[str, Any]) -> None:
        super().__init__(model)
        self.shapes = settings["io_shape_dict"]
        self.idma0, self.odma0 = DataMover(self), DataMover(self)

    def run(self) -> None:
        """Once both data movers were started: the golden model on the bytes that lie there."""
        if not (self.idma0.started and self.odma0.started) or self.hangs:
            return
        count = self.idma0.registers[0x1C]
        assert count == self.odma0.registers[0x1C]
        source, target = self.idma0.buffer().memory, self.odma0.buffer().memory
        samples = source.reshape(len(source), -1)[:count]
        normal = self.shapes["ishape_normal"][0][1:]
        images = np.moveaxis(samples.reshape(count, *normal), -1, 1).reshape(count, -1)
        results = target.reshape(len(target), -1)
        results[:count] = self.results(images)
        self.batches.append(count)
        for mover in (self.idma0, self.odma0):
            mover.started, mover.busy_reads = False, 1

    def results(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.shapes["odt"] == ["FLOAT32"]:
            logits = self.model.predict(images).logits.astype("<f4")
            return np.frombuffer(logits.tobytes(), np.uint8).reshape(len(images), -1)
        size = self.shapes["oshape_packed"][0][-1]
        labels = self.labels(images)
        return np.array([list(int(label).to_bytes(size, "little")) for label in labels], np.uint8)


class DataMover:
    """FINN's IODMA: started, busy the first time that one looks, then done and idle."""

    def __init__(self, board: FinnBoard) -> None:
        self.board = board
        self.registers: dict[int, int] = {}
        self.started = False
        self.busy_reads = 0

    def buffer(self) -> Buffer:
        address = self.registers[0x10] | self.registers[0x14] << 32
        (found,) = (buffer for buffer in self.board.buffers if buffer.device_address == address)
        return found

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 2**32
        self.registers[offset] = value
        if offset == 0x00:
            assert value == 1
            self.started = True
            self.board.run()

    def read(self, offset: int) -> int:
        assert offset == 0x00
        if self.started or self.busy_reads:
            self.busy_reads = 0
            return 0x0
        return 0x6  # idle and done


class StreamBoard(Board):
    """With our own hardware behind a DMA engine; features enter as ``bnnedge.hardware`` says."""

    def __init__(self, model: PackedModel) -> None:
        super().__init__(model)
        self.order = sample_order(model)
        self.broken = False
        self.dma = types.SimpleNamespace(sendchannel=Channel(self), recvchannel=Channel(self))

    def run(self) -> None:
        """Once both channels were started: the golden model on the bytes that lie there."""
        send, receive = self.dma.sendchannel, self.dma.recvchannel
        if send.idle_again or receive.idle_again or self.hangs:
            return
        count, rest = divmod(send.length, len(self.order))
        assert rest == 0
        samples = send.buffer.memory.reshape(-1)[: send.length].reshape(count, -1)
        images = np.empty_like(samples)
        images[:, self.order] = samples
        answers = np.column_stack((self.model.predict(images).scores, self.labels(images))).astype("<i4")
        assert receive.length == answers.nbytes
        receive.buffer.memory.reshape(-1)[: answers.nbytes] = np.frombuffer(answers.tobytes(), np.uint8)
        self.batches.append(count)
        for channel in (send, receive):
            channel.idle_again, channel.busy_reads, channel.error = True, 1, self.broken


class Channel:
    """One direction of PYNQ's DMA class, as far as it is used; idle once a transfer has come to its end."""

    def __init__(self, board: StreamBoard) -> None:
        self.board = board
        self.idle_again, self.error, self.busy_reads = True, False, 0
        self.length = 0

    def transfer(self, buffer: Buffer, start: int = 0, nbytes: int = 0) -> None:
        if not self.idle_again:
            raise RuntimeError("DMA channel not idle")
        assert 0 < nbytes <= buffer.nbytes - start
        self.buffer, self.length, self.idle_again = buffer, nbytes, False
        self.board.run()

    @property
    def idle(self) -> bool:
        if self.busy_reads:
            self.busy_reads -= 1
            return False
        return self.idle_again

    def wait(self) -> None:
        if self.error:
            raise RuntimeError("DMA Slave Error (0x40)")
        assert self.idle, "PYNQ would wait for ever"


def install(monkeypatch: pytest.MonkeyPatch, board: Board) -> None:
    """Let ``import pynq`` find the stand-in."""

    def overlay(bitfile: str, download: bool) -> Board:
        board.downloads.append((bitfile, download))
        return board

    pynq, ps = types.ModuleType("pynq"), types.ModuleType("pynq.ps")
    pynq.__dict__.update(Overlay=overlay, allocate=board.allocate)
    ps.__dict__.update(Clocks=board.clocks)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    monkeypatch.setitem(sys.modules, "pynq.ps", ps)


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> types.ModuleType:
    """``driver`` or ``validate`` of a build folder, imported as the board would."""
    monkeypatch.syspath_prepend(str(folder))
    ours = ("driver", "host", "validate")
    for old in ours:
        monkeypatch.delitem(sys.modules, old, raising=False)
    module = importlib.import_module(name)
    for loaded in {*ours} & sys.modules.keys():
        monkeypatch.setitem(sys.modules, loaded, sys.modules[loaded])  # forgotten when the test ends
    return module
