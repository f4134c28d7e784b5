"""scripts/reproduce_hardware: a run that was cut short goes on where it stopped, and shows what it found."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bnnedge.errors import FileError

SCRIPTS = Path(__file__).parents[1] / "scripts"
RESOURCES = {"luts": 532, "flip_flops": 20, "carries": 3, "block_rams": 0.5}


@dataclass
class Result:
    """What a simulation or a synthesis gives: JSON values."""

    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.values


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, of which the slow steps are told and counted instead of done."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.delitem(sys.modules, "reproduce_hardware", raising=False)
    module = importlib.import_module("reproduce_hardware")
    done: list[str] = []

    def simulate(design: Any, model: Any, inputs: Any) -> Result:
        done.append("simulated")
        return Result(
            {"samples": len(inputs), "latency_cycles": 7, "interval_cycles": 50, "tool": "verilator"}
        )

    def synthesise(files: Any, modules: Any, family: str) -> Result:
        done.append("synthesised")
        if done.count("synthesised") == 1:
            raise FileError("yosys exited with 1: out of memory")
        return Result({"total": RESOURCES, "depth": 9, "tool": "Yosys 0.23"})

    monkeypatch.setattr(module, "simulate", simulate)
    monkeypatch.setattr(module, "synthesise", synthesise)
    monkeypatch.setattr(module, "done", done, raising=False)
    return module


def test_it_goes_on_where_it_stopped(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["", "--only", "digits-tfc folded", "--out", str(tmp_path), "--json"])
    assert script.main() == FileError.exit_code
    assert "out of memory" in capsys.readouterr().err
    assert script.main() == 0
    assert script.main() == 0
    assert script.done == ["simulated", "synthesised", "synthesised"]
    first, second = (json.loads(line) for line in capsys.readouterr().out.replace("}\n{", "}\0{").split("\0"))
    assert first == second
    (row,) = first["rows"]
    assert (row["network"], row["style"], row["simulation"]["samples"]) == ("digits-tfc", "folded", 359)
    assert row["synthesis"]["total"] == RESOURCES


def test_frames_and_shares_are_the_board_s(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script.done.append("synthesised")  # so that none fails
    monkeypatch.setattr(sys, "argv", ["", "--only", "digits", "--out", str(tmp_path)])
    assert script.main() == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    row = next(line for line in shown if line[:2] == ["digits-tfc", "unrolled"])
    # 100 MHz / 50 cycles; 532 of 53,200 LUTs.
    assert row[2:11] == ["359", "7", "50", "2,000,000", "532", "1%", "20", "3", "0.5"]


def test_hardware_that_changed_is_another_row(script: Any) -> None:
    model = script.load("digits-tfc")
    inputs = script.test_inputs(model, None)
    design = script.generate(model, "folded")
    known = script.fingerprint(design, inputs)
    assert known == script.fingerprint(script.generate(model, "folded"), inputs)
    others = [script.generate(model, "folded", cycles=64), script.generate(model, "unrolled")]
    assert len({known, *(script.fingerprint(other, inputs) for other in others)}) == 3
    assert script.fingerprint(design, inputs[:-1]) != known
