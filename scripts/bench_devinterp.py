"""Chains of devinterp on a deep linear network, for scripts/bench_llc.py: run by scripts/with_devinterp.

    bench_devinterp.py WEIGHTS.npz --steps N --chains N --lr X ... --nbeta B --localization G

Prints JSON, one object a line: for a step size the CPU seconds of a step, and nβ (L − L*) at every one.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
import torch
from devinterp.optim.sgld import SGLD
from devinterp.slt.sampler import estimate_learning_coeff_with_summary
from devinterp.utils import make_evaluate
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader


def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().sum(dim=-1).mean() / 2


def network(weights: list[NDArray[np.float64]]) -> nn.Sequential:
    """A product of matrices."""
    layers = [nn.Linear(weight.shape[1], weight.shape[0], bias=False) for weight in weights]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.data = torch.tensor(weight, dtype=torch.float32)
    return nn.Sequential(*layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--lr", type=float, nargs="+", required=True)
    parser.add_argument("--nbeta", type=float, required=True)
    parser.add_argument("--localization", type=float, required=True)
    parser.add_argument("--chains", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # it warns of settings that are given, and of those that are not
    with np.load(options.weights) as arrays:
        model = network([arrays[name] for name in sorted(arrays)])
    (width,) = next(model.parameters()).shape[1:]
    inputs = torch.eye(width) * width**0.5
    with torch.no_grad():
        batch = inputs, model(inputs)
    # All samples are one item, many times over: collating them anew would be most of the time of a step.
    items: Any = [batch] * 1000
    loader: DataLoader[Any] = DataLoader(items, batch_size=1, collate_fn=lambda taken: taken[0])
    for lr in options.lr:
        started = time.process_time()
        found = estimate_learning_coeff_with_summary(
            model,
            loader,
            evaluate=make_evaluate(half_squares),
            sampling_method=SGLD,
            optimizer_kwargs={"lr": lr, "nbeta": options.nbeta, "localization": options.localization},
            num_draws=options.steps,
            num_chains=options.chains,
            init_loss=torch.zeros(()) + 1e-30,  # exact, and not 0, which it takes for none
            seed=0,
            verbose=False,
        )
        seconds = (time.process_time() - started) / (options.chains * options.steps)
        traces = found["loss/trace"].astype(float) * options.nbeta
        print(json.dumps({"lr": lr, "seconds": seconds, "traces": traces.tolist()}))


if __name__ == "__main__":
    main()
