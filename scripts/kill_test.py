"""Kill bnnedge train at random moments, resume it until its end, and compare what it leaves.

Every file must be, byte for byte, that of a run left alone; of metrics.jsonl all but the seconds. Each way
to train is on that has a state of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {
    "adam": (
        "training.warmup_epochs=2",
        "net.input=thermometer",
        "net.input_bits=3",
        "net.input_levels=learned",
        "training.label_smoothing=0.1",
    ),
    "bop": ("training.optimiser=bop", "training.teacher=digits-tfc", "training.shift_fill=zero"),
}
COMMON = (
    "training.shift=1",
    "training.track=steps",
    "training.track_every=3",
    "training.checkpoint_every=3",
    "net.input_dither=2",
    "net.dropout=0.1",
    "net.conv=[{channels=12,pool=2}]",
    "net.hidden=[24]",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="for each optimiser (default: 20)")
    parser.add_argument("--epochs", type=int, default=60, help="of the training (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    options = parser.parse_args()
    moments = random.Random(options.seed)  # noqa: S311
    for name, settings in SETTINGS.items():
        fresh = [f"--epochs={options.epochs}", *(f"--set={one}" for one in (*settings, *COMMON))]
        with tempfile.TemporaryDirectory() as scratch:
            alone = Path(scratch) / "alone"
            train(alone, fresh)
            metrics = (alone / "metrics.jsonl").read_text().splitlines()
            seconds = sum(json.loads(line)["seconds"] for line in metrics)
            kills = runs = 0
            while kills < options.kills:
                runs += 1
                killed = Path(scratch) / f"killed-{runs}"
                finished = False
                while kills < options.kills and not finished:
                    # So that about one run lives through as many kills as are asked for.
                    moment = moments.uniform(0, 2) * seconds / options.kills
                    finished = not kill(killed, fresh, moment)
                    kills += not finished
                train(killed, fresh)
                compare(alone, killed)
        print(f"{name}: {kills} kills of {runs} runs of {options.epochs} epochs, same bits in the end")


def command(run: Path, fresh: list[str]) -> list[str]:
    """Start a training, or go on with one that has come so far as to have a configuration."""
    how = ["--resume"] if (run / "config.toml").exists() else fresh
    return [sys.executable, "-m", "bnnedge", "train", "--out", str(run), *how]


def train(run: Path, fresh: list[str]) -> None:
    """Train to the end."""
    done = subprocess.run(command(run, fresh), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bnnedge train exited with {done.returncode}:\n{done.stderr.strip()}")


def kill(run: Path, fresh: list[str], seconds: float) -> bool:
    """Start or resume, send SIGKILL some seconds after its first write; whether that was before its end."""
    quiet, before = subprocess.DEVNULL, written(run)
    process = subprocess.Popen(command(run, fresh), stdout=quiet, stderr=quiet)
    while process.poll() is None and written(run) == before:
        time.sleep(0.002)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    if process.returncode:
        sys.exit(f"bnnedge train exited with {process.returncode}: {' '.join(command(run, fresh))}")
    return False


def written(run: Path) -> tuple[int, int]:
    """Changes whenever a run's folder or its checkpoints' gets or loses a file."""
    folders = (run, run / "checkpoints")
    first, second = (folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders)
    return first, second


def compare(alone: Path, killed: Path) -> None:
    """End with an error unless both runs left the same."""
    one, other = contents(alone), contents(killed)
    if different := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
        sys.exit(f"killed and resumed, a run differs in {', '.join(different)}")
    if json.loads((alone / "run.json").read_text())["status"] != "finished":
        sys.exit("the run left alone did not finish")


def contents(run: Path) -> dict[str, str]:
    """SHA-256 of every file of a run, seconds aside."""
    return {
        str(path.relative_to(run)): hashlib.sha256(
            re.sub(rb'"seconds": [0-9.e+-]+', b"", path.read_bytes())
            if path.name == "metrics.jsonl"
            else path.read_bytes()
        ).hexdigest()
        for path in run.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    main()
