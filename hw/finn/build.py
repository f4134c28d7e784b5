"""Build the network in this folder into an accelerator with FINN, and check what FINN verified.

    python build.py

Run it where FINN or FINN+ and Vivado are set up. FINN goes on when one of its verification steps fails and
only leaves a file named *_FAIL.npy, so this script looks for such files. It exits 0 if the build ended and
every step reproduced expected_output.npy, else 1.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def insist_on(board: str) -> None:
    """Build for a retired board all the same.

    FINN 1.0 refuses Pynq-Z1 and Pynq-Z2, which its flow still builds; its message says to take the board off
    this list. Other FINNs have no such list.
    """
    from finn.util import basic

    getattr(basic, "retired_pynq_boards", set()).discard(board)


def main() -> int:
    """Build; gives back the exit code."""
    try:
        from finn.builder.build_dataflow import build_dataflow_cfg
        from finn.builder.build_dataflow_config import DataflowBuildConfig
    except ImportError as error:
        print(f"FINN cannot be imported here: {error}", file=sys.stderr)
        print("Run this in FINN's container or in an environment that has FINN+.", file=sys.stderr)
        return 1

    os.chdir(FOLDER)  # the settings name files of this folder
    settings = DataflowBuildConfig.from_json(Path("dataflow_build_config.json").read_text(encoding="utf-8"))
    insist_on(settings.board)
    results = Path(settings.output_dir) / "verification_output"
    for stale in results.glob("*.npy"):  # an earlier build's failures would outlive their cause
        stale.unlink()

    if build_dataflow_cfg("model.onnx", settings) != 0:
        print(f"FINN's build failed; see {settings.output_dir}/build_dataflow.log", file=sys.stderr)
        return 1

    failed = sorted(path.name for path in results.glob("*_FAIL.npy"))
    passed = sorted(path.name for path in results.glob("*_SUCCESS.npy"))
    for name in failed:
        print(f"wrong label: {name}", file=sys.stderr)
    if failed or not passed:
        print(f"{len(failed)} of {len(failed) + len(passed)} checks failed", file=sys.stderr)
        return 1
    print(f"{len(passed)} checks passed; {settings.output_dir}/deploy is ready for the board")
    return 0


if __name__ == "__main__":
    sys.exit(main())
