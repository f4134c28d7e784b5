"""Evaluation: what is said of a network is what its packed model does, in batches of whatever size."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from bnnedge.data.dataset import Dataset
from bnnedge.importers.brevitas import pack
from bnnedge.runs.config import NetConfig
from bnnedge.training import evaluation
from bnnedge.training.evaluation import evaluate
from tests.trained import trained


@pytest.mark.parametrize("values", [1, 1 << 10, 1 << 25])
def test_loss_and_accuracy_are_those_of_the_packed_model(
    values: int, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = trained(NetConfig(hidden=(24, 16)), digits)
    monkeypatch.setattr(evaluation, "_VALUES", values)
    figures = evaluate(net, digits.test, torch.device("cpu"))
    predicted = pack(net, {}).predict(digits.test.inputs)
    assert figures.accuracy == (predicted.labels == digits.test.labels).mean()
    loss = cross_entropy(torch.tensor(predicted.logits), torch.from_numpy(digits.test.labels))
    assert figures.loss == pytest.approx(loss.item(), rel=1e-5)
    assert not net.training
