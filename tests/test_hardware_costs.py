"""Complexity beside cost: figures of every layer, in every form of the audit, and of the right network."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from bnnedge import errors, load, report
from bnnedge.errors import FileError
from bnnedge.hardware.costs import synthesised_luts, unrolled_luts, weight_memories
from bnnedge.hardware.generated import generate
from bnnedge.packed.file import digest, save_packed
from bnnedge.packed.model import PackedModel
from tests.commands import Bnnedge, two_lines
from tests.networks import Filters, random_conv_model, random_model

SCHEMA = json.loads((Path(report.__file__).parent / "schemas" / "audit.schema.json").read_text())


def a_report(path: Path, model: PackedModel, **other: object) -> Path:
    layers = [{"layer": layer.name, "luts": 7 + place} for place, layer in enumerate(model.layers)]
    document = {"kind": "bnnedge.synthesis", "digest": digest(model), "family": "xc7", "layers": layers}
    path.write_text(json.dumps(document | other))
    return path


def test_weight_memories_are_those_of_the_folded_generator() -> None:
    model = load("digits-tfc")
    memories = weight_memories(model)
    design = generate(model, "folded")
    for layer in model.layers:
        plain, smallest = memories[layer.name]
        assert plain == layer.weights.bits >= smallest
        name = f"{design.modules[layer.name]}_weights.mem"
        words = [line for line in design.files[name].splitlines() if not line.startswith("//")]
        fold = design.folds[layer.name]
        assert smallest == plain == len(words) * fold.pe * fold.simd


def test_unrolled_luts_are_those_in_the_headers() -> None:
    model = load("digits-tfc")
    luts, design = unrolled_luts(model), generate(model, "unrolled")
    for name, module in design.modules.items():
        header = " ".join(line.removeprefix("// ") for line in design.files[f"{module}.sv"].splitlines()[:6])
        assert f"about {luts[name]:,} LUTs" in header


def test_reports_of_other_networks_are_refused(tmp_path: Path) -> None:
    model = random_model(1, (16, 8, 4))
    right = a_report(tmp_path / "right.json", model)
    assert synthesised_luts(right, model) == ({"fc1": 7, "fc2": 8}, "xc7")
    with pytest.raises(FileError, match=f"not of {digest(random_model(2, (16, 8, 4)))[:12]}"):
        synthesised_luts(right, random_model(2, (16, 8, 4)))
    with pytest.raises(FileError, match="is of network None"):
        synthesised_luts(a_report(tmp_path / "nobody.json", model, digest=None), model)
    others: list[dict[str, object]] = [
        {"kind": "bnnedge.audit"},
        {"layers": []},
        {"layers": [{}]},
        {"family": 7},
    ]
    for other in others:
        with pytest.raises(FileError, match="no report of a synthesis"):
            synthesised_luts(a_report(tmp_path / "wrong.json", model, **other), model)
    with pytest.raises(FileError, match="no report of a synthesis"):
        synthesised_luts(tmp_path / "absent.json", model)


def test_the_audit_shows_cost_in_every_form(tmp_path: Path, bnnedge: Bnnedge) -> None:
    model = load("digits-tfc")
    luts = unrolled_luts(model)
    synth, page = a_report(tmp_path / "synth.json", model), tmp_path / "page.html"
    quick = ("audit", "digits-tfc", "--nulls", "0")
    document = json.loads(bnnedge(*quick, "--json", "--synth", synth, "--html", page).out)
    jsonschema.validate(document, SCHEMA)
    assert document["costs"]["layers"]["fc1"] == {
        "unrolled_luts": luts["fc1"],
        "memory_bits": 4096,
        "coded_memory_bits": 4096,
        "synthesised_luts": 7,
    }
    rows = list(csv.DictReader(bnnedge(*quick, "--csv", "--cost").out.splitlines()))
    assert [row["unrolled_luts"] for row in rows] == [*map(str, luts.values()), ""]
    assert {row["synthesised_luts"] for row in rows} == {""}
    total = f"{sum(luts.values()):,}"
    text, markdown = bnnedge(*quick, "--cost").out, bnnedge(*quick, "--cost", "--markdown").out
    assert "Complexity beside cost\n" in text
    assert total in text
    assert "## Complexity beside cost\n" in markdown
    assert total in markdown
    assert "Complexity beside cost</h2>" in page.read_text()
    assert total in page.read_text()
    assert "costs" not in json.loads(bnnedge(*quick, "--json").out)


def test_what_has_no_such_hardware_says_so(tmp_path: Path, bnnedge: Bnnedge) -> None:
    path = tmp_path / "conv.safetensors"
    save_packed(random_conv_model(1, (1, 6, 6), (Filters(4),), (3,)), path)
    document = json.loads(bnnedge("audit", path, "--nulls", "0", "--json", "--cost").out)
    jsonschema.validate(document, SCHEMA)
    assert document["costs"]["layers"]["conv1"]["unrolled_luts"] is None
    assert document["costs"]["layers"]["conv1"]["memory_bits"] == 36
    assert any("Not to be had unrolled: layer conv1" in note for note in document["costs"]["notes"])
    synth = a_report(tmp_path / "synth.json", load("digits-tfc"))
    two_lines(bnnedge("audit", path, "--nulls", "0", "--synth", synth), errors.FileError)
    assert bnnedge("audit", path, path, "--synth", synth).code == 2
