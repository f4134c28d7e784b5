"""A PYNQ build folder: all that FINN needs to make a bitfile and a driver of a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bnnedge.files import write_atomically, writing
from bnnedge.hardware.boards import Board
from bnnedge.share import share

__all__ = ["CONFIG", "build_config", "write_build"]

CONFIG = "dataflow_build_config.json"


def build_config(board: Board, fps: int | None) -> dict[str, object]:
    """Settings of FINN's dataflow builder, in keys that FINN and FINN+ both know.

    Without ``fps`` FINN folds each layer as far as it goes: the smallest design, and the slowest.
    """
    wish = {} if fps is None else {"target_fps": fps}
    return wish | {
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


def write_build(folder: Path, board: Board, fps: int | None) -> None:
    """Write the builder's settings and the script that starts it."""
    settings = json.dumps(build_config(board, fps), indent=2, sort_keys=True)
    write_atomically(folder / CONFIG, settings + "\n")
    with writing(folder / "build.py"):
        shutil.copyfile(share("hw") / "finn" / "build.py", folder / "build.py")
