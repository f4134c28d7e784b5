"""What a model card says of a network's accuracy and of its bits."""

from __future__ import annotations

import numpy as np

from bnnedge.report.digest import card_sections
from tests.networks import random_inputs, random_model

MODEL = random_model(1, (20, 9, 3))


def test_accuracy_is_that_of_the_golden_model() -> None:
    inputs = random_inputs(MODEL, 40)
    labels = MODEL.predict(inputs).labels.copy()
    labels[:6] = (labels[:6] + 1) % 3
    sections = card_sections(MODEL, "digits", inputs, labels)
    assert sections["Accuracy"] == "34 of 40 test samples of digits right, 85.00%, by the golden model."


def test_the_bits_are_audited() -> None:
    """Every layer, with the shuffles that raw BDM is nothing without; the same each time."""
    inputs = random_inputs(MODEL, 3)
    labels = np.zeros(3, dtype=np.int64)
    first, again = (card_sections(MODEL, "digits", inputs, labels) for _ in range(2))
    assert first == again
    table = first["Complexity of the weight bits"]
    assert "z against" in table
    assert [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| fc")] == [
        "fc1",
        "fc2",
    ]
    assert "findings: `bnnedge audit checkpoint.safetensors` prints them." in table
