"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

import bnnedge
from bnnedge.data.dataset import Dataset, Split
from bnnedge.errors import ConfigError
from bnnedge.importers.brevitas import pack
from bnnedge.importers.load import load
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.file import digest, load_packed, save_packed
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import Config, TrainingConfig, to_toml
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.trajectory import write_steps
from bnnedge.training.augmentation import Augmentation
from bnnedge.training.checks import check
from bnnedge.training.device import prepare_device
from bnnedge.training.losses import taught_logits, training_loss
from bnnedge.training.optimisers import optimisers_of, set_rates, share_of_rate
from bnnedge.training.state import Standing, load_state, save_state
from bnnedge.training.tracker import StepTracker, complexity

__all__ = ["train"]

# Values of the widest layer to hold at a time in evaluation: 128 MiB of float32.
EVALUATION_VALUES = 1 << 25

Record = dict[str, Any]


def train(config: Config, data: Dataset, run: RunDirectory, on_epoch: Callable[[Record], None]) -> Record:
    """Train into a run directory, from its start or from where it was interrupted.

    The same configuration and machine give the same bits, however often the run was killed and resumed:
    initial weights depend on the seed, all other randomness on seed and epoch, and what a killed epoch had
    written is dropped. PyTorch's deterministic algorithms and thread count are set for the process.
    Samples lie on the device, whole.

    Args:
        config: what to train.
        data: the samples; the test split is looked at once, after the last decision.
        run: where everything goes; with a state in it, training goes on from there.
        on_epoch: called with each epoch's metrics.

    Returns:
        What run.json says.

    Raises:
        ConfigError: settings that do not fit the data or the machine, or a teacher that does not fit the data
            or the run that is resumed.
        FileError: a damaged state, or a teacher that is missing or damaged.
        OutputError: the run directory cannot be written.
        UnsupportedError: the training diverged.
    """
    settings = config.training
    device = prepare_device(settings)
    check(config, data)
    torch.manual_seed(settings.seed)
    encoding = first_encoding(config.net, data.shape, data.maximum, data.train.inputs)
    net = BinaryNetwork(encoding, data.classes, config.net).to(device)
    net.layout = torch.channels_last
    if settings.precision == "bfloat16":
        net.precision = torch.bfloat16
    optimisers = optimisers_of(net, settings)
    teacher = None if settings.teacher is None else load(settings.teacher)
    samples = _Samples.of(data, teacher, device)
    steps_per_epoch = len(samples.labels) // settings.batch_size
    provenance = _provenance(config, data, teacher)

    if run.state_file.exists():
        standing = load_state(run.state_file, net, optimisers)
        run.rewind(standing.epoch, standing.step)
        _check_teacher(run, provenance)
    else:
        standing = Standing()
        run.rewind(0, 0)
        save_packed(_pack(net, provenance, standing), run.checkpoint(0))
        save_state(run.state_file, net, optimisers, standing)
        run.write_summary(_summary(config, data, standing, "running"))
    tracker = None
    if settings.track == "steps":
        tracker = StepTracker(net, settings.track_every, steps_per_epoch)

    while standing.epoch < settings.epochs and not _out_of_patience(settings, standing):
        started = time.perf_counter()
        learnt = _train_epoch(net, optimisers, samples, settings, standing, tracker)
        validation = _evaluate(net, data.validation, device)
        standing = standing.after_epoch(standing.step + steps_per_epoch, validation.accuracy, validation.loss)
        epoch, packed = standing.epoch, _pack(net, provenance, standing)
        record = {
            "epoch": epoch,
            "step": standing.step,
            "learning_rate": settings.learning_rate
            * share_of_rate(settings, standing.step - 1, steps_per_epoch),
            "train_loss": learnt.loss,
            "train_accuracy": learnt.accuracy,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            **complexity(packed),
            "seconds": round(time.perf_counter() - started, 3),
        }
        # The state is written last: until it is there, a resumed run repeats this epoch.
        if epoch % settings.checkpoint_every == 0 or standing.best_epoch == epoch or epoch == settings.epochs:
            save_packed(packed, run.checkpoint(standing.step))
        if tracker is not None:
            write_steps(run.steps_file(epoch), tracker.epoch())
        run.append(record)
        save_state(run.state_file, net, optimisers, standing)
        run.write_summary(_summary(config, data, standing, "running"))
        on_epoch(record)

    if not run.checkpoint(standing.step).exists():  # stopped early between two checkpoints
        save_packed(_pack(net, provenance, standing), run.checkpoint(standing.step))
    test = load_packed(run.checkpoint(standing.best_step)).predict(data.test.inputs)
    accuracy = float((test.labels == data.test.labels).mean())
    summary = _summary(config, data, standing, "finished") | {
        "test": {"accuracy": accuracy, "samples": len(data.test.labels), "checkpoint": "best"}
    }
    run.write_summary(summary)
    return summary


@dataclass(frozen=True, eq=False)
class _Samples:
    """The training split on the device.

    Attributes:
        inputs: (samples, features) uint8.
        labels: (samples,) int64.
        taught: (samples, classes) logits of a teacher, or None.
        shape: of a sample.
    """

    inputs: Tensor
    labels: Tensor
    taught: Tensor | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, data: Dataset, teacher: PackedModel | None, device: torch.device) -> _Samples:
        return cls(
            torch.from_numpy(data.train.inputs).to(device),
            torch.from_numpy(data.train.labels).to(device),
            None if teacher is None else taught_logits(teacher, data).to(device),
            data.shape,
        )


@dataclass(frozen=True)
class _Figures:
    """Mean loss and share of correct labels."""

    loss: float
    accuracy: float


def _train_epoch(
    net: BinaryNetwork,
    optimisers: Sequence[Optimizer],
    samples: _Samples,
    settings: TrainingConfig,
    standing: Standing,
    tracker: StepTracker | None,
) -> _Figures:
    """One epoch: whole batches in a new order; what is left over waits for another epoch's order."""
    epoch, size, device = standing.epoch + 1, settings.batch_size, samples.labels.device
    count = len(samples.labels)
    augmentation = Augmentation.of_epoch(settings, samples.shape, count, epoch, device)
    order = np.random.default_rng((settings.seed, epoch)).permutation(count)
    batches = torch.split(torch.from_numpy(order).to(device), size)[: count // size]
    torch.manual_seed(int(np.random.default_rng((settings.seed, epoch, 1)).integers(2**63)))
    # Nothing below waits for the device: what happened is added up there and read once.
    loss_sum = torch.zeros((), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)

    net.train()
    for step, chosen in enumerate(batches, start=standing.step):
        set_rates(optimisers, share_of_rate(settings, step, len(batches)))
        inputs, labels = samples.inputs.index_select(0, chosen), samples.labels.index_select(0, chosen)
        if augmentation is not None:
            inputs = augmentation(inputs, chosen)
        logits = net(inputs)
        taught = None if samples.taught is None else samples.taught.index_select(0, chosen)
        loss = training_loss(settings, logits, labels, taught)
        loss_sum += loss.detach()
        correct += (logits.argmax(1) == labels).sum()
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        if settings.weight_limit and settings.optimiser == "adam":
            net.clip_latent_weights(settings.weight_limit)
        if tracker is not None:
            tracker.after_step(step + 1, loss.detach())
    return _Figures(loss_sum.item() / len(batches), correct.item() / (len(batches) * size))


def _evaluate(net: BinaryNetwork, split: Split, device: torch.device) -> _Figures:
    net.eval()
    inputs, labels = torch.from_numpy(split.inputs).to(device), torch.from_numpy(split.labels).to(device)
    batch = max(1, EVALUATION_VALUES // net.widest)
    loss, correct = 0.0, 0
    with torch.no_grad():
        for some, truth in zip(torch.split(inputs, batch), torch.split(labels, batch), strict=True):
            logits = net(some)
            loss += cross_entropy(logits, truth, reduction="sum").item()
            correct += int((logits.argmax(1) == truth).sum())
    return _Figures(loss / len(labels), correct / len(labels))


def _out_of_patience(settings: TrainingConfig, standing: Standing) -> bool:
    return bool(settings.patience) and standing.stale_epochs >= settings.patience


def _provenance(config: Config, data: Dataset, teacher: PackedModel | None) -> Record:
    """What every checkpoint of a run says: where it comes from, and what its user has to know of the data."""
    settings = {key: value for key, value in dataclasses.asdict(config.data).items() if value is not None}
    provenance: Record = {
        "name": config.name,
        "data": settings,
        "seed": config.training.seed,
        "config_sha256": hashlib.sha256(to_toml(config).encode()).hexdigest(),
        "bnnedge": bnnedge.__version__,
    }
    if data.class_names != tuple(map(str, range(data.classes))):
        provenance["class_names"] = list(data.class_names)
    if data.scaling is not None:
        provenance["scaling"] = dataclasses.asdict(data.scaling)
    if teacher is not None:
        provenance["teacher"] = digest(teacher)
    return provenance


def _check_teacher(run: RunDirectory, provenance: Record) -> None:
    """See that a resumed run learns from the teacher that it started with."""
    before = load_packed(run.checkpoint(0)).provenance.get("teacher")
    if before != provenance.get("teacher"):
        raise ConfigError(
            "training.teacher is another model than when this run started",
            "put the old one back, or train anew",
        )


def _pack(net: BinaryNetwork, provenance: Record, standing: Standing) -> PackedModel:
    return pack(net, provenance | {"epoch": standing.epoch, "step": standing.step})


def _summary(config: Config, data: Dataset, standing: Standing, status: str) -> Record:
    best: Record = {"epoch": standing.best_epoch, "step": standing.best_step}
    if standing.best_epoch:
        best["validation_accuracy"] = standing.best_accuracy
    return {
        "name": config.name,
        "status": status,
        "best": best,
        "last": {"epoch": standing.epoch, "step": standing.step},
        "data": {"name": data.name, "source": data.source, "verified": data.verified},
        "versions": {
            "bnnedge": bnnedge.__version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }
