"""Run the accelerator that FINN built of this folder, on the board. Needs NumPy and PYNQ.

    python driver.py --inputfile input.npy --outputfile output.npy [--batchsize 100]
    python driver.py --exec_mode throughput_test [--batchsize 1000]

The bitfile is build/deploy/bitfile/finn-accel.bit, or what --bitfile names, with its .hwh beside it.
driver.json describes the accelerator as FINN's own driver does (io_shape_dict). Samples are whole numbers,
(N, features) or images of either layout, channels first or last; labels come out as (N, 1).
"""

from __future__ import annotations

import sys

import numpy as np
from host import FOLDER, PATIENCE_S, BatchedAccelerator, run_driver, wait_until

BITFILE = FOLDER / "build" / "deploy" / "bitfile" / "finn-accel.bit"

# Registers of FINN's data movers, as Vitis HLS lays them out.
CONTROL, ADDRESS, ADDRESS_HIGH, REPETITIONS = 0x00, 0x10, 0x14, 0x1C
START, DONE, IDLE = 0x1, 0x2, 0x4


class Accelerator(BatchedAccelerator):
    """What FINN built: a data mover on either side, of whole batches. Arguments: see BatchedAccelerator."""

    def __init__(self, bitfile, settings, batch_size=1, download=True):
        shapes = settings["io_shape_dict"]
        ends = (shapes["ishape_packed"][0][1:], shapes["oshape_packed"][0][1:])
        super().__init__(bitfile, settings, *ends, batch_size, download)
        self.output_type = np.dtype({"UINT8": "u1", "UINT16": "<u2", "FLOAT32": "<f4"}[shapes["odt"][0]])
        self.idma = getattr(self.overlay, shapes["input_dma_name"][0])
        self.odma = getattr(self.overlay, shapes["output_dma_name"][0])

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
        wait_until(lambda: self.odma.read(CONTROL) & DONE, PATIENCE_S)

    def unpack_output(self, packed):
        """(N,) labels of packed results: the label itself, or the first of the largest logits."""
        values = packed.reshape(len(packed), int(np.prod(self.output_shape))).view(self.output_type)
        return (values[:, 0] if self.output_type.kind == "u" else values.argmax(axis=1)).astype(np.int64)


def main(arguments=None):
    """Label a file of samples, or measure throughput; gives back the exit code."""
    return run_driver(Accelerator, BITFILE, arguments)


if __name__ == "__main__":
    sys.exit(main())
