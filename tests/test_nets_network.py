"""Networks: the quick forward pass is that of the Brevitas modules, in its values and in its gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.nets.signs import ActivationGradient, sign
from bnnedge.runs.banks import BankConfig
from bnnedge.runs.config import ConvConfig, NetConfig

CONV = (ConvConfig(12, padding=1), ConvConfig(20, pool=2), ConvConfig(9, kernel=2, stride=2))
NETS = {
    "dense": NetConfig(hidden=(24, 16)),
    "identity": NetConfig(hidden=(24,), activation_gradient="identity", head="batchnorm"),
    "polynomial": NetConfig(hidden=(24, 9), activation_gradient="polynomial", norm_momentum=0.3),
    "dither, dropout": NetConfig(hidden=(24, 16), input_dither=3.0, dropout=0.2),
    "learned": NetConfig(hidden=(24,), input="thermometer", input_bits=3, input_levels="learned"),
    "learned, polynomial": NetConfig(
        hidden=(8,), input_levels="learned", activation_gradient="polynomial", input_dither=2.0
    ),
    "banks": NetConfig(hidden=(24, 16), banks=(BankConfig(4, 8), BankConfig(3, 6, complement=False))),
    "convolutions": NetConfig(conv=CONV, hidden=(16,), dropout=0.2),
    "convolutions of integers": NetConfig(conv=CONV[1:], hidden=(), input="integer"),
    "convolutions of bits": NetConfig(conv=CONV, hidden=(), input="thermometer", input_bits=3),
}


def network(config: NetConfig) -> tuple[BinaryNetwork, torch.Tensor, torch.Tensor]:
    """A network and a batch of 40 images of two channels, 10x10, of 0 to 16."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 17, (40, 200), dtype=np.uint8)
    net = BinaryNetwork(first_encoding(config, (2, 10, 10), 16, images), 10, config)
    return net, torch.from_numpy(images), torch.arange(40) % 10


@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_training_steps_equal_those_through_brevitas_bit_for_bit(config: NetConfig) -> None:
    quick, samples, labels = network(config)
    defined = copy.deepcopy(quick)
    for _ in range(4):
        states = []
        for net in (quick, defined):
            torch.manual_seed(1)
            logits = net(samples) if net is quick else net.preactivations(samples)[-1]
            net.zero_grad()
            cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
            gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
            assert len(gradients) == len(list(net.parameters()))
            assert all(bool(gradient.any()) for gradient in gradients if gradient.ndim > 1)
            states.append([logits, *gradients, *net.state_dict().values()])
            with torch.no_grad():
                for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                    parameter.sub_(0.1 * gradient.sign())
        assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_evaluation_equals_that_through_brevitas(config: NetConfig) -> None:
    net, samples, _ = network(config)
    net(samples)
    net.eval()
    with torch.no_grad():
        assert torch.equal(net(samples), net.preactivations(samples)[-1])


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ("identity", [1, 1, 1, 1, 1, 1, 1]),
        ("clipped", [0, 1, 1, 1, 1, 1, 0]),
        ("polynomial", [0, 0, 1, 2, 1, 0, 0]),
    ],
)
def test_gradients_of_the_sign(gradient: ActivationGradient, expected: list[float]) -> None:
    values = torch.tensor([-1.0000001, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0000001], requires_grad=True)
    sign(values, gradient).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == expected


def test_zero_of_either_sign_is_plus_one() -> None:
    values = torch.tensor([0.0, -0.0, torch.nan, 1e-45, -1e-45])
    assert sign(values, "clipped").tolist() == [1, 1, -1, 1, -1]


@pytest.mark.parametrize("name", ["convolutions", "convolutions of integers"])
def test_another_layout_changes_nothing_but_the_rounding_of_gradients(name: str) -> None:
    net, samples, labels = network(NETS[name])
    quick = copy.deepcopy(net)
    quick.layout = torch.channels_last
    for one in (net, quick):
        torch.manual_seed(1)
        cross_entropy(one(samples), labels).backward()  # type: ignore[no-untyped-call]
    for parameter, other in zip(net.parameters(), quick.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_bfloat16_multiplies_bits_exactly_and_whole_numbers_not_at_all() -> None:
    for name in ("dense", "convolutions of integers"):
        net, samples, _ = network(NETS[name])
        exact = net(samples)
        net.precision = torch.bfloat16
        assert torch.equal(net(samples), exact)  # no sum of 24 or 180 bits is beyond 256
