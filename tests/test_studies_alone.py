"""Networks trained one by one for what the paper left open, on the digits that are embedded."""

from __future__ import annotations

import numpy as np
import pytest

from bnnedge.complexity.bdm import bdm
from bnnedge.errors import FileError
from bnnedge.llc.discrete import FlipSampling
from bnnedge.packed.file import load_packed
from bnnedge.runs.directory import RunDirectory
from bnnedge.studies.alone import NETWORKS, alone_config, coefficients, layer_correlations, train_alone
from bnnedge.studies.alone_tables import coefficients_table, layers_table

EPOCHS = 6


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDirectory]:
    folder = tmp_path_factory.mktemp("alone")
    return {
        name: train_alone(alone_config(name, 1, data="digits", epochs=EPOCHS), folder / name, lambda _: None)
        for name in NETWORKS
    }


def test_every_epoch_has_its_checkpoint(runs: dict[str, RunDirectory]) -> None:
    for run in runs.values():
        assert run.finished()
        assert len(run.checkpoints()) == EPOCHS + 1
    assert [layer.name for layer in load_packed(runs["convolutional"].checkpoint(0)).layers] == [
        "conv1",
        "conv2",
        "fc3",
        "fc4",
    ]


def test_a_finished_run_stays_and_one_of_other_settings_is_refused(runs: dict[str, RunDirectory]) -> None:
    run = runs["dense"]
    said: list[str] = []
    assert train_alone(run.config(), run.path, said.append).path == run.path
    assert said == []
    with pytest.raises(FileError, match="other settings"):
        train_alone(alone_config("dense", 2, data="digits", epochs=EPOCHS), run.path, said.append)


def test_layers_are_correlated_one_by_one_and_pooled(runs: dict[str, RunDirectory]) -> None:
    found = layer_correlations([runs["convolutional"]])
    assert list(found) == ["conv1", "conv2", "fc3", "fc4", "all"]
    table = layers_table({"convolutional": ([0.5, 0.7], found)})
    assert [row[3] for row in table.rows] == list(found)
    assert {row[2] for row in table.rows} == {0.6}


def test_coefficients_stand_beside_the_measures_of_their_epoch(runs: dict[str, RunDirectory]) -> None:
    run = runs["dense"]
    sampling = FlipSampling(chains=2, burn_in=8, scans=8, most_scans=8)
    first, last = coefficients(run, (1, EPOCHS), 40, sampling)
    assert (first.seed, first.epoch, last.epoch) == (1, 1, EPOCHS)
    assert first.train_loss == run.records()[0]["train_loss"]
    assert first.estimate.samples == 40
    steps = run.trajectory()
    assert steps is not None
    assert last.bdm == pytest.approx(steps.bdm[-1, -len(steps.step) // EPOCHS :].mean())
    weights = load_packed(list(run.checkpoints().values())[-1]).layers[0].weights
    assert steps.bdm[0, -1] == pytest.approx(bdm(weights))
    assert np.isfinite(first.estimate.loss)
    table = coefficients_table([first, last])
    assert [row[6] for row in table.rows] == [first.estimate.verdict, last.estimate.verdict]
    assert "40 training samples" in table.notes[0]
    with pytest.raises(FileError, match="no checkpoint of epoch 7"):
        coefficients(run, (EPOCHS + 1,), 40, sampling)
