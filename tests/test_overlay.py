"""The board's driver of our own hardware, with the golden model in place of the overlay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge import load as load_model
from bnnedge.data.registry import load_dataset
from bnnedge.exporters.overlay import write_overlay
from bnnedge.hardware.boards import board as find_board
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.model import PackedModel
from tests.networks import Filters, random_conv_model, random_inputs, random_model
from tests.pynq_stand_in import StreamBoard, install, load

FLAT = random_model(1, (20, 9, 3))
CONV = random_conv_model(3, (3, 16, 12), (Filters(6, pool=2), Filters(8, stride=2)))


def channels_apart() -> PackedModel:
    """A dense network that looks at images, of which each channel has its own threshold."""
    model = random_model(2, (48, 9, 3))
    limits = np.array([[100, 120, 140]], dtype=np.int16)
    encoding = InputEncoding((3, 4, 4), 255, limits)
    return PackedModel(encoding, model.layers, model.head, model.provenance)


MODELS = {"flat": FLAT, "conv": CONV, "channels-apart": channels_apart()}
models = pytest.mark.parametrize("name", MODELS)


class Deployed:
    """A folder of hardware on a stand-in board, its bitfile built."""

    def __init__(self, model: PackedModel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model, self.folder, self.monkeypatch = model, folder, monkeypatch
        write_overlay(folder, model, random_inputs(model, 12), find_board("AUP-ZU3"))
        (folder / "network.bit").touch()
        self.settings: dict[str, Any] = json.loads((folder / "driver.json").read_text())
        self.board = StreamBoard(model)
        install(monkeypatch, self.board)

    def module(self, name: str) -> Any:
        return load(self.monkeypatch, self.folder, name)

    def accelerator(self, **arguments: Any) -> Any:
        return self.module("driver").Accelerator(self.folder / "network.bit", self.settings, **arguments)


Deploy = Callable[[PackedModel], Deployed]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    return lambda model: Deployed(model, tmp_path, monkeypatch)


@models
@pytest.mark.parametrize("batch_size", [1, 5, 40])
def test_scores_and_labels_are_the_golden_model_s(name: str, batch_size: int, deploy: Deploy) -> None:
    deployed = deploy(MODELS[name])
    accelerator, model = deployed.accelerator(batch_size=batch_size), deployed.model
    inputs = random_inputs(model, 12, seed=7)
    golden = model.predict(inputs)
    scores, labels = accelerator.scores(inputs)
    assert np.array_equal(scores, golden.scores)
    assert np.array_equal(labels, golden.labels)
    assert deployed.board.batches == {1: [1] * 12, 5: [5, 5, 2], 40: [12]}[batch_size]
    assert deployed.board.downloads == [(str(deployed.folder / "network.bit"), True)]
    assert deployed.board.clocks.fclk0_mhz == 100.0
    assert accelerator.execute(inputs[:0]).shape == (0,)


def test_images_in_either_layout(deploy: Deploy) -> None:
    accelerator = deploy(MODELS["channels-apart"]).accelerator(batch_size=4)
    flat = random_inputs(MODELS["channels-apart"], 6)
    images = flat.reshape(6, 3, 4, 4)
    expected = MODELS["channels-apart"].predict(flat).labels.tolist()
    for samples in (flat, images, np.moveaxis(images, 1, -1)):
        assert accelerator.execute(samples).tolist() == expected


def test_real_digits(deploy: Deploy) -> None:
    model, test = load_model("digits-tfc"), load_dataset("digits").test
    labels = deploy(model).accelerator(batch_size=100).execute(test.inputs)
    assert np.array_equal(labels, model.predict(test.inputs).labels)


def test_an_overlay_that_does_not_answer(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = deploy(FLAT)
    driver = deployed.module("driver")
    monkeypatch.setattr(driver, "PATIENCE_S", 0.0)
    accelerator = driver.Accelerator(deployed.folder / "network.bit", deployed.settings)
    deployed.board.hangs = True
    with pytest.raises(RuntimeError, match="is this the bitfile of this folder's network"):
        accelerator.execute(random_inputs(FLAT, 1))
    with pytest.raises(RuntimeError, match="not idle"):
        accelerator.execute(random_inputs(FLAT, 1))


def test_an_error_of_the_dma_engine_is_passed_on(deploy: Deploy) -> None:
    deployed = deploy(FLAT)
    deployed.board.broken = True
    with pytest.raises(RuntimeError, match="DMA Slave Error"):
        deployed.accelerator().execute(random_inputs(FLAT, 1))


def test_the_commands(deploy: Deploy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployed = deploy(CONV)
    output = tmp_path / "labels.npy"
    assert deployed.module("driver").main(["--outputfile", str(output), "--batchsize", "4"]) == 0
    assert np.array_equal(np.load(output), np.load(deployed.folder / "expected_output.npy"))
    assert capsys.readouterr().out == f"10 labels in {output}\n"
    assert deployed.module("driver").main(["--exec_mode", "throughput_test", "--batchsize", "40"]) == 0
    assert "throughput[images/s]" in capsys.readouterr().out
    assert deployed.board.batches == [4, 4, 2, 40]
    assert deployed.module("driver").main(["--bitfile", "nowhere.bit"]) == 1
    assert "no bitfile at nowhere.bit" in capsys.readouterr().err


def test_validation_names_a_mismatch(deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    deployed = deploy(FLAT)
    validate = deployed.module("validate")
    assert validate.main([]) == 0
    assert capsys.readouterr().out == "expected_output.npy: 10 of 10 labels are the golden model's\n"
    deployed.board.wrong = {10 + 3}
    assert validate.main(["--batchsize", "2"]) == 1
    assert "  sample 3: the board says" in capsys.readouterr().out
