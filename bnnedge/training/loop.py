"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bnnedge.data.dataset import Dataset
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.training import TrainingConfig
from bnnedge.runs.trajectory import write_steps
from bnnedge.training.augmentation import Augmentation
from bnnedge.training.checks import check
from bnnedge.training.device import prepare_device
from bnnedge.training.evaluation import Figures, evaluate
from bnnedge.training.losses import training_loss
from bnnedge.training.optimisers import set_rates, share_of_rate
from bnnedge.training.parts import Parts
from bnnedge.training.provenance import summary
from bnnedge.training.resume import begun, resume
from bnnedge.training.state import Standing, save_state
from bnnedge.training.tracker import StepTracker, complexity

__all__ = ["train"]

Record = dict[str, Any]


def complain(line: str) -> None:
    """One line on stderr."""
    print(f"Warning: {line}", file=sys.stderr)


def train(
    config: Config,
    data: Dataset,
    run: RunDirectory,
    on_epoch: Callable[[Record], None],
    say: Callable[[str], None] = complain,
) -> Record:
    """Train into a run directory, from its start or from where it was interrupted.

    The same configuration and machine give the same bits, however often the run was killed and resumed:
    initial weights depend on the seed, all other randomness on seed and epoch, and what a killed epoch had
    written is dropped. PyTorch's deterministic algorithms and thread count are set for the process.
    Samples lie on the device, whole. Where others may train into the same directory, the caller has it held
    (:meth:`bnnedge.runs.directory.RunDirectory.held`).

    Args:
        config: what to train.
        data: the samples; the test split is looked at once, after the last decision.
        run: where everything goes; with a state in it, training goes on from there.
        on_epoch: called with each epoch's metrics.
        say: called with a line about a damaged file, where the training could go on all the same.

    Returns:
        What run.json says.

    Raises:
        ConfigError: settings that do not fit the data or the machine, or a teacher that does not fit the data
            or the run that is resumed.
        FileError: a state that is damaged, as is the one before it, or a teacher that is missing or damaged.
        OutputError: the run directory cannot be written.
        UnsupportedError: the training diverged.
    """
    settings = config.training
    device = prepare_device(settings)
    check(config, data)
    parts = Parts.of(config, data, device)
    standing = resume(parts, config, run, say) if begun(run) else _begin(parts, config, data, run)
    tracker = None
    if settings.track == "steps":
        tracker = StepTracker(parts.net, settings.track_every, parts.steps_per_epoch)

    while standing.epoch < settings.epochs and not _out_of_patience(settings, standing):
        started = time.perf_counter()
        learnt = _train_epoch(parts, settings, standing, tracker)
        validation = evaluate(parts.net, data.validation, device)
        standing, charged = _after_epoch(parts, standing, learnt, validation)
        epoch, packed = standing.epoch, parts.packed(standing)
        record = _record(parts, settings, standing, learnt, validation) | charged | complexity(packed)
        record["seconds"] = round(time.perf_counter() - started, 3)
        # The state is written last: until it is there, a resumed run repeats this epoch.
        if epoch % settings.checkpoint_every == 0 or standing.best_epoch == epoch or epoch == settings.epochs:
            save_packed(packed, run.checkpoint(standing.step))
        if tracker is not None:
            write_steps(run.steps_file(epoch), tracker.epoch())
        run.append(record)
        save_state(run.state_file, parts.net, parts.optimisers, standing, keep=run.state_before_file)
        run.write_summary(summary(config, data, standing, "running"))
        on_epoch(record)
    return _finish(parts, config, data, run, standing)


def _begin(parts: Parts, config: Config, data: Dataset, run: RunDirectory) -> Standing:
    """Write what there is before the first step."""
    standing = Standing()
    if parts.charge is not None:
        parts.charge.begin()
        standing = Standing(pressure=parts.charge.pressure)
    run.rewind(0, 0)
    save_packed(parts.packed(standing), run.checkpoint(0))
    save_state(run.state_file, parts.net, parts.optimisers, standing)
    run.write_summary(summary(config, data, standing, "running"))
    return standing


def _train_epoch(
    parts: Parts, settings: TrainingConfig, standing: Standing, tracker: StepTracker | None
) -> Figures:
    """One epoch: whole batches in a new order; what is left over waits for another epoch's order."""
    net, optimisers, samples, charge = parts.net, parts.optimisers, parts.samples, parts.charge
    epoch, size, device = standing.epoch + 1, settings.batch_size, samples.labels.device
    count = len(samples.labels)
    augmentation = Augmentation.of_epoch(settings, samples.shape, count, epoch, device)
    order = np.random.default_rng((settings.seed, epoch)).permutation(count)
    batches = torch.split(torch.from_numpy(order).to(device), size)[: count // size]
    torch.manual_seed(int(np.random.default_rng((settings.seed, epoch, 1)).integers(2**63)))
    # Nothing below waits for the device: what happened is added up there and read once.
    loss_sum, charged = torch.zeros((), device=device), torch.zeros((), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)

    net.train()
    for step, chosen in enumerate(batches, start=standing.step):
        set_rates(optimisers, share_of_rate(settings, step, len(batches)))
        inputs, labels = samples.inputs.index_select(0, chosen), samples.labels.index_select(0, chosen)
        if augmentation is not None:
            inputs = augmentation(inputs, chosen)
        net.settle_banks(step)
        logits = net(inputs)
        taught = None if samples.taught is None else samples.taught.index_select(0, chosen)
        loss = training_loss(settings, logits, labels, taught)
        task = loss.detach()
        loss_sum += task
        correct += (logits.argmax(1) == labels).sum()
        for optimiser in optimisers:
            optimiser.zero_grad()
        extra = None if charge is None else charge.at(step)
        if extra is not None:
            charged += extra.detach()
        (loss if extra is None else loss + extra).backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        if settings.weight_limit and settings.optimiser == "adam":
            net.clip_latent_weights(settings.weight_limit)
        if charge is not None:
            charge.after_step(step + 1)
        if tracker is not None:
            tracker.after_step(step + 1, task)
    steps = len(batches)
    return Figures(loss_sum.item() / steps, correct.item() / (steps * size), charged.item() / steps)


def _after_epoch(
    parts: Parts, standing: Standing, learnt: Figures, validation: Figures
) -> tuple[Standing, Record]:
    """The standing at the end of an epoch, and what its record says of the charge for complexity."""
    step, charge = standing.step + parts.steps_per_epoch, parts.charge
    if charge is None:
        return standing.after_epoch(step, validation.accuracy, validation.loss), {}
    share, epoch = charge.share(), standing.epoch + 1
    record = {
        "complexity_loss": learnt.charged,
        "complexity_weight": charge.weight(step),
        "complexity_share": share,
    }
    standing = standing.after_epoch(
        step, validation.accuracy, validation.loss, charge.lack(epoch, share), charge.settling(epoch)
    )
    return dataclasses.replace(standing, pressure=charge.pressure), record


def _record(
    parts: Parts, settings: TrainingConfig, standing: Standing, learnt: Figures, validation: Figures
) -> Record:
    """What metrics.jsonl says of the task in the epoch that has ended."""
    share = share_of_rate(settings, standing.step - 1, parts.steps_per_epoch)
    return {
        "epoch": standing.epoch,
        "step": standing.step,
        "learning_rate": settings.learning_rate * share,
        "train_loss": learnt.loss,
        "train_accuracy": learnt.accuracy,
        "validation_loss": validation.loss,
        "validation_accuracy": validation.accuracy,
    }


def _out_of_patience(settings: TrainingConfig, standing: Standing) -> bool:
    return bool(settings.patience) and standing.stale_epochs >= settings.patience


def _finish(parts: Parts, config: Config, data: Dataset, run: RunDirectory, standing: Standing) -> Record:
    """Test the best checkpoint, once, and say so in run.json."""
    if not run.checkpoint(standing.step).exists():  # stopped early between two checkpoints
        save_packed(parts.packed(standing), run.checkpoint(standing.step))
    test = load_packed(run.checkpoint(standing.best_step)).predict(data.test.inputs)
    accuracy = float((test.labels == data.test.labels).mean())
    told = summary(config, data, standing, "finished") | {
        "test": {"accuracy": accuracy, "samples": len(data.test.labels), "checkpoint": "best"}
    }
    run.write_summary(told)
    return told
