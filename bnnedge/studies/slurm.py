"""A sweep as a job array of Slurm."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = ["array_script"]

LARGEST_ARRAY = 1000  # Slurm's MaxArraySize is 1001, where nobody changed it


def array_script(
    study: Path, out: Path, jobs: int, name: str, threads: int, options: Sequence[str] = ()
) -> str:
    """A script for ``sbatch``: each index of its array runs one job, or several where there are too many.

    Args:
        study: the study's file, seen from where the script is submitted.
        out: the sweep's directory, on a file system that all nodes share.
        jobs: of the study.
        name: of the study.
        threads: of the job that has the most.
        options: further ones of ``bnnedge sweep``.
    """
    tasks = min(jobs, LARGEST_ARRAY)
    where = f"{shlex.quote(str(study))} --out {shlex.quote(str(out))}"
    more = "".join(f" {shlex.quote(option)}" for option in options)
    return f"""#!/usr/bin/env bash
#SBATCH --job-name={name}
#SBATCH --array=0-{tasks - 1}
#SBATCH --cpus-per-task={threads}
#SBATCH --requeue
# {jobs} jobs of {study}, one an index of the array. Submit it where bnnedge is on the path: sbatch SCRIPT
# An index that was interrupted goes on where it was. When all have ended, the table and the page:
#   bnnedge sweep {where}{more} --collect
set -euo pipefail

only=()
for ((index = SLURM_ARRAY_TASK_ID; index < {jobs}; index += {tasks})); do only+=(--only "$index"); done
exec bnnedge sweep {where}{more} --jobs 1 "${{only[@]}}"
"""
