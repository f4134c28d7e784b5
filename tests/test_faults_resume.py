"""Damage to what a run goes on from: the state before takes over, says so, and ends with the same bits."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bnnedge.data.dataset import Dataset
from bnnedge.errors import FileError
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.training.loop import train
from bnnedge.training.state import read_state
from tests.commands import Bnnedge, two_lines
from tests.test_training import hashes, untimed

SETTINGS = ("training.epochs=4", "training.track=steps", "net.hidden=[16]", "net.dropout=0.1")
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def config() -> Config:
    return override(load_config("digits-tfc"), SETTINGS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: Dataset, config: Config) -> RunDirectory:
    run = RunDirectory.create(tmp_path_factory.mktemp("undisturbed") / "run", config)
    train(config, digits, run, lambda _: None)
    return run


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, digits: Dataset, config: Config) -> Path:
    """A run of which three epochs of four are there."""
    run = RunDirectory.create(tmp_path_factory.mktemp("interrupted") / "run", config)
    with pytest.raises(KeyboardInterrupt):
        train(config, digits, run, interrupt_after(3))
    return run.path


def interrupt_after(epoch: int) -> Callable[[dict[str, object]], None]:
    def on_epoch(record: dict[str, object]) -> None:
        if record["epoch"] == epoch:
            raise KeyboardInterrupt

    return on_epoch


def copied(folder: Path, to: Path) -> RunDirectory:
    return RunDirectory(Path(shutil.copytree(folder, to)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """One bit, in the middle of the last tensor or line."""
    content = bytearray(path.read_bytes())
    content[-50] ^= 2
    path.write_bytes(content)


def without_the_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def newest(run: RunDirectory) -> Path:
    return list(run.checkpoints().values())[-1]


def state(run: RunDirectory) -> Path:
    return run.state_file


def metrics(run: RunDirectory) -> Path:
    return run.path / "metrics.jsonl"


def steps(run: RunDirectory) -> Path:
    return list(run.steps_files().values())[-1]


@pytest.mark.parametrize(
    ("what", "damage"),
    [
        *itertools.product((state, newest), (cut, emptied, flipped)),
        *itertools.product((metrics,), (cut, without_the_last_line)),
        (steps, cut),
    ],
    ids=lambda value: value.__name__,
)
@pytest.mark.parametrize("finished", [False, True])
def test_the_state_before_takes_over(
    tmp_path: Path,
    digits: Dataset,
    config: Config,
    undisturbed: RunDirectory,
    interrupted: Path,
    what: Callable[[RunDirectory], Path],
    damage: Damage,
    finished: bool,
) -> None:
    run = copied(undisturbed.path if finished else interrupted, tmp_path / "run")
    damaged, said = what(run), list[str]()
    damage(damaged)
    train(config, digits, run, lambda _: None, said.append)
    assert len(said) == 1
    assert str(damaged) in said[0]
    assert said[0].endswith(f"; going on from state-before.safetensors, after epoch {3 if finished else 2}")
    assert hashes(run) == hashes(undisturbed)
    assert untimed(run) == untimed(undisturbed)


def test_the_command_says_so(bnnedge: Bnnedge, tmp_path: Path, interrupted: Path) -> None:
    run = copied(interrupted, tmp_path / "run")
    cut(run.state_file)
    outcome = bnnedge("train", "--resume", "--out", run.path)
    assert outcome.code == 0
    assert outcome.err.startswith(f"Warning: cannot resume from {run.state_file}: ")
    assert outcome.err.endswith("going on from state-before.safetensors, after epoch 2\n")
    assert "epoch 3/4" in outcome.out


@pytest.mark.parametrize("damage", [cut, emptied, flipped, Path.unlink])
def test_damage_to_the_state_before_does_no_harm(
    tmp_path: Path,
    digits: Dataset,
    config: Config,
    undisturbed: RunDirectory,
    interrupted: Path,
    damage: Damage,
) -> None:
    run, said = copied(interrupted, tmp_path / "run"), list[str]()
    damage(run.state_before_file)
    train(config, digits, run, lambda _: None, said.append)
    assert said == []
    assert hashes(run) == hashes(undisturbed)


def test_killed_between_the_two_moves_of_a_state(
    tmp_path: Path, digits: Dataset, config: Config, undisturbed: RunDirectory, interrupted: Path
) -> None:
    run, said = copied(interrupted, tmp_path / "run"), list[str]()
    run.state_file.replace(run.state_before_file)
    train(config, digits, run, lambda _: None, said.append)
    assert said == []
    assert hashes(run) == hashes(undisturbed)


def test_fallen_back_killed_and_fallen_back_again(
    tmp_path: Path, digits: Dataset, config: Config, undisturbed: RunDirectory, interrupted: Path
) -> None:
    run, said = copied(interrupted, tmp_path / "run"), list[str]()
    for _ in range(3):
        cut(run.state_file)
        with pytest.raises(KeyboardInterrupt):
            train(config, digits, run, interrupt_after(3), said.append)
    train(config, digits, run, lambda _: None, said.append)
    assert len(said) == 3
    assert hashes(run) == hashes(undisturbed)


def both_states(run: RunDirectory) -> None:
    cut(run.state_file)
    emptied(run.state_before_file)


def best_checkpoint(run: RunDirectory) -> None:
    """Of an epoch that neither state could train again."""
    for path in list(run.checkpoints().values())[:3]:
        cut(path)


def early_metrics(run: RunDirectory) -> None:
    metrics(run).write_text(metrics(run).read_text().partition("\n")[2])


def no_state(run: RunDirectory) -> None:
    for path in run.states():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (both_states, "cannot resume from .*state.safetensors"),
        (best_checkpoint, "step-00000000"),
        (early_metrics, "does not have each epoch up to 3"),
        (no_state, "has epochs, but no state.safetensors to go on from"),
    ],
)
def test_what_cannot_be_gone_on_with_is_left_as_it_is(
    tmp_path: Path,
    digits: Dataset,
    config: Config,
    interrupted: Path,
    damage: Callable[[RunDirectory], None],
    message: str,
) -> None:
    run = copied(interrupted, tmp_path / "run")
    damage(run)
    before = hashes(run)
    with pytest.raises(FileError, match=message):
        train(config, digits, run, lambda _: None)
    assert hashes(run) == before


def test_two_lines_for_what_cannot_be_gone_on_with(
    bnnedge: Bnnedge, tmp_path: Path, interrupted: Path
) -> None:
    run = copied(interrupted, tmp_path / "run")
    no_state(run)
    _, hint = two_lines(bnnedge("train", "--resume", "--out", run.path), FileError)
    assert hint == "Hint: put that file back, or train anew into another folder: --out"


def test_any_flipped_bit_of_a_state_is_noticed(undisturbed: RunDirectory, tmp_path: Path) -> None:
    whole = undisturbed.state_file.read_bytes()
    path = tmp_path / "state"
    for place in range(0, len(whole), len(whole) // 200):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(FileError, match=r"cannot resume|schema"):
            read_state(path)


def test_a_clock_that_jumps(
    tmp_path: Path,
    digits: Dataset,
    config: Config,
    undisturbed: RunDirectory,
    interrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wall clock runs backwards through 1970, and the newest files are the oldest by their times."""
    run = copied(interrupted, tmp_path / "run")
    for years, path in enumerate(sorted(run.path.rglob("*"))):
        os.utime(path, (4e9 - 1e8 * years,) * 2)
    clock = itertools.count(1e9, -1e8)
    monkeypatch.setattr("time.time", lambda: next(clock))
    monkeypatch.setattr("time.time_ns", lambda: int(1e9 * next(clock)))
    train(config, digits, run, lambda _: None)
    assert hashes(run) == hashes(undisturbed)
    assert untimed(run) == untimed(undisturbed)
    assert all(record["seconds"] >= 0 for record in run.records())
