"""Run the accelerator that FINN built of this folder, on the board. Needs NumPy and PYNQ.

    python driver.py --inputfile input.npy --outputfile output.npy [--batchsize 100]
    python driver.py --exec_mode throughput_test [--batchsize 1000]

The bitfile is build/deploy/bitfile/finn-accel.bit, or what --bitfile names, with its .hwh beside it.
driver.json describes the accelerator as FINN's own driver does (io_shape_dict). Samples are whole numbers,
(N, features) or images of either layout, channels first or last; labels come out as (N, 1).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from pynq import Overlay, allocate
from pynq.ps import Clocks

FOLDER = Path(__file__).resolve().parent
BITFILE = FOLDER / "build" / "deploy" / "bitfile" / "finn-accel.bit"

# Registers of FINN's data movers, as Vitis HLS lays them out.
CONTROL, ADDRESS, ADDRESS_HIGH, REPETITIONS = 0x00, 0x10, 0x14, 0x1C
START, DONE, IDLE = 0x1, 0x2, 0x4

PATIENCE_S = 30.0  # far beyond any batch: whoever waits longer has the bitfile of another network


class Accelerator:
    """A bitfile on the board, and the buffers that it reads samples from and writes results to.

    Args:
        bitfile: of the accelerator.
        settings: content of driver.json.
        batch_size: samples that are handed over at a time.
        download: whether to configure the FPGA; False where this bitfile is on it already.
    """

    def __init__(self, bitfile, settings, batch_size=1, download=True):
        if not Path(bitfile).is_file():
            raise ValueError(f"no bitfile at {bitfile}: build one with build.py, or name it with --bitfile")
        shapes = settings["io_shape_dict"]
        self.settings = settings
        self.input_shape = tuple(shapes["ishape_packed"][0][1:])
        self.output_shape = tuple(shapes["oshape_packed"][0][1:])
        self.output_type = np.dtype({"UINT8": "u1", "UINT16": "<u2", "FLOAT32": "<f4"}[shapes["odt"][0]])
        self.overlay = Overlay(str(bitfile), download=download)
        self.idma = getattr(self.overlay, shapes["input_dma_name"][0])
        self.odma = getattr(self.overlay, shapes["output_dma_name"][0])
        Clocks.fclk0_mhz = settings["fclk_mhz"]
        self.batch_size = batch_size

    @property
    def batch_size(self):
        """Samples that are handed over at a time; setting it makes new buffers."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size):
        if size < 1:
            raise ValueError(f"a batch of {size} samples cannot be; expected at least 1")
        self._batch_size = size
        self.ibuf = allocate(shape=(size, *self.input_shape), dtype=np.uint8, cacheable=True)
        self.obuf = allocate(shape=(size, *self.output_shape), dtype=np.uint8, cacheable=True)

    def execute(self, samples):
        """(N,) int64 labels of N samples, however many fit a batch."""
        packed = self.pack_input(samples)
        labels = [np.zeros(0, dtype=np.int64)]
        for start in range(0, len(packed), self.batch_size):
            part = packed[start : start + self.batch_size]
            self.copy_input_to_device(part)
            self.execute_on_buffers(len(part))
            labels.append(self.unpack_output(self.copy_output_from_device(len(part))))
        return np.concatenate(labels)

    def pack_input(self, samples):
        """(N, ...) uint8 in the accelerator's order, channels last: a byte a value, as FINN packs UINT8.

        Raises ValueError where the samples are not those of this network.
        """
        samples = arranged(np.asarray(samples), tuple(self.settings["sample_shape"]))
        maximum = self.settings["maximum"]
        kind = samples.dtype.kind
        if kind not in "uif" or (kind == "f" and (samples != np.floor(samples)).any()):
            raise ValueError("samples must be whole numbers")
        if samples.size and not 0 <= samples.min() <= samples.max() <= maximum:
            raise ValueError(f"samples must lie in 0 ... {maximum}, not {samples.min()} ... {samples.max()}")
        return np.ascontiguousarray(samples, dtype=np.uint8).reshape(-1, *self.input_shape)

    def copy_input_to_device(self, packed):
        """Put packed samples into the input buffer, and out of the processor's cache."""
        self.ibuf[: len(packed)] = packed
        self.ibuf.flush()

    def copy_output_from_device(self, count):
        """(count, ...) uint8 results, past the processor's cache."""
        self.obuf.invalidate()
        return np.array(self.obuf[:count])

    def execute_on_buffers(self, count):
        """Run the first samples of the input buffer through the accelerator, and wait for the last result.

        Raises RuntimeError where the accelerator is busy, or gives no answer.
        """
        if not self.odma.read(CONTROL) & IDLE:
            raise RuntimeError("the accelerator is busy with a batch that nobody waited for")
        for mover, buffer in ((self.odma, self.obuf), (self.idma, self.ibuf)):
            mover.write(ADDRESS, buffer.device_address & 0xFFFFFFFF)
            mover.write(ADDRESS_HIGH, buffer.device_address >> 32)
            mover.write(REPETITIONS, count)
            mover.write(CONTROL, START)
        patience = time.monotonic() + PATIENCE_S
        while not self.odma.read(CONTROL) & DONE:
            if time.monotonic() > patience:
                raise RuntimeError(
                    f"no answer in {PATIENCE_S:g} s: is this the bitfile of this folder's network?"
                )

    def unpack_output(self, packed):
        """(N,) labels of packed results: the label itself, or the first of the largest logits."""
        values = packed.reshape(len(packed), -1).view(self.output_type)
        return (values[:, 0] if self.output_type.kind == "u" else values.argmax(axis=1)).astype(np.int64)

    def throughput_test(self):
        """Time a full batch of zeros, and each part of handing one over; keys are those of FINN's driver."""
        zeros = np.zeros((self.batch_size, *self.settings["sample_shape"]), dtype=np.uint8)
        found = {}

        def timed(key, work, *given):
            began = time.perf_counter()
            result = work(*given)
            found[key] = 1000 * (time.perf_counter() - began)
            return result

        packed = timed("pack_input[ms]", self.pack_input, zeros)
        timed("copy_input_data_to_device[ms]", self.copy_input_to_device, packed)
        timed("runtime[ms]", self.execute_on_buffers, self.batch_size)
        results = timed("copy_output_data_from_device[ms]", self.copy_output_from_device, self.batch_size)
        timed("unpack_output[ms]", self.unpack_output, results)
        seconds = found["runtime[ms]"] / 1000
        return {  # without the | of later Pythons: images of PYNQ 2.7 have 3.8
            "batch_size": self.batch_size,
            "fclk[mhz]": Clocks.fclk0_mhz,
            "throughput[images/s]": self.batch_size / seconds,
            "DRAM_in_bandwidth[MB/s]": packed.nbytes / 1e6 / seconds,
            "DRAM_out_bandwidth[MB/s]": results.nbytes / 1e6 / seconds,
            **found,
        }


def arranged(samples, shape):
    """Samples with their channels last, out of any layout that leaves no doubt.

    ``shape`` is (features,), or (channels, height, width); samples may also be flat, rows of single-channel
    pixels, or images with their channels last already. Raises ValueError for all else.
    """
    given, features = samples.shape[1:], int(np.prod(shape))
    rows = len(given) == 2 and int(np.prod(given)) == features and shape[0] in (1, features)
    if given == shape or given == (features,) or rows:
        return np.moveaxis(samples.reshape(len(samples), *shape), 1, -1)
    if len(shape) == 3 and given == (*shape[1:], shape[0]):
        return samples
    raise ValueError(f"samples of shape {samples.shape} are not of this network: expected (N, {shape})")


def open_accelerator(given):
    """The accelerator that a command line asks for."""
    settings = json.loads((FOLDER / "driver.json").read_text(encoding="utf-8"))
    return Accelerator(given.bitfile, settings, given.batchsize, download=not given.no_download)


def add_options(parser, batch_size):
    """Options of every program that opens the accelerator."""
    parser.add_argument("--bitfile", type=Path, default=BITFILE)
    parser.add_argument("--batchsize", type=int, default=batch_size, help="samples at a time")
    parser.add_argument("--no_download", action="store_true", help="the FPGA holds the bitfile already")


def main(arguments=None):
    """Label a file of samples, or measure throughput; gives back the exit code."""
    parser = argparse.ArgumentParser(description="Run the accelerator of this folder.")
    add_options(parser, 1)
    parser.add_argument("--exec_mode", choices=("execute", "throughput_test"), default="execute")
    parser.add_argument("--inputfile", type=Path, default=FOLDER / "input.npy")
    parser.add_argument("--outputfile", type=Path, default=Path("output.npy"))
    given = parser.parse_args(arguments)
    try:
        accelerator = open_accelerator(given)
        if given.exec_mode == "throughput_test":
            for key, value in accelerator.throughput_test().items():
                print(f"{key:34}{value:,.3f}")
        else:
            labels = accelerator.execute(np.load(given.inputfile, allow_pickle=False))
            np.save(given.outputfile, labels[:, None])
            print(f"{len(labels)} labels in {given.outputfile}")
    except (OSError, RuntimeError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
