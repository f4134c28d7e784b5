"""Full disks, places that cannot be written, kills while a folder is replaced."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bnnedge.data.dataset import Dataset
from bnnedge.errors import OutputError
from bnnedge.exporters import export
from bnnedge.files import atomic_directory, write_atomically
from bnnedge.importers import load
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.training.loop import train
from tests.commands import Bnnedge, two_lines
from tests.sweeps import write_study
from tests.test_training import hashes, untimed

NOWHERE = Path("/proc/nowhere")  # not even root can make it
FULL = OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The system refuses to write files any further, as a full disk does: in the middle of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with files_end_at(1000), pytest.raises(OutputError, match="File too large"):
        write_atomically(path, bytes(5000), keep=tmp_path / "kept")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_atomically(path, "new", keep=tmp_path / "kept")
    assert (path.read_text(), (tmp_path / "kept").read_text()) == ("new", "old")


def test_a_training_stops_on_a_full_disk_and_goes_on_later(
    tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it strikes, in a checkpoint, the metrics, a state or the summary: later with each attempt."""
    config = override(load_config("digits-tfc"), ["training.epochs=5", "net.hidden=[16]"])
    alone = RunDirectory.create(tmp_path / "alone", config)
    train(config, digits, alone, lambda _: None)
    run = RunDirectory.create(tmp_path / "run", config)
    sync = os.fsync
    for room in range(8):
        left = iter(range(room))

        def full_in_the_end(descriptor: int, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise FULL
            sync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full_in_the_end)
            with pytest.raises(OutputError, match="No space left on device"):
                train(config, digits, run, lambda _: None)
        assert not list(run.path.rglob("*.part"))
        for step, path in run.checkpoints().items():
            assert path.read_bytes() == alone.checkpoint(step).read_bytes()
    assert run.records()
    train(config, digits, run, lambda _: None)
    assert hashes(run) == hashes(alone)
    assert untimed(run) == untimed(alone)


def test_metrics_that_do_not_fit(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", load_config("digits-tfc"))
    run.append({"epoch": 1, "step": 1})
    with files_end_at(40), pytest.raises(OutputError, match=r"metrics\.jsonl: File too large"):
        run.append({"epoch": 2, "step": 2})
    assert [record["epoch"] for record in run.records()] == [1]
    run.rewind(1, 1)
    run.append({"epoch": 2, "step": 2})
    assert [record["epoch"] for record in run.records()] == [1, 2]


def test_an_export_that_does_not_fit_leaves_the_old_one(tmp_path: Path, digits: Dataset) -> None:
    model, out = load("digits-tfc"), tmp_path / "out"
    export(model, "onnx", out, inputs=digits.test.inputs[:2])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with files_end_at(2000), pytest.raises(OutputError, match=r"model\.onnx: File too large"):
        export(model, "onnx", out, inputs=digits.test.inputs[:2])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("verb", ["train", "sweep", "export", "audit", "fetch"])
def test_places_that_cannot_be_written(bnnedge: Bnnedge, tmp_path: Path, verb: str) -> None:
    arguments: dict[str, tuple[str | Path, ...]] = {
        "train": ("train", "--out", NOWHERE),
        "sweep": ("sweep", write_study(tmp_path), "--out", NOWHERE),
        "export": ("export", "digits-tfc", "--target", "onnx", "--samples", "2", "--out", NOWHERE),
        "audit": ("audit", "digits-tfc", "--nulls", "2", "--html", NOWHERE),
        "fetch": ("data", "fetch", "dna", "--cache", NOWHERE),
    }
    message, hint = two_lines(bnnedge(*arguments[verb]), OutputError)
    assert f"cannot write {NOWHERE}" in message
    assert "check that the folder exists" in hint


def test_an_output_that_is_full() -> None:
    """As when a table is redirected to a file on a full disk."""
    command = [sys.executable, "-m", "bnnedge", "budget", "digits-tfc"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == OutputError.exit_code
    assert done.stderr.splitlines() == [
        "Error: cannot write the output: No space left on device",
        "Hint: make room on the disk, or let TMPDIR name a folder on another one",
    ]


class Killed(BaseException):
    """As abrupt as a kill can be inside one process."""


@pytest.mark.parametrize("move", [1, 2, 3])
def test_killed_while_a_folder_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: int
) -> None:
    """Before either move of the two, and while what was there before is being removed."""
    path, moves, replace = tmp_path / "out", 0, Path.replace

    def fill(text: str) -> None:
        with atomic_directory(path) as draft:
            for name in "abc":
                (draft / name).write_text(text)

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    def killed_at(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == move:
            raise Killed
        return replace(self, target)

    fill("old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed_at)
        patch.setattr("shutil.rmtree", killed)  # nobody tidies up after a kill
        with pytest.raises(Killed):
            fill("new")
    expected = {1: ["old"] * 3, 2: [], 3: ["new"] * 3}[move]
    assert [each.read_text() for each in path.rglob("*")] == expected
    fill("newer")
    assert [each.read_text() for each in path.rglob("*")] == ["newer"] * 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_take_its_place_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, moves, replace = tmp_path / "out", 0, Path.replace
    path.mkdir()
    (path / "old").touch()

    def full_at_the_second(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == 2:
            raise FULL
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full_at_the_second)
    with pytest.raises(OutputError, match="No space left"), atomic_directory(path):
        pass
    assert [each.name for each in path.iterdir()] == ["old"]
    monkeypatch.undo()
    with atomic_directory(path) as draft:
        (draft / "new").touch()
    assert [each.name for each in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]
