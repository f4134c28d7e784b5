"""Synthesis: what Yosys counts, layer by layer, in every family; how deep a netlist is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bnnedge import report
from bnnedge.errors import ConfigError, FileError
from bnnedge.hardware.generated import generate
from bnnedge.hardware.netlist import Resources, cells_in, depth_of, families
from bnnedge.hardware.place import place
from bnnedge.hardware.synthesise import synthesise
from bnnedge.packed.file import digest
from tests.networks import Filters, random_conv_model, random_model

SCHEMA = json.loads((Path(report.__file__).parent / "schemas" / "synthesis.schema.json").read_text())


def a_cell(kind: str, inputs: list[int], output: int) -> dict[str, Any]:
    return {
        "type": kind,
        "port_directions": {"I": "input", "O": "output"},
        "connections": {"I": [*inputs, "1"], "O": [output]},
    }


def test_depth_counts_logic_between_registers() -> None:
    levels = families()["xc7"].levels
    cells = {
        "a": a_cell("LUT6", [1], 10),
        "b": a_cell("CARRY4", [10, 2], 11),
        "register": a_cell("FDRE", [11], 12),
        "c": a_cell("LUT2", [12, 10], 13),
        "back": a_cell("FDRE", [13], 1),
    }
    assert depth_of(cells, levels) == 2
    assert depth_of({"register": cells["register"]}, levels) == 0
    with pytest.raises(ValueError, match="loop"):
        depth_of({"a": a_cell("LUT6", [11], 10), "b": a_cell("LUT6", [10], 11)}, levels)


def test_modules_are_counted_with_what_is_in_them() -> None:
    netlist = {
        "modules": {
            "LUT6": {"attributes": {"blackbox": "1"}, "cells": {}},
            "leaf": {"attributes": {}, "cells": {"x": {"type": "LUT6"}, "y": {"type": "RAM32M"}}},
            "top": {
                "attributes": {},
                "cells": {"u": {"type": "leaf"}, "v": {"type": "leaf"}, "w": {"type": "FDRE"}},
            },
        }
    }
    counts = cells_in(netlist, "top")
    assert counts == {"LUT6": 2, "RAM32M": 2, "FDRE": 1}
    assert Resources.of(counts | {"RAMB18E1": 3}, families()["xc7"]) == Resources(10, 1, 0, 1.5)


@pytest.mark.parametrize("family", ["xc7", "ice40", "ecp5"])
def test_layers_add_up_to_the_whole_in_every_family(family: str) -> None:
    model = random_model(1, (32, 16, 4), maximum=16)
    design = generate(model, "folded")
    result = synthesise(design.files, design.modules, family)
    jsonschema.validate(result.to_dict(), SCHEMA)
    assert [one.layer for one in result.layers] == ["fc1", "fc2"]
    parts = [*(one.resources for one in result.layers), result.rest]
    for count in ("luts", "flip_flops", "carries", "block_rams"):
        assert sum(getattr(part, count) for part in parts) == getattr(result.total, count)
    assert all(part.luts and part.flip_flops for part in parts)
    assert 2 <= result.depth <= 60


def test_convolutions_are_taken() -> None:
    model = random_conv_model(2, (1, 6, 6), (Filters(4, padding=1, pool=2),), (3,), kind="bipolar")
    design = generate(model, "folded")
    assert synthesise(design.files, design.modules, "ice40").total.luts > 10


@pytest.mark.parametrize(("family", "device"), [("ice40", "iCE40HX8K-CT256"), ("ecp5", "LFE5U-85F-6BG756")])
def test_a_design_that_fits_gets_a_clock(family: str, device: str) -> None:
    model = random_model(3, (8, 4, 2))
    design = generate(model, "folded")
    result = synthesise(design.files, design.modules, family, model_digest=digest(model), fmax=True)
    jsonschema.validate(result.to_dict(), SCHEMA)
    assert result.placement is not None
    assert result.placement.fmax_mhz is not None
    assert result.placement.fmax_mhz > 1
    assert f"On {device}, placed by nextpnr" in str(result.placement)


def test_a_design_with_more_pins_than_a_device_says_so() -> None:
    model = random_model(4, (250, 2))
    design = generate(model, "unrolled")
    result = synthesise(design.files, design.modules, "ice40", fmax=True)
    jsonschema.validate(result.to_dict(), SCHEMA)
    assert result.placement is not None
    assert result.placement.fmax_mhz is None
    assert "Cannot be placed on iCE40HX8K-CT256, the largest device: " in str(result.placement)


def test_what_cannot_be_synthesised_says_so() -> None:
    with pytest.raises(ConfigError, match="unknown family 'virtex'"):
        synthesise({}, {}, "virtex")
    with pytest.raises(ConfigError, match="no open tool places on xc7"):
        place(Path("flat.json"), "xc7")
    with pytest.raises(FileError, match="ERROR"):
        synthesise({"network.sv": "module network; wrong endmodule"}, {})
