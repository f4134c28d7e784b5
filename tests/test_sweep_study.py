"""Studies: which jobs a file asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnedge.errors import ConfigError
from bnnedge.runs.toml import load_config, override, to_toml
from bnnedge.studies.study import Study, load_study


def study(folder: Path, text: str) -> Study:
    path = folder / "widths.toml"
    path.write_text(text, encoding="utf-8")
    return load_study(path)


def test_a_grid_of_lists_and_seeds(tmp_path: Path) -> None:
    found = study(
        tmp_path,
        """
        base = "digits-tfc"
        seeds = 2
        [set]
        training.epochs = 3
        [grid]
        net.hidden = [[8], [16, 8]]
        training.learning_rate = [0.01, 1]
        [[job]]
        [[job]]
        net.input = "thermometer"
        "net.input_bits" = 3
        """,
    )
    assert found.name == "widths"
    assert found.keys == ("net.hidden", "training.learning_rate", "net.input", "net.input_bits")
    assert [job.index for job in found.jobs] == list(range(16))
    assert [job.seed for job in found.jobs] == [0, 1] * 8
    first, last = found.jobs[0], found.jobs[-1]
    assert first.settings == {"net.hidden": [8], "training.learning_rate": 0.01}
    settings = [
        "training.epochs=3", "net.hidden=[16, 8]", "training.learning_rate=1", "net.input=thermometer",
        "net.input_bits=3", "training.seed=1",
    ]  # fmt: skip
    assert last.config == override(load_config("digits-tfc"), settings)
    assert last.settings["net.input"] == "thermometer"


def test_a_job_is_named_by_its_configuration_alone(tmp_path: Path) -> None:
    small = study(tmp_path, "seeds = [5]\n[grid]\nnet.hidden = [[8]]")
    large = study(tmp_path, 'name = "more"\nseeds = 6\n[[job]]\nnet.hidden = [4]\n[[job]]\nnet.hidden = [8]')
    assert large.name == "more"
    assert small.jobs[0].key == large.jobs[-1].key
    assert len({job.key for job in large.jobs}) == 12
    assert to_toml(small.jobs[0].config) == to_toml(large.jobs[-1].config)


def test_a_configuration_beside_the_study_is_its_base(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('name = "own"\n[training]\nseed = 7\n', encoding="utf-8")
    found = study(tmp_path, 'base = "own.toml"')
    assert [job.seed for job in found.jobs] == [7]
    assert found.jobs[0].config.name == "own"
    assert found.keys == ()


def test_a_seed_may_be_an_axis(tmp_path: Path) -> None:
    found = study(tmp_path, "[grid]\ntraining.seed = [3, 1]")
    assert [job.seed for job in found.jobs] == [3, 1]
    assert found.keys == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grids = 1", "did you mean grid"),
        ("[grid]\nnet.hiden = [[8]]", "net.hiden"),
        ("[grid]\nnet.hidden = 8", "a list of values"),
        ("[grid]\nnet.hidden = []", "a list of values"),
        ("[grid]\nnet.hidden = [8]", "net.hidden"),
        ("grid = 3", "a table of settings"),
        ("job = []", "tables"),
        ("job = [3]", "a table of settings"),
        ("seeds = 0", "how many"),
        ("seeds = true", "how many"),
        ("seeds = [1.5]", "how many"),
        ("seeds = [1, 1]", "jobs 0 and 1 are the same"),
        ("seeds = 2\n[grid]\ntraining.seed = [1]", "keep one"),
        ("[grid]\nnet.hidden = [[8]]\n[[job]]\nnet.hidden = [4]", "keep one"),
        ("name = 'a/b'", "letters, digits"),
        ("base = 3", "expected a preset"),
        ("base = 'nothing'", "no preset and no file"),
        ("seeds = ", "no TOML"),
    ],
)
def test_what_cannot_be_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        study(tmp_path, text)
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert "widths.toml" in caught.value.message


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_study(tmp_path / "none.toml")
