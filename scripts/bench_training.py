"""What bnnedge train is compared with: the network in plain PyTorch, and Brevitas' own training script."""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from bench_rows import Row
from torch import Tensor, nn
from torch.nn import functional

from bnnedge.complexity.trajectory import Trajectory
from bnnedge.data.cache import cache_dir
from bnnedge.data.dataset import Dataset
from bnnedge.data.registry import load_dataset
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.runs.trajectory import write_steps
from bnnedge.training import loop
from bnnedge.training.loop import train
from bnnedge.training.tracker import StepTracker

__all__ = ["BATCH", "PlainTfc", "rows"]

BLOCK = 10
WIDTHS, BATCH = (784, 64, 64, 64, 10), 100
TORCHVISION = "torchvision==0.29.2"
# Terms of the loss that a training on this network pays for, at no more than a step's time again.
CHARGES = {
    "tree": ("complexity.term=tree", "complexity.every=2"),
    "variation": ("complexity.term=variation", "complexity.every=2"),
    "bdm_drawn": ("complexity.term=bdm_drawn", "complexity.every=2"),
    "bdm": ("complexity.term=bdm", "complexity.sample=0.05", "complexity.every=4"),
    "distinct": ("complexity.term=distinct", "complexity.sample=0.05", "complexity.every=2"),
}


def our_epochs(data: Dataset, epochs: int, *settings: str) -> list[float]:
    """CPU seconds of each epoch but the first of ``bnnedge train mnist-tfc``: steps, validation, files."""
    moments: list[float] = []
    config = override(load_config("mnist-tfc"), [f"training.epochs={epochs}", *settings])
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory.create(Path(scratch) / "run", config)
        train(config, data, run, lambda _: moments.append(time.process_time()))
    # There is no moment before the first epoch, which would have the time of everything that goes before it.
    return [after - before for before, after in pairwise(moments)]


def tracking_charge(data: Dataset, rounds: int = 10) -> tuple[float, float, float]:
    """Seconds of a step without the tracker, and what tracking each adds to it, by the clock and in CPU time.

    Whole epochs differ by more than the few per cent in question. So blocks of ten steps of one training go
    with the tracker or without, by chance. What waits for an epoch's end is timed by itself, in others.
    """
    blocks: tuple[list[float], list[float]] = ([], [])
    ends: list[float] = []
    threads: list[float] = []
    for _ in range(rounds):
        with mock.patch.object(loop, "StepTracker", _in_turns(blocks)):
            our_epochs(data, 4, "training.track=steps")
        with (
            mock.patch.object(StepTracker, "epoch", _timed(StepTracker.epoch, time.perf_counter, ends)),
            mock.patch.object(loop, "write_steps", _timed(write_steps, time.perf_counter, ends)),
            mock.patch.object(Trajectory, "follow", _timed(Trajectory.follow, time.thread_time, threads)),
        ):
            our_epochs(data, 4, "training.track=steps")
    without, tracked = (float(np.median(times)) / BLOCK for times in blocks)
    steps = rounds * 4 * (len(data.train.labels) // BATCH)
    by_the_clock = tracked - without + sum(ends) / steps
    return without, by_the_clock, by_the_clock + sum(threads) / steps


def _in_turns(blocks: tuple[list[float], list[float]]) -> type[StepTracker]:
    """A tracker for ten steps or none, by chance; their seconds go to ``blocks``, without it and with it."""
    tracked = np.random.default_rng(0).integers(0, 2, 1 << 10).tolist()
    moments: list[float] = []

    class InTurns(StepTracker):
        def after_step(self, step: int, loss: Tensor) -> None:
            block = tracked[(step - 1) // BLOCK]
            if block or step % self._steps_per_epoch == 0:
                super().after_step(step, loss)
            if step % BLOCK == 0:
                moments.append(time.perf_counter())
                # The first block of an epoch has the end of another in it.
                if (step - 1) % self._steps_per_epoch >= BLOCK:
                    blocks[block].append(moments[-1] - moments[-2])

    return InTurns


def _timed(function: Callable[..., Any], clock: Callable[[], float], into: list[float]) -> Callable[..., Any]:
    """The function, which notes how long it takes."""

    def timed(*arguments: Any) -> Any:
        start = clock()
        value = function(*arguments)
        into.append(clock() - start)
        return value

    return timed


class Sign(torch.autograd.Function):
    """The sign function that one writes first."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        context.save_for_backward(values)
        return torch.where(values >= 0, 1.0, -1.0)

    @staticmethod
    def backward(context: Any, *upstream: Tensor) -> Tensor:
        (values,) = context.saved_tensors
        passed: Tensor = upstream[0] * (values.abs() <= 1)
        return passed


class PlainTfc(nn.Module):
    """TFC, or the same of other widths, with a sign function for weights and activations."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o, bias=False) for i, o in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(outputs) for outputs in widths[1:-1])
        self.head = nn.BatchNorm1d(1)

    def forward(self, bits: Tensor) -> Tensor:
        """(samples, 784) of −1.0 and +1.0 to logits."""
        values = bits
        for position, layer in enumerate(self.layers):
            weights = Sign.apply(layer.weight)  # type: ignore[no-untyped-call]
            values = functional.linear(values, weights)
            if position < len(self.norms):
                values = Sign.apply(self.norms[position](values))  # type: ignore[no-untyped-call]
        head: Tensor = self.head(values.reshape(-1, 1)).reshape(values.shape)
        return head


def plain_epochs(data: Dataset) -> Iterator[float]:
    """CPU seconds of one epoch after another: steps alone, on inputs that were made ±1 beforehand."""
    torch.manual_seed(0)
    net = PlainTfc()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    bits = torch.where(torch.from_numpy(data.train.inputs) >= 128, 1.0, -1.0)
    labels = torch.from_numpy(data.train.labels)
    while True:
        start = time.process_time()
        for chosen in torch.split(torch.randperm(len(labels)), BATCH):
            loss = functional.cross_entropy(net(bits[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                for layer in net.layers:
                    layer.weight.clamp_(-1, 1)  # type: ignore[operator]
        yield time.process_time() - start


def brevitas_epoch() -> float:
    """CPU seconds of an epoch of brevitas_examples.bnn_pynq: TFC on the same files, in the same thread."""
    _make_torchvision_importable()
    from brevitas_examples.bnn_pynq.bnn_pynq_train import parse_args
    from brevitas_examples.bnn_pynq.trainer import Trainer

    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        (Path(scratch) / "MirrorMNIST").mkdir()
        (Path(scratch) / "MirrorMNIST" / "raw").symlink_to(cache_dir() / "mnist")
        options = {"network": "TFC_1W1A", "datadir": scratch, "experiments": scratch, "epochs": 1}
        options |= {"batch_size": BATCH, "num_workers": 0}
        trainer = Trainer(parse_args([f"--{name}={value}" for name, value in options.items()]))
        start = time.process_time()
        trainer.train_model()
        return time.process_time() - start


def _make_torchvision_importable() -> None:
    """Brevitas' script reads MNIST by torchvision, whose wheel is for a PyTorch with CUDA.

    Its compiled operators do not load beside another; nothing of them is used, and it can be imported once
    the two that it wants to add to are declared. It is kept out of the environment, in a folder of its own.
    """
    if "torchvision" in sys.modules:
        return
    folder = cache_dir().parent / "bench" / TORCHVISION
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
        if subprocess.run([*command, TORCHVISION], check=False).returncode:
            sys.exit(f"cannot install {TORCHVISION}, which the Brevitas script needs: see pip's message")
    sys.path.append(str(folder))
    operators = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        arguments = "Tensor dets, Tensor scores, float iou_threshold"
        operators.define(f"{name}({arguments}) -> Tensor")  # type: ignore[no-untyped-call]
    importlib.import_module("torchvision")  # while what was declared is alive


def rows() -> list[Row]:
    """Epochs of ``bnnedge train``, whole, beside plain PyTorch's steps alone and Brevitas' own script.

    In CPU time: a training waits for a disk or for other work on the machine more often than a kernel does.
    Tracking, of which a second thread does most while an epoch is evaluated, is stated in both.
    """
    data = load_dataset("mnist")
    samples, steps = len(data.train.labels), len(data.train.labels) // BATCH
    ours, plain = math.inf, math.inf
    charged = dict.fromkeys(CHARGES, math.inf)
    others = plain_epochs(data)
    for _ in range(4):  # in turns, so that all have the machine's better and worse moments
        ours = min(ours, *our_epochs(data, 5))
        for name, settings in CHARGES.items():
            whole = our_epochs(data, 3, "complexity.schedule=constant", *settings)
            charged[name] = min(charged[name], *whole)
        plain = min(plain, next(others), next(others))
    script = min(brevitas_epoch() for _ in range(2))
    untracked, *extras = tracking_charge(data)

    def rate(name: str, theirs: float) -> Row:
        rate = samples / ours
        return Row("training", "TFC on MNIST", "images/s", rate, theirs, name, rate / theirs)

    def step(kind: str, with_it: float, without: float, name: str) -> Row:
        measure = f"a step{kind}"
        return Row("training", measure, "ms", with_it * 1e3, without * 1e3, name, without / with_it)

    return [
        rate(f"brevitas_examples {version('brevitas')}", 60_000 / script),
        rate("plain PyTorch, steps alone", samples / plain),
        *(
            step(f", complexity tracked at each, {kind} time", untracked + extra, untracked, "untracked")
            for kind, extra in zip(("wall", "CPU"), extras, strict=True)
        ),
        *(
            step(f" with {', '.join(CHARGES[name])}", seconds / steps, ours / steps, "without")
            for name, seconds in charged.items()
        ),
    ]
