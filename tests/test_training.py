"""Training on the real digits: Brevitas equals the packed model, and a killed run ends with the same bits."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError, FileError, UnsupportedError
from bnnedge.importers.brevitas import pack
from bnnedge.nets.inputs import first_encoding
from bnnedge.packed.file import load_packed
from bnnedge.packed.infer import trace
from bnnedge.runs.banks import BankConfig
from bnnedge.runs.config import Config, ConvConfig, NetConfig
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override, presets
from bnnedge.training.loop import train
from tests.trained import hidden_norms, trained


def configured(*settings: str) -> Config:
    small = ("training.epochs=3", "net.hidden=[24, 16]", "net.dropout=0.1", "net.input_dither=2")
    return override(load_config("digits-tfc"), [*small, *settings])


def run_in(path: Path, config: Config, data: Dataset) -> tuple[RunDirectory, dict[str, Any]]:
    run = RunDirectory.create(path, config)
    return run, train(config, data, run, lambda _: None)


def hashes(run: RunDirectory) -> dict[str, str]:
    """SHA-256 of every file that a run leaves, but metrics.jsonl, which has the seconds."""
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name != "metrics.jsonl"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def untimed(run: RunDirectory) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in run.records()]


NETS = [
    NetConfig(hidden=(24, 16)),
    NetConfig(hidden=(32, 16), input="integer", head="batchnorm", initial_weights="normal"),
    NetConfig(hidden=(), head="batchnorm"),
    NetConfig(hidden=(17,), input_threshold=3, activation_gradient="identity"),
    NetConfig(hidden=(20,), input="thermometer", input_bits=3, input_levels="learned"),
    NetConfig(
        conv=(ConvConfig(12, padding=1), ConvConfig(20, pool=2), ConvConfig(66, kernel=2)), hidden=(16,)
    ),
    NetConfig(conv=(ConvConfig(8, stride=2), ConvConfig(9)), hidden=(), input="integer", head="batchnorm"),
    NetConfig(hidden=(24, 12), banks=(BankConfig(4, 8), BankConfig(2, 6, complement=False))),
]


@pytest.mark.parametrize("net_config", NETS, ids=lambda c: f"{c.input}-{c.head}-{c.hidden}")
def test_the_packed_model_equals_brevitas_layer_by_layer(net_config: NetConfig, digits: Dataset) -> None:
    net = trained(net_config, digits)
    model = pack(net, {})
    net.eval()
    with torch.no_grad():
        *stages, logits = net.preactivations(torch.from_numpy(digits.test.inputs))
    preactivations, prediction = trace(model, digits.test.inputs)
    for mine, brevitas in zip(preactivations, stages, strict=True):
        assert np.array_equal(mine, brevitas.numpy())
    assert np.array_equal(prediction.labels, logits.numpy().argmax(axis=1))
    np.testing.assert_allclose(prediction.logits, logits.numpy(), rtol=1e-5, atol=1e-5)


def test_packing_leaves_the_network_alone(digits: Dataset) -> None:
    net = trained(NETS[0], digits, steps=2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    pack(net, {})
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_a_diverged_network_is_refused(digits: Dataset) -> None:
    net = trained(NETS[0], digits, steps=1)
    with torch.no_grad():
        hidden_norms(net)[0].bias[0] = float("nan")
    with pytest.raises(UnsupportedError, match="not finite"):
        pack(net, {})


def test_a_run_directory_has_everything(tmp_path: Path, digits: Dataset) -> None:
    run, summary = run_in(tmp_path / "run", configured(), digits)
    assert run.summary() == {"schema": 1, **summary}
    assert summary["status"] == "finished"
    steps = len(digits.train.labels) // 50
    assert list(run.checkpoints()) == [0, steps, 2 * steps, 3 * steps]
    records = run.records()
    assert [record["epoch"] for record in records] == [1, 2, 3]
    best = max(records, key=lambda record: (record["validation_accuracy"], -record["validation_loss"]))
    assert summary["best"]["epoch"] == best["epoch"]
    assert summary["best"]["validation_accuracy"] == best["validation_accuracy"]
    model = load_packed(run.best_checkpoint())
    validation = model.predict(digits.validation.inputs).labels == digits.validation.labels
    assert validation.mean() == best["validation_accuracy"]
    assert model.provenance["step"] == best["step"]
    assert records[-1]["bdm"].keys() == {"fc1", "fc2", "fc3", "all"}


def test_same_seed_same_bits_other_seed_other_bits(tmp_path: Path, digits: Dataset) -> None:
    one, _ = run_in(tmp_path / "one", configured(), digits)
    two, _ = run_in(tmp_path / "two", configured(), digits)
    other, _ = run_in(tmp_path / "other", configured("training.seed=1"), digits)
    assert hashes(one) == hashes(two)
    assert untimed(one) == untimed(two)
    assert hashes(one)["state.safetensors"] != hashes(other)["state.safetensors"]


class Killed(BaseException):
    """As abrupt as a kill can be inside one process."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> RunDirectory:
    return run_in(tmp_path_factory.mktemp("undisturbed") / "run", configured(), digits)[0]


@pytest.mark.parametrize("write", range(16))
def test_a_run_killed_at_any_write_resumes_to_the_same_bits(
    tmp_path: Path,
    digits: Dataset,
    undisturbed: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    write: int,
) -> None:
    """Kill at each of the 16 files that are written: 3 before the first epoch, 4 an epoch, 1 at the end."""
    config = configured()
    run = RunDirectory.create(tmp_path / "killed", config)
    countdown = iter(range(write, -1, -1))

    def kill_at_zero(*_: object) -> None:
        if next(countdown, -1) == 0:
            raise Killed

    with monkeypatch.context() as patch:
        for module, name in (
            ("bnnedge.training.loop", "save_packed"),
            ("bnnedge.training.loop", "save_state"),
            ("bnnedge.runs.directory", "write_atomically"),
            ("bnnedge.runs.directory", "append_record"),
        ):
            original = getattr(__import__(module, fromlist=[name]), name)

            def disturbed(*arguments: Any, _original: Any = original, **named: Any) -> None:
                kill_at_zero()
                _original(*arguments, **named)

            patch.setattr(f"{module}.{name}", disturbed)
        with pytest.raises(Killed):
            train(config, digits, run, lambda _: None)
    train(config, digits, run, lambda _: None)
    assert hashes(run) == hashes(undisturbed)
    assert untimed(run) == untimed(undisturbed)


def test_a_finished_run_resumes_to_itself(tmp_path: Path, digits: Dataset) -> None:
    run, summary = run_in(tmp_path / "run", configured(), digits)
    before = hashes(run)
    assert train(configured(), digits, run, lambda _: None) == summary
    assert hashes(run) == before


def test_patience_stops_and_the_last_checkpoint_is_kept(tmp_path: Path, digits: Dataset) -> None:
    settings = ("training.patience=1", "training.epochs=40", "training.checkpoint_every=7")
    run, summary = run_in(tmp_path / "run", configured(*settings), digits)
    records = run.records()
    losses = [record["validation_loss"] for record in records]
    assert len(records) < 40
    assert losses[-1] >= min(losses[:-1])
    assert all(later < earlier for earlier, later in pairwise(losses[:-1]))
    assert {0, summary["best"]["step"], summary["last"]["step"]} <= run.checkpoints().keys()


def test_a_state_of_another_network_is_refused(tmp_path: Path, digits: Dataset) -> None:
    run, _ = run_in(tmp_path / "run", configured("training.epochs=1"), digits)
    other = configured("net.hidden=[8]")
    with pytest.raises(FileError, match="cannot resume"):
        train(other, digits, run, lambda _: None)
    for state in run.states():
        state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(FileError, match="cannot resume"):
        train(configured(), digits, run, lambda _: None)


@pytest.mark.parametrize(
    "settings",
    [
        ("training.optimiser=bop", "training.bop_threshold=1e-5"),
        ("training.label_smoothing=0.1", "training.schedule=step", "training.milestones=[6]"),
        ("training.teacher=digits-tfc", "training.distillation=0.9", "training.warmup_epochs=1"),
        ("training.shift=1", "net.conv=[{channels=16}]", "training.precision=bfloat16"),
        ("net.activation_gradient=polynomial", "net.norm_momentum=0.2", "training.weight_limit=0"),
    ],
    ids=lambda settings: settings[0],
)
def test_every_way_to_train_learns(settings: tuple[str, ...], tmp_path: Path, digits: Dataset) -> None:
    quiet = ("net.dropout=0", "net.input_dither=0", "net.hidden=[64]", "training.epochs=8")
    run, summary = run_in(tmp_path / "run", configured(*quiet, *settings), digits)
    accuracies = [record["train_accuracy"] for record in run.records()]
    assert accuracies[-1] > max(0.5, accuracies[0])
    assert summary["test"]["accuracy"] > 0.5


def test_tracking_steps_changes_nothing_else(tmp_path: Path, digits: Dataset) -> None:
    plain, _ = run_in(tmp_path / "plain", configured(), digits)
    tracked, _ = run_in(tmp_path / "tracked", configured("training.track=steps"), digits)
    assert untimed(plain) == untimed(tracked)
    assert hashes(plain)["state.safetensors"] == hashes(tracked)["state.safetensors"]
    steps = tracked.trajectory()
    assert steps is not None
    records = tracked.records()
    assert steps.step.tolist() == list(range(1, records[-1]["step"] + 1))
    for record in records:
        at = steps.step.tolist().index(record["step"])
        for part, name in enumerate(steps.names):
            assert steps.bdm[part, at] == pytest.approx(record["bdm"][name], rel=1e-12)
    per_epoch = len(steps.step) // len(records)
    for record, losses in zip(records, steps.loss.reshape(-1, per_epoch), strict=True):
        assert losses.mean() == pytest.approx(record["train_loss"], rel=1e-5)


def test_a_run_goes_on_with_the_teacher_it_began_with(tmp_path: Path, digits: Dataset) -> None:
    teacher = tmp_path / "teacher.safetensors"
    shutil.copy(presets()["digits-tfc"].parent / "model.safetensors", teacher)
    config = configured(f"training.teacher={teacher}", "training.epochs=1")
    run, _ = run_in(tmp_path / "run", config, digits)
    shutil.copy(run.best_checkpoint(), teacher)
    with pytest.raises(ConfigError, match="another model than when this run started"):
        train(config, digits, run, lambda _: None)


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path, digits: Dataset) -> None:
    config = configured("training.batch_size=5000")
    with pytest.raises(ConfigError, match="more than the training split has"):
        run_in(tmp_path / "run", config, digits)


def test_a_threshold_out_of_reach_is_refused() -> None:
    samples = np.zeros((1, 4), dtype=np.uint8)
    for maximum, half in ((255, 128), (16, 8)):
        thresholds = first_encoding(NetConfig(), (4,), maximum, samples).thresholds
        assert thresholds is not None
        assert thresholds.tolist() == [[half]]
    with pytest.raises(ConfigError, match="above every input"):
        first_encoding(dataclasses.replace(NetConfig(), input_threshold=17), (4,), 16, samples)
