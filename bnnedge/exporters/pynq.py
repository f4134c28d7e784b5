"""A PYNQ build folder: all that FINN needs to make a bitfile of a network, and all that the board needs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.exporters.driver import driver_settings, write_driver
from bnnedge.exporters.vectors import EXPECTED, INPUT, write_vectors
from bnnedge.files import write_atomically, writing
from bnnedge.hardware.boards import Board
from bnnedge.hardware.budget import design_for
from bnnedge.hardware.finns import Finn
from bnnedge.hardware.folding import Design
from bnnedge.packed.file import save_packed
from bnnedge.packed.geometry import geometry_of
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["CONFIG", "FOLDING", "BuildWishes", "build_config", "write_build"]

CONFIG = "dataflow_build_config.json"
FOLDING = "folding_config.json"
BUILDER = "build.py"

# FINN 0.10 simulates the stitched design in Verilator, which cannot run Vivado's own FIFOs: its steps warn of
# wrong results. The setting is gone from FINN 1.0, which simulates in Vivado, and FINN+ refuses unknown keys.
ONLY: dict[Finn, dict[str, object]] = {"0.10": {"rtlsim_use_vivado_comps": False}, "1.0": {}, "plus": {}}


@dataclass(frozen=True)
class BuildWishes:
    """What a build folder is made for.

    Attributes:
        board: where the accelerator is to run.
        finn: what is to build it.
        fps: frames a second to reach; None: none asked for.
        luts: look-up tables that it may take; None: none asked for.
    """

    board: Board
    finn: Finn
    fps: int | None = None
    luts: int | None = None

    def design(self, model: PackedModel) -> Design:
        """How far each layer is folded.

        Raises:
            UnsupportedError: no folding of the network does what is wished for, or FINN cannot build it.
        """
        return design_for(geometry_of(model), self.board, fps=self.fps, luts=self.luts, finn=self.finn)


def build_config(wishes: BuildWishes) -> dict[str, object]:
    """Settings of FINN's dataflow builder, in keys and values that the wanted FINN knows.

    The folding is ours: FINN's own, for ``target_fps``, takes more logic, and HLS refuses some of it. No
    steps are named: each FINN then takes its own list, which was renamed from release to release.
    """
    board = wishes.board
    return {
        "folding_config_file": FOLDING,
        "output_dir": "build",
        "board": board.finn_board,
        "shell_flow_type": board.shell_flow_type,
        "synth_clk_period_ns": board.clock_period_ns,
        "generate_outputs": [
            "estimate_reports",
            "stitched_ip",
            "bitfile",
            "pynq_driver",
            "deployment_package",
        ],
        "verify_steps": ["initial_python", "streamlined_python", "folded_hls_cppsim", "stitched_ip_rtlsim"],
        "verify_input_npy": INPUT,
        "verify_expected_output_npy": EXPECTED,
        "save_intermediate_models": True,
        "enable_build_pdb_debug": False,
    } | ONLY[wishes.finn]


def write_build(
    folder: Path, model: PackedModel, inputs: NDArray[np.uint8], wishes: BuildWishes, design: Design
) -> None:
    """Write what a build folder holds besides the graph and its card.

    The checkpoint, test vectors, the builder's settings, the folding, what the board's driver must know, and
    the scripts.
    """
    write_vectors(folder, model, inputs)
    save_packed(model, folder / "checkpoint.safetensors")
    write_atomically(folder / FOLDING, json.dumps(design.folding_config(), indent=2) + "\n")
    write_atomically(folder / CONFIG, json.dumps(build_config(wishes), indent=2, sort_keys=True) + "\n")
    write_driver(folder, "driver.py", driver_settings(model, design, wishes.board))
    with writing(folder / BUILDER):
        shutil.copyfile(share("hw") / "finn" / BUILDER, folder / BUILDER)
