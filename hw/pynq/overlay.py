"""Run the network of this folder on the board, in the overlay that overlay.tcl builds. Needs NumPy and PYNQ.

    python driver.py --inputfile input.npy --outputfile output.npy [--batchsize 1000]
    python driver.py --exec_mode throughput_test [--batchsize 1000]

The bitfile is network.bit, or what --bitfile names, with its .hwh beside it. A DMA engine streams whole
batches: a byte a feature in; of each sample the scores of all classes and then the label out, 32 bits each.
Samples are whole numbers, (N, features) or images of either layout, channels first or last; labels come out
as (N, 1), and Accelerator.scores gives the scores besides.
"""

from __future__ import annotations

import sys

import numpy as np
from host import FOLDER, PATIENCE_S, BatchedAccelerator, run_driver, wait_until

BITFILE = FOLDER / "network.bit"
WORD = np.dtype("<i4")


class Accelerator(BatchedAccelerator):
    """Our own hardware behind a DMA engine, ``dma`` in the overlay. Arguments: see BatchedAccelerator."""

    def __init__(self, bitfile, settings, batch_size=1, download=True):
        features, words = int(np.prod(settings["sample_shape"])), settings["classes"] + 1
        super().__init__(bitfile, settings, (features,), (words * WORD.itemsize,), batch_size, download)
        self.dma = self.overlay.dma

    def pack_input(self, samples):
        """(N, features) uint8 in the order in which they enter: pixel by pixel, or as the model has them.

        Raises ValueError where the samples are not those of this network.
        """
        packed = super().pack_input(samples)
        if self.settings["pixel_by_pixel"]:
            return packed
        shape = self.settings["sample_shape"]
        pixels = packed.reshape(-1, *shape[1:], shape[0])
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 1)).reshape(packed.shape)

    def execute_on_buffers(self, count):
        """Run the first samples of the input buffer through the network, and wait for the last result.

        Raises RuntimeError where the DMA engine is busy or reports an error, or there is no answer.
        """
        receive, send = self.dma.recvchannel, self.dma.sendchannel
        receive.transfer(self.obuf, nbytes=self.obuf[:count].nbytes)
        send.transfer(self.ibuf, nbytes=self.ibuf[:count].nbytes)
        # PYNQ's own wait() has no end if the answer has none.
        wait_until(lambda: receive.error or send.error or (receive.idle and send.idle), PATIENCE_S)
        send.wait()
        receive.wait()

    def unpack_output(self, packed):
        """(N,) int64 labels of packed results."""
        return packed.view(WORD)[:, -1].astype(np.int64)

    def scores(self, samples):
        """((N, classes) int32 scores, (N,) int64 labels) of N samples."""
        packed = self.results(samples)
        return packed.view(WORD)[:, :-1], self.unpack_output(packed)


def main(arguments=None):
    """Label a file of samples, or measure throughput; gives back the exit code."""
    return run_driver(Accelerator, BITFILE, arguments)


if __name__ == "__main__":
    sys.exit(main())
