"""SIGKILL at random moments: a resumed training ends with the bits of one left alone.

``scripts/kill`` does the same to the command, at length.
"""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np

from bnnedge.data.registry import load_dataset
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.training.loop import train
from tests.test_training import hashes, untimed

SETTINGS = (
    "training.epochs=8",
    "training.optimiser=bop",
    "training.warmup_epochs=1",
    "training.label_smoothing=0.1",
    "training.teacher=digits-tfc",
    "training.shift=1",
    "training.track=steps",
    "training.track_every=4",
    "training.checkpoint_every=3",
    "net.conv=[{channels=8,pool=2}]",
    "net.hidden=[16]",
    "net.input=thermometer",
    "net.input_bits=2",
    "net.input_levels=learned",
    "net.input_dither=2",
    "net.dropout=0.1",
    "complexity.term=tree",
    "complexity.target=0.9",
)
KILLS = 4


def train_in(path: Path) -> None:
    """Start or resume, as the command does."""
    if (path / "config.toml").exists():
        run = RunDirectory.open(path)
    else:
        run = RunDirectory.create(path, override(load_config("digits-tfc"), SETTINGS))
    train(run.config(), load_dataset("digits", validation=0.15), run, lambda _: None)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.test_training_kill"])
    for path in (tmp_path / "warm", alone):  # the first one also starts the server, which imports PyTorch
        start = time.perf_counter()
        process = processes.Process(target=train_in, args=(path,))
        process.start()
        process.join()
        assert process.exitcode == 0
    seconds = time.perf_counter() - start
    moments = np.random.default_rng(0)
    for _ in range(KILLS):
        process = processes.Process(target=train_in, args=(killed,))
        process.start()
        process.join(moments.uniform(0, 2 * seconds / KILLS))
        process.kill()
        process.join()
    train_in(killed)
    one, other = RunDirectory.open(alone), RunDirectory.open(killed)
    assert hashes(one) == hashes(other)
    assert untimed(one) == untimed(other)
    assert not list(killed.rglob(".*.part"))
