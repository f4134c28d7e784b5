"""``bnnedge sweep``: table, front, failures, Slurm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bnnedge.cli import main
from bnnedge.errors import ConfigError, JobError, OutputError
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.slurm import array_script
from bnnedge.studies.study import load_study
from tests.commands import Bnnedge, runner, two_lines
from tests.sweeps import write_study


@pytest.fixture
def bnnedge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Bnnedge:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


def test_a_sweep_and_the_same_again(bnnedge: Bnnedge, tmp_path: Path) -> None:
    study = write_study(tmp_path)
    first = bnnedge("sweep", study, "--pareto", "accuracy", "luts", "--parquet", "--jobs", "1")
    assert first.code == 0, first.err
    assert "Sweep tiny" in first.out
    assert "On the front" in first.out
    assert first.err.splitlines()[0] == "0/4 jobs of tiny are done"
    assert first.err.splitlines()[4].startswith("4/4  ")
    assert "net.hidden=[8, 4] seed=1" in first.err
    out = tmp_path / "runs" / "sweep-tiny"
    assert {path.name for path in out.iterdir()} == {
        "jobs", "table.csv", "table.parquet", "report.html"
    }  # fmt: skip
    left = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    second = bnnedge("sweep", study, "--pareto", "accuracy", "luts", "--parquet", "--json")
    assert second.code == 0
    assert {path: path.read_bytes() for path in left} == left
    answer = json.loads(second.out)
    assert (answer["kind"], answer["schema"], len(answer["rows"])) == ("bnnedge.sweep", 1, 4)
    assert {row["status"] for row in answer["rows"]} == {"finished"}


def test_failures_are_said_at_the_end(bnnedge: Bnnedge, tmp_path: Path) -> None:
    study = tmp_path / "broken.toml"
    study.write_text(
        '[set]\ntraining.epochs = 1\nnet.hidden = [4]\n[grid]\ndata.name = ["digits", "csv"]\n',
        encoding="utf-8",
    )
    outcome = bnnedge("sweep", study, "--jobs", "1")
    assert outcome.code == JobError.exit_code
    assert outcome.err.splitlines()[-2] == "Error: 1 of 2 jobs failed"
    assert outcome.err.splitlines()[-1].startswith("Hint: see attempts.json in ")
    assert "no path was given" in outcome.err.splitlines()[-3]
    rows = (tmp_path / "runs" / "sweep-broken" / "table.csv").read_text().splitlines()
    assert ",csv,0,failed,,,,," in rows[2]
    assert ",digits,0,finished,1," in rows[1]
    assert "no path was given" in (tmp_path / "runs" / "sweep-broken" / "report.html").read_text()
    collected = bnnedge("sweep", study, "--collect")
    assert collected.code == JobError.exit_code
    assert "no path was given" in collected.err


def test_somebody_else_is_at_work(bnnedge: Bnnedge, tmp_path: Path) -> None:
    study = write_study(tmp_path)
    with SweepPlace.make(tmp_path / "out").held(alone=True):
        message, _ = two_lines(bnnedge("sweep", study, "--out", "out"), OutputError)
    assert f"out is being worked on by process {os.getpid()} on " in message
    assert not list((tmp_path / "out" / "jobs").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "4"), "no job 4"),
        (("--only", "-1"), "no job -1"),
        (("--gpus", "0.5"), "are for Ray"),
        (("--executor", "ray", "--jobs", "2"), "--jobs is for local"),
    ],
)
def test_options_that_do_not_fit(
    bnnedge: Bnnedge, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in two_lines(bnnedge("sweep", write_study(tmp_path), *options), ConfigError)[0]


def test_ray_without_its_package(bnnedge: Bnnedge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    message, hint = two_lines(bnnedge("sweep", write_study(tmp_path), "--executor", "ray"), ConfigError)
    assert "the package ray" in message
    assert "bnnedge[ray]" in hint


def test_each_index_of_a_job_array_runs_its_job(bnnedge: Bnnedge, tmp_path: Path) -> None:
    """The script, run by bash as Slurm would, once for each index."""
    study = write_study(tmp_path, seeds=1, epochs=1)
    script = bnnedge("sweep", study.name, "--out", "my sweep", "--measure", "luts", "--emit", "slurm").out
    assert "#SBATCH --array=0-1\n" in script
    assert not (tmp_path / "my sweep").exists()
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "bnnedge"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bnnedge "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    place = SweepPlace(tmp_path / "my sweep")
    keys = [job.key for job in load_study(study).jobs]
    for index, done in ((1, [False, True]), (0, [True, True])):
        environment = os.environ | {
            "SLURM_ARRAY_TASK_ID": str(index), "PATH": f"{command.parent}:{os.environ['PATH']}"
        }  # fmt: skip
        subprocess.run(["bash", "-s"], input=script, text=True, check=True, env=environment, cwd=tmp_path)
        assert [place.job(key).run.finished() for key in keys] == done
        assert not place.table_file.exists()
    collected = bnnedge("sweep", study.name, "--out", "my sweep", "--measure", "luts", "--collect")
    assert collected.code == 0
    rows = place.table_file.read_text().splitlines()
    assert rows[0].endswith(",luts")
    assert all("finished" in row and not row.endswith(",") for row in rows[1:])


def test_a_large_study_has_several_jobs_an_index() -> None:
    """Slurm's arrays end at 1,000: every job is run by one index, and none by two."""
    script = array_script(Path("study.toml"), Path("out"), 2500, "large", 2)
    assert "#SBATCH --array=0-999\n" in script
    assert "#SBATCH --cpus-per-task=2\n" in script
    heads = script.replace("exec bnnedge", "echo bnnedge")
    found = []
    for index in (0, 1, 499, 500, 999):
        done = subprocess.run(
            ["bash", "-s"],
            input=heads,
            text=True,
            check=True,
            capture_output=True,
            env=os.environ | {"SLURM_ARRAY_TASK_ID": str(index)},
        )
        found.append([int(word) for word in done.stdout.split("--jobs 1 ")[1].split() if word.isdigit()])
    assert found == [[0, 1000, 2000], [1, 1001, 2001], [499, 1499, 2499], [500, 1500], [999, 1999]]


def test_the_help_imports_no_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main.__module__ == "bnnedge.cli"
    check = (
        "import sys; from bnnedge.cli.sweep import command; import bnnedge.studies.local;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'ray', 'pyarrow', 'matplotlib')))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
