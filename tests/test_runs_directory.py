"""Run directories: numbering, marks, metrics cut short by a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnedge.errors import FileError, OutputError
from bnnedge.importers import load
from bnnedge.packed.file import digest, save_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory, newest_run, next_run
from tests.networks import random_model


def test_numbers_go_up_and_the_newest_is_found(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    with pytest.raises(FileError, match="no run in"):
        newest_run(root)
    first = next_run(root, "one")
    (root / "0009-nine").mkdir()
    (root / "notes").mkdir()
    tenth = next_run(root, "ten")
    assert (first.path.name, tenth.path.name) == ("0001-one", "0010-ten")
    RunDirectory.create(first.path, Config(name="one"))
    assert newest_run(root) == first  # the others have no configuration yet
    RunDirectory.create(tenth.path, Config(name="ten"))
    assert newest_run(root) == tenth
    assert tenth.config() == Config(name="ten")


def test_somebodys_work_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="not empty"):
        RunDirectory.create(tmp_path, Config())
    with pytest.raises(FileError, match="no run directory"):
        RunDirectory.open(tmp_path)
    with pytest.raises(OutputError, match="not empty"):
        RunDirectory.create(tmp_path / "thesis.tex", Config())


def test_what_a_killed_start_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "run"
    (path / "checkpoints").mkdir(parents=True)
    (path / ".config.toml.abc.part").write_text("name =")
    run = RunDirectory.create(path, Config())
    (run.checkpoint_folder / ".step.xyz.part").write_bytes(b"")
    run.rewind(0, 0)
    assert {file.name for file in path.rglob("*") if file.is_file()} == {"config.toml", "metrics.jsonl"}
    with pytest.raises(OutputError, match="not empty"):
        RunDirectory.create(path, Config())


def test_metrics_survive_a_line_cut_short(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", Config())
    assert run.records() == []
    for epoch in (1, 2, 3):
        run.append({"epoch": epoch, "step": 10 * epoch})
    metrics = run.path / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"epoch": 4, "st')
    assert [record["epoch"] for record in run.records()] == [1, 2, 3]
    run.rewind(2, 20)
    assert [record["epoch"] for record in run.records()] == [1, 2]
    assert metrics.read_text().endswith("}\n")
    metrics.write_text("[]\n")
    with pytest.raises(FileError, match="line 1 is no JSON object"):
        run.records()
    metrics.write_text("{\n")
    with pytest.raises(FileError, match="line 1 is no JSON:"):
        run.records()


def test_marks_lead_to_checkpoints(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", Config())
    models = {step: random_model(seed=step, widths=(6, 3), kind="bipolar") for step in (0, 5, 100_000_000)}
    for step, model in models.items():
        save_packed(model, run.checkpoint(step))
    with pytest.raises(FileError, match="no finished epoch"):
        load(run.path)
    assert not run.finished()
    run.write_summary({"status": "finished", "best": {"step": 5}, "last": {"step": 100_000_000}})
    assert run.finished()
    assert list(run.checkpoints()) == [0, 5, 100_000_000]
    assert digest(load(run.path)) == digest(models[5])
    assert run.last_checkpoint() == run.checkpoint(100_000_000)
    run.rewind(1, 5)
    assert list(run.checkpoints()) == [0, 5]
    run.write_summary({"status": "finished"})
    with pytest.raises(FileError, match="which checkpoint is best"):
        run.best_checkpoint()
    (run.path / "run.json").write_text("{}")
    with pytest.raises(FileError, match="schema"):
        run.summary()
    (run.path / "run.json").write_text("{")
    with pytest.raises(FileError, match="cannot read"):
        run.summary()
