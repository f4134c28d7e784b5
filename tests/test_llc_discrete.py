"""The discrete coefficient against the enumeration of all states, and flips against the golden model."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from bnnedge import load
from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError, DataError
from bnnedge.llc import discrete
from bnnedge.llc.discrete import FlipSampling, dllc, dllc_by_enumeration
from bnnedge.llc.flips import flippable, flipped, mean_cross_entropy
from bnnedge.packed.model import PackedModel
from tests.networks import SMALL_CNV, random_conv_model, random_inputs, random_model


def answers(model: PackedModel, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs, and what the model says of most of them: its weights are about a minimum."""
    inputs = random_inputs(model, samples, seed)
    rng = np.random.default_rng(seed)
    labels = np.where(
        rng.random(samples) < 0.8, model.predict(inputs).labels, rng.integers(model.classes, size=samples)
    )
    return inputs, labels.astype(np.int64)


@pytest.mark.parametrize("seed", range(20))
def test_sampling_equals_enumeration_on_tiny_networks(seed: int) -> None:
    widths = [(3, 2, 2), (2, 3, 2), (4, 2, 2), (6, 2)][seed % 4]
    kind = ("bipolar", "integer", "bipolar", "thermometer")[seed // 4 % 4]
    model = random_model(seed, widths, kind=kind, maximum=7, bits=1)  # type: ignore[arg-type]
    inputs, labels = answers(model, 40, seed)
    sampling = FlipSampling(
        probability=(0.02, 0.1, 0.5)[seed % 3], scans=500, inverse_temperature=8.0, seed=seed
    )
    found, truth = dllc(model, inputs, labels, sampling), dllc_by_enumeration(model, inputs, labels, sampling)
    assert abs(found.diagnosis.mean - truth) < 3 * found.diagnosis.error + 1e-9


def test_one_layer_alone() -> None:
    model = random_model(3, (3, 2, 2))
    inputs, labels = answers(model, 40, 0)
    sampling = FlipSampling(
        probability=0.2, scans=500, inverse_temperature=8.0, layers=(model.layers[1].name,)
    )
    found = dllc(model, inputs, labels, sampling)
    assert found.layers == (model.layers[1].name,)
    truth = dllc_by_enumeration(model, inputs, labels, sampling)
    assert abs(found.diagnosis.mean - truth) < 3 * found.diagnosis.error
    assert truth != dllc_by_enumeration(model, inputs, labels, replace(sampling, layers=()))


@pytest.mark.parametrize("kind", ["bipolar", "thermometer", "integer"])
@pytest.mark.parametrize("head", ["single", "per-class"])
def test_the_loss_after_flips_is_the_golden_models(kind: str, head: str) -> None:
    model = random_model(0, (20, 70, 9, 5), kind=kind, head=head)  # type: ignore[arg-type]
    inputs, labels = answers(model, 60, 0)
    network, rng = flippable(model, inputs, labels), np.random.default_rng(0)
    start = mean_cross_entropy(model.predict(inputs).logits, labels)
    assert network.loss == pytest.approx(start, rel=1e-12)
    for _ in range(30):
        layer = int(rng.integers(len(model.layers)))
        flips = rng.choice(math.prod(network.shapes[layer]), size=int(rng.integers(1, 9)), replace=False)
        tried = flipped(model, layer, flips)
        loss = network.attempt(layer, flips)
        assert loss == pytest.approx(mean_cross_entropy(tried.predict(inputs).logits, labels), rel=1e-12)
        if rng.random() < 0.5:
            network.accept()
            model = tried
        assert network.loss == pytest.approx(
            mean_cross_entropy(model.predict(inputs).logits, labels), rel=1e-12
        )


def test_convolutions_are_worked_out_in_whole() -> None:
    model = random_conv_model(0, (3, 16, 16), SMALL_CNV, (12, 4))
    inputs, labels = answers(model, 8, 0)
    network = flippable(model, inputs, labels)
    flips = np.array([0, 5, 7])
    loss = network.attempt(1, flips)
    network.accept()
    assert network.loss == loss == mean_cross_entropy(flipped(model, 1, flips).predict(inputs).logits, labels)


def test_two_seeds_agree_on_the_digits_network() -> None:
    model, train = load("digits-tfc"), load_dataset("digits").train
    inputs, labels = train.inputs[:300], train.labels[:300]
    found = [
        dllc(model, inputs, labels, FlipSampling(seed=seed, burn_in=10, scans=80, chains=2))
        for seed in (0, 1)
    ]
    assert [estimate.verdict for estimate in found] == ["ok", "ok"]
    one, other = (estimate.diagnosis for estimate in found)
    assert abs(one.mean - other.mean) < 3 * np.hypot(one.error, other.error)
    assert all(estimate.accepted > 0.1 for estimate in found)
    assert found[0].flipped == pytest.approx(0.01, rel=0.3)


def test_a_network_that_has_not_learnt_is_at_no_minimum() -> None:
    """Random weights: as many flips lower the loss as raise it, and those that do weigh more."""
    model = random_model(0, (64, 32, 10), maximum=16)
    train = load_dataset("digits").train
    sampling = FlipSampling(burn_in=60, scans=60, most_scans=60)
    found = dllc(model, train.inputs[:300], train.labels[:300], sampling)
    assert found.diagnosis.mean < 0
    assert found.verdict in ("not a local minimum", "not mixed")


class Drifting:
    """In place of a walker: losses that rise a little with every scan, for ever."""

    accepted, flipped = 0.5, 0.01

    def __init__(self, *_: object) -> None:
        self.rng, self.scans = np.random.default_rng(0), 0

    def burn_in(self, scans: int) -> None:
        """Nothing is tuned."""

    def draw(self, scans: int) -> np.ndarray:
        self.scans += scans
        return 10 + self.rng.normal(size=scans) + 0.02 * np.arange(self.scans - scans, self.scans)


def test_chains_that_go_on_drifting_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discrete, "Walker", Drifting)
    model = random_model(3, (6, 4, 3))
    inputs, labels = answers(model, 40, 0)
    sampling = FlipSampling(scans=100, most_scans=400, inverse_temperature=1.0)
    found = dllc(model, inputs, labels, sampling)
    assert found.verdict == "not mixed"
    assert any("drifting" in said for said in found.reasons)
    # 100, 100 more, 200 more; where they drift, what came before the last draws is left out.
    assert found.traces.shape == (4, 300)
    assert found.traces[0, 0] == pytest.approx(10 - found.loss + 0.02 * 100, abs=3)


def test_chains_that_never_move_are_json_too() -> None:
    model = random_model(3, (6, 4, 3))
    inputs, labels = answers(model, 40, 0)
    found = dllc(model, inputs, labels, FlipSampling(probability=1e-9, burn_in=8, scans=8, most_scans=8))
    assert found.value is None
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["diagnosis"]["effective"] is None
    assert plain["diagnosis"]["mean"] == 0


def test_scans_are_doubled_until_the_chains_have_mixed() -> None:
    model = random_model(3, (6, 4, 3))
    inputs, labels = answers(model, 40, 0)
    found = dllc(model, inputs, labels, FlipSampling(probability=0.2, burn_in=8, scans=8))
    assert found.verdict in ("ok", "not a local minimum")
    assert found.traces.shape[1] in (16, 32, 64, 128, 256, 512, 1024)
    again = dllc(model, inputs, labels, FlipSampling(probability=0.2, burn_in=8, scans=8))
    assert np.array_equal(again.traces, found.traces)


def test_few_scans_are_told() -> None:
    model, train = load("digits-tfc"), load_dataset("digits").train
    few = FlipSampling(burn_in=8, scans=8, most_scans=8, chains=2)
    found = dllc(model, train.inputs[:300], train.labels[:300], few)
    assert (found.value, found.verdict) == (None, "not mixed")
    assert "too few effective draws" in " ".join(found.reasons)
    assert found.to_dict()["value"] is None


def test_what_cannot_be() -> None:
    model = random_model(0, (6, 5, 3))
    inputs, labels = answers(model, 10, 0)
    with pytest.raises(ConfigError, match="no layer 'fc9'"):
        dllc(model, inputs, labels, FlipSampling(layers=("fc9",)))
    with pytest.raises(ConfigError, match="too many states"):
        dllc_by_enumeration(model, inputs, labels, FlipSampling())
    with pytest.raises(DataError, match="too few"):
        dllc(model, inputs[:2], labels[:2])
    with pytest.raises(DataError, match="labels"):
        dllc(model, inputs, labels + 3)
    for wrong in (
        {"probability": 0.0},
        {"probability": 0.6},
        {"chains": 1},
        {"most_scans": 50},
        {"inverse_temperature": -1.0},
    ):
        with pytest.raises(ConfigError):
            FlipSampling(**wrong)
