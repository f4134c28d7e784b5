"""Two processes on one directory: one has it, the other is told who, and a kill lets go of it."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bnnedge.errors import OutputError
from bnnedge.files import draft_directory, scratch_directory, write_atomically
from bnnedge.locks import held
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.studies.jobs import perform
from bnnedge.studies.sweep import tasks_of
from tests.commands import Bnnedge, two_lines
from tests.sweeps import a_study, place_in, write_study

HOLD = """
import sys
from pathlib import Path
from bnnedge.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).held():
    print(flush=True)
    sys.stdin.read()
"""


@contextmanager
def somebody_else(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a run directory."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_second_training_is_told_who_has_the_run(bnnedge: Bnnedge, tmp_path: Path) -> None:
    config = override(load_config("digits-tfc"), ["training.epochs=1", "net.hidden=[8]"])
    run = RunDirectory.create(tmp_path / "run", config)
    with somebody_else(run.path) as process:
        before = files(run.path)
        for how in (("--resume",), ("--epochs", "1")):
            message, hint = two_lines(bnnedge("train", "--out", run.path, *how), OutputError)
            assert (
                message == f"Error: {run.path} is being trained by process {process.pid} on {platform.node()}"
            )
            assert hint == "Hint: wait until that has ended, or name another --out"
        assert files(run.path) == before
        process.kill()
        process.wait()
        assert (run.path / ".lock").exists()
        assert bnnedge("train", "--out", run.path, "--resume").code == 0
    assert run.finished()
    assert not (run.path / ".lock").exists()


def test_a_new_run_is_not_created_in_a_held_folder(bnnedge: Bnnedge, tmp_path: Path) -> None:
    with somebody_else(tmp_path / "run"):
        two_lines(bnnedge("train", "--out", tmp_path / "run"), OutputError)
        assert files(tmp_path / "run").keys() == {".lock"}


def test_a_refused_place_is_left_as_it_was(bnnedge: Bnnedge, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    message, _ = two_lines(bnnedge("train", "--out", tmp_path), OutputError)
    assert "is not empty" in message
    assert files(tmp_path) == {"thesis.tex": b"all of it"}


def test_a_sweep_and_a_training_exclude_each_other(
    bnnedge: Bnnedge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnnedge.studies.place.PATIENCE", 0.0)
    task = tasks_of(a_study(tmp_path), place_in(tmp_path))[0]
    RunDirectory.create(task.place.run.path, task.config)
    with task.place.held():
        message, _ = two_lines(bnnedge("train", "--resume", "--out", task.place.run.path), OutputError)
        assert f"is being trained by process {os.getpid()} on " in message
    with task.place.run.held():
        error = perform(task).error
        assert error is not None
        assert f"is being trained by process {os.getpid()} on " in error
    assert perform(task).error is None
    assert task.done()


def test_two_sweeps_on_one_study(bnnedge: Bnnedge, tmp_path: Path) -> None:
    study, place = write_study(tmp_path), place_in(tmp_path)
    with place.held(alone=True):
        message, hint = two_lines(bnnedge("sweep", study, "--out", place.path), OutputError)
    assert message.endswith(f"is being worked on by process {os.getpid()} on {platform.node()}")
    assert hint == "Hint: wait until that has ended, or name another --out"
    with place.held(alone=False):  # as the indices of a job array have it, which are many
        message, _ = two_lines(bnnedge("sweep", study, "--out", place.path), OutputError)
    assert message.endswith("is being worked on by another process")


def test_only_one_is_in_at_a_time(tmp_path: Path) -> None:
    """The file goes whenever somebody leaves, while others wait for it."""
    lock, count = tmp_path / "lock", tmp_path / "count"
    count.write_text("0")

    def add() -> None:
        for _ in range(8):
            with held(lock, "it is being counted", "", patience=60):
                count.write_text(str(int(count.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.read_text() == "24"
    assert not lock.exists()


def test_a_lock_that_was_deleted_is_not_deleted_again(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held(lock, "", ""):
        lock.unlink()
        lock.write_text("another's")
    assert lock.read_text() == "another's"


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(OutputError, match=r"cannot lock .*: Operation not supported") as caught:
        RunDirectory.create(tmp_path, load_config("digits-tfc")).held().__enter__()
    assert "its file system has locks" in caught.value.hint
    stale = tmp_path / ".file.x.part"
    stale.touch()
    write_atomically(tmp_path / "file", "whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert stale.exists()  # it may be somebody's: nobody knows here


def test_drafts_of_the_living_stay_and_of_the_dead_go(tmp_path: Path) -> None:
    path = tmp_path / "a[1]*?"
    for name in (f".{path.name}.x.part", f".{path.name}.y.part/inner"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    other = tmp_path / ".another.x.part"
    other.touch()
    with draft_directory(path) as living:
        (living / "inner").touch()
        assert set(tmp_path.iterdir()) == {living, other}
        write_atomically(path, "whole")
        assert set(tmp_path.iterdir()) == {living, other, path}
    assert set(tmp_path.iterdir()) == {other, path}


def test_scratch_of_the_dead_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ".bnnedge.dead.part").mkdir()
    with scratch_directory() as one, scratch_directory() as other:
        assert set(tmp_path.iterdir()) == {one, other}
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(OutputError, match="cannot write /proc/nowhere"), scratch_directory():
        pass
