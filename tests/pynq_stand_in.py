"""What the driver sees of PYNQ and of a board: data movers, memory, and the golden model as accelerator.

It is made from FINN's register map and byte order, not from the driver's code: samples enter as NHWC bytes, a
result leaves least significant byte first, and nothing crosses a cache that was not flushed or invalidated.
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

    def __init__(self, model: PackedModel, settings: dict[str, Any]) -> None:
        self.model = model
        self.shapes = settings["io_shape_dict"]
        self.buffers: list[Buffer] = []
        self.batches: list[int] = []
        self.downloads: list[tuple[str, bool]] = []
        self.idma0, self.odma0 = DataMover(self), DataMover(self)
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
        prediction = self.model.predict(images)
        if self.shapes["odt"] == ["FLOAT32"]:
            return np.frombuffer(prediction.logits.astype("<f4").tobytes(), np.uint8).reshape(len(images), -1)
        size = self.shapes["oshape_packed"][0][-1]
        labels = prediction.labels.copy()
        for sample in self.wrong:
            if 0 <= (place := sample - sum(self.batches)) < len(labels):
                labels[place] = (labels[place] + 1) % self.model.classes
        return np.array([list(int(label).to_bytes(size, "little")) for label in labels], np.uint8)


class DataMover:
    """FINN's IODMA: started, busy the first time that one looks, then done and idle."""

    def __init__(self, board: Board) -> None:
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
    for old in ("driver", "validate"):
        monkeypatch.delitem(sys.modules, old, raising=False)
    module = importlib.import_module(name)
    for loaded in {"driver", "validate"} & sys.modules.keys():
        monkeypatch.setitem(sys.modules, loaded, sys.modules[loaded])  # forgotten when the test ends
    return module
