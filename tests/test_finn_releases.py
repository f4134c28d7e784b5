"""Each FINN gets settings that it knows and a folding of the nodes that it makes.

``finn_settings.json`` holds what each FINN's source says of its settings (scripts/with_finn --freeze).
``finn_releases.json`` holds the nodes that FINN 0.10.1 and FINN's dev branch of April 2026 made of the
networks of tests/finn_cases.py with our folding, and their own figures. Neither has a package, so they were
run by hand, once: the steps of ``estimate_only_dataflow_steps`` as hw/finn/front_end.py runs them for FINN+,
with all labels right. FINN+'s nodes and settings are checked by running it (tests/test_with_finn.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bnnedge.errors import BnnedgeError, ConfigError, UnsupportedError
from bnnedge.exporters.pynq import BuildWishes, build_config
from bnnedge.hardware.boards import board, boards
from bnnedge.hardware.budget import budget, design_for
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.estimates import estimates_of
from bnnedge.hardware.finn_plus import FinnNode
from bnnedge.hardware.finns import FINNS, Finn, finn_called
from bnnedge.hardware.folding import Folder
from bnnedge.packed.geometry import Geometry, geometry_of
from tests.finn_cases import CASES
from tests.networks import Filters, random_conv_model, random_model

GOLDEN = Path(__file__).parent / "golden"
SETTINGS: dict[Finn, dict[str, Any]] = json.loads((GOLDEN / "finn_settings.json").read_text(encoding="utf-8"))
RELEASES: dict[Finn, dict[str, Any]] = json.loads((GOLDEN / "finn_releases.json").read_text(encoding="utf-8"))
MADE = [(finn, name) for finn, release in RELEASES.items() for name in release["cases"]]

finns = pytest.mark.parametrize("finn", FINNS)


def geometry(name: str) -> Geometry:
    return geometry_of(CASES[name].model())


@finns
@pytest.mark.parametrize("entry", boards(), ids=lambda entry: entry.name)
def test_settings_are_those_that_the_finn_knows(finn: Finn, entry: Any) -> None:
    known = SETTINGS[finn]
    if finn not in entry.finn:
        assert entry.finn_board not in known["boards"]
        return
    assert known["boards"][entry.finn_board] == entry.part
    assert (finn in entry.finn_opt_in) == (entry.finn_board in known["retired"])
    config = build_config(BuildWishes(entry, finn))
    assert config.keys() <= set(known["fields"])
    for setting, values in known["values"].items():
        wanted = config[setting]
        assert set(wanted if isinstance(wanted, list) else [wanted]) <= set(values)


def test_settings_differ_where_finns_do() -> None:
    """FINN 0.10 alone simulates in Verilator; FINN 1.0 alone retired boards, and names phases."""
    pynq = board("Pynq-Z1")
    only = {finn: build_config(BuildWishes(pynq, finn)).get("rtlsim_use_vivado_comps") for finn in FINNS}
    assert only == {"0.10": False, "1.0": None, "plus": None}
    assert "rtlsim_use_vivado_comps" not in SETTINGS["1.0"]["fields"] + SETTINGS["plus"]["fields"]
    assert {finn for finn in FINNS if SETTINGS[finn]["retired"]} == {"1.0"}
    assert SETTINGS["1.0"]["steps"]["default_build_dataflow_steps"][0] == "phase_prepare_model"


def test_the_front_end_runs_steps_that_finn_plus_has() -> None:
    steps = SETTINGS["plus"]["steps"]["estimate_only_dataflow_steps"]
    source = (Path(__file__).parents[1] / "hw" / "finn" / "front_end.py").read_text(encoding="utf-8")
    (line,) = (line for line in source.splitlines() if line.startswith("EXECUTED = "))
    named = line.partition("(")[2].strip(")").replace('"', "").split(", ")
    assert len(named) == 4
    assert set(named) <= set(steps)


@pytest.mark.parametrize(("finn", "name"), MADE)
def test_nodes_and_figures_are_the_finn_s_own(finn: Finn, name: str) -> None:
    """Names, cycles, LUTs and block RAMs of every node, exactly, at our folding."""
    nodes = [FinnNode(**node) for node in RELEASES[finn]["cases"][name]["nodes"]]
    pairs = estimates_of(units_of(geometry(name), finn), nodes)
    for _, theirs, ours in pairs:
        assert ours is not None
        assert (theirs.cycles, theirs.luts, theirs.bram18) == (ours.cycles, ours.luts, ours.bram18), theirs
    assert all(node.hardware for node in nodes)
    smallest = Folder(units_of(geometry(name), finn)).wanted(10**9)
    assert [node.name for node in nodes] == [name for name, _, _ in smallest.named_nodes()]


def test_finn_0_10_pools_in_one_node() -> None:
    names = {
        finn: [
            name for name, _, _ in Folder(units_of(geometry("small-cnv"), finn)).wanted(10**9).named_nodes()
        ]
        for finn in FINNS
    }
    assert names["1.0"] == names["plus"]
    assert [sum(name.startswith("Conv") for name in names[finn]) for finn in ("0.10", "plus")] == [4, 6]
    assert [name for name in names["0.10"] if "Pool" in name] == [
        "StreamingMaxPool_hls_0",
        "StreamingMaxPool_hls_1",
    ]


POINTWISE = (Filters(8, kernel=1),)


@pytest.mark.parametrize(
    ("finn", "message", "model"),
    [
        (
            "0.10",
            "leaves a head with a scale for each class",
            lambda: random_model(1, (60, 32, 5), head="per-class"),
        ),
        ("0.10", "conv2: a 1 x 1 filter that strides", CASES["bipolar"].model),
        ("0.10", "conv1: .* these are 14 x 14 for 3 x 3", CASES["padded-thermometer"].model),
        ("0.10", "conv2: .* these are 10 x 12 for 2 x 2", CASES["padded"].model),
        ("0.10", "does not flatten images", lambda: random_conv_model(1, (3, 6, 6), POINTWISE, (10,))),
        ("1.0", "does not flatten images", lambda: random_conv_model(1, (3, 6, 6), POINTWISE, (10,))),
        (
            "1.0",
            "does not flatten images",
            lambda: random_conv_model(1, (3, 6, 6), (), (9, 3), kind="thermometer"),
        ),
    ],
)
def test_what_a_finn_leaves_to_the_processor_is_refused(finn: Finn, message: str, model: Any) -> None:
    """Each was seen to stop that FINN, and FINN+ to build it."""
    layers = geometry_of(model())
    with pytest.raises(UnsupportedError, match=message) as caught:
        design_for(layers, board("KV260"), finn=finn)
    assert caught.value.hint.endswith("--finn plus")
    assert design_for(layers, board("KV260"), finn="plus").luts > 0


def test_pooling_alone_lets_finn_1_0_flatten() -> None:
    layers = geometry_of(random_conv_model(1, (3, 6, 6), (Filters(8, kernel=1, pool=2),), (10,)))
    assert design_for(layers, board("KV260"), finn="1.0").luts > 0
    with pytest.raises(UnsupportedError, match="does not flatten"):
        design_for(layers, board("KV260"), finn="0.10")


def test_boards_that_a_finn_does_not_know() -> None:
    for work in (design_for, budget):
        with pytest.raises(UnsupportedError, match=r"FINN 0\.10 does not know AUP-ZU3") as caught:
            work(geometry("tfc"), board("AUP-ZU3"), finn="0.10")
        assert caught.value.hint == "take --finn 1.0 or --finn plus"


def test_names_of_finns() -> None:
    assert [finn_called(name) for name in FINNS] == list(FINNS)
    with pytest.raises(ConfigError, match=r"unknown FINN '0\.9'") as caught:
        finn_called("0.9")
    assert caught.value.hint == "known: 0.10, 1.0, plus"


def test_a_lut_budget_is_kept_and_used() -> None:
    """More LUTs never make a slower design, none takes more than it may, and too few are refused."""
    layers, pynq = geometry("tfc"), board("Pynq-Z1")
    designs = [design_for(layers, pynq, luts=luts) for luts in (2_000, 4_000, 8_000)]
    assert [design.luts <= luts for design, luts in zip(designs, (2_000, 4_000, 8_000), strict=True)] == [
        True
    ] * 3
    assert designs[0].cycles > designs[1].cycles > designs[2].cycles
    both = design_for(layers, pynq, fps=10_000, luts=4_000)
    assert both == design_for(layers, pynq, fps=10_000)
    with pytest.raises(BnnedgeError, match="LUT needed, 2,000 allowed"):
        design_for(layers, pynq, fps=1_000_000, luts=2_000)
