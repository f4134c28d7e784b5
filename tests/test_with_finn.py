"""FINN+ itself, run on what we export: every layer in hardware, every label right, figures as we say."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge.errors import UnsupportedError, VerificationError
from bnnedge.exporters import export
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.finn_plus import FinnNode, FrontEnd, check, estimates_of, parse_front_end, run_front_end
from bnnedge.hardware.folding import Folder
from bnnedge.importers.load import load
from bnnedge.packed.geometry import geometry_of
from tests.finn_cases import CASES, GOLDEN, frozen, write_folder
from tests.networks import random_inputs, random_model

SCRIPT = Path(__file__).parents[1] / "scripts" / "with_finn"


def with_finn(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def finn_python() -> Path:
    """Python of FINN+'s environment, which is made if it is not there: 100 MB from the package index."""
    done = with_finn("--install")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def tfc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of the preset that comes trained."""
    folder = tmp_path_factory.mktemp("finn") / "digits-tfc"
    model = load("digits-tfc")
    export(model, "pynq", folder, inputs=random_inputs(model, 20))
    return folder


def test_the_front_end_on_tfc_and_a_small_cnv(finn_python: Path, tfc: Path, tmp_path: Path) -> None:
    """By the script, as a user runs it; FINN+ folds for 20,000 frames a second."""
    cnv = write_folder(CASES["small-cnv"], tmp_path / "small-cnv")
    done = with_finn(tfc, cnv, "--fps", "20000", "--json", "--work", tmp_path / "work")
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    for result, outside, nodes in zip(results, ([], ["Transpose"]), (6, 15), strict=True):
        assert result["outside"] == outside  # of images: the driver puts their channels last
        assert len(result["nodes"]) == nodes
        assert all(node["hardware"] for node in result["nodes"])
        assert result["samples"] > 0
        assert set(result["wrong_labels"].values()) == {0}
        assert len(result["wrong_labels"]) == 4
        for node in result["nodes"]:
            assert all(node[key]["finn"] == node[key]["ours"] for key in ("cycles", "luts", "bram18")), node
    assert (tmp_path / "work" / "digits-tfc" / "report" / "estimate_layer_cycles.json").is_file()


def test_our_folding_is_taken_as_it_is(finn_python: Path, tmp_path: Path) -> None:
    """Padding, pooling and strides, folded by us; and the frozen figures are what FINN+ says today."""
    case = CASES["padded"]
    folder = write_folder(case, tmp_path / "padded")
    units = units_of(geometry_of(case.model()))
    design = Folder(units).fastest(8000, 100)
    assert design is not None
    folding = tmp_path / "folding.json"
    folding.write_text(json.dumps(design.folding_config()))
    result = run_front_end(finn_python, folder, tmp_path / "work", folding=folding)
    check(folder, result)
    figures = [(node.name, node.cycles, node.luts, node.bram18) for node in result.nodes]
    assert figures == [(name, node.cycles, node.luts, node.bram18) for name, _, node in design.named_nodes()]
    again = run_front_end(finn_python, folder, tmp_path / "again", fps=case.fps)
    table = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(frozen(again))) == table["cases"]["padded"]
    assert again.versions == table["versions"]


def test_a_wrong_label_is_found(finn_python: Path, tfc: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    shutil.copytree(tfc, folder)
    labels = np.load(folder / "expected_output.npy")
    labels[3] = (labels[3] + 1) % 10
    np.save(folder / "expected_output.npy", labels)
    done = with_finn(folder, "--work", tmp_path / "work")
    assert done.returncode == VerificationError.exit_code
    message, hint = done.stderr.splitlines()[-2:]
    assert f"{folder}: after step_tidy_up, 1 of {len(labels)} labels differ" in message
    assert hint.startswith("Hint: ")


def test_what_stops_finn_is_shown(finn_python: Path, tfc: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tfc, folder)
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(UnsupportedError, match=r"FINN\+ stopped on .*broken: ") as caught:
        run_front_end(finn_python, folder, tmp_path / "work")
    assert str(tmp_path / "work" / "front_end.log") in caught.value.hint


def test_a_folder_that_is_none(finn_python: Path, tmp_path: Path) -> None:
    done = with_finn(tmp_path, "--work", tmp_path / "work")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-2] == f"Error: {tmp_path} is no build folder"
    assert with_finn().returncode == 2


NODES: list[dict[str, Any]] = [
    {"name": name, "hardware": True, "folding": {}, "cycles": 1, "luts": 1, "bram18": 0}
    for name in ("Thresholding_rtl_0", "MVAU_hls_0", "LabelSelect_hls_0")
]


def answer(**changes: Any) -> FrontEnd:
    """What FINN+ might say of a network of one layer."""
    step = {"name": "step_tidy_up", "seconds": 0.5, "samples": 4, "wrong": 0}
    table = {"versions": {}, "clock_period_ns": 10.0, "steps": [step], "outside": [], "nodes": NODES}
    return parse_front_end(table | changes)


def test_layers_left_in_software_are_found() -> None:
    folder = Path("folder")
    check(folder, answer())
    check(folder, answer(outside=["Transpose", "TopK"]))
    with pytest.raises(VerificationError, match="left MatMul in software"):
        check(folder, answer(outside=["Transpose", "MatMul"]))
    with pytest.raises(VerificationError, match="left MVAU_hls_0 in software"):
        check(folder, answer(nodes=[NODES[0], NODES[1] | {"hardware": False}]))
    with pytest.raises(VerificationError, match="on no sample"):
        check(folder, answer(steps=[{"name": "a", "seconds": 0.1, "samples": 0, "wrong": 0}]))


def test_other_nodes_than_expected_are_found() -> None:
    units = units_of(geometry_of(random_model(0, (8, 3))))
    nodes = [FinnNode(**node) for node in NODES]
    assert [layer for layer, _, _ in estimates_of(units, nodes)] == ["input", "fc1", "output"]
    with pytest.raises(VerificationError, match="made nothing of output, not LabelSelect_hls"):
        estimates_of(units, nodes[:-1])
    with pytest.raises(VerificationError, match="made Thresholding_rtl_0 of fc1, not MVAU_hls"):
        estimates_of(units, [nodes[0], nodes[0], nodes[2]])
    with pytest.raises(VerificationError, match="made LabelSelect_hls_0 besides"):
        estimates_of(units, [*nodes, nodes[2]])
    strange = FinnNode(**NODES[1] | {"folding": {"PE": 2}})  # no divisor of 3
    assert estimates_of(units, [nodes[0], strange, nodes[2]])[1][2] is None
