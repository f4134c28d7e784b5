"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import bnnedge
from bnnedge.data.dataset import Dataset, Split
from bnnedge.errors import ConfigError
from bnnedge.importers.brevitas import pack
from bnnedge.nets.mlp import BinaryMlp, input_encoding
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import Config, TrainingConfig, to_toml
from bnnedge.runs.directory import RunDirectory
from bnnedge.training.state import Standing, load_state, save_state
from bnnedge.training.tracker import complexity

__all__ = ["train"]

EVALUATION_BATCH = 8192

Record = dict[str, Any]


def train(config: Config, data: Dataset, run: RunDirectory, on_epoch: Callable[[Record], None]) -> Record:
    """Train into a run directory, from its start or from where it was interrupted.

    The same configuration and machine give the same bits, however often the run was killed and resumed:
    initial weights depend on the seed, all other randomness on seed and epoch, and what a killed epoch had
    written is dropped. PyTorch's deterministic algorithms and thread count are set for the process.

    Args:
        config: what to train.
        data: the samples; the test split is looked at once, after the last decision.
        run: where everything goes; with a state in it, training goes on from there.
        on_epoch: called with each epoch's metrics.

    Returns:
        What run.json says.

    Raises:
        ConfigError: a batch larger than the training split.
        FileError: a damaged state.
        OutputError: the run directory cannot be written.
        UnsupportedError: the training diverged.
    """
    settings = config.training
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(settings.seed)

    encoding = input_encoding(config.net, data.train.inputs.shape[1], data.maximum)
    net = BinaryMlp(encoding, data.classes, config.net)
    optimiser = torch.optim.Adam(net.parameters(), lr=settings.learning_rate, fused=True)
    samples = torch.from_numpy(data.train.inputs), torch.from_numpy(data.train.labels)
    steps_per_epoch = len(samples[0]) // settings.batch_size
    if not steps_per_epoch:
        raise ConfigError(
            f"training.batch_size = {settings.batch_size} is more than the training split has",
            f"it has {len(samples[0])} samples",
        )

    if run.state_file.exists():
        standing = load_state(run.state_file, net, optimiser)
        run.rewind(standing.epoch, standing.step)
    else:
        standing = Standing()
        run.rewind(0, 0)
        save_packed(_pack(net, config, standing), run.checkpoint(0))
        save_state(run.state_file, net, optimiser, standing)
        run.write_summary(_summary(config, data, standing, "running"))

    while standing.epoch < settings.epochs and not _out_of_patience(settings, standing):
        epoch, step, started = standing.epoch + 1, standing.step, time.perf_counter()
        order = np.random.default_rng((settings.seed, epoch)).permutation(len(samples[0]))
        torch.manual_seed(int(np.random.default_rng((settings.seed, epoch, 1)).integers(2**63)))
        loss_sum, correct, seen = torch.zeros(()), torch.zeros((), dtype=torch.int64), 0

        net.train()
        for inputs, labels in _batches(*samples, torch.from_numpy(order), settings.batch_size):
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(settings, step, steps_per_epoch * settings.epochs)
            logits = net(inputs)
            loss = cross_entropy(logits, labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if settings.weight_limit:
                net.clip_latent_weights(settings.weight_limit)
            loss_sum += loss.detach() * len(labels)
            correct += (logits.argmax(1) == labels).sum()
            seen += len(labels)
            step += 1

        validation = _evaluate(net, data.validation)
        standing = standing.after_epoch(step, validation.accuracy, validation.loss)
        packed = _pack(net, config, standing)
        record = {
            "epoch": epoch,
            "step": step,
            "train_loss": loss_sum.item() / seen,
            "train_accuracy": correct.item() / seen,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            **complexity(packed),
            "seconds": round(time.perf_counter() - started, 3),
        }
        # The state is written last: until it is there, a resumed run repeats this epoch.
        if epoch % settings.checkpoint_every == 0 or standing.best_epoch == epoch or epoch == settings.epochs:
            save_packed(packed, run.checkpoint(step))
        run.append(record)
        save_state(run.state_file, net, optimiser, standing)
        run.write_summary(_summary(config, data, standing, "running"))
        on_epoch(record)

    if not run.checkpoint(standing.step).exists():  # stopped early between two checkpoints
        save_packed(_pack(net, config, standing), run.checkpoint(standing.step))
    test = load_packed(run.checkpoint(standing.best_step)).predict(data.test.inputs)
    accuracy = float((test.labels == data.test.labels).mean())
    summary = _summary(config, data, standing, "finished") | {
        "test": {"accuracy": accuracy, "samples": len(data.test.labels), "checkpoint": "best"}
    }
    run.write_summary(summary)
    return summary


@dataclass(frozen=True)
class _Evaluation:
    """Mean cross-entropy and share of correct labels over a split."""

    loss: float
    accuracy: float


def _evaluate(net: BinaryMlp, split: Split) -> _Evaluation:
    net.eval()
    inputs, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.labels)
    loss, correct = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(labels), EVALUATION_BATCH):
            logits = net(inputs[start : start + EVALUATION_BATCH])
            truth = labels[start : start + EVALUATION_BATCH]
            loss += cross_entropy(logits, truth, reduction="sum").item()
            correct += int((logits.argmax(1) == truth).sum())
    return _Evaluation(loss / len(labels), correct / len(labels))


def _batches(inputs: Tensor, labels: Tensor, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Whole batches in the given order; what is left over waits for another epoch's order."""
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start : start + size]
        yield inputs[chosen], labels[chosen]


def _learning_rate(settings: TrainingConfig, step: int, steps: int) -> float:
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def _out_of_patience(settings: TrainingConfig, standing: Standing) -> bool:
    return bool(settings.patience) and standing.stale_epochs >= settings.patience


def _pack(net: BinaryMlp, config: Config, standing: Standing) -> PackedModel:
    return pack(
        net,
        {
            "name": config.name,
            "data": {
                key: value for key, value in dataclasses.asdict(config.data).items() if value is not None
            },
            "seed": config.training.seed,
            "epoch": standing.epoch,
            "step": standing.step,
            "config_sha256": hashlib.sha256(to_toml(config).encode()).hexdigest(),
            "bnnedge": bnnedge.__version__,
        },
    )


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
