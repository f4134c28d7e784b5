"""Kill bnnedge sweep, all its processes at once, at random moments, resume it, and compare what it leaves.

The table must be, byte for byte, that of a sweep left alone, and so must every file of every run (of
metrics.jsonl all but the seconds). What was finished before a kill must not be touched again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import contents

from bnnedge.runs.directory import RunDirectory

STUDY = """
base = "digits-tfc"
seeds = {seeds}
[set]
training.epochs = 2
training.batch_size = 300
[grid]
net.hidden = [[8], [8, 4]]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=500, help="of the sweep, an even number (default: 500)")
    parser.add_argument("--kills", type=int, default=5, help="default: 5")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    options = parser.parse_args()
    moments = random.Random(options.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study.toml"
        study.write_text(STUDY.format(seeds=options.jobs // 2), encoding="utf-8")
        alone, killed = Path(scratch) / "alone", Path(scratch) / "killed"
        finish(study, alone)
        seconds = seconds_of(alone)
        kills, before = 0, dict[str, int]()
        while kills < options.kills:
            if not kill(study, killed, moments.uniform(0, seconds / (options.kills + 1))):
                sys.exit(
                    f"the sweep came to its end after {kills} of {options.kills} kills: ask for more jobs"
                )
            kills += 1
            before |= untouched(killed, before)
            print(f"kill {kills}: {len(before)} of {options.jobs} jobs were finished", flush=True)
        finish(study, killed)
        untouched(killed, before)
        compare(alone, killed)
    print(f"{options.jobs} jobs, {kills} kills: the same table and the same runs; none was trained twice")


def command(study: Path, out: Path) -> list[str]:
    """The same, to begin and to go on."""
    return [sys.executable, "-m", "bnnedge", "sweep", str(study), "--out", str(out)]


def finish(study: Path, out: Path) -> None:
    """Run to the end."""
    done = subprocess.run(command(study, out), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bnnedge sweep exited with {done.returncode}:\n{done.stderr.strip()}")


def kill(study: Path, out: Path, seconds: float) -> bool:
    """Begin or go on, and send SIGKILL to the process group some seconds after the next job has begun."""
    quiet, before = subprocess.DEVNULL, attempts(out)
    process = subprocess.Popen(command(study, out), stdout=quiet, stderr=quiet, start_new_session=True)
    while process.poll() is None and attempts(out) == before:
        time.sleep(0.005)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    if process.returncode:
        sys.exit(f"bnnedge sweep exited with {process.returncode}")
    return False


def seconds_of(out: Path) -> float:
    """From the first job's beginning to the last one's end."""
    begun = min(path.stat().st_mtime for path in out.glob("jobs/*/config.toml"))
    return max(path.stat().st_mtime for path in out.glob("jobs/*/run.json")) - begun


def attempts(out: Path) -> int:
    """Changes whenever a job begins or goes on."""
    return sum(path.stat().st_size for path in out.glob("jobs/*/attempts.json"))


def untouched(out: Path, before: dict[str, int]) -> dict[str, int]:
    """When each finished job was finished, once those that were before still say the same."""
    now = {
        run.path.name: (run.path / "run.json").stat().st_mtime_ns
        for run in map(RunDirectory, (out / "jobs").iterdir())
        if run.finished()
    }
    if changed := [job for job, moment in before.items() if now.get(job) != moment]:
        sys.exit(f"finished jobs were run again: {', '.join(changed)}")
    return now


def compare(alone: Path, killed: Path) -> None:
    """End with an error unless both sweeps left the same."""
    if (alone / "table.csv").read_bytes() != (killed / "table.csv").read_bytes():
        sys.exit("killed and resumed, a sweep has another table")
    one, other = (
        {
            name: digest
            for name, digest in contents(out / "jobs").items()
            if not name.endswith("attempts.json")
        }
        for out in (alone, killed)
    )
    if different := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
        sys.exit(f"killed and resumed, a sweep differs in {', '.join(different)}")


if __name__ == "__main__":
    main()
