"""FINN+ itself, run on what we export: every layer in hardware, every label right, figures as we say."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from bnnedge.cli.export import command
from bnnedge.errors import BnnedgeError, FileError, UnsupportedError, VerificationError
from bnnedge.exporters import export
from bnnedge.hardware.boards import boards
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.estimates import estimates_of
from bnnedge.hardware.finn_plus import FinnNode, FrontEnd, check, find_finn, parse_front_end, run_front_end
from bnnedge.hardware.folding import Design, Folder
from bnnedge.importers.load import load
from bnnedge.packed.geometry import geometry_of
from bnnedge.share import share
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
    check(folder, result, tmp_path / "work")
    figures = [(node.name, node.cycles, node.luts, node.bram18) for node in result.nodes]
    assert figures == [(name, node.cycles, node.luts, node.bram18) for name, _, node in design.named_nodes()]
    again = run_front_end(finn_python, folder, tmp_path / "again", fps=case.fps)
    table = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(frozen(again))) == table["cases"]["padded"]
    assert again.versions == table["versions"]


@pytest.mark.parametrize("name", ["head", "blank"])
def test_the_driver_knows_both_ends(finn_python: Path, tmp_path: Path, name: str) -> None:
    """Datatypes and shapes in driver.json are those that FINN+ hands to its own driver."""
    folder = write_folder(CASES[name], tmp_path / name)
    result = run_front_end(finn_python, folder, tmp_path / "work")
    ours = json.loads((folder / "driver.json").read_text())["io_shape_dict"]
    assert {key: ours[key][0] for key in result.ends} == result.ends


PACKING = """
import json, sys, types
import numpy as np
from finn.util.data_packing import finnpy_to_packed_bytearray
from qonnx.core.datatype import DataType
for case in json.load(sys.stdin):
    values = np.array(case["values"], dtype=np.float32)
    packed = finnpy_to_packed_bytearray(
        values, DataType[case["type"]], reverse_inner=True, reverse_endian=True
    )
    print(json.dumps(packed.tolist()))
"""


def test_packing_is_finn_plus_s(finn_python: Path, tmp_path: Path) -> None:
    """Bytes of samples, labels and logits as FINN+'s driver lays them out, read by ours."""
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (5, 4, 3))
    labels = rng.integers(0, 2**16, (5, 1, 1))
    logits = rng.normal(size=(5, 2, 3)).astype(np.float32)
    cases: list[tuple[str, NDArray[Any]]] = [("UINT8", samples), ("UINT16", labels), ("FLOAT32", logits)]
    asked = json.dumps([{"type": kind, "values": values.tolist()} for kind, values in cases])
    done = subprocess.run(
        [finn_python, "-c", PACKING],
        input=asked,
        env={"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packed = [np.array(json.loads(line), np.uint8) for line in done.stdout.splitlines()[-3:]]
    assert np.array_equal(packed[0], samples)
    assert np.array_equal(packed[1].view("<u2"), labels)
    assert np.array_equal(packed[2].view("<f4"), logits)


READING = """
import sys
sys.path.insert(0, sys.argv[1])
import front_end
for folder in sys.argv[2:]:
    text = open(folder + "/dataflow_build_config.json").read()
    config = front_end.DataflowBuildConfig.from_json(text)
    print(config.board, config._resolve_fpga_part(), config._resolve_driver_platform())
"""


def test_finn_plus_reads_the_settings_of_every_board(finn_python: Path, tmp_path: Path) -> None:
    """It refuses keys and values that it does not know, and boards without a part."""
    model = random_model(0, (20, 9, 3))
    inputs = random_inputs(model, 2)
    folders = [
        export(model, "pynq", tmp_path / entry.name, inputs=inputs, board=entry.name).out
        for entry in boards()
    ]
    done = subprocess.run(
        [finn_python, "-c", READING, share("hw") / "finn", *folders],
        env={"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = [f"{entry.finn_board} {entry.part} zynq-iodma" for entry in boards()]
    assert done.stdout.splitlines()[-len(expected) :] == expected


def test_the_settings_are_frozen_as_finn_plus_has_them(finn_python: Path) -> None:
    """tests/golden/finn_settings.json, of which tests/test_finn_releases.py makes use, against the source."""
    package = next((finn_python.parents[1] / "lib").glob("python3*")) / "site-packages"
    spec = spec_from_file_location("finn_settings", SCRIPT.parent / "finn_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    frozen_table = json.loads((GOLDEN.parent / "finn_settings.json").read_text(encoding="utf-8"))["plus"]
    found = module.settings_of(package, {entry.finn_board for entry in boards()})
    assert {"origin": frozen_table["origin"]} | found == frozen_table


def export_by_command(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["--target", "pynq", *map(str, arguments)])


def test_an_export_is_checked_on_the_way(finn_python: Path, tmp_path: Path) -> None:
    """Estimates lie in the folder, and the card has them; a second time gives the same bytes."""
    contents = []
    for name in ("a", "b"):
        out = tmp_path / name / "out"
        done = export_by_command("digits-tfc", "--out", out, "--finn-python", finn_python, "--fps", 10_000)
        assert done.exit_code == 0, done.output
        contents.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert contents[0] == contents[1]
    estimate = json.loads(contents[0]["estimate.json"])
    assert estimate["wrong_labels"] == dict.fromkeys(estimate["wrong_labels"], 0)
    assert len(estimate["wrong_labels"]) == 4
    for node in estimate["nodes"]:
        assert all(node[key]["finn"] == node[key]["ours"] for key in ("cycles", "luts", "bram18")), node
    assert "6 of 6 nodes in hardware; outside the accelerator: none." in done.output
    card = contents[0]["README.md"].decode()
    assert "FINN+: LUT" in card
    assert "| estimate.json |" in card
    assert "estimate.json" in json.loads(contents[0]["manifest.json"])["files"]


def test_an_export_that_finn_plus_builds_otherwise_leaves_nothing(
    finn_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folding of other nodes, which FINN+ passes over without a word."""

    def renamed(self: Design) -> dict[str, dict[str, int | str]]:
        return {f"Old{name}": values for name, values in as_asked(self).items()}

    as_asked = Design.folding_config
    monkeypatch.setattr(Design, "folding_config", renamed)
    out = tmp_path / "out"
    arguments = ("digits-tfc", "--out", out, "--finn-python", finn_python, "--fps", 100_000)
    error = export_by_command(*arguments).exception
    assert isinstance(error, VerificationError)
    assert error.message.startswith("FINN+ folded MVAU_hls_0 as {'PE': 1, 'SIMD': 1}, not as {'PE': ")
    assert not out.exists()


def test_where_finn_plus_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was named, else what the variable names, else what scripts/with_finn installs."""
    places = [tmp_path / name for name in ("named", "variable", "cache/bnnedge/finn-plus/bin/python")]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BNNEDGE_FINN_PYTHON", str(places[1]))
    assert find_finn(places[0]) == places[0]
    assert find_finn() == places[1]
    monkeypatch.delenv("BNNEDGE_FINN_PYTHON")
    assert find_finn() == places[2]
    places[2].unlink()
    out = tmp_path / "out"
    error = export_by_command("digits-tfc", "--out", out, "--check-with-finn").exception
    assert isinstance(error, FileError)
    assert error.message == f"no FINN+ at {places[2]}"
    assert "scripts/with_finn --install" in error.hint
    assert "BNNEDGE_FINN_PYTHON" in error.hint
    assert not out.exists()
    assert isinstance(export_by_command("digits-tfc", "--finn-python", "nowhere").exception, BnnedgeError)


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
    table = {
        "versions": {},
        "clock_period_ns": 10.0,
        "steps": [step],
        "outside": [],
        "ends": {},
        "nodes": NODES,
    }
    return parse_front_end(table | changes)


def test_layers_left_in_software_are_found() -> None:
    folder, work = Path("folder"), Path("work")
    check(folder, answer(), work)
    check(folder, answer(outside=["Transpose", "TopK"]), work)
    with pytest.raises(VerificationError, match="left MatMul in software"):
        check(folder, answer(outside=["Transpose", "MatMul"]), work)
    with pytest.raises(VerificationError, match="left MVAU_hls_0 in software"):
        check(folder, answer(nodes=[NODES[0], NODES[1] | {"hardware": False}]), work)
    with pytest.raises(VerificationError, match="on no sample"):
        check(folder, answer(steps=[{"name": "a", "seconds": 0.1, "samples": 0, "wrong": 0}]), work)


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
