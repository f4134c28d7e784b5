"""The module that finds the class, simulated by itself on every score that each class can have."""

from __future__ import annotations

import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bnnedge.hardware.unrolled.labels import label_module
from bnnedge.hardware.unrolled.modules import score_bits
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

INPUTS = 3
BENCH = """module bench;
  reg [{width}:0] scores, all [0:{last}];
  wire [{label}:0] label;
  integer at;
  labels dut (.scores(scores), .label(label));
  initial begin
    $readmemh("scores.hex", all);
    for (at = 0; at <= {last}; at = at + 1) begin
      scores = all[at]; #1 $display("%0d", label);
    end
  end
endmodule
"""


def network(scale: list[float], offset: list[float]) -> PackedModel:
    """One layer of three classes, whose scores are −3, −1, 1 or 3."""
    weights = PackedMatrix.from_bits(np.eye(3, INPUTS, dtype=bool))
    head = Affine(np.array(scale, dtype=np.float32), np.array(offset, dtype=np.float32))
    return PackedModel(InputEncoding.bipolar((INPUTS,), 1, 1), (PackedLayer("fc1", weights),), head)


@pytest.mark.parametrize(
    "model",
    [
        network([0.5], [1.0]),
        network([1.0, 0.5, 2.0], [0.0, 0.25, -2.0]),
        network([1.0, 1.0, 1.0], [2.0, 0.0, 4.0]),  # equal logits of unequal scores
        network([1.0, -1.0, -0.25], [0.0, 0.0, 0.5]),
    ],
    ids=["order kept", "scales", "offsets", "signs"],
)
def test_the_class_is_that_of_the_largest_logit_first_of_equals(tmp_path: Path, model: PackedModel) -> None:
    scores = np.array([*product(range(-INPUTS, INPUTS + 1, 2), repeat=model.classes)], dtype=np.int32)
    width = score_bits(model.lattices[-1])
    words = [
        sum((int(one) % (1 << width)) << (width * position) for position, one in enumerate(row))
        for row in scores
    ]
    (tmp_path / "scores.hex").write_text("\n".join(f"{word:x}" for word in words))
    bench = BENCH.format(width=model.classes * width - 1, last=len(words) - 1, label=1)
    (tmp_path / "bench.sv").write_text(bench)
    (tmp_path / "labels.sv").write_text(label_module(model))
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "bench", "bench.sv", "labels.sv"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True)
    expected = model.head(scores).argmax(axis=1)
    assert len({*expected}) == model.classes
    assert [int(line) for line in done.stdout.split()] == expected.tolist()
