"""Any net of the declared layers trains, exports and verifies; any other is refused before a run begins."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bnnedge.data.dataset import Dataset, Split
from bnnedge.data.fetch import FETCHABLE, fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError, ConfigError, DataError, FileError
from bnnedge.exporters import export
from bnnedge.packed.file import load_packed
from bnnedge.runs.config import Config, ConvConfig, NetConfig
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.loop import train
from tests.commands import Bnnedge, two_lines

SHAPES = ((1, 8, 8), (2, 4, 8), (4, 4, 4), (64,))  # the same 64 pixels of a digit


@cache
def few(name: str, side: int | None, shape: tuple[int, ...] | None) -> Dataset:
    """Some samples of a set, resized, or their features as samples of another shape."""
    if name in FETCHABLE:
        fetch(name)
    data = load_dataset(name, resize=side)
    learnt, validation, test = (
        Split(part.inputs[:count], part.labels[:count])
        for part, count in ((data.train, 120), (data.validation, 20), (data.test, 40))
    )
    shape = shape or data.shape
    return dataclasses.replace(data, shape=shape, train=learnt, validation=validation, test=test)


DATA = (
    *(("digits", None, shape) for shape in SHAPES),
    *(("digits", side, None) for side in (3, 5, 7, 10)),
    ("dna", None, None),
)


@st.composite
def stacks(draw: st.DrawFn, shape: tuple[int, ...], padded: bool) -> tuple[ConvConfig, ...]:
    """Up to three convolutions that fit images of a shape; ``padded``: the first may pad, too."""
    stack: list[ConvConfig] = []
    height, width = shape[1:]
    for _ in range(draw(st.integers(0, 3))):
        least, may_pad = min(height, width), (padded or bool(stack)) and min(height, width) > 1
        kernel = draw(st.integers(1, min(5, least + 2 * may_pad)))
        padding = draw(st.integers(max(0, -(-(kernel - least) // 2)), kernel - 1)) if may_pad else 0
        stride = draw(st.integers(1, 3))
        pool = draw(st.integers(1, min(3, (least + 2 * padding - kernel) // stride + 1)))
        channels = draw(st.sampled_from([1, 3, 8, 65]))
        stack.append(ConvConfig(channels, kernel, stride, padding, pool))
        height, width = (((side + 2 * padding - kernel) // stride + 1) // pool for side in (height, width))
    return tuple(stack)


@st.composite
def trainings(draw: st.DrawFn) -> tuple[Config, Dataset]:
    """A configuration of any architecture within the layer set, and data that it fits."""
    data = few(*draw(st.sampled_from(DATA)))
    kind = draw(st.sampled_from(["bipolar", "thermometer", "integer"]))
    net: dict[str, Any] = {
        "input": kind,
        "hidden": tuple(draw(st.sampled_from([1, 2, 7, 64, 100])) for _ in range(draw(st.integers(0, 3)))),
        "head": draw(st.sampled_from(["scale", "batchnorm"])),
        "initial_weights": draw(st.sampled_from(["uniform", "normal"])),
        "activation_gradient": draw(st.sampled_from(["clipped", "identity", "polynomial"])),
        "norm_momentum": draw(st.sampled_from([0.1, 1.0])),
        "dropout": draw(st.sampled_from([0.0, 0.2])),
    }
    if kind != "integer":
        net["input_levels"] = draw(st.sampled_from(["uniform", "quantile", "learned"]))
        net["input_dither"] = draw(st.sampled_from([0.0, 1.5]))
    if kind == "thermometer":
        net["input_bits"] = draw(st.integers(2, 4))
    if kind == "bipolar" and net["input_levels"] == "uniform":
        net["input_threshold"] = draw(st.sampled_from([None, 0, 1, data.maximum]))
    if len(data.shape) == 3:
        net["conv"] = draw(stacks(data.shape, padded=kind != "integer"))
    training = TrainingConfig(
        epochs=1,
        batch_size=20,
        optimiser=draw(st.sampled_from(["adam", "bop"])),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    return Config(net=NetConfig(**net), training=training), data


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(trainings(), st.integers(0, 9).map(lambda digit: digit == 7))  # C takes as long as all else
def test_architectures_train_export_and_verify(
    tmp_path_factory: pytest.TempPathFactory, training: tuple[Config, Dataset], in_c: bool
) -> None:
    config, data = training
    folder = tmp_path_factory.mktemp("training")
    run = RunDirectory.create(folder / "run", config)
    summary = train(config, data, run, lambda _: None)
    model = load_packed(run.best_checkpoint())
    # Of the network in PyTorch, and of what was packed.
    packed_accuracy = np.mean(model.predict(data.validation.inputs).labels == data.validation.labels)
    assert summary["best"]["validation_accuracy"] == packed_accuracy
    for target in ("onnx", "qonnx", "finn", *(["c"] if in_c else [])):
        report = export(model, target, folder / target, inputs=data.test.inputs)
        assert report.verification.samples == len(data.test.labels)
        assert len(report.verification.layers) == len(config.net.conv) + len(config.net.hidden) + 1


INTEGER = ("net.input='integer'", "net.input_dither=0")
REFUSED: dict[str, tuple[list[str], str]] = {
    "no neuron": (["net.hidden=[64, 0]"], "net.hidden"),
    "real weights": (["net.weights='float'"], "net.weights"),
    "four bits": (["net.activation_bits=4"], "net.activation_bits"),
    "another activation": (["net.activation_gradient='relu'"], "net.activation_gradient"),
    "another input": (["net.input='ternary'"], "net.input"),
    "bits of whole numbers": ([*INTEGER, "net.input_bits=2"], "net.input_bits"),
    "learnt whole numbers": ([*INTEGER, "net.input_levels='learned'"], "net.input_levels"),
    "a threshold above all": (["net.input_threshold=17"], "net.input_threshold = 17 is above every input"),
    "a threshold of many": (["net.input='thermometer'", "net.input_threshold=3"], "net.input_threshold"),
    "a head of another kind": (["net.head='softmax'"], "net.head"),
    "residual": (["net.conv=[{channels=4, residual=true}]"], "net.conv"),
    "no filter": (["net.conv=[{channels=0}]"], "net.conv.channels"),
    "grouped": (["net.conv=[{channels=4, groups=2}]"], "groups"),
    "padding alone": (["net.conv=[{channels=4, padding=3}]"], "net.conv[0]: a padding of 3"),
    "padding of numbers": (
        [*INTEGER, "net.conv=[{channels=4, padding=1}]"],
        "net.conv[0].padding cannot pad whole numbers",
    ),
    "kernels too large": (
        ["net.conv=[{channels=4, kernel=9}]"],
        "net.conv[0]: an image of 8 x 8 is too small",
    ),
    "pooled away": (
        ["net.conv=[{channels=4, pool=4}, {channels=4}]"],
        "net.conv[1]: an image of 1 x 1 is too small",
    ),
    "images of a table": (
        ["data.name='dna'", "net.conv=[{channels=4}]"],
        "net.conv asks for images, but samples are 180 features",
    ),
    "a batch of all": (["training.batch_size=5000"], "training.batch_size = 5000 is more than"),
    "a batch of one": (["training.batch_size=1"], "training.batch_size"),
    "mirrored tables": (["data.name='dna'", "training.flip=true"], "are for images"),
    "moved out of sight": (["training.shift=8"], "training.shift = 8 moves images of 8 x 8 out of sight"),
    "a teacher of others": (["training.teacher='mnist-tfc'"], "training.teacher takes 784 features"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_outside_the_set_is_refused_before_a_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bnnedge: Bnnedge, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    changes, reason = REFUSED[name]
    message, _ = two_lines(bnnedge("train", *(f"--set={change}" for change in changes)), ConfigError)
    assert reason in message
    assert list(tmp_path.iterdir()) == []


MISSING: dict[str, tuple[list[str], type[BnnedgeError]]] = {
    "a teacher": (["training.teacher='absent.safetensors'"], FileError),
    "data": (["data.name='mnist'", "data.path='absent'"], DataError),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_said_before_a_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bnnedge: Bnnedge, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    changes, kind = MISSING[name]
    two_lines(bnnedge("train", *(f"--set={change}" for change in changes)), kind)
    assert list(tmp_path.iterdir()) == []
