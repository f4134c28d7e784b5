"""A PYNQ build folder: all that FINN needs to make a bitfile and a driver of a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bnnedge.files import write_atomically, writing
from bnnedge.hardware.boards import Board
from bnnedge.hardware.budget import design_for
from bnnedge.packed.geometry import geometry_of
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["CONFIG", "build_config", "write_build"]

CONFIG = "dataflow_build_config.json"
FOLDING = "folding_config.json"


def build_config(board: Board) -> dict[str, object]:
    """Settings of FINN's dataflow builder, in keys that FINN and FINN+ both know.

    The folding is ours: FINN's own, for ``target_fps``, takes more logic, and HLS refuses some of it.
    """
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
        "verify_input_npy": "input.npy",
        "verify_expected_output_npy": "expected_output.npy",
        "save_intermediate_models": True,
        "enable_build_pdb_debug": False,
    }


def write_build(folder: Path, model: PackedModel, board: Board, fps: int | None) -> None:
    """Write the builder's settings, the folding, and the script that starts the builder.

    Without ``fps`` the folding is that of the smallest design, which is the slowest.

    Raises:
        UnsupportedError: no folding of the network reaches ``fps`` on the board.
    """
    design = design_for(geometry_of(model), board, fps)
    write_atomically(folder / FOLDING, json.dumps(design.folding_config(), indent=2) + "\n")
    write_atomically(folder / CONFIG, json.dumps(build_config(board), indent=2, sort_keys=True) + "\n")
    with writing(folder / "build.py"):
        shutil.copyfile(share("hw") / "finn" / "build.py", folder / "build.py")
