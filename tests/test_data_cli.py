"""``bnnedge data``, and training on files of one's own, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result

from bnnedge import report
from bnnedge.cli.data import command
from bnnedge.cli.train import command as train
from bnnedge.data.digits import load_digits
from bnnedge.data.fetch import fetch
from bnnedge.data.registry import NAMES, OWN, load_dataset
from bnnedge.data.sources import SETS
from bnnedge.errors import ConfigError
from bnnedge.runs.directory import RunDirectory

PATH = Path(report.__file__).parent / "schemas" / "data.schema.json"
SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_list_says_what_is_there(tmp_path: Path) -> None:
    """One set in the cache, whole; one damaged; the others absent."""
    (tmp_path / "magic").symlink_to(fetch("magic"))
    (tmp_path / "dna").mkdir()
    (tmp_path / "dna" / "dna.csv").write_text("0,1,n\n")
    listed = json.loads(run("list", "--cache", tmp_path, "--json").output)
    jsonschema.validate(listed, SCHEMA)
    sets = {entry["name"]: entry for entry in listed["sets"]}
    assert [*sets, *OWN] == list(NAMES)
    assert sets["digits"]["where"] == "embedded"
    assert sets["magic"]["where"] == str(tmp_path / "magic")
    assert [name for name, entry in sets.items() if entry["verified"]] == ["digits", "magic"]
    for name in ("dna", "mnist", "cifar-10"):
        assert sets[name]["where"] == f"bnnedge data fetch {name}"
    table = run("list", "--cache", tmp_path).output
    assert all(name in table for name in sets)
    assert "3 x 32 x 32" in table


@pytest.mark.parametrize("name", ["magic", "dna", "ecg5000", "cifar-10", "mnist", "fashion-mnist"])
def test_the_list_is_true(name: str) -> None:
    """What the table of known sets says of each is what is loaded."""
    fetch(name)
    known, data = SETS[name], load_dataset(name)
    assert known.samples == (len(data.train.labels) + len(data.validation.labels), len(data.test.labels))
    assert (known.shape, known.class_names) == (data.shape, data.class_names)
    assert set(np.unique(data.train.labels).tolist()) == set(range(len(known.class_names)))


def test_fetch_says_each_step(tmp_path: Path) -> None:
    folder = fetch("magic")
    done = run("fetch", "magic")
    assert done.output == f"magic: already in {folder}, SHA-256 verified\n"
    as_json = run("fetch", "magic", "--json")
    jsonschema.validate(json.loads(as_json.stdout), SCHEMA)
    assert json.loads(as_json.stdout)["sets"] == [{"name": "magic", "where": str(folder), "verified": True}]
    assert as_json.stderr == done.output
    with pytest.raises(ConfigError, match="cannot fetch 'imagenet'"):
        run("fetch", "imagenet", "--cache", tmp_path)


def test_a_users_table_trains_and_is_found_again(tmp_path: Path) -> None:
    """``--data`` is written into the run's configuration, so nobody has to name the file twice."""
    digits = load_digits()
    rows = np.column_stack([digits.train_inputs.reshape(-1, 64), digits.train_labels])
    np.savetxt(tmp_path / "own.csv", rows, fmt="%d", delimiter=";")
    (tmp_path / "own.toml").write_text(
        'name = "own"\n[data]\nname = "csv"\nshape = [1, 8, 8]\n[net]\nhidden = [32]\n'
    )
    arguments = [
        tmp_path / "own.toml",
        "--data",
        tmp_path / "own.csv",
        "--out",
        tmp_path / "run",
        "--epochs",
        2,
    ]
    done = CliRunner().invoke(train, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0
    assert "(unverified files)" in done.output
    config = RunDirectory.open(tmp_path / "run").config()
    assert (config.data.name, config.data.path) == ("csv", str(tmp_path / "own.csv"))
    assert config.data.shape == (1, 8, 8)
