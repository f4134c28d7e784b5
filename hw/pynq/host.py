"""What every accelerator of a board needs of its processor: samples in its order, batches, a command line."""

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
PATIENCE_S = 30.0  # far beyond any batch: whoever waits longer has the bitfile of another network


class BatchedAccelerator:
    """A bitfile on the board, and the buffers that it reads samples from and writes results to.

    A kind of accelerator says how it is started, in ``execute_on_buffers``, and what its results mean, in
    ``unpack_output``.

    Args:
        bitfile: of the accelerator.
        settings: content of driver.json.
        input_shape: of a sample in the input buffer, in bytes.
        output_shape: of a result in the output buffer, in bytes.
        batch_size: samples that are handed over at a time.
        download: whether to configure the FPGA; False where this bitfile is on it already.
    """

    def __init__(self, bitfile, settings, input_shape, output_shape, batch_size, download):
        if not Path(bitfile).is_file():
            raise ValueError(f"no bitfile at {bitfile}: build one (see README.md), or name it with --bitfile")
        self.settings = settings
        self.input_shape, self.output_shape = tuple(input_shape), tuple(output_shape)
        self.overlay = Overlay(str(bitfile), download=download)
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
        return self.unpack_output(self.results(samples))

    def results(self, samples):
        """(N, ...) uint8 results of N samples, as the accelerator writes them."""
        packed = self.pack_input(samples)
        found = [np.zeros((0, *self.output_shape), dtype=np.uint8)]
        for start in range(0, len(packed), self.batch_size):
            part = packed[start : start + self.batch_size]
            self.copy_input_to_device(part)
            self.execute_on_buffers(len(part))
            found.append(self.copy_output_from_device(len(part)))
        return np.concatenate(found)

    def pack_input(self, samples):
        """(N, ...) uint8 in the accelerator's order, channels last, a byte a value.

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


def wait_until(done, patience_s):
    """Ask ``done()`` until it says so. Raises RuntimeError after too long."""
    end = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(
                f"no answer in {patience_s:g} s: is this the bitfile of this folder's network?"
            )


def open_accelerator(kind, given):
    """The accelerator of this folder, of the kind that its driver knows, as a command line asks for it."""
    settings = json.loads((FOLDER / "driver.json").read_text(encoding="utf-8"))
    return kind(given.bitfile, settings, given.batchsize, download=not given.no_download)


def add_options(parser, bitfile, batch_size):
    """Options of every program that opens the accelerator."""
    parser.add_argument("--bitfile", type=Path, default=bitfile)
    parser.add_argument("--batchsize", type=int, default=batch_size, help="samples at a time")
    parser.add_argument("--no_download", action="store_true", help="the FPGA holds the bitfile already")


def run_driver(kind, bitfile, arguments=None):
    """The command line of a driver: label a file of samples, or measure throughput; gives the exit code."""
    parser = argparse.ArgumentParser(description="Run the accelerator of this folder.")
    add_options(parser, bitfile, 1)
    parser.add_argument("--exec_mode", choices=("execute", "throughput_test"), default="execute")
    parser.add_argument("--inputfile", type=Path, default=FOLDER / "input.npy")
    parser.add_argument("--outputfile", type=Path, default=Path("output.npy"))
    given = parser.parse_args(arguments)
    try:
        accelerator = open_accelerator(kind, given)
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
