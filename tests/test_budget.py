"""Budgets: our estimates are FINN+'s own, node by node, and the tool says what fits and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from bnnedge import report
from bnnedge.cli.budget import command
from bnnedge.errors import BnnedgeError, ConfigError, FileError, UnsupportedError
from bnnedge.hardware.boards import board, boards
from bnnedge.hardware.budget import HEADROOM, budget, warnings_for
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.estimates import estimates_of
from bnnedge.hardware.finn_plus import FinnNode
from bnnedge.hardware.folding import Folder
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.packed.file import save_packed
from bnnedge.packed.geometry import Geometry, geometry_of
from bnnedge.runs.config import ConvConfig, NetConfig
from tests.finn_cases import CASES, GOLDEN
from tests.networks import random_model

FROZEN: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
SCHEMA_FILE = Path(report.__file__).parent / "schemas" / "budget.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
CONV = tuple(ConvConfig(channels, pool=pool) for channels in (64, 128) for pool in (1, 2))
CNV = NetConfig(conv=(*CONV, ConvConfig(256), ConvConfig(256)), hidden=(512, 512), input="integer")
UNTRAINED = {
    "tfc": geometry_of_config(NetConfig(), (784,), 255, 10),
    "lfc": geometry_of_config(NetConfig(hidden=(1024, 1024, 1024)), (784,), 255, 10),
    "integer": geometry_of_config(NetConfig(hidden=(32, 16), input="integer"), (100,), 255, 10),
    "cnv": geometry_of_config(CNV, (3, 32, 32), 255, 10),
}


def finn_nodes(name: str) -> list[FinnNode]:
    return [FinnNode(**node) for node in FROZEN["cases"][name]["nodes"]]


def geometry(name: str) -> Geometry:
    return geometry_of(CASES[name].model())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def refused(result: Result, kind: type[BnnedgeError]) -> BnnedgeError:
    assert isinstance(result.exception, kind), result.output
    return result.exception


@pytest.mark.parametrize("name", CASES)
def test_estimates_are_finn_s_own(name: str) -> None:
    """Cycles, LUTs and block RAMs of every node, exactly, at the folding that FINN+ chose."""
    for layer, theirs, ours in estimates_of(units_of(geometry(name)), finn_nodes(name)):
        assert ours is not None, (layer, theirs)
        assert (ours.cycles, ours.luts, ours.bram18) == (theirs.cycles, theirs.luts, theirs.bram18), layer


@pytest.mark.parametrize("name", UNTRAINED)
def test_estimates_before_training_are_close(name: str) -> None:
    """Cycles and block RAMs exactly, LUTs never below: weights and thresholds may turn out narrower."""
    for _, theirs, ours in estimates_of(units_of(UNTRAINED[name]), finn_nodes(name)):
        assert ours is not None
        assert (ours.cycles, ours.bram18) == (theirs.cycles, theirs.bram18)
        assert theirs.luts <= ours.luts <= 1.15 * theirs.luts


@pytest.mark.parametrize("name", CASES)
def test_our_folding_takes_no_more_logic_than_finn_s(name: str) -> None:
    theirs = finn_nodes(name)
    brams = sum(node.bram18 for node in theirs)
    ours = Folder(units_of(geometry(name))).cheapest(max(node.cycles for node in theirs), brams)
    assert ours is not None
    assert ours.luts <= sum(node.luts for node in theirs)


@pytest.mark.parametrize("entry", boards(), ids=lambda entry: entry.name)
def test_as_fast_as_fits(entry: Any) -> None:
    result = budget(geometry("tfc"), entry)
    assert result.fits
    assert result.design.luts <= HEADROOM * entry.lut
    assert result.design.bram18 / 2 <= HEADROOM * entry.bram36
    assert result.fps == 1e6 * entry.clock_mhz / result.design.cycles


def test_a_frame_rate_is_reached_with_less_logic_than_a_higher_one() -> None:
    slow, fast = (budget(geometry("cnv"), board("pynq-z1"), fps=fps) for fps in (500, 3000))
    assert slow.fits
    assert fast.fits
    assert slow.fps >= 500
    assert fast.fps >= 3000
    assert slow.design.luts < fast.design.luts


def test_what_does_not_fit_is_named_with_what_does() -> None:
    result = budget(geometry("tfc"), board("Pynq-Z1"), fps=20_000_000)
    slow, large, deep = result.problems
    assert slow.startswith("fc1 reaches at most 14,285,714 frames/s")
    assert "LUT needed, 37,240 allowed; most in fc1" in large
    assert "BRAM18 needed, 196 allowed; most in fc1" in deep
    assert result.fitting is not None
    again = budget(geometry("tfc"), board("Pynq-Z1"), fps=int(result.fps_of(result.fitting)))
    assert again.fits
    assert again.design == result.fitting


def test_a_network_larger_than_the_board() -> None:
    wide = geometry_of_config(NetConfig(hidden=(4096, 4096)), (784,), 255, 10)
    result = budget(wide, board("Pynq-Z1"))
    assert result.fitting is None
    (problem,) = result.problems
    assert "BRAM18 needed, 196 allowed; most in fc2" in problem


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"fps": 100_000_001}, {"luts": 0}])
def test_wishes_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        budget(geometry("tfc"), board("Pynq-Z1"), **wrong)  # type: ignore[arg-type]


def test_warnings_before_training() -> None:
    pynq = board("Pynq-Z1")
    assert warnings_for(UNTRAINED["tfc"], pynq) == []
    assert warnings_for(UNTRAINED["cnv"], pynq, fps=3000) == []
    slow = warnings_for(UNTRAINED["cnv"], pynq, fps=90_000)[0]
    assert slow.startswith("does not fit Pynq-Z1: conv2 reaches at most 21,259 frames/s")
    (head,) = warnings_for(geometry_of_config(NetConfig(head="batchnorm"), (784,), 255, 10), pynq)
    assert 'net.head = "scale"' in head
    (prime,) = warnings_for(geometry_of_config(NetConfig(), (8209,), 255, 10), pynq)
    assert prime.startswith("FINN cannot build it: layer fc1 has too many inputs")
    wide = geometry_of_config(NetConfig(input="integer"), (65_856,), 255, 10)
    assert warnings_for(wide, pynq)[0].startswith("no graph can be exported: pre-activations up to 16793280")


def test_the_command_shows_every_node(tmp_path: Path) -> None:
    """A preset that comes trained; one that does not; a file of one's own, before and after training."""
    for source in ("digits-tfc", "mnist-sfc", "cifar10-cnv"):
        shown = run(source, "--fps", 1000)
        assert shown.exit_code == 0, shown.output
        assert "MVAU_hls_3" in shown.output
        assert "leaves out FIFOs" in shown.output
    assert "Pool_hls_1" in shown.output
    checkpoint, config = tmp_path / "a.safetensors", tmp_path / "a.toml"
    save_packed(random_model(0, (64, 48, 10), maximum=16), checkpoint)
    config.write_text('[data]\nname = "digits"\n[net]\nhidden = [48]\n')
    tables = []
    folding = tmp_path / "folding.json"
    for place in (checkpoint, config):
        tables.append(json.loads(run(place, "--json", "--folding", folding, "--board", "kv260").output))
        jsonschema.validate(tables[-1], SCHEMA)
        assert json.loads(folding.read_text()) == tables[-1]["design"]["folding_config"]
    assert [table["board"] for table in tables] == ["KV260"] * 2
    layers = [[node["layer"] for node in table["design"]["nodes"]] for table in tables]
    assert layers[0] == layers[1] == ["input", "fc1", "fc2", "output"]
    wider = json.loads(run(config, "--set", "net.hidden=[96]", "--json", "--fps", 1000).output)
    assert wider["design"]["cycles"] <= 100_000


def test_the_command_refuses_what_does_not_fit(tmp_path: Path) -> None:
    folding = tmp_path / "folding.json"
    result = run("mnist-tfc", "--fps", 20_000_000, "--json", "--folding", folding)
    error = refused(result, UnsupportedError)
    assert error.message.startswith("does not fit Pynq-Z1: fc1 reaches at most")
    assert error.hint.startswith("what fits: 7,142,857 frames/s at 100 MHz")
    table = json.loads(result.output)
    jsonschema.validate(table, SCHEMA)
    assert not table["fits"]
    assert json.loads(folding.read_text()) == table["fitting"]["folding_config"]
    nothing = refused(run("mnist-tfc", "--lut-budget", 100), UnsupportedError)
    assert nothing.hint == "nothing does; take a smaller network"
    refused(run("mnist-tfc", "--board", "pynq"), ConfigError)
    refused(run("mnist-tfz"), FileError)
    refused(run("mnist-tfc", "--set", "net.hidden=[0]"), ConfigError)
    assert run("mnist-tfc", "--fps", 0).exit_code == 2


def test_the_command_lists_the_boards(golden: Callable[[str, str], None]) -> None:
    shown = run("--boards")
    assert shown.exit_code == 0
    golden("boards.txt", shown.output)


def test_the_command_budgets_for_a_finn() -> None:
    nodes = [json.loads(run("cifar10-cnv", "--finn", finn, "--json").output) for finn in ("0.10", "plus")]
    names = [{node["node"] for node in table["design"]["nodes"]} for table in nodes]
    assert "StreamingMaxPool_hls_1" in names[0]
    assert "Pool_hls_1" in names[1]
    refused(run("mnist-tfc", "--finn", "0.10", "--board", "aup-zu3"), UnsupportedError)
