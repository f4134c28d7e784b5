"""The board's driver and its check, with the golden model in place of the accelerator."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge.exporters import export
from bnnedge.packed.model import PackedModel
from bnnedge.share import share
from tests.networks import Filters, random_conv_model, random_inputs, random_model
from tests.pynq_stand_in import FinnBoard, install, load

FLAT = random_model(1, (20, 9, 3))
CONV = random_conv_model(3, (3, 16, 12), (Filters(6, pool=2), Filters(8, stride=2)))
MODELS = {
    "flat": FLAT,
    "conv": CONV,
    "head": random_model(5, (20, 9, 5), head="per-class"),
    "many-classes": random_model(6, (20, 9, 300)),
    "one-channel": random_conv_model(4, (1, 8, 9), (Filters(4),)),
    "image-taken-flat": random_model(2, (48, 9, 3)),
}

models = pytest.mark.parametrize("name", ["flat", "conv", "head", "many-classes"])


class Deployed:
    """A build folder on a stand-in board."""

    def __init__(self, model: PackedModel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model, self.folder, self.monkeypatch = model, folder, monkeypatch
        self.bitfile = self.folder / "build" / "deploy" / "bitfile" / "finn-accel.bit"
        self.bitfile.parent.mkdir(parents=True, exist_ok=True)
        self.bitfile.touch()
        self.settings: dict[str, Any] = json.loads((self.folder / "driver.json").read_text())
        self.board = FinnBoard(model, self.settings)
        install(monkeypatch, self.board)

    def module(self, name: str) -> Any:
        return load(self.monkeypatch, self.folder, name)

    def accelerator(self, **arguments: Any) -> Any:
        return self.module("driver").Accelerator(self.bitfile, self.settings, **arguments)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The build folder of a model, written once."""

    @cache
    def write(name: str) -> Path:
        model = MODELS[name]
        out = tmp_path_factory.mktemp("exports") / name
        return export(model, "pynq", out, inputs=random_inputs(model, 12)).out

    return write


@pytest.fixture
def deploy(exports: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Deployed]:
    """Puts the build folder of a model on a board of its own."""
    return lambda name: Deployed(MODELS[name], exports(name), monkeypatch)


Deploy = Callable[[str], Deployed]


@models
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_labels_are_the_golden_model_s(name: str, batch_size: int, deploy: Deploy) -> None:
    """Batches that divide the samples, that do not, and that are larger than all."""
    deployed = deploy(name)
    accelerator, model = deployed.accelerator(batch_size=batch_size), deployed.model
    inputs = random_inputs(model, 12, seed=7)
    labels = accelerator.execute(inputs)
    assert labels.dtype == np.int64
    assert labels.tolist() == model.predict(inputs).labels.tolist()
    assert deployed.board.batches == {1: [1] * 12, 4: [4, 4, 4], 50: [12]}[batch_size]
    assert deployed.board.clocks.fclk0_mhz == 100.0
    assert deployed.board.downloads == [(str(deployed.bitfile), True)]
    assert accelerator.execute(inputs[:0]).shape == (0,)


def test_a_batch_size_may_change(deploy: Deploy) -> None:
    deployed = deploy("flat")
    accelerator = deployed.accelerator(batch_size=2, download=False)
    accelerator.batch_size = 5
    inputs = random_inputs(FLAT, 7)
    assert accelerator.execute(inputs).tolist() == FLAT.predict(inputs).labels.tolist()
    assert deployed.board.batches == [5, 2]
    assert deployed.board.downloads == [(str(deployed.bitfile), False)]
    with pytest.raises(ValueError, match="a batch of 0 samples"):
        accelerator.batch_size = 0


def test_images_in_either_layout(deploy: Deploy) -> None:
    accelerator = deploy("conv").accelerator(batch_size=3)
    flat = random_inputs(CONV, 6)
    expected = CONV.predict(flat).labels.tolist()
    images = flat.reshape(6, 3, 16, 12)
    for samples in (flat, images, np.moveaxis(images, 1, -1), images.astype(np.float32)):
        assert accelerator.execute(samples).tolist() == expected


def test_single_channels_need_no_axis(deploy: Deploy) -> None:
    model = MODELS["one-channel"]
    accelerator = deploy("one-channel").accelerator()
    flat = random_inputs(model, 3)
    for shape in ((8, 9), (1, 8, 9), (8, 9, 1)):
        assert accelerator.execute(flat.reshape(3, *shape)).tolist() == model.predict(flat).labels.tolist()
    rows = deploy("flat").accelerator()
    flat = random_inputs(FLAT, 3)
    assert rows.execute(flat.reshape(3, 4, 5)).tolist() == FLAT.predict(flat).labels.tolist()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            np.zeros((2, 16, 12)),
            r"shape \(2, 16, 12\) are not of this network: expected \(N, \(3, 16, 12\)\)",
        ),
        (np.zeros((2, 16, 3, 12)), "are not of this network"),
        (np.zeros(576), r"shape \(576,\) are not"),
        (np.zeros((2, 575)), "are not of this network"),
        (np.full((1, 576), 0.5), "whole numbers"),
        (np.full((1, 576), np.nan), "whole numbers"),
        (np.full((1, 576), -1), "lie in 0 ... 255"),
        (np.full((1, 576), 256), "lie in 0 ... 255, not 256 ... 256"),
        (np.full((1, 576), "a"), "whole numbers"),
    ],
)
def test_samples_of_something_else(samples: Any, message: str, deploy: Deploy) -> None:
    deployed = deploy("conv")
    with pytest.raises(ValueError, match=message):
        deployed.accelerator().execute(samples)
    assert deployed.board.batches == []


def test_images_of_a_network_that_takes_them_flat_leave_doubts(deploy: Deploy) -> None:
    """Channels first or last: the driver cannot know what the network was trained on."""
    with pytest.raises(ValueError, match="are not of this network"):
        deploy("image-taken-flat").accelerator().execute(np.zeros((1, 4, 4, 3), np.uint8))


def test_an_accelerator_that_does_not_answer(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = deploy("flat")
    driver = deployed.module("driver")
    monkeypatch.setattr(driver, "PATIENCE_S", 0.0)
    accelerator = driver.Accelerator(deployed.bitfile, deployed.settings)
    deployed.board.hangs = True
    with pytest.raises(RuntimeError, match="is this the bitfile of this folder's network"):
        accelerator.execute(random_inputs(FLAT, 1))
    with pytest.raises(RuntimeError, match="busy with a batch"):
        accelerator.execute(random_inputs(FLAT, 1))


def test_the_command_writes_labels(
    deploy: Deploy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deploy("conv")
    output = tmp_path / "labels.npy"
    assert deployed.module("driver").main(["--outputfile", str(output), "--batchsize", "4"]) == 0
    assert np.array_equal(np.load(output), np.load(deployed.folder / "expected_output.npy"))
    assert deployed.board.batches == [4, 4, 2]
    assert capsys.readouterr().out == f"10 labels in {output}\n"


def test_the_command_measures_throughput(
    deploy: Deploy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deploy("flat")
    assert deployed.module("driver").main(["--exec_mode", "throughput_test", "--batchsize", "40"]) == 0
    shown = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(shown) == [
        "batch_size",
        "fclk[mhz]",
        "throughput[images/s]",
        "DRAM_in_bandwidth[MB/s]",
        "DRAM_out_bandwidth[MB/s]",
        "pack_input[ms]",
        "copy_input_data_to_device[ms]",
        "runtime[ms]",
        "copy_output_data_from_device[ms]",
        "unpack_output[ms]",
    ]
    numbers = {key: float(value.replace(",", "")) for key, value in shown.items()}
    assert numbers["batch_size"] == 40
    assert numbers["fclk[mhz]"] == 100
    assert numbers["throughput[images/s]"] == pytest.approx(40_000 / numbers["runtime[ms]"], rel=0.01)
    assert numbers["DRAM_in_bandwidth[MB/s]"] == pytest.approx(
        20 * numbers["throughput[images/s]"] / 1e6, abs=0.001
    )
    assert deployed.board.batches == [40]


def test_the_command_says_what_is_missing(
    deploy: Deploy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deploy("flat")
    for arguments, message in (
        (["--bitfile", "nowhere.bit"], "no bitfile at nowhere.bit: build one"),
        (["--inputfile", str(tmp_path / "none.npy")], "No such file"),
        (["--batchsize", "0"], "a batch of 0 samples"),
    ):
        assert deployed.module("driver").main(arguments) == 1
        assert message in capsys.readouterr().err


# validate.py


@models
def test_validation(name: str, deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    deployed = deploy(name)
    assert deployed.module("validate").main([]) == 0
    assert capsys.readouterr().out == "expected_output.npy: 10 of 10 labels are the golden model's\n"


def test_a_mismatch_is_named_and_fails(
    deploy: Deploy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = deploy("flat")
    deployed.board.wrong = {3}
    assert deployed.module("validate").main(["--batchsize", "2"]) == 1
    right = int(np.load(deployed.folder / "expected_output.npy")[3, 0])
    assert capsys.readouterr().out.splitlines() == [
        "expected_output.npy: 9 of 10 labels are the golden model's",
        f"  sample 3: the board says {(right + 1) % 3}, the golden model {right}",
    ]


@pytest.mark.parametrize("names", [("x_test", "y_test"), ("X", "y")])
def test_accuracy_on_a_data_set(
    names: tuple[str, str],
    deploy: Deploy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployed = deploy("conv")
    flat = random_inputs(CONV, 25, seed=9)
    golden = CONV.predict(flat).labels
    labels = golden.copy()
    labels[:4] = (labels[:4] + 1) % 10  # the network is wrong there, the board is not
    file = tmp_path / "set.npz"
    images = np.moveaxis(flat.reshape(25, 3, 16, 12), 1, -1)
    arrays: dict[str, Any] = {names[0]: images, names[1]: labels[:, None]}
    np.savez(file, **arrays)
    assert deployed.module("validate").main(["--dataset", str(file)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{file}: 21 of 25 right, 84.00%"
    np.savez(file, **arrays, golden=golden)
    deployed.board.batches.clear()
    deployed.board.wrong = {10 + 20}
    assert deployed.module("validate").main(["--dataset", str(file)]) == 1
    assert f"{file}: 24 of 25 labels are the golden model's" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 20)), "y": np.zeros(2)}, "has images, y; expected x_test and y_test"),
        ({"X": np.zeros((2, 20)), "y": np.zeros(3)}, "has 3 labels for 2 samples"),
        ({"X": np.zeros((0, 20)), "y": np.zeros(0)}, "has 0 labels for 0 samples"),
        ({"X": np.zeros((2, 21)), "y": np.zeros(2)}, "are not of this network"),
        ({"X": np.zeros((2, 20)), "y": np.zeros(2), "golden": np.zeros(1)}, "has 1 labels for 2 samples"),
        ({"X": np.array([{}]), "y": np.zeros(1)}, "Object arrays cannot be loaded"),
    ],
)
def test_data_sets_that_are_none(
    arrays: dict[str, Any],
    message: str,
    deploy: Deploy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "set.npz"
    np.savez(file, **arrays)
    assert deploy("flat").module("validate").main(["--dataset", str(file)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("script", ["driver.py", "host.py", "overlay.py", "validate.py"])
def test_the_board_needs_numpy_and_pynq_alone(script: str) -> None:
    tree = ast.parse((share("hw") / "pynq" / script).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    beyond = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert beyond <= {"numpy", "pynq", "driver", "host"}


def test_settings_of_the_driver(tmp_path: Path) -> None:
    """Golden: what FINN's own driver would call these."""
    model = random_conv_model(3, (3, 16, 12), (Filters(6),), (300,))
    out = export(model, "pynq", tmp_path / "out", inputs=random_inputs(model, 1), board="kv260").out
    settings = json.loads((out / "driver.json").read_text())
    assert settings == {
        "io_shape_dict": {
            "idt": ["UINT8"],
            "odt": ["UINT16"],
            "ishape_normal": [[1, 16, 12, 3]],
            "oshape_normal": [[1, 1]],
            "ishape_folded": [[1, 16, 12, 3, 1]],
            "oshape_folded": [[1, 1, 1]],
            "ishape_packed": [[1, 16, 12, 3, 1]],
            "oshape_packed": [[1, 1, 2]],
            "input_dma_name": ["idma0"],
            "output_dma_name": ["odma0"],
            "number_of_external_weights": 0,
            "num_inputs": 1,
            "num_outputs": 1,
        },
        "fclk_mhz": 100.0,
        "sample_shape": [3, 16, 12],
        "maximum": 255,
        "classes": 300,
    }
