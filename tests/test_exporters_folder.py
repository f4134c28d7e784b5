"""Exports: what a folder holds, what is replaced and what is not, and the script that starts FINN."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import bnnedge.exporters
import bnnedge.exporters.folder
from bnnedge.errors import ConfigError, DataError, OutputError, UnsupportedError, VerificationError
from bnnedge.exporters import ExportReport, export, verify
from bnnedge.exporters.graph import AS_USUAL, Form
from bnnedge.exporters.pynq import BuildWishes, build_config
from bnnedge.files import sha256_of
from bnnedge.hardware.boards import board, boards
from bnnedge.hardware.budget import design_for
from bnnedge.hardware.finns import FINNS, Finn, title
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import digest, load_packed
from bnnedge.packed.fold import Affine
from bnnedge.packed.geometry import geometry_of
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.share import share
from tests.networks import TFC, Filters, random_conv_model, random_inputs, random_model

TARGETS = ("onnx", "qonnx", "finn", "pynq")
targets = pytest.mark.parametrize("target", TARGETS)

MODEL = random_model(1, (20, 9, 3))
INPUTS = random_inputs(MODEL, 30)

BUILD_FILES = {
    "README.md",
    "build.py",
    "checkpoint.safetensors",
    "dataflow_build_config.json",
    "driver.json",
    "driver.py",
    "expected_output.npy",
    "folding_config.json",
    "host.py",
    "input.npy",
    "manifest.json",
    "model.onnx",
    "validate.py",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@targets
def test_a_tfc_in_every_target(tmp_path: Path, target: str) -> None:
    model = random_model(5, TFC)
    inputs = random_inputs(model, 300)
    report = export(model, target, tmp_path / "out", inputs=inputs)
    assert isinstance(report, ExportReport)
    assert report.verification.samples == 300
    assert report.verification.layers == ("fc1", "fc2", "fc3", "fc4")
    assert report.verification == verify(tmp_path / "out", model, inputs)
    assert names(tmp_path) == {"out"}
    assert names(tmp_path / "out") == set(report.files)


@targets
def test_the_manifest(tmp_path: Path, target: str) -> None:
    report = export(MODEL, target, tmp_path / "new" / "out", inputs=INPUTS)
    manifest = json.loads((report.out / "manifest.json").read_text())
    assert manifest["format"] == "bnnedge.export"
    assert manifest["schema"] == 1
    assert manifest["bnnedge"] == bnnedge.__version__
    assert manifest["target"] == target
    assert manifest["digest"] == digest(MODEL)
    assert manifest["board"] == ("Pynq-Z1" if target == "pynq" else None)
    assert manifest["provenance"] == MODEL.provenance
    assert manifest["verification"] == {"samples": 30, "layers": ["fc1", "fc2"]}
    found = {path.name: sha256_of(path) for path in report.out.iterdir() if path.name != "manifest.json"}
    assert manifest["files"] == found


@targets
def test_the_same_model_gives_the_same_bytes(tmp_path: Path, target: str) -> None:
    for name in ("a", "b"):
        export(random_model(1, (20, 9, 3)), target, tmp_path / name, inputs=INPUTS)
    assert names(tmp_path / "a") == names(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_report_prints_what_was_done(tmp_path: Path) -> None:
    shown = str(export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, board="kv260"))
    assert "pynq for KV260" in shown
    assert str(tmp_path / "out") in shown
    assert "2 layers" in shown
    assert "model.onnx" in shown


# Build folders.


def test_a_build_folder(tmp_path: Path) -> None:
    """Golden: what FINN+ is handed; tests/test_finn_releases.py holds it against each FINN's own settings."""
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, fps=1000).out
    assert names(out) == BUILD_FILES
    assert json.loads((out / "dataflow_build_config.json").read_text()) == {
        "board": "Pynq-Z1",
        "enable_build_pdb_debug": False,
        "folding_config_file": "folding_config.json",
        "generate_outputs": [
            "estimate_reports",
            "stitched_ip",
            "bitfile",
            "pynq_driver",
            "deployment_package",
        ],
        "output_dir": "build",
        "save_intermediate_models": True,
        "shell_flow_type": "vivado_zynq",
        "synth_clk_period_ns": 10.0,
        "verify_expected_output_npy": "expected_output.npy",
        "verify_input_npy": "input.npy",
        "verify_steps": ["initial_python", "streamlined_python", "folded_hls_cppsim", "stitched_ip_rtlsim"],
    }
    assert digest(load_packed(out / "checkpoint.safetensors")) == digest(MODEL)
    for script in ("finn/build.py", "pynq/driver.py", "pynq/host.py", "pynq/validate.py"):
        assert (out / Path(script).name).read_bytes() == (share("hw") / script).read_bytes()


def test_the_folding_is_the_least_for_the_frame_rate(tmp_path: Path) -> None:
    """Without one, the smallest design; one that the board cannot reach leaves nothing behind."""
    sizes = []
    for fps in (None, 1_000_000):
        out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, fps=fps).out
        folding = json.loads((out / "folding_config.json").read_text())
        assert folding == design_for(geometry_of(MODEL), board("Pynq-Z1"), fps=fps).folding_config()
        sizes.append(sum(node.get("PE", 1) * node.get("SIMD", 1) for node in folding.values()))
    assert sizes[0] < sizes[1]
    large = random_model(1, TFC)
    with pytest.raises(UnsupportedError, match="does not fit Pynq-Z1") as caught:
        export(large, "pynq", tmp_path / "new", inputs=random_inputs(large, 1), fps=100_000_000)
    assert caught.value.hint.startswith("what fits: ")
    assert not (tmp_path / "new").exists()


def test_the_folding_keeps_a_lut_budget(tmp_path: Path) -> None:
    """The fastest within it; one that holds nothing leaves nothing behind."""
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, lut_budget=1500).out
    design = design_for(geometry_of(MODEL), board("Pynq-Z1"), luts=1500)
    assert json.loads((out / "folding_config.json").read_text()) == design.folding_config()
    assert json.loads((out / "manifest.json").read_text())["lut_budget"] == 1500
    card = (out / "README.md").read_text()
    assert "Asked for: at most 1,500 LUTs." in card
    assert f"| all |  | {design.cycles:,} | {design.luts:,} | {design.bram18:,} |" in card
    with pytest.raises(UnsupportedError, match="LUT needed, 100 allowed"):
        export(MODEL, "pynq", tmp_path / "new", inputs=INPUTS, lut_budget=100)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("finn", FINNS)
def test_a_folder_for_each_finn(tmp_path: Path, finn: Finn) -> None:
    model = random_conv_model(7, (3, 12, 12), (Filters(6), Filters(8, pool=2)))
    out = export(model, "pynq", tmp_path / "out", inputs=random_inputs(model, 4), finn=finn).out
    assert json.loads((out / "manifest.json").read_text())["finn"] == finn
    config = json.loads((out / "dataflow_build_config.json").read_text())
    assert config == build_config(BuildWishes(board("Pynq-Z1"), finn))
    folding = json.loads((out / "folding_config.json").read_text())
    assert ("StreamingMaxPool_hls_0" in folding) == (finn == "0.10")
    assert ("Pool_hls_0" in folding) == (finn != "0.10")
    card = (out / "README.md").read_text()
    assert f"for {title(finn)}; model" in card
    assert f"Needs {title(finn)} " in card
    assert ("refuses it unless one insists, which `build.py` does" in card) == (finn == "1.0")


def test_finns_that_cannot_build_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown FINN '0\.9'"):
        export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, finn="0.9")
    with pytest.raises(UnsupportedError, match=r"FINN 0\.10 does not know AUP-ZU3"):
        export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, finn="0.10", board="AUP-ZU3")
    with pytest.raises(ConfigError, match=r"this one is for FINN 0\.10"):
        export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, finn="0.10", finn_python=Path("python"))
    assert not names(tmp_path)


@pytest.mark.parametrize("samples", [1, 4, 30])
def test_vectors(tmp_path: Path, samples: int) -> None:
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS[:samples]).out
    vectors, expected = np.load(out / "input.npy"), np.load(out / "expected_output.npy")
    chosen = INPUTS[: min(samples, 10)]
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, chosen)
    assert expected.shape == (len(chosen), 1)
    assert expected.ravel().tolist() == MODEL.predict(chosen).labels.tolist()


@pytest.mark.parametrize("entry", boards(), ids=lambda entry: entry.name)
def test_every_board(tmp_path: Path, entry: object) -> None:
    name = getattr(entry, "name", "")
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, board=name.upper()).out
    config = json.loads((out / "dataflow_build_config.json").read_text())
    assert config["board"] == getattr(entry, "finn_board", "")
    assert json.loads((out / "manifest.json").read_text())["board"] == name
    assert f"# A 1-bit network for {name}" in (out / "README.md").read_text()


@pytest.mark.parametrize("kind", ["bipolar", "integer"])
@pytest.mark.parametrize("head", ["single", "per-class"])
def test_the_model_card(tmp_path: Path, kind: str, head: str) -> None:
    model = random_model(2, (20, 9, 3), kind=kind, maximum=16, head=head)  # type: ignore[arg-type]
    out = export(model, "pynq", tmp_path / "out", inputs=random_inputs(model, 4), fps=2500).out
    card = (out / "README.md").read_text()
    assert digest(model) in card
    assert "| fc1 | 20 |  | 9 | 180 |" in card
    assert "| all |  |  |  | 207 |" in card
    assert "The input is (1, 20)" in card
    assert "20 whole numbers 0 … 16" in card
    assert model.encoding.describe() in card
    assert ("leave the comparison to the processor" in card) == (head == "per-class")
    assert '| preset | `"random"` |' in card
    assert "Asked for: 2,500 frames a second." in card
    assert "| fc1 | MVAU_hls_0 |" in card
    assert "python validate.py" in card
    for name in BUILD_FILES - {"README.md", "manifest.json"}:
        assert f"| {name} | `{sha256_of(out / name)}` |" in card


def test_a_build_folder_of_a_convolutional_network(tmp_path: Path) -> None:
    filters = (Filters(6, pool=2), Filters(8, stride=2), Filters(4, padding=1))
    model = random_conv_model(3, (3, 16, 12), filters)
    inputs = random_inputs(model, 12)
    out = export(model, "pynq", tmp_path / "out", inputs=inputs).out
    vectors = np.load(out / "input.npy")
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, inputs[:10].reshape(10, 3, 16, 12))
    assert np.load(out / "expected_output.npy").ravel().tolist() == model.predict(inputs[:10]).labels.tolist()
    assert verify(out, model, inputs).layers == ("conv1", "conv2", "conv3", "fc4", "fc5")
    card = (out / "README.md").read_text()
    assert "| conv1 | 3 x 16 x 12 | 3 x 3, max-pooling 2 x 2 | 6 x 7 x 5 | 162 |" in card
    assert "| conv2 | 6 x 7 x 5 | 3 x 3, stride 2 | 8 x 3 x 2 | 432 |" in card
    assert "| conv3 | 8 x 3 x 2 | 3 x 3, padding 1 of −1 | 4 x 3 x 2 | 288 |" in card
    assert "| fc4 | 24 |  | 20 | 480 |" in card
    assert "The input is (1, 3, 16, 12)" in card
    assert "(1, 16, 12, 3): FINN leaves that transposition to the processor" in card


def test_a_card_with_further_sections(tmp_path: Path) -> None:
    about = {"Accuracy": "3 of 4 right.", "Weights": "Half of them."}
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, about=about).out
    assert "\n\n## Accuracy\n\n3 of 4 right.\n\n## Weights\n\nHalf of them.\n\n## Board" in (
        (out / "README.md").read_text()
    )


def test_a_card_without_provenance(tmp_path: Path) -> None:
    model = PackedModel(MODEL.encoding, MODEL.layers, MODEL.head)
    out = export(model, "pynq", tmp_path / "out", inputs=INPUTS).out
    assert "The checkpoint does not say." in (out / "README.md").read_text()


# A stand-in for FINN: the two names that build.py imports, and a builder that leaves what FINN leaves.
FAKE_CONFIG = """
import json, types
class DataflowBuildConfig:
    @staticmethod
    def from_json(text):
        return types.SimpleNamespace(**json.loads(text))
"""
FAKE_BUILDER = """
import os, pathlib
from finn.util import basic
RETIRED = getattr(basic, "retired_pynq_boards", ())  # FINN 1.0's checks bind the list as they are imported
def build_dataflow_cfg(model, settings):
    assert settings.board not in RETIRED
    assert model == "model.onnx" and pathlib.Path(model).is_file() and pathlib.Path("input.npy").is_file()
    results = pathlib.Path(settings.output_dir) / "verification_output"
    results.mkdir(parents=True, exist_ok=True)
    for name in os.environ["RESULTS"].split():
        (results / name).touch()
    return int(os.environ["CODE"])
"""
FAKE_BASIC = """
retired_pynq_boards = {"Pynq-Z1", "Pynq-Z2"}
"""


def build(
    folder: Path, tmp_path: Path, code: int, *results: str, basic: str = ""
) -> subprocess.CompletedProcess[str]:
    package, utilities = (tmp_path / "fake" / "finn" / name for name in ("builder", "util"))
    package.mkdir(parents=True, exist_ok=True)
    utilities.mkdir(exist_ok=True)
    (utilities / "basic.py").write_text(basic)
    (package / "build_dataflow.py").write_text(FAKE_BUILDER)
    (package / "build_dataflow_config.py").write_text(FAKE_CONFIG)
    return subprocess.run(
        [sys.executable, str(folder / "build.py")],
        env={"PYTHONPATH": str(tmp_path / "fake"), "RESULTS": " ".join(results), "CODE": str(code)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_build_script_fails_when_a_verification_step_did(tmp_path: Path) -> None:
    folder = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS).out
    failed = build(folder, tmp_path, 0, "verify_a_0_SUCCESS.npy", "verify_b_0_FAIL.npy")
    assert failed.returncode == 1
    assert "wrong label: verify_b_0_FAIL.npy" in failed.stderr
    assert "1 of 2 checks failed" in failed.stderr
    # The failure of an earlier build does not outlive its cause.
    passed = build(folder, tmp_path, 0, "verify_a_0_SUCCESS.npy", "verify_b_0_SUCCESS.npy")
    assert passed.returncode == 0
    assert "2 checks passed" in passed.stdout


def test_the_build_script_fails_when_the_build_did_or_nothing_was_checked(tmp_path: Path) -> None:
    folder = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS).out
    assert build(folder, tmp_path, 0).returncode == 1
    ended = build(folder, tmp_path, -1, "verify_a_0_SUCCESS.npy")
    assert ended.returncode == 1
    assert "build_dataflow.log" in ended.stderr


def test_the_build_script_insists_on_the_board(tmp_path: Path) -> None:
    """FINN 1.0 refuses boards on a list of its own; others have none."""
    folder = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, board="pynq-z2", finn="1.0").out
    for basic in (FAKE_BASIC, ""):
        done = build(folder, tmp_path, 0, "verify_a_0_SUCCESS.npy", basic=basic)
        assert done.returncode == 0, done.stderr


def test_the_build_script_without_finn(tmp_path: Path) -> None:
    script = share("hw") / "finn" / "build.py"
    result = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "FINN cannot be imported here" in result.stderr


# What is replaced and what is not.


def test_empty_folders_and_earlier_exports_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    export(MODEL, "pynq", out, inputs=INPUTS)
    export(MODEL, "onnx", out, inputs=INPUTS)
    assert names(out) == {"manifest.json", "model.onnx"}


def test_somebodys_work_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("work")
    with pytest.raises(OutputError, match="not empty, and no earlier export"):
        export(MODEL, "onnx", out, inputs=INPUTS)
    (out / "manifest.json").write_text('{"name": "of a web page"}')
    with pytest.raises(OutputError, match="not empty, and no earlier export"):
        export(MODEL, "onnx", out, inputs=INPUTS)
    assert names(out) == {"thesis.tex", "manifest.json"}


def test_what_finn_built_in_an_export_is_not_replaced(tmp_path: Path) -> None:
    out = export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS).out
    (out / "build").mkdir()
    with pytest.raises(OutputError, match="holds 'build', which no export wrote"):
        export(MODEL, "pynq", out, inputs=INPUTS)
    assert names(out) == BUILD_FILES | {"build"}


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="cannot write"):
            export(MODEL, "onnx", out, inputs=INPUTS)
    assert (tmp_path / "file").read_text() == "a file"


@targets
def test_a_failed_verification_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    graphs = bnnedge.exporters.targets.GRAPHS
    make = graphs[target]

    def wrong(model: PackedModel, form: Form = AS_USUAL) -> onnx.ModelProto:
        proto: onnx.ModelProto = make(model, form)
        (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "fc2.weight")
        values = numpy_helper.to_array(tensor) * np.float32(-1)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return proto

    before = export(MODEL, target, tmp_path / "out", inputs=INPUTS).out
    content = {path.name: path.read_bytes() for path in before.iterdir()}
    monkeypatch.setitem(graphs, target, wrong)
    for out in (before, tmp_path / "new"):
        with pytest.raises(VerificationError, match="layer fc2, neuron 0, sample 0"):
            export(MODEL, target, out, inputs=INPUTS)
    assert names(tmp_path) == {"out"}
    assert {path.name: path.read_bytes() for path in before.iterdir()} == content


# Wishes that cannot be granted.


@pytest.mark.parametrize(("target", "meant"), [("onn", "onnx"), ("qnnx", "qonnx"), ("vhdl", "")])
def test_unknown_targets(tmp_path: Path, target: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown target '{target}'") as caught:
        export(MODEL, target, tmp_path / "out", inputs=INPUTS)
    assert caught.value.hint.startswith(f"did you mean {meant}?" if meant else "known: onnx")


def test_unknown_boards_and_impossible_frame_rates(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown board 'Pynq-Z3'"):
        export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, board="Pynq-Z3")
    for fps in (0, -5, 100_000_001):
        with pytest.raises(ConfigError, match="frames a second cannot be reached at 100 MHz"):
            export(MODEL, "pynq", tmp_path / "out", inputs=INPUTS, fps=fps)
    for wish, what in (
        ({"fps": 100}, "frame rate"),
        ({"lut_budget": 100}, "LUT budget"),
        ({"finn": "plus"}, "FINN"),
        ({"finn_python": Path("python")}, r"FINN\+ to check with"),
    ):
        with pytest.raises(ConfigError, match=f"target onnx has no {what}$") as caught:
            export(MODEL, "onnx", tmp_path / "out", inputs=INPUTS, **wish)
        assert ("rtl" in caught.value.hint) == (what == "frame rate")  # which has one as well
    assert not names(tmp_path)


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no inputs"):
        export(MODEL, "onnx", tmp_path / "out", inputs=INPUTS[:0])
    with pytest.raises(DataError, match="do not fit"):
        export(MODEL, "onnx", tmp_path / "out", inputs=INPUTS[:, :5])
    assert not names(tmp_path)


def linear(features: int, classes: int, kind: str, maximum: int = 255) -> PackedModel:
    """A network of one layer whose weights are all −1."""
    weights = PackedMatrix.from_bits(np.zeros((classes, features), dtype=bool))
    one, zero = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
    encoding = InputEncoding.integer((features,), maximum)
    if kind == "bipolar":
        encoding = InputEncoding.bipolar((features,), maximum, 0)
    return PackedModel(encoding, (PackedLayer("fc1", weights),), Affine(one, zero))


@targets
def test_sums_beyond_float32_are_refused(tmp_path: Path, target: str) -> None:
    model = linear(65_794, 2, "integer")  # 65,794 x 255 = 2^24 + 254
    with pytest.raises(UnsupportedError, match="16777470 are not exact"):
        export(model, target, tmp_path / "out", inputs=np.zeros((1, 65_794), dtype=np.uint8))
    assert not names(tmp_path)


def test_graphs_beyond_two_gigabytes_are_refused(tmp_path: Path) -> None:
    model = linear(2**15, 2**14, "bipolar")
    with pytest.raises(UnsupportedError, match=r"here 2\.0 GiB; an ONNX file ends at 2 GiB"):
        export(model, "onnx", tmp_path / "out", inputs=np.zeros((1, 2**15), dtype=np.uint8))


# The room's face.


def test_importing_the_room_is_cheap_and_the_names_are_functions() -> None:
    heavy = {"onnx", "onnxruntime", "qonnx", "torch"}
    program = (
        "import sys, bnnedge.exporters, bnnedge.hardware.boards\n"
        f"assert not {heavy!r} & sys.modules.keys()\n"
        "import bnnedge.exporters.folder, bnnedge.exporters.verification\n"
        "from bnnedge import export, verify\n"
        "from bnnedge.exporters import export as again\n"
        "assert export is again and callable(export) and callable(verify)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bnnedge.exporters.nothing


@pytest.mark.parametrize(
    ("target", "form"),
    [("finn", Form(xnor=True)), ("qonnx", Form(label=True)), ("onnx", Form(label=False))],
    ids=["finn-xnor", "qonnx-label", "onnx-scores"],
)
def test_other_forms_of_a_graph(tmp_path: Path, target: str, form: Form) -> None:
    report = export(MODEL, target, tmp_path / "out", inputs=INPUTS, form=form)
    assert report.verification.samples == len(INPUTS)
    operators = {node.op_type for node in onnx.load(tmp_path / "out" / "model.onnx").graph.node}
    assert ("XnorPopcountMatMul" in operators) == form.xnor


@pytest.mark.parametrize(
    ("target", "form"), [("onnx", Form(xnor=True)), ("pynq", Form(xnor=True)), ("c", Form(label=False))]
)
def test_forms_that_a_target_does_not_have(tmp_path: Path, target: str, form: Form) -> None:
    with pytest.raises(ConfigError, match=f"target {target} has"):
        export(MODEL, target, tmp_path / "out", inputs=INPUTS, form=form)
    assert not (tmp_path / "out").exists()
