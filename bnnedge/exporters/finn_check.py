"""A build folder, run through FINN+'s front end before it is handed over."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from bnnedge.files import write_atomically
from bnnedge.hardware.estimates import Estimate
from bnnedge.hardware.finn_plus import check, run_front_end
from bnnedge.hardware.folding import Design

__all__ = ["ESTIMATE", "check_with_finn"]

ESTIMATE = "estimate.json"


def check_with_finn(python: Path, folder: Path, called: Path, design: Design) -> Estimate:
    """Compare FINN+'s labels with the folder's, and write its estimates beside ours to ``estimate.json``.

    Where FINN+ stops or differs, its models and its log stay in a folder of their own, which the hint names.

    Args:
        python: of an environment with FINN+.
        folder: holds all of the build folder but its card and its manifest.
        called: how errors call the folder.
        design: what ``folding_config.json`` asks for.

    Raises:
        UnsupportedError: FINN+ stopped on the way.
        VerificationError: a label differs, a layer stayed in software, or FINN+ folded otherwise.
    """
    work = Path(tempfile.mkdtemp(prefix="bnnedge-finn-"))
    result = run_front_end(python, folder, work, called=called)
    check(called, result, work)
    estimate = Estimate.of_design(design, result)
    write_atomically(folder / ESTIMATE, json.dumps(estimate.to_dict(), indent=2) + "\n")
    shutil.rmtree(work)
    return estimate
