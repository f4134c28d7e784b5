"""What a PYNQ board needs of a folder of our own hardware, besides the overlay that Vivado builds of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.exporters.driver import board_settings, write_driver
from bnnedge.exporters.vectors import write_vectors
from bnnedge.hardware.boards import Board
from bnnedge.packed.model import PackedModel

__all__ = ["write_overlay"]


def write_overlay(folder: Path, model: PackedModel, inputs: NDArray[np.uint8], board: Board) -> None:
    """Write the driver with its settings, its check, and samples with their labels.

    Args:
        folder: that is there.
        model: the network.
        inputs: (samples, features), of which the first become ``input.npy``.
        board: whose clock the overlay has.

    Raises:
        OutputError: the folder cannot be written.
    """
    pixel_by_pixel = model.layers[0].convolution is not None
    write_driver(folder, "overlay.py", board_settings(model, board) | {"pixel_by_pixel": pixel_by_pixel})
    write_vectors(folder, model, inputs)
