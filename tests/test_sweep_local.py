"""Sweeps in processes of this machine: to the end, whatever happens to the processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bnnedge.errors import ConfigError, OutputError
from bnnedge.runs.directory import RunDirectory
from bnnedge.studies.jobs import perform
from bnnedge.studies.local import LocalExecutor, workers_for
from bnnedge.studies.results import results
from bnnedge.studies.study import Study, load_study
from bnnedge.studies.sweep import Standing, run_sweep, tasks_of
from bnnedge.studies.task import Outcome, Task
from tests.sweeps import Here, a_study, place_in

ROOT = Path(__file__).parent.parent


def run_here(
    study: Study, folder: Path, here: Here, retries: int = 2
) -> tuple[dict[int, str], list[Standing]]:
    shown: list[Standing] = []
    failures = run_sweep(study, tasks_of(study, place_in(folder)), lambda: here, retries, shown.append)
    return failures, shown


def test_every_job_is_run_once_and_never_again(tmp_path: Path) -> None:
    study, here = a_study(tmp_path), Here()
    failures, shown = run_here(study, tmp_path, here)
    assert (failures, here.started) == ({}, [0, 1, 2, 3])
    assert [(one.done, one.failed, one.jobs) for one in shown] == [(n, 0, 4) for n in range(5)]
    table = results(study, place_in(tmp_path)).table().csv()
    left = [path for path in (tmp_path / "sweep" / "jobs").rglob("*") if path.is_file()]
    files = {path: path.stat().st_mtime_ns for path in left}
    again = Here()
    assert run_here(study, tmp_path, again)[0] == {}
    assert again.started == []
    larger = a_study(tmp_path, seeds=3)
    run_here(larger, tmp_path, again)
    assert again.started == [2, 5]
    assert perform(tasks_of(study, place_in(tmp_path))[0]) == Outcome(0)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert results(study, place_in(tmp_path)).table().csv() == table


def test_what_is_lost_is_tried_again_after_the_others(tmp_path: Path) -> None:
    here = Here({1: 2, 2: 3})
    failures, shown = run_here(a_study(tmp_path), tmp_path, here)
    assert here.started == [0, 1, 2, 3, 1, 2, 1, 2]
    assert failures == {2: "lost"}
    assert [one.retried for one in shown if one.error] == [True, True, True, True, False]
    assert (shown[-1].done, shown[-1].failed) == (3, 1)


def test_a_broken_job_says_why_and_leaves_the_others_alone(tmp_path: Path) -> None:
    study, place = a_study(tmp_path, widths="[[4], [8]]"), place_in(tmp_path)
    broken = RunDirectory.create(place.job(study.jobs[1].key).run.path, study.jobs[1].config)
    broken.state_file.write_bytes(b"nonsense")
    failures, _ = run_here(study, tmp_path, Here(), retries=1)
    assert list(failures) == [1]
    assert str(broken.state_file) in failures[1]
    attempts = place.job(study.jobs[1].key).attempts()
    assert len(attempts) == 2
    assert "FileError" in attempts[1]["traceback"]
    assert [row["status"] for row in results(study, place).rows] == [
        "finished",
        "failed",
        "finished",
        "finished",
    ]


def test_what_comes_of_the_configuration_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('[set]\ndata.name = "csv"\n', encoding="utf-8")
    here = Here()
    failures, _ = run_here(load_study(path), tmp_path, here)
    assert here.started == [0]
    assert "no path was given" in failures[0]


def test_only_one_at_a_time_works_on_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnnedge.studies.place.PATIENCE", 0.0)
    task = tasks_of(a_study(tmp_path), place_in(tmp_path))[0]
    with task.place.held():
        outcome = perform(task)
    assert outcome.error is not None
    assert f"is being trained by process {os.getpid()} on " in outcome.error
    assert outcome.again
    assert not list(task.place.run.path.iterdir())


def test_two_sweeps_keep_off_each_other(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    for first in (False, True):
        with (
            place.held(alone=first),
            pytest.raises(OutputError, match="is being worked on by "),
            place.held(alone=not first),
        ):
            raise AssertionError("both are in")
    with place.held(alone=False), place.held(alone=False):
        pass


def test_processes_that_are_killed_are_replaced(tmp_path: Path) -> None:
    study, place = a_study(tmp_path, seeds=3, epochs=40), place_in(tmp_path)
    killed: list[int] = []
    tasks = tasks_of(study, place)

    class Fragile(LocalExecutor):
        """Kills its first process as soon as its job has done some epochs."""

        def start(self, task: Task) -> None:
            super().start(task)
            if not killed:
                while not (task.place.run.path / "metrics.jsonl").exists() or not task.place.run.records():
                    time.sleep(0.01)
                victim = task.place.attempts()[0]["process"]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    errors: list[str] = []
    failures = run_sweep(
        study, tasks, lambda: Fragile(2), 1, lambda s: errors.append(s.error) if s.error else None
    )
    assert failures == {}
    assert errors == ["its process ended with exit code -9"]
    attempts = [task.place.attempts() for task in tasks]
    assert [len(each) for each in attempts] == [2, 1, 1, 1, 1, 1]
    assert attempts[0][1]["from_epoch"] >= 1
    assert [len(task.place.run.records()) for task in tasks] == [40] * 6
    workers = {attempt["process"] for each in attempts for attempt in each}
    assert 2 <= len(workers) <= 3  # two, of which one was replaced


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Killed alone, without its group: nobody is left who goes on writing."""
    study = tmp_path / "study.toml"
    study.write_text("seeds = 1\n[set]\ntraining.epochs = 100000\n", encoding="utf-8")
    out, quiet = tmp_path / "out", subprocess.DEVNULL
    sweep = subprocess.Popen(
        [sys.executable, "-m", "bnnedge", "sweep", str(study), "--out", str(out)], stdout=quiet, stderr=quiet
    )
    while not (found := list(out.glob("jobs/*/metrics.jsonl"))):
        assert sweep.poll() is None
        time.sleep(0.05)
    sweep.kill()
    sweep.wait()
    worker = json.loads((found[0].parent / "attempts.json").read_text())["attempts"][0]["process"]
    while Path(f"/proc/{worker}").exists():
        time.sleep(0.05)
    with place_in(tmp_path).held(alone=True):
        assert not RunDirectory.open(found[0].parent).finished()


def test_threads_fit_the_cores() -> None:
    assert workers_for(1, None, 8) == 8
    assert workers_for(3, None, 8) == 2
    assert workers_for(16, None, 8) == 1
    assert workers_for(1, 20, 8) == 20
    assert workers_for(2, 4, 8) == 4
    with pytest.raises(ConfigError, match="too much for 8 cores"):
        workers_for(3, 4, 8)


def test_killed_as_a_whole_at_random_moments() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "kill.py"), "sweep", "--kills=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "sweep: 2 kills" in done.stdout
