"""Many trainings at once compute what each computes alone, and what ``bnnedge train`` computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bnnedge.data.dataset import Dataset, Split
from bnnedge.data.registry import load_dataset
from bnnedge.data.splits import stratified
from bnnedge.errors import ConfigError, DataError
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import load_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import change, load_config
from bnnedge.studies.batched import Lesson, train_together
from bnnedge.studies.series import RunSeries
from bnnedge.training.loop import train

SHAPES = [(32, 100), (16, 32), (10, 16)]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Of 10x10 pixels, for the paper's net."""
    torch.set_num_threads(1)
    return load_dataset("digits", resize=10)


def config(**training: object) -> Config:
    settings = {"batch_size": 64, "epochs": 3, **training}
    return change(load_config("paper-mnist"), {f"training.{name}": value for name, value in settings.items()})


def lesson(data: Dataset, seed: int) -> Lesson:
    _, half = stratified(data.train.labels, 0.5, seed)
    return Lesson(seed, half, data.train.labels[half])


@pytest.fixture
def float64() -> Iterator[None]:
    """Rounding so fine that the order of a sum decides no sign."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_same(a: RunSeries, b: RunSeries) -> None:
    for field in dataclasses.fields(RunSeries):
        exact = field.name in ("seed", "signs", "test_accuracies")
        tolerance = 0 if exact else 1e-12
        np.testing.assert_allclose(
            getattr(a, field.name), getattr(b, field.name), tolerance, err_msg=field.name
        )


@pytest.mark.usefixtures("float64")
def test_a_run_is_what_a_plain_loop_makes_of_its_seed_and_samples(digits: Dataset) -> None:
    settings = change(config(epochs=4), {"net.activation_gradient": "polynomial"})
    lessons = [lesson(digits, seed) for seed in (3, 4, 5)]
    for run, own in zip(train_together(settings, digits, lessons), lessons, strict=True):
        torch.manual_seed(own.seed)
        encoding = InputEncoding.integer(digits.shape, digits.maximum)
        net = BinaryNetwork(encoding, digits.classes, settings.net)
        adam = torch.optim.Adam(net.parameters(), lr=settings.training.learning_rate)
        for epoch in range(1, settings.training.epochs + 1):
            losses = list(steps_of_epoch(net, adam, digits, own, epoch, settings.training.batch_size))
            net.eval()
            logits = net(torch.from_numpy(digits.validation.inputs))
            validation = cross_entropy(logits, torch.from_numpy(digits.validation.labels)).item()
            assert run.train_loss[epoch - 1] == pytest.approx(np.mean(losses), rel=1e-9)
            assert run.validation_loss[epoch - 1] == pytest.approx(validation, rel=1e-9)
            for ours, weight in zip(run.weights(epoch, SHAPES), net.latent_weights(), strict=True):
                np.testing.assert_array_equal(ours.to_signs(), np.where(weight.detach().numpy() >= 0, 1, -1))


def steps_of_epoch(
    net: BinaryNetwork, adam: torch.optim.Adam, data: Dataset, own: Lesson, epoch: int, size: int
) -> Iterator[float]:
    """Losses of one epoch's steps, as one would first write them."""
    net.train()
    order = np.random.default_rng((own.seed, epoch)).permutation(len(own.samples))
    for step in range(len(order) // size):
        chosen = order[step * size : (step + 1) * size]
        logits = net(torch.from_numpy(data.train.inputs[own.samples[chosen]]))
        loss = cross_entropy(logits, torch.from_numpy(own.labels[chosen]))
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        yield loss.item()


@pytest.mark.parametrize(("gradient", "batch"), [("polynomial", 64), ("identity", 600)])
def test_its_first_steps_are_those_of_bnnedge_train(
    digits: Dataset, tmp_path: Path, gradient: str, batch: int
) -> None:
    settings = change(config(epochs=1, batch_size=batch), {"net.activation_gradient": gradient})
    for run in train_together(settings, digits, [lesson(digits, seed) for seed in (3, 4, 5)]):
        own = lesson(digits, run.seed)
        alone = change(settings, {"training.seed": run.seed, "training.track": "steps"})
        out = RunDirectory.create(tmp_path / str(run.seed), alone)
        half = dataclasses.replace(digits, train=Split(digits.train.inputs[own.samples], own.labels))
        train(alone, half, out, lambda _: None)
        for epoch, (_, path) in enumerate(sorted(out.checkpoints().items())):
            assert run.weights(epoch, SHAPES) == [layer.weights for layer in load_packed(path).layers]
        assert run.train_loss[0] == pytest.approx(out.records()[0]["train_loss"], rel=1e-5)
        steps = out.trajectory()
        assert steps is not None
        assert len(steps.step) == len(own.samples) // batch
        np.testing.assert_allclose(run.bdm[:, 0], steps.bdm.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(run.block_entropy[:, 0], steps.block_entropy.mean(axis=1), rtol=1e-12)


def test_the_test_accuracy_is_that_of_the_packed_model(digits: Dataset, tmp_path: Path) -> None:
    one_epoch = config(epochs=1, seed=7)
    (run,) = train_together(one_epoch, digits, [lesson(digits, 7)])
    own = lesson(digits, 7)
    data = dataclasses.replace(digits, train=Split(digits.train.inputs[own.samples], own.labels))
    summary = train(one_epoch, data, RunDirectory.create(tmp_path / "run", one_epoch), lambda _: None)
    assert run.test_accuracy == run.last_accuracy == summary["test"]["accuracy"]


@pytest.mark.usefixtures("float64")
def test_runs_that_stop_leave_the_others_as_they_would_be_alone(digits: Dataset) -> None:
    settings = config(epochs=30, patience=1, learning_rate=0.02)
    settings = change(settings, {"net.activation_gradient": "polynomial"})
    lessons = [lesson(digits, seed) for seed in range(4)]
    together = train_together(settings, digits, lessons)
    assert len({run.epochs for run in together}) > 1
    for run, own in zip(together, lessons, strict=True):
        (alone,) = train_together(settings, digits, [own])
        assert_same(run, alone)


def test_a_run_stops_when_patience_is_out_and_is_tested_at_its_best(digits: Dataset) -> None:
    (run,) = train_together(config(epochs=60, patience=2, learning_rate=0.05), digits, [lesson(digits, 0)])
    assert run.epochs < 60
    assert int(np.argmin(run.validation_loss)) == run.epochs - 1 - 2
    until_best = config(epochs=run.epochs - 2, patience=0, learning_rate=0.05)
    (shorter,) = train_together(until_best, digits, [lesson(digits, 0)])
    assert run.test_accuracy == shorter.last_accuracy


def test_labels_are_the_lessons(digits: Dataset) -> None:
    own = lesson(digits, 1)
    permuted = dataclasses.replace(own, labels=np.random.default_rng(0).permutation(own.labels))
    true, false = train_together(config(epochs=8), digits, [own, permuted])
    assert true.last_accuracy > 0.5 > 0.3 > false.last_accuracy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("net.input", "bipolar"),
        ("net.dropout", 0.1),
        ("training.schedule", "cosine"),
        ("training.weight_limit", 1.0),
    ],
)
def test_what_cannot_be_stacked_is_named(digits: Dataset, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        train_together(change(config(), {key: value}), digits, [lesson(digits, 0)])


def test_lessons_are_of_one_size_and_hold_a_batch(digits: Dataset) -> None:
    own = lesson(digits, 0)
    with pytest.raises(DataError, match="cannot be learnt together"):
        train_together(config(), digits, [])
    with pytest.raises(DataError, match="cannot be learnt together"):
        train_together(config(), digits, [own, Lesson(1, own.samples[1:], own.labels[1:])])
    with pytest.raises(ConfigError, match="batch_size"):
        train_together(config(batch_size=4096), digits, [own])


@pytest.mark.usefixtures("float64")
def test_standardised_inputs_take_the_same_steps_and_are_evaluated_otherwise(digits: Dataset) -> None:
    """An affine map of the inputs is one of the first sums, which batch-norm takes back in training alone."""
    settings = change(config(epochs=1), {"net.activation_gradient": "polynomial"})
    (raw,) = train_together(settings, digits, [lesson(digits, 3)])
    (standard,) = train_together(settings, digits, [lesson(digits, 3)], (4.9, 6.0))
    assert standard.train_loss[0] == pytest.approx(raw.train_loss[0], rel=1e-3)
    assert abs(standard.validation_loss[0] / raw.validation_loss[0] - 1) > 0.01
