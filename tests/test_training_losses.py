"""Losses: smoothing and distillation as their papers have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError
from bnnedge.importers import load
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.losses import taught_logits, training_loss

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])
LABELS = torch.tensor([0, 1])


def test_labels_smoothed_are_a_mean_over_all_classes() -> None:
    surprise = -torch.log_softmax(LOGITS, 1).numpy()
    expected = 0.7 * surprise[[0, 1], [0, 1]].mean() + 0.3 * surprise.mean()
    loss = training_loss(TrainingConfig(label_smoothing=0.3), LOGITS, LABELS, None)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_distillation_is_hintons() -> None:
    taught = torch.tensor([[1.0, 1.0, -2.0], [0.0, 5.0, 0.0]])
    settings = TrainingConfig(distillation=0.25, temperature=3.0)
    p, q = (np.exp(x / 3) / np.exp(x / 3).sum(1, keepdims=True) for x in (taught.numpy(), LOGITS.numpy()))
    hard = training_loss(TrainingConfig(), LOGITS, LABELS, None).item()
    expected = 0.75 * hard + 0.25 * 9 * (p * np.log(p / q)).sum(1).mean()
    assert training_loss(settings, LOGITS, LABELS, taught).item() == pytest.approx(expected, rel=1e-5)
    alone = TrainingConfig(distillation=1.0)
    assert training_loss(alone, LOGITS, LABELS, LOGITS).item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_knows_the_same_samples_and_classes() -> None:
    teacher, digits = load("digits-tfc"), load_dataset("digits")
    logits = taught_logits(teacher, digits)
    assert logits.shape == (len(digits.train.labels), 10)
    agree = logits.argmax(1).numpy() == digits.train.labels
    assert agree.mean() > 0.9
    with pytest.raises(ConfigError, match="takes 64 features from 0 to 16"):
        taught_logits(teacher, load_dataset("digits", resize=6))
