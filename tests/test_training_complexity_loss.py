"""Complexity as a part of the loss: what is added, when, what it does to the bits, and that it resumes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.data.dataset import Dataset
from bnnedge.errors import ConfigError
from bnnedge.importers.brevitas import pack
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.file import load_packed
from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.config import Config, NetConfig
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.complexity_loss import ComplexityLoss
from bnnedge.training.loop import train
from bnnedge.training.state import Pressure, Standing, save_state
from tests.test_training import configured, hashes, run_in, untimed

STEPS = 10


def loss_of(
    digits: Dataset, settings: ComplexityConfig, epochs: int = 4, **training: float
) -> tuple[BinaryNetwork, ComplexityLoss]:
    torch.manual_seed(0)
    config = NetConfig(hidden=(16, 12))
    net = BinaryNetwork(first_encoding(config, digits.shape, digits.maximum, digits.train.inputs), 10, config)
    return net, ComplexityLoss(net, settings, TrainingConfig(epochs=epochs, **training), STEPS)  # type: ignore[arg-type]


def harden(net: BinaryNetwork, limit: float) -> None:
    with torch.no_grad():
        for latent in net.latent_weights():
            latent.copy_(torch.where(latent >= 0, limit, -limit))


def pooled_bdm(net: BinaryNetwork) -> float:
    first, *others = [block_histogram(layer.weights) for layer in pack(net, {}).layers]
    return bdm_of(sum(others, start=first))


@pytest.mark.parametrize("limit", [1.0, 0.25])
def test_certain_weights_are_charged_for_what_the_audit_counts(limit: float, digits: Dataset) -> None:
    settings = ComplexityConfig("bdm", weight=3.0, schedule="constant")
    net, charge = loss_of(digits, settings, weight_limit=limit)
    charge.begin()
    assert charge.pressure.initial == pytest.approx(pooled_bdm(net), rel=1e-5)
    first = charge.pressure.initial
    with torch.no_grad():
        next(net.latent_weights())[:8] = -1
    harden(net, limit)
    extra = charge.at(0)
    assert extra is not None
    assert extra.item() == pytest.approx(3.0 * pooled_bdm(net) / first, rel=1e-5)
    assert charge.share() == pytest.approx(pooled_bdm(net) / first, rel=1e-5)
    assert charge.share() < 0.9


@pytest.mark.parametrize("sample", [1.0, 0.25])
def test_what_is_charged_falls_along_its_gradient(sample: float, digits: Dataset) -> None:
    net, charge = loss_of(digits, ComplexityConfig("tree", schedule="constant", sample=sample))
    charge.begin()
    before = charge.at(7)
    again = charge.at(7)
    assert before is not None
    assert again is not None
    assert torch.equal(before, again)  # what a sample looks at depends on the step alone
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for latent in net.latent_weights():
            latent.sub_(latent.grad, alpha=1.0).clamp_(-1, 1)  # type: ignore[arg-type]
        after = charge.at(7)
    assert after is not None
    assert after < before


def test_a_ramp_rises_to_the_weight(digits: Dataset) -> None:
    settings = ComplexityConfig("tree", weight=2.0, start=0.25, full=0.75)
    charge = loss_of(digits, settings)[1]
    assert [charge.weight(step) for step in (0, 10, 15, 20, 30, 39)] == [0, 0, 0.5, 1, 2, 2]
    assert charge.at(10) is None
    step = loss_of(digits, dataclasses.replace(settings, start=0.5, full=0.5))[1]
    assert [step.weight(at) for at in (19, 20)] == [0, 2]
    constant = loss_of(digits, dataclasses.replace(settings, schedule="constant"))[1]
    assert {constant.weight(at) for at in range(40)} == {2}
    assert [charge.lack(epoch, 1.0) for epoch in (0, 2, 3, 4)] == [0.75, 0.25, 0, 0]
    assert [charge.settling(epoch) for epoch in (0, 2, 3, 4)] == [True, True, False, False]


def test_a_step_in_so_many_counts_for_all(digits: Dataset) -> None:
    always = ComplexityConfig("tree", schedule="constant")
    _, charge = loss_of(digits, always)
    _, seldom = loss_of(digits, dataclasses.replace(always, every=3))
    whole = charge.at(3)
    some = [seldom.at(step) for step in range(6)]
    assert [extra is None for extra in some] == [False, True, True, False, True, True]
    assert whole is not None
    assert some[3] is not None
    assert some[3].item() == pytest.approx(3 * whole.item())


def test_the_controller_pays_more_while_bits_are_too_complex_and_less_once_they_are_not(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, charge = loss_of(digits, ComplexityConfig("tree", weight=1.0, target=0.5, schedule="constant"))
    charge.pressure = Pressure(1.0, 1.0, 1.0)
    weights = []
    for step, share in enumerate((0.49, 0.539, 0.539, 0.49, 0.441, 0.001), start=1):
        monkeypatch.setattr(charge, "share", lambda share=share: share)
        charge.after_step(10 * step + 5)  # not its turn
        charge.after_step(10 * step)
        weights.append(charge.pressure.weight)
    expected = [1, 1.1**13, 1.1**14, 1.1**2, 1.1**2 * 0.9**13, 1.1**2 * 0.9 * 0.5**13]
    assert weights == pytest.approx(expected)
    monkeypatch.setattr(charge, "share", lambda: 1.0)
    charge.after_step(100)
    assert charge.pressure.weight == 100
    assert charge.lack(1, 0.6) == pytest.approx(0.1)
    assert charge.lack(1, 0.5) == 0


def test_what_is_wanted_comes_down_in_equal_factors(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    _, charge = loss_of(digits, ComplexityConfig("tree", weight=1.0, target=0.5, full=1.0))
    for epoch in range(1, 5):
        monkeypatch.setattr(charge, "share", lambda epoch=epoch: 0.49 ** (epoch / 4))
        charge.after_step(epoch * STEPS)
        assert charge.pressure.weight == pytest.approx(1.0)


@pytest.mark.parametrize(("term", "setting"), [("bdm_drawn", "weight=30"), ("tree", "target=0.7")])
def test_bits_are_simpler_for_it(term: str, setting: str, tmp_path: Path, digits: Dataset) -> None:
    quiet = ("net.dropout=0", "net.input_dither=0", "net.hidden=[32, 32]", "training.epochs=12")
    settings = (f"complexity.term={term}", f"complexity.{setting}", "complexity.full=0.3")
    run, summary = run_in(tmp_path / "run", configured(*quiet, *settings), digits)
    records = run.records()
    assert records[-1]["complexity_share"] < 0.9
    assert records[-1]["complexity_loss"] > 0
    assert records[-1]["train_loss"] < records[0]["train_loss"]
    best = next(record for record in records if record["epoch"] == summary["best"]["epoch"])
    if "target" in setting:
        assert best["complexity_share"] <= 0.7
    else:
        assert best["epoch"] >= 4
    model = load_packed(run.best_checkpoint())
    said = model.provenance["complexity"]
    assert isinstance(said, dict)
    assert said["term"] == term
    assert summary["test"]["accuracy"] > 0.4


class Killed(BaseException):
    """As abrupt as a kill can be inside one process."""


@pytest.fixture(scope="module")
def regularised() -> Config:
    settings = ("complexity.term=bdm", "complexity.target=0.9", "complexity.sample=0.1", "complexity.every=2")
    return configured(*settings)


@pytest.fixture(scope="module")
def undisturbed(
    regularised: Config, tmp_path_factory: pytest.TempPathFactory, digits: Dataset
) -> RunDirectory:
    return run_in(tmp_path_factory.mktemp("undisturbed") / "run", regularised, digits)[0]


@pytest.mark.parametrize("states", range(4))
def test_a_run_killed_before_any_state_is_written_resumes_to_the_same_bits(
    states: int,
    regularised: Config,
    undisturbed: RunDirectory,
    tmp_path: Path,
    digits: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, left = RunDirectory.create(tmp_path / "run", regularised), iter(range(states))

    def save_some(*arguments: Any, **keywords: Any) -> None:
        if next(left, None) is None:
            raise Killed
        save_state(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr("bnnedge.training.loop.save_state", save_some)
        with pytest.raises(Killed):
            train(regularised, digits, run, lambda _: None)
    train(regularised, digits, run, lambda _: None)
    assert hashes(run) == hashes(undisturbed)
    assert untimed(run) == untimed(undisturbed)
    assert len({record["complexity_weight"] for record in run.records()}) == 3


def test_a_weight_of_nothing_changes_nothing(tmp_path: Path, digits: Dataset) -> None:
    plain, _ = run_in(tmp_path / "plain", configured(), digits)
    settings = ("complexity.term=bdm", "complexity.weight=0", "complexity.full=0")
    free, _ = run_in(tmp_path / "free", configured(*settings), digits)
    for before, after in zip(plain.records(), free.records(), strict=True):
        assert after.pop("complexity_loss") == after.pop("complexity_weight") == 0
        assert 0.9 < after.pop("complexity_share") < 1.1
        assert before | {"seconds": 0} == after | {"seconds": 0}
    last = max(plain.checkpoints())
    layers = [load_packed(run.checkpoint(last)).layers for run in (plain, free)]
    assert all(one.weights == other.weights for one, other in zip(*layers, strict=True))


def test_what_cannot_be_is_refused(tmp_path: Path, digits: Dataset) -> None:
    no_block = configured("net.hidden=[3]", "complexity.term=bdm")
    with pytest.raises(ConfigError, match="is 0 from the start"):
        run_in(tmp_path / "none", no_block, digits)
    plain, _ = run_in(tmp_path / "plain", configured("training.epochs=1"), digits)
    with pytest.raises(ConfigError, match="but not in both"):
        train(configured("complexity.term=bdm"), digits, plain, lambda _: None)


def test_patience_waits_for_the_schedule_and_the_best_epoch_is_one_that_lacks_least() -> None:
    standing, lacks = Standing(), (0.5, 0.2, 0.0, 0.0)
    for epoch, lack in enumerate(lacks, start=1):
        standing = standing.after_epoch(epoch, 1 - epoch / 10, float(epoch), lack, settling=epoch < 3)
        assert standing.best_epoch == min(epoch, 3)
        assert standing.stale_epochs == max(0, epoch - 2)
    assert standing.best_accuracy == 0.7
