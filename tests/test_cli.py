"""The command line: the main job from end to end on real data, and errors in two lines with stable codes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bnnedge import errors, load
from bnnedge.data.fetch import FETCHABLE, fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError
from bnnedge.packed.file import save_packed
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, presets
from tests.commands import Bnnedge, two_lines
from tests.networks import random_model

TRAIN = """
import pathlib, resource, sys
from bnnedge.cli import main
sys.argv = ["bnnedge", "train"]
main()
pathlib.Path("peak-kib").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `bnnedge train` was run, in a process of its own, with nothing else said."""
    folder = tmp_path_factory.mktemp("workplace")
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (folder / "printed.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def inside(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.chdir(workplace)
    return RunDirectory.open(Path("runs/0001-digits-tfc"))


def test_the_embedded_default_reaches_90_percent(inside: RunDirectory, workplace: Path) -> None:
    summary = inside.summary()
    assert summary["status"] == "finished"
    assert summary["test"]["samples"] == 359
    assert summary["test"]["accuracy"] >= 0.90
    digits = load_dataset("digits", validation=0.15)
    assert (load(inside.path).predict(digits.test.inputs).labels == digits.test.labels).mean() == summary[
        "test"
    ]["accuracy"]
    printed = (workplace / "printed.txt").read_text().splitlines()
    assert printed[0].startswith("digits-tfc: digits, ")
    assert printed[1].startswith("epoch 1/")
    assert printed[-1] == "run directory: runs/0001-digits-tfc"
    assert int((workplace / "peak-kib").read_text()) < 1.5 * 2**20


def test_the_newest_run_is_meant_when_none_is_named(inside: RunDirectory, bnnedge: Bnnedge) -> None:
    best = inside.best_checkpoint()
    assert bnnedge("audit").out == bnnedge("audit", best).out == bnnedge("audit", inside.path).out
    assert str(best) in bnnedge("audit").out


def test_audit_in_every_form(inside: RunDirectory, bnnedge: Bnnedge) -> None:
    first, best = inside.first_checkpoint(), inside.best_checkpoint()
    text = bnnedge("audit", first, best)
    assert text.code == 0
    assert text.out.count("Audit of") == 2
    documents = [json.loads(line) for line in bnnedge("audit", "--json", first, best).out.splitlines()]
    assert [document["name"] for document in documents] == [str(first), str(best)]
    assert documents[1]["provenance"]["epoch"] == inside.summary()["best"]["epoch"]
    table = bnnedge("audit", "--csv", first, best).out.splitlines()
    assert len(table) == 1 + 2 * 5
    assert table[0].startswith("checkpoint,layer,shape,bits")


def test_audit_with_page_gates_and_fix(inside: RunDirectory, tmp_path: Path, bnnedge: Bnnedge) -> None:
    page, fixed = tmp_path / "page.html", tmp_path / "fixed.safetensors"
    done = bnnedge("audit", "--html", page, "--fix", fixed, "--details", "--nulls", "20")
    assert done.code == 0, done.err
    assert "Further measures" in done.out
    assert "Findings: " in done.out
    assert str(inside.best_checkpoint()) in page.read_text()
    digits = load_dataset("digits", validation=0.15).test.inputs
    assert np.array_equal(load(fixed).predict(digits).logits, load(inside.path).predict(digits).logits)
    assert bnnedge("audit", "--markdown").out.startswith("## Audit of ")
    assert bnnedge("audit", "--fail-on", "bdm_z < -100").code == 0
    message, _ = two_lines(bnnedge("audit", "--fail-on", "bits > 1000"), errors.GateError)
    assert "fc1" in message
    two_lines(bnnedge("audit", "--fail-on", "bitz > 1000"), errors.ConfigError)
    assert bnnedge("audit", "digits-tfc", "mnist-tfc", "--html", page).code == 2


def test_compare_two_or_a_whole_run(inside: RunDirectory, bnnedge: Bnnedge) -> None:
    first, best, last = inside.first_checkpoint(), inside.best_checkpoint(), inside.last_checkpoint()
    two = json.loads(bnnedge("compare", "--json", first, best).out)
    assert two["kind"] == "bnnedge.comparison"
    assert 0 < two["total"]["change"]["flipped_bits"] < two["total"]["before"]["bits"]
    three = json.loads(bnnedge("compare", "--json", first, best, last).out)
    assert [point["name"] for point in three["points"]] == [str(first), str(best), str(last)]
    run = json.loads(bnnedge("compare", "--json").out)
    epochs = inside.config().training.epochs
    assert len(run["points"]) == epochs + 1
    by_metrics = {record["epoch"]: record["bdm"]["all"] for record in inside.records()}
    assert run["points"][-1]["total"]["bdm"] == by_metrics[epochs]
    text = bnnedge("compare", inside.path, "--every", "50").out
    assert "(best)" in text
    assert "checkpoints between these are left out" in text
    assert "From the first checkpoint to the best" in text
    assert "within 1% of" in text
    assert "lz76_normalised" in bnnedge("compare", first, best, "--details", "--measures", "all").out
    side_by_side = bnnedge("compare", "digits-tfc", "mnist-tfc")
    assert side_by_side.code == 0, side_by_side.err
    assert "stand side by side" in side_by_side.out


@pytest.mark.parametrize("target", ["onnx", "qonnx", "finn", "pynq"])
def test_export_verifies_on_the_real_test_images(inside: RunDirectory, bnnedge: Bnnedge, target: str) -> None:
    done = bnnedge("export", "--target", target)
    assert done.code == 0, done.err
    assert "bit for bit: 4 layers and the output, on 359 samples" in done.out
    folder = inside.path / f"export-{target}"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["verification"]["samples"] == 359
    again = bnnedge("export", inside.best_checkpoint(), "--target", target, "--out", folder)
    assert again.code == 0, again.err


def test_resume_without_anything_to_resume(inside: RunDirectory, bnnedge: Bnnedge) -> None:
    before = inside.best_checkpoint().read_bytes()
    done = bnnedge("train", "--resume")
    assert done.code == 0, done.err
    assert inside.best_checkpoint().read_bytes() == before
    assert bnnedge("train", "digits-tfc", "--resume").code == errors.ConfigError.exit_code


def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, bnnedge: Bnnedge) -> None:
    """kill −9 from outside, in mid-training, then --resume."""
    small = ["--epochs", "40", "--set", "net.hidden=[16]", "--seed", "3"]
    assert bnnedge("train", *small, "--out", tmp_path / "whole").code == 0
    with subprocess.Popen(
        [sys.executable, "-m", "bnnedge", "train", *small, "--out", str(tmp_path / "killed")],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 9/"):
                process.kill()
    assert not RunDirectory.open(tmp_path / "killed").finished()
    assert bnnedge("train", "--resume", "--out", tmp_path / "killed").code == 0
    names = ["state.safetensors", "run.json"]
    names += [f"checkpoints/{p.name}" for p in RunDirectory.open(tmp_path / "whole").checkpoints().values()]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_mnist_trains_from_a_users_own_folder(tmp_path: Path, bnnedge: Bnnedge) -> None:
    """One epoch of the paper's net: 10x10 pixels, integer inputs, a head for each class; then every verb."""
    folder = fetch("mnist")
    run = tmp_path / "run"
    where = ("--data", folder)
    assert bnnedge("train", "paper-mnist", "--epochs", "1", *where, "--out", run).code == 0
    assert "100" in bnnedge("audit", run).out
    for target in ("onnx", "qonnx", "finn", "pynq"):
        done = bnnedge("export", run, "--target", target, *where)
        assert done.code == 0, done.err
        assert "3 layers and the output, on 1,000 samples" in done.out


TRAINED = [name for name, path in presets().items() if (path.parent / "model.safetensors").exists()]


@pytest.mark.parametrize("name", TRAINED)
def test_trained_presets_still_say_what_they_said(name: str) -> None:
    """The golden model's scores on the first test images, and the accuracy that the model card states."""
    config = load_config(name).data
    if config.name in FETCHABLE:
        fetch(config.name)
    test = load_dataset(**dataclasses.asdict(config)).test
    model = load(name)
    with np.load(presets()[name].parent / "vectors.npz", allow_pickle=False) as vectors:
        scores, labels, images = vectors["scores"], vectors["labels"], vectors.get("images")
    assert np.array_equal(model.predict(test.inputs[: len(scores)]).scores, scores)
    assert np.array_equal(test.labels[: len(labels)], labels)
    if images is not None:
        assert np.array_equal(images, test.inputs[: len(images)])
    accuracy = (model.predict(test.inputs).labels == test.labels).mean()
    card = (presets()[name].parent / "README.md").read_text(encoding="utf-8")
    assert f"| this file, seed 0 | {accuracy:.2%} |" in card


def test_errors_are_two_lines_and_a_stable_code(
    tmp_path: Path, bnnedge: Bnnedge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_lines(bnnedge("audit"), errors.FileError)
    message, hint = two_lines(bnnedge("audit", "absent.safetensors"), errors.FileError)
    assert "absent.safetensors" in message
    Path("text.safetensors").write_text("no tensors here, only text, and quite enough of it")
    two_lines(bnnedge("audit", "text.safetensors"), errors.FileError)
    _, hint = two_lines(bnnedge("train", "digits-tfz"), errors.ConfigError)
    assert "digits-tfc" in hint
    two_lines(bnnedge("train", "--set", "training.epochs=0"), errors.ConfigError)
    two_lines(bnnedge("train", "mnist-tfc", "--data", tmp_path), errors.DataError)
    assert not Path("runs").exists()  # nothing is made before everything is known to be there
    save_packed(random_model(seed=0, widths=(8, 8, 3)), Path("a.safetensors"))
    save_packed(random_model(seed=0, widths=(8, 4, 3)), Path("b.safetensors"))
    assert bnnedge("compare", "a.safetensors", "b.safetensors").code == 0
    two_lines(bnnedge("compare", *["a.safetensors", "b.safetensors"] * 2), errors.DataError)
    two_lines(bnnedge("export", "a.safetensors", "--target", "onnx"), errors.DataError)
    two_lines(bnnedge("compare", tmp_path), errors.FileError)
    Path("occupied").mkdir()
    Path("occupied/thesis.tex").write_text("")
    two_lines(bnnedge("train", "--out", "occupied"), errors.OutputError)
    two_lines(bnnedge("train", "--out", "a.safetensors/run"), errors.OutputError)
    assert bnnedge("audit", "--nonsense").code == 2
    assert bnnedge("nonsense").code == 2
    assert bnnedge("export", "a.safetensors", "--target", "vhdl").code == 2
    with pytest.raises(errors.FileError):
        bnnedge("--traceback", "audit", "absent.safetensors")


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, bnnedge: Bnnedge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bnnedge.training.loop.train", interrupt)
    done = bnnedge("train", "--out", tmp_path / "run")
    assert done.code == 130
    assert f"bnnedge train --resume --out {tmp_path / 'run'}" in done.err


def test_exit_codes_differ() -> None:
    kinds = BnnedgeError.__subclasses__()
    assert len({kind.exit_code for kind in kinds} | {0, 1, 2, 130}) == len(kinds) + 4
    for kind in kinds:
        assert f"{kind.__name__:<20}{kind.exit_code}" in (errors.__doc__ or "")


def test_help_of_every_verb(bnnedge: Bnnedge) -> None:
    listing = bnnedge("--help")
    assert listing.code == 0
    for verb in ("train", "audit", "compare", "export", "verify"):
        assert verb in listing.out
        assert bnnedge(verb, "--help").out.startswith(f"Usage: bnnedge {verb} ")
    assert bnnedge("--version").out == "bnnedge, version 0.1.0\n"


def test_a_broken_pipe_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_packed(random_model(seed=0, widths=(8, 8, 3)), path)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "bnnedge", "audit", str(path)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
