"""scripts/reproduce_llc orderings: the networks are what they are called, and orders are counted right."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnnedge.llc.estimator import Sampling

SCRIPTS = Path(__file__).parents[1] / "scripts"

Import = Callable[[str], Any]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Import:
    """Imports a module of scripts/ by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


@pytest.fixture
def text(script: Import) -> tuple[Tensor, Tensor]:
    """Real text and what comes after each character: eight pieces."""
    train, _, _ = script("llc_orderings").characters()
    return train[0][:8], train[1][:8]


def test_later_characters_change_no_earlier_logits(script: Import, text: tuple[Tensor, Tensor]) -> None:
    _, _, alphabet = script("llc_orderings").characters()
    torch.manual_seed(0)
    net = script("llc_networks").CausalTransformer(alphabet, 32, width=16)
    codes = text[0]
    changed = codes.clone()
    changed[:, 20:] = (codes[:, 20:] + 1) % alphabet
    before, after = net(codes), net(changed)
    assert before.shape == (8, 32, alphabet)
    torch.testing.assert_close(after[:, :20], before[:, :20])
    assert (after[:, 20:] - before[:, 20:]).abs().amax(dim=-1).min() > 1e-3


def test_the_residual_network_is_resnet_18(script: Import) -> None:
    """Of 11,173,962 parameters at full width for ten classes, with the stem for small images."""
    net = script("llc_networks").resnet18(64)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    layers = [module for module in convolutions if module.kernel_size == (3, 3)]
    assert len(layers) + 1 == 18
    assert len(convolutions) - len(layers) == 3  # short cuts to stages of more channels
    assert sum(parameter.numel() for parameter in net.parameters()) == 11_173_962
    narrow = script("llc_networks").resnet18(4)
    assert narrow(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    assert narrow[:-3](torch.zeros(2, 3, 16, 16)).shape == (2, 32, 2, 2)


def test_targets_are_the_next_characters_and_no_piece_is_in_both_parts(script: Import) -> None:
    module = script("llc_orderings")
    (inputs, targets), (others, _), alphabet = module.characters()
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    symbols = sorted(set(module.english()))
    assert len(symbols) == alphabet
    piece = "".join(symbols[code] for code in inputs[0].tolist())
    following = symbols[int(targets[0, -1])]
    assert piece + following in module.english()
    assert (len(inputs), len(others)) == (module.SEQUENCES, module.TESTED)


def test_the_loss_of_a_sample_is_the_sum_over_its_predictions(script: Import) -> None:
    logits, targets = torch.zeros(3, 5, 7), torch.zeros(3, 5, dtype=torch.int64)
    found = script("llc_orderings").negative_log_likelihood(logits, targets)
    assert float(found) == pytest.approx(5 * torch.log(torch.tensor(7.0)).item())


def trained(module: Any, networks: Any, text: tuple[Tensor, Tensor], seed: int) -> tuple[Any, float, float]:
    """A network, and its losses before and after its training."""
    generator = torch.manual_seed(seed)
    net = networks.CausalTransformer(module.characters()[2], 32, width=16)
    before, _ = module.loss_and_accuracy(net, text)
    module.fitted(net, text, module.Recipe(0.1, 2, 0.9), 3, generator)
    return net, before, module.loss_and_accuracy(net, text)[0]


def test_training_learns_and_is_the_same_for_a_seed(script: Import, text: tuple[Tensor, Tensor]) -> None:
    module, networks = script("llc_orderings"), script("llc_networks")
    (net, before, after), (again, _, _), (other, _, _) = (
        trained(module, networks, text, seed) for seed in (0, 0, 1)
    )
    assert after < before - 0.5
    assert not net.training
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    assert not torch.equal(net.head.weight, other.head.weight)


def test_each_setting_is_varied_alone_around_one_recipe(script: Import) -> None:
    module = script("llc_orderings")
    trials = module.trials(3, "cpu")
    assert len({str(trial) for trial in trials}) == len(trials) == 3 * 7 * len(module.TASKS)
    for trial in trials:
        middle = asdict(module.TASKS[trial.task].middle)
        assert sum(value != middle[name] for name, value in asdict(trial.recipe).items()) <= 1


def test_a_row_says_what_was_trained_and_what_the_estimator_says(
    script: Import, text: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script("llc_orderings")
    small = replace(
        module.TASKS["transformer"],
        data=lambda: (text, text, module.characters()[2]),
        epochs=2,
        sampling=Sampling(chains=1, draws=8, most_draws=8, localisation=1000.0, check_step=False),
    )
    monkeypatch.setitem(module.TASKS, "transformer", small)
    row = module.measured(module.Trial("transformer", module.Recipe(0.1, 4, 0.5), 3, "cpu"))
    assert (row["learning_rate"], row["batch_size"], row["momentum"], row["seed"]) == (0.1, 4, 0.5, 3)
    assert (row["verdict"], row["value"], row["samples"]) == ("refused", None, 8)
    assert any(reason.startswith("too few effective draws") for reason in row["reasons"])
    assert "SHA-256" in row["source"]
    table = str(script("llc_ordering_tables").recipes_table([row]))
    assert "0 of 1" in table
    assert "Refused at learning rate 0.1, batch 4, momentum 0.5, seed 3: too few effective draws" in table


def planted(module: Any, seed: int, momentum_counts: float) -> list[dict[str, Any]]:
    """Rows whose coefficient goes with the learning rate, the batch and the momentum as in the paper."""
    rows = []
    for trial in module.trials(3, "cpu"):
        recipe = trial.recipe
        mean = 10 - 50 * recipe.learning_rate + recipe.batch_size / 16 - momentum_counts * recipe.momentum
        figures = {"mean": mean + seed, "error": 0.1}
        if trial.seed == seed:
            rows.append(
                {
                    "task": trial.task,
                    **asdict(recipe),
                    "seed": seed,
                    "training_loss": mean,
                    "diagnosis": figures,
                }
            )
    return rows


def test_orders_are_counted_by_seed_and_by_pair(script: Import) -> None:
    tables = script("llc_ordering_tables")
    module = script("llc_orderings")
    rows = [*planted(module, 0, 1.0), *planted(module, 1, 1.0), *planted(module, 2, -1.0)]
    found = {(row["task"], row["setting"]): row for row in tables.orderings(rows)}
    for task in module.TASKS:
        for setting, sign in tables.SIGNS.items():
            one = found[task, setting]
            against = setting == "momentum"
            assert (one["in_order"], one["seeds"]) == (2 if against else 3, 3)
            assert (one["pairs_in_order"], one["pairs"]) == (6 if against else 9, 9)
            assert one["by_seed"][:2] == pytest.approx([sign, sign])
            assert one["loss_by_seed"] == pytest.approx(one["by_seed"])
        assert found[task, "training_loss"]["by_seed"] == pytest.approx([1, 1, 1])
    assert "2 of 3" in str(tables.orderings_table(list(found.values())))
