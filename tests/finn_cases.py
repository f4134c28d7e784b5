"""Networks of which tests/golden/finn_plus.json holds FINN+'s own figures: scripts/with_finn --regenerate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnedge.exporters import export
from bnnedge.hardware.finn_plus import FrontEnd
from bnnedge.packed.model import PackedModel
from tests.networks import SMALL_CNV, Filters, random_conv_model, random_inputs, random_model

GOLDEN = Path(__file__).parent / "golden" / "finn_plus.json"

CNV = (
    *(Filters(64), Filters(64, pool=2)),
    *(Filters(128), Filters(128, pool=2)),
    *(Filters(256), Filters(256)),
)
STRIDES = (Filters(8, kernel=2, stride=4), Filters(6, kernel=1, stride=2), Filters(4, kernel=1))
CORNERS = (Filters(8, padding=2, pool=3),)
BLANK = (Filters(8, padding=1, pool=2),)
PADDED = (Filters(8), Filters(8, padding=1, pool=2), Filters(8, kernel=2, stride=2, padding=1))


@dataclass(frozen=True)
class Case:
    """A network, and the frames a second that FINN+ folds it for."""

    model: Callable[[], PackedModel]
    fps: int


CASES = {
    "tfc": Case(lambda: random_model(1), 100_000),
    "lfc": Case(lambda: random_model(2, (784, 1024, 1024, 1024, 10)), 10_000),
    "integer": Case(lambda: random_model(3, (100, 32, 16, 10), kind="integer"), 200_000),
    "thermometer": Case(lambda: random_model(4, (60, 32, 16, 3), kind="thermometer"), 50_000),
    "head": Case(lambda: random_model(5, (60, 32, 5), head="per-class"), 1_000),
    "cnv": Case(lambda: random_conv_model(6, (3, 32, 32), CNV, (512, 512, 10)), 3_000),
    "small-cnv": Case(lambda: random_conv_model(7, (3, 24, 24), SMALL_CNV), 1_000),
    "parallel": Case(lambda: random_conv_model(7, (3, 24, 24), SMALL_CNV), 1_000_000),
    "padded": Case(lambda: random_conv_model(8, (3, 12, 14), PADDED, (10,)), 20_000),
    "bipolar": Case(lambda: random_conv_model(9, (2, 19, 17), STRIDES, (10,), kind="bipolar"), 5_000),
    "blank": Case(lambda: random_conv_model(11, (1, 12, 12), BLANK, (10,), kind="bipolar"), 5_000),
    "padded-thermometer": Case(
        lambda: random_conv_model(10, (1, 12, 12), CORNERS, (10,), kind="thermometer"),
        5_000,
    ),
}


def write_folder(case: Case, folder: Path) -> Path:
    """A build folder of a case."""
    model = case.model()
    export(model, "pynq", folder, inputs=random_inputs(model, 4))
    return folder


def frozen(result: FrontEnd) -> dict[str, Any]:
    """What is kept of FINN+'s answer."""
    return {"outside": result.outside, "nodes": [dataclasses.asdict(node) for node in result.nodes]}
