"""Hardware in a folder: written, verified by simulation, read back, and distrusted when it was changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from bnnedge import load, report
from bnnedge.cli.simulate import command as simulate_command
from bnnedge.cli.synth import command as synth_command
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError, ConfigError, FileError, OutputError, VerificationError
from bnnedge.exporters import export, verify
from bnnedge.exporters.manifest import MANIFEST, read_manifest
from bnnedge.exporters.rtl import read_rtl, write_rtl
from bnnedge.hardware.boards import board
from bnnedge.hardware.generated import generate
from bnnedge.hardware.simulators import SIMULATORS
from tests.networks import random_inputs, random_model

SCHEMAS = Path(report.__file__).parent / "schemas"
INPUTS = load_dataset("digits").test.inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rtl") / "digits"
    export(load("digits-tfc"), "rtl", out, inputs=INPUTS[:50], fps=1_000_000)
    return out


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_folder_is_read_back_as_it_was_generated(folder: Path) -> None:
    design, model = read_rtl(folder)
    # A million frames a second at 100 MHz leave 100 clock cycles.
    command = "bnnedge export digits-tfc --target rtl --style folded --fps 1000000"
    assert design == generate(load("digits-tfc"), "folded", cycles=100, command=command)
    assert command in design.files["network.sv"]
    manifest = read_manifest(folder)
    assert (manifest.target, manifest.board, manifest.fps) == ("rtl", "Pynq-Z1", 1_000_000)
    assert manifest.digest in design.files["network.sv"]
    assert manifest.verification == {"samples": 50, "layers": [layer.name for layer in model.layers]}


def test_the_same_model_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_rtl(
        tmp_path, load("digits-tfc"), INPUTS[:50], style="folded", board=board("Pynq-Z1"), fps=1_000_000
    )
    for path in folder.iterdir():
        if path.name != MANIFEST:
            assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_the_bench_in_the_folder_checks_itself(copy: Path) -> None:
    def run() -> str:
        sources = sorted(path.name for path in copy.glob("*.sv"))
        compiled = ["iverilog", "-g2012", "-s", "network_tb", "-o", "bench", *sources]
        subprocess.run(compiled, cwd=copy, check=True, capture_output=True)
        done = subprocess.run(["vvp", "-N", "bench"], cwd=copy, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()[-1]

    assert run() == "PASS"
    answers = (copy / "expected.hex").read_text().splitlines()
    (copy / "expected.hex").write_text("\n".join(["0000007f", *answers[1:]]) + "\n")
    assert run() == "FAIL"


def test_the_commands_say_it_in_json(copy: Path) -> None:
    run = CliRunner().invoke(
        simulate_command,
        [str(copy), "--samples", "20", "--tool", "iverilog", "--json"],
        catch_exceptions=False,
    )
    value = json.loads(run.output)
    jsonschema.validate(value, json.loads((SCHEMAS / "simulation.schema.json").read_text()))
    assert (value["samples"], value["tool"]) == (20, "iverilog")
    assert set(value["layers"]) == {"fc1", "fc2", "fc3", "fc4"}
    assert value["interval_cycles"] <= 100


def test_synthesis_is_a_table_with_a_row_a_layer(tmp_path: Path) -> None:
    model = random_model(5, (16, 8, 4))
    write_rtl(tmp_path, model, random_inputs(model, 2), style="unrolled", board=board("Pynq-Z1"))
    run = CliRunner().invoke(synth_command, [str(tmp_path)], catch_exceptions=False)
    rows = [line.split()[0] for line in run.output.splitlines() if line.startswith(" ")]
    assert rows[2:] == ["fc1", "fc2", "input,", "all"]
    assert "cells of logic between registers" in run.output


def test_an_edited_source_is_simulated_and_found_wrong(copy: Path) -> None:
    source = copy / "popcount.sv"
    source.write_text(source.read_text().replace("BITS'(low) + BITS'(high)", "BITS'(low) | BITS'(high)"))
    with pytest.raises(VerificationError, match=r"simulated in \w+: layer fc1, neuron \d+, sample \d+"):
        CliRunner().invoke(
            simulate_command, [str(copy), "--tool", "iverilog"], catch_exceptions=False, standalone_mode=False
        )
    with pytest.raises(FileError, match="was changed since it was exported"):
        verify(copy, load("digits-tfc"), INPUTS[:5])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"style": "knitted"}, "damaged"),
        ({"layers": []}, "damaged"),
        ({"layers": [{"layer": "fc1", "module": "$system", "values": 1, "number_bits": 0}]}, "damaged"),
        ({"layers": [{"layer": "fc1", "module": "a", "values": 1, "number_bits": 0}]}, "different layers"),
        ({"features": 0}, "damaged"),
        ({"features": "8"}, "damaged"),
        ({"schema": 2}, "damaged"),
        ({"folds": 3}, "damaged"),
    ],
)
def test_a_damaged_description_is_refused(copy: Path, change: dict[str, object], complaint: str) -> None:
    path = copy / "design.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match=complaint):
        read_rtl(copy)


def test_other_folders_and_dangerous_sources_are_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds no hardware"):
        read_rtl(tmp_path / "nothing")
    (copy / "network.sv").write_text('module network; initial $system("true"); endmodule\n')
    with pytest.raises(FileError, match=r"network\.sv uses '\$system'"):
        read_rtl(copy)


def test_wishes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    model = load("digits-tfc")

    def refused(kind: type[BnnedgeError], match: str, target: str = "rtl", **wishes: object) -> None:
        with pytest.raises(kind, match=match):
            export(model, target, tmp_path / "out", inputs=INPUTS[:2], **wishes)  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()

    refused(ConfigError, "unknown style", style="knitted")
    refused(ConfigError, "target c has no style", "c", style="folded")
    refused(ConfigError, "has no LUT budget", lut_budget=100)
    refused(ConfigError, "every clock cycle", style="unrolled", fps=5)
    refused(ConfigError, "at least 11 clock cycles", fps=10_000_000)
    refused(ConfigError, "at least 11 clock cycles", fps=200_000_000)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        export(model, "rtl", tmp_path / "mine", inputs=INPUTS[:2])


def test_without_a_simulator_it_says_what_to_install(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VerificationError, match=" or ".join(SIMULATORS)) as caught:
        verify(copy, load("digits-tfc"), INPUTS[:5])
    assert "apt-get install" in caught.value.hint
