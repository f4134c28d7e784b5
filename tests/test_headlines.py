"""Headlines: what they say of audits where the truth is known."""

from __future__ import annotations

import dataclasses

from bnnedge.analysis.audit import Audit, audit
from bnnedge.analysis.findings import Finding
from bnnedge.complexity.nulls import NullScore
from bnnedge.report.headlines import headlines
from tests.networks import random_model


def a_score(z: float, null: str = "shuffle") -> NullScore:
    return NullScore(null, "bdm_bits", 100 + 10 * z, 100, 10, z, 81, 119, 50)


def with_scores(*scores: NullScore) -> Audit:
    result = audit(random_model(0, (12, 8, 8)), nulls=0)
    layers = (dataclasses.replace(result.layers[0], nulls=scores), result.layers[1])
    return dataclasses.replace(result, layers=layers, findings=())


def test_headlines_say_what_stands_out() -> None:
    finding = Finding("same-weights", "fc1", (1, 2), "m", "s", 12, True)
    first = headlines(dataclasses.replace(with_scores(), findings=(finding, finding)))[0]
    assert first == "2 findings in 1 layer; 2 can be fixed without changing what the network computes."
    assert headlines(with_scores())[0].startswith("Nothing to act on")
    assert "no layer differs from random bits" in headlines(with_scores(a_score(-1)))[1]
    assert "fc1 is simpler than random" in headlines(with_scores(a_score(-9)))[1]
    assert "(z = −9.0)" in headlines(with_scores(a_score(-9)))[1]
    assert "fc1 is more complex than random" in headlines(with_scores(a_score(9)))[1]
    assert "follows the order of its inputs" in headlines(with_scores(a_score(-9), a_score(-8, "inputs")))[2]
    assert len(headlines(with_scores(a_score(-9), a_score(-1, "inputs")))) == 2


def test_headlines_name_what_is_left_out_and_what_misleads() -> None:
    result = audit(random_model(0, (9, 8, 3)), nulls=0)
    sentences = headlines(result)
    dropped = result.total.bits_dropped
    assert any(sentence.startswith(f"{dropped} weights (") for sentence in sentences)
    assert [sentence for sentence in sentences if "no whole 4x4 block fits" in sentence] == [
        "fc2 – no whole 4x4 block fits."
    ]
