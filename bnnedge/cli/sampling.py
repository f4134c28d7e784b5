"""Options of the verbs that flip deployed bits, and the estimates that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from bnnedge.cli.options import data_option, test_data
from bnnedge.llc.discrete import DiscreteEstimate, FlipSampling, dllc
from bnnedge.packed.model import PackedModel

__all__ = ["SHOWN", "Flipping", "flipping_options", "given_options"]

SHOWN = 10  # checkpoints of a run, unless --every says otherwise: one can take half a minute

_OPTIONS = (
    click.option(
        "--probability",
        type=float,
        default=0.01,
        show_default=True,
        help="Prior p that a bit flips, up to 0.5.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=3),
        default=10_000,
        show_default=True,
        help="Training samples, n.",
    ),
    click.option("--nbeta", type=float, help="Inverse temperature nβ.  [default: n / log n]"),
    click.option("--per-layer", is_flag=True, help="Also let each layer's bits flip alone."),
    click.option("--chains", type=click.IntRange(min=2), default=4, show_default=True),
    click.option(
        "--burn-in", type=click.IntRange(min=8), default=40, show_default=True, help="Scans left out."
    ),
    click.option(
        "--scans",
        type=click.IntRange(min=8),
        default=100,
        show_default=True,
        help="Scans kept to begin with; doubled until chains have mixed.",
    ),
    click.option(
        "--most-scans",
        type=click.IntRange(min=8),
        default=1600,
        show_default=True,
        help="Scans at which to stop.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the flips."),
    data_option,
)
_NAMES = ("probability", "samples", "nbeta", "per_layer", "chains", "burn_in", "scans", "most_scans", "seed")


@dataclass(frozen=True)
class Flipping:
    """What a user asks for.

    Attributes:
        sampling: of flips.
        samples: n, the first so many of the training split at most.
        per_layer: each layer alone, too.
        data: the user's own copy of the data set.
    """

    sampling: FlipSampling
    samples: int
    per_layer: bool
    data: Path | None

    def estimates(self, model: PackedModel, name: str) -> Iterator[DiscreteEstimate]:
        """Of all layers together, then of each, if so asked; a line on stderr says that one is there.

        Raises:
            DataError: the model does not say what it was trained on, or that is not on this machine.
            FileError: files of the set that are broken.
        """
        train = test_data(model, self.data).train
        inputs, labels = train.inputs[: self.samples], train.labels[: self.samples]
        for layers in [(), *((layer.name,) for layer in model.layers if self.per_layer)]:
            started = perf_counter()
            estimate = dllc(model, inputs, labels, replace(self.sampling, layers=layers))
            found = (
                "" if estimate.value is None else f" {estimate.value:+.2f} ± {estimate.standard_error:.2f},"
            )
            said = f"{name}, {', '.join(layers or ['all layers'])}:{found} {estimate.verdict}"
            click.echo(f"{said} ({perf_counter() - started:.0f} s)", err=True)
            yield estimate


def flipping_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a sampling, which come as its argument ``flipping``."""

    @wraps(command)
    def gathered(*, data: Path | None, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in _NAMES}
        samples, per_layer = chosen.pop("samples"), chosen.pop("per_layer")
        sampling = FlipSampling(inverse_temperature=chosen.pop("nbeta"), **chosen)
        command(flipping=Flipping(sampling, samples, per_layer, data), **given)

    options = gathered
    for option in reversed(_OPTIONS):
        options = option(options)
    return options


def given_options() -> list[str]:
    """Those of :func:`flipping_options` that are on the command line that is being run."""
    context = click.get_current_context()
    named = (name for name in (*_NAMES, "data") if _is_given(context, name))
    return [f"--{name.replace('_', '-')}" for name in named]


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
