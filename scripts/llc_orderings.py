"""Networks trained at several learning rates, batch sizes and momenta, and the coefficient of each.

Lau et al. 2023 (arXiv 2308.12108) trained ResNet-18 on CIFAR-10 and saw lower coefficients after higher
learning rates, smaller batches and higher momenta. Here that network is narrower, sees few images, and has
a transformer that learns characters of English beside it: what one processor core trains in seconds.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pydoc_data.topics import topics
from typing import Any

import llc_networks
import numpy as np
import torch
from llc_networks import CausalTransformer, resnet18
from torch import Tensor, nn
from torch.nn import functional

from bnnedge.data.registry import load_dataset
from bnnedge.llc import diagnostics, estimator, objective, pilot, sampler
from bnnedge.llc.estimator import Sampling, llc
from bnnedge.llc.objective import Batch

__all__ = [
    "TASKS",
    "Recipe",
    "Row",
    "Task",
    "Trial",
    "fitted",
    "measured",
    "sources",
    "trials",
]

Row = dict[str, Any]

IMAGES, SIDE = 512, 16
SEQUENCES, CONTEXT = 256, 32
TESTED = 1000  # images or sequences

SAMPLED = Sampling(chains=2, draws=100, burn_in=50, most_draws=100, localisation=1000.0, check_step=False)
"""What both tasks share. A run at half the step as well would take as long again: the verdict says so."""


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent, at one pace from start to end.

    Attributes:
        learning_rate: of the mean loss of a prediction.
        batch_size: samples of a step.
        momentum: share of the last step that is taken again.
    """

    learning_rate: float
    batch_size: int
    momentum: float


@dataclass(frozen=True)
class Task:
    """What is learned, by what, and how its coefficient is sampled.

    Attributes:
        data: training and test samples, and how many classes a prediction chooses from.
        source: what these samples are, in words.
        net: untrained, for so many classes.
        epochs: of every training, whatever its recipe.
        middle: the recipe of which one setting at a time is changed.
        varied: the values of each setting, in the order in which coefficients are to fall.
        sampling: the same for all recipes.
    """

    data: Callable[[], tuple[Batch, Batch, int]]
    source: Callable[[], str]
    net: Callable[[int], nn.Module]
    epochs: int
    middle: Recipe
    varied: Mapping[str, tuple[Any, ...]]
    sampling: Sampling


@dataclass(frozen=True)
class Trial:
    """One training and the coefficient at its end.

    Attributes:
        task: one of :data:`TASKS`.
        recipe: of its training.
        seed: of weights, order of samples, and chains.
        device: of PyTorch.
    """

    task: str
    recipe: Recipe
    seed: int
    device: str

    def __str__(self) -> str:
        """A name for files."""
        recipe = self.recipe
        return (
            f"{self.task}-{recipe.learning_rate:g}-{recipe.batch_size}-{recipe.momentum:g}"
            f"-{self.seed}-{self.device}"
        )


def negative_log_likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """Of a sample, in the mean: the sum over its predictions.

    Args:
        outputs: (samples, …, classes) logits.
        targets: (samples, …) int64.
    """
    total = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="sum")
    return total / len(targets)


@functools.cache
def images() -> tuple[Batch, Batch, int]:
    """The first images of CIFAR-10's training and test parts at half their side, from −2 to 2."""
    data = load_dataset("cifar-10", resize=SIDE)
    parts = [(data.train, IMAGES), (data.test, TESTED)]
    train, test = (
        (
            torch.from_numpy(part.inputs[:many]).float().view(-1, *data.shape) / 255 * 4 - 2,
            torch.from_numpy(part.labels[:many]),
        )
        for part, many in parts
    )
    return train, test, len(data.class_names)


def english() -> str:
    """Python's documentation of its language, which comes with it: real text on every machine."""
    return "\n".join(topics[name] for name in sorted(topics))


@functools.cache
def characters() -> tuple[Batch, Batch, int]:
    """Pieces of the text, and each of them one character on; drawn without return, the same ones always."""
    alphabet, codes = np.unique(list(english()), return_inverse=True)
    pieces = (len(codes) - 1) // CONTEXT
    drawn = np.random.default_rng(0).permutation(pieces)
    starts = torch.from_numpy(drawn[: SEQUENCES + TESTED, None] * CONTEXT + np.arange(CONTEXT))
    text = torch.from_numpy(codes)
    train, test = ((text[part], text[part + 1]) for part in torch.split(starts, [SEQUENCES, TESTED]))
    return train, test, len(alphabet)


def text_used() -> str:
    """The text's name and digest, for it differs between versions of Python."""
    digest = hashlib.sha256(english().encode()).hexdigest()
    return f"{SEQUENCES} pieces of {CONTEXT} characters of pydoc_data.topics, SHA-256 {digest}"


TASKS = {
    "resnet": Task(
        images,
        lambda: f"the first {IMAGES} training images of CIFAR-10 at {SIDE}x{SIDE} pixels",
        lambda classes: resnet18(4, classes),
        epochs=30,
        middle=Recipe(0.015, 32, 0.9),
        varied={
            "learning_rate": (0.0075, 0.015, 0.03),
            "batch_size": (64, 32, 16),
            "momentum": (0.6, 0.8, 0.9),
        },
        sampling=replace(SAMPLED, batch_size=32, most_draws=200, precision=0.05),
    ),
    "transformer": Task(
        characters,
        text_used,
        lambda classes: CausalTransformer(classes, CONTEXT),
        epochs=40,
        middle=Recipe(0.1, 16, 0.9),
        varied={
            "learning_rate": (0.05, 0.1, 0.2),
            "batch_size": (32, 16, 8),
            "momentum": (0.6, 0.8, 0.9),
        },
        sampling=replace(SAMPLED, batch_size=32, burn_in=150, precision=0.02),
    ),
}


def trials(seeds: int, device: str) -> list[Trial]:
    """Of each task the middle recipe and all that differ from it in one setting; seed after seed."""
    found = []
    for seed, (name, task) in product(range(seeds), TASKS.items()):
        changed = (
            replace(task.middle, **{key: value}) for key, values in task.varied.items() for value in values
        )
        found += [Trial(name, recipe, seed, device) for recipe in dict.fromkeys([task.middle, *changed])]
    return found


def fitted(net: nn.Module, data: Batch, recipe: Recipe, epochs: int, generator: torch.Generator) -> None:
    """Train a network in place and leave it in evaluation mode.

    Args:
        net: on the device of the data.
        data: inputs and targets.
        recipe: how.
        epochs: passes over all samples.
        generator: on the CPU, of the order of samples.
    """
    inputs, targets = data
    descent = torch.optim.SGD(net.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator).to(inputs.device)
        for chosen in torch.split(order, recipe.batch_size):
            descent.zero_grad()
            loss = negative_log_likelihood(net(inputs[chosen]), targets[chosen]) / predictions(targets)
            loss.backward()  # type: ignore[no-untyped-call]
            descent.step()
    net.eval()


def predictions(targets: Tensor) -> int:
    """Of a sample."""
    return targets[0].numel()


@torch.no_grad()
def loss_and_accuracy(net: nn.Module, data: Batch) -> tuple[float, float]:
    """Nats of a prediction, and the share of right ones."""
    inputs, targets = data
    outputs = net(inputs)
    loss = negative_log_likelihood(outputs, targets) / predictions(targets)
    return float(loss), float((outputs.argmax(dim=-1) == targets).double().mean())


def measured(trial: Trial) -> Row:
    """Train, estimate, and keep what the chains said also where the estimator refuses to."""
    task = TASKS[trial.task]
    train, test, classes = task.data()
    train, test = ((part[0].to(trial.device), part[1].to(trial.device)) for part in (train, test))
    generator = torch.manual_seed(trial.seed)
    net = task.net(classes).to(trial.device)
    started = time.process_time()
    fitted(net, train, trial.recipe, task.epochs, generator)
    trained = time.process_time()
    found = llc(net, negative_log_likelihood, train, replace(task.sampling, seed=trial.seed))
    test_loss, test_accuracy = loss_and_accuracy(net, test)
    return {
        "task": trial.task,
        **asdict(trial.recipe),
        "seed": trial.seed,
        "device": trial.device,
        "source": task.source(),
        "epochs": task.epochs,
        "training_loss": loss_and_accuracy(net, train)[0],
        "test_loss": test_loss,
        "test_accuracy": test_accuracy,
        "training_seconds": trained - started,
        "seconds": time.process_time() - trained,
        **found.to_dict(),
    }


def sources() -> list[str]:
    """What a row depends on: this file, the networks and the sampler."""
    parts = (diagnostics, estimator, objective, pilot, sampler)
    return [inspect.getsource(part) for part in (sys.modules[__name__], llc_networks, *parts)]
