"""What an export says: in lines that can be read, and in JSON that leaves nothing out."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from bnnedge import report
from bnnedge.exporters.report import ExportReport
from bnnedge.exporters.verification import Verification
from tests.commands import Bnnedge

SCHEMA = json.loads((Path(report.__file__).parent / "schemas" / "export.schema.json").read_text())
VERIFICATION = Verification(Path("out"), "rtl", 7, ("fc1",), "0" * 64)


def test_a_build_folder_names_all_of_its_files(tmp_path: Path, bnnedge: Bnnedge) -> None:
    out = tmp_path / "out"
    done = bnnedge("export", "digits-tfc", "--target", "pynq", "--samples", "5", "--out", out)
    first = done.out.splitlines()[0]
    names = first.removeprefix("pynq for Pynq-Z1: ").split(", ")
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    assert {"host.py", "driver.py", "validate.py"} < set(names)


def test_a_folder_of_many_files_is_one_short_line_and_whole_in_json() -> None:
    names = tuple(f"module_{number}.sv" for number in range(40))
    many = ExportReport("rtl", Path("out"), names, "Pynq-Z1", VERIFICATION)
    first, second = str(many).splitlines()
    assert first == "rtl for Pynq-Z1: 40 files in out: module_0.sv, module_1.sv, module_2.sv, ..."
    assert second == str(VERIFICATION)
    told = json.loads(json.dumps(many.to_dict()))
    jsonschema.validate(told, SCHEMA)
    assert told["files"] == [*names]


def test_the_command_prints_json_when_asked(tmp_path: Path, bnnedge: Bnnedge) -> None:
    out = tmp_path / "out"
    done = bnnedge("export", "digits-tfc", "--target", "onnx", "--samples", "5", "--out", out, "--json")
    told = json.loads(done.out)
    jsonschema.validate(told, SCHEMA)
    assert (told["out"], told["board"], told["finn"]) == (str(out), None, [])
    assert told["files"] == ["model.onnx", "manifest.json"]
    assert told["verification"] == json.loads(
        bnnedge("verify", out, "digits-tfc", "--samples", "5", "--json").out
    )
