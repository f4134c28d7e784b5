"""State dicts of Brevitas' own networks, and files that pretend to be one."""

from __future__ import annotations

import io
import os
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brevitas_examples.bnn_pynq.models import model_with_cfg
from numpy.typing import NDArray
from torch import nn

from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import FileError, UnsupportedError
from bnnedge.importers import load, load_weights
from bnnedge.importers.state_dict import ASSUMPTIONS
from bnnedge.packed.model import PackedModel

PARTS = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def bnn_pynq(name: str, seed: int = 0) -> nn.Module:
    """A network of brevitas_examples, as :func:`trained_looks` makes it."""
    torch.manual_seed(seed)
    return trained_looks(model_with_cfg(name, pretrained=False)[0])


def trained_looks(net: nn.Module) -> nn.Module:
    """The network in evaluation mode, its batch-norms as they look after training."""
    for name, values in net.state_dict().items():
        part, size = name.rpartition(".")[2], values.shape
        if part == "running_mean":
            values.copy_(5 * torch.randn(size))
        elif part == "running_var":
            values.copy_(300 * torch.rand(size) + 1)
        elif part == "weight" and values.ndim == 1:
            values.copy_(torch.randn(size) if values.numel() > 1 else torch.rand(size) + 0.1)
        elif part == "bias":
            values.copy_(torch.randn(size))
    return net.eval()


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def signs(net: nn.Module) -> list[NDArray[np.bool_]]:
    modules = (m for m in net.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))
    return [(m.quant_weight().value > 0).detach().numpy() for m in modules]  # type: ignore[operator]


@pytest.mark.parametrize(("name", "layers"), [("tfc_1w1a", 4), ("sfc_1w1a", 4), ("cnv_1w1a", 9)])
def test_every_layer_of_brevitas_networks_is_read(tmp_path: Path, name: str, layers: int) -> None:
    net = bnn_pynq(name)
    with torch.no_grad():
        next(iter(net.parameters())).view(-1)[0] = 0.0  # binary_sign: 0 is +1
    weights = load_weights(saved(tmp_path / "best.tar", net.state_dict()))
    expected = signs(net)
    assert len(weights.tensors) == layers == len(expected)
    for tensor, bits in zip(weights.tensors, expected, strict=True):
        assert tensor.shape == bits.shape
        assert np.array_equal(tensor.matrix.to_bits(), bits.reshape(len(bits), -1))
        assert tensor.reading == "signs of real values"
    assert [t.name for t in weights.tensors] == [
        key.removesuffix(".weight") for key, value in net.state_dict().items() if value.ndim > 1
    ]
    names = ", ".join(tensor.name for tensor in weights.tensors)
    assert weights.notes[0] == f"{names}: signs of real values, 0 being +1 (1 are 0)"
    assert (weights.model is None) == (name == "cnv_1w1a")
    network = "network: weights only: " if weights.model is None else f"network: {ASSUMPTIONS}"
    assert weights.notes[-1].startswith(network)
    assert weights.provenance == {"imported": {"file": "best.tar", "format": "state dict"}}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bnn_pynq_network_computes_what_brevitas_does(tmp_path: Path, seed: int) -> None:
    fetch("mnist")
    images = load_dataset("mnist").test.inputs[:500]
    net = bnn_pynq("tfc_1w1a", seed)
    model = load(saved(tmp_path / "tfc.pth", net.state_dict()))
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float().div(255).reshape(-1, 1, 28, 28)).numpy()
    prediction = model.predict(images)
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-5, atol=1e-5)
    assert np.array_equal(prediction.labels, logits.argmax(axis=1))
    assert len(np.unique(prediction.labels)) > 3
    hidden = [layer.thresholds for layer in model.layers if layer.thresholds is not None]
    assert any((thresholds.directions < 0).any() for thresholds in hidden)


def test_why_cnv_is_no_packed_model(tmp_path: Path) -> None:
    net = bnn_pynq("cnv_1w1a")
    with torch.no_grad():
        seen = net.conv_features[0](2 * torch.arange(256).float().div(255) - 1)  # type: ignore[index,operator]
    steps = torch.diff(128 * seen)
    assert [steps[127], steps[254]] == [2, 0]
    assert torch.unique(steps).tolist() == [0, 1, 2]
    path = saved(tmp_path / "cnv.pth", net.state_dict())
    with pytest.raises(
        UnsupportedError, match="127 and 128 are two steps apart and 254 and 255 are the same"
    ):
        load(path)
    weights = load_weights(path)
    assert weights.model is None
    assert [tensor.shape for tensor in weights.tensors][:2] == [(64, 3, 3, 3), (64, 64, 3, 3)]
    assert "two steps apart" in weights.notes[-1]


def checkpoint(net: nn.Module) -> dict[str, Any]:
    """What the training script of brevitas_examples saves."""
    optimiser = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    return {
        "state_dict": net.state_dict(),
        "optim_dict": optimiser.state_dict(),
        "epoch": 3,
        "best_val_acc": 93.1,
    }


@pytest.mark.parametrize(
    "nest",
    [
        lambda state: {"model": state, "ema": {k: -v for k, v in state.items()}},
        lambda state: {"epoch": 1, "something": {"inner": state}},
        lambda state: {"optimizer": {"state": {0: {"step": torch.ones(())}}}, "net": state},
        lambda state: OrderedDict((f"module.{k}", v) for k, v in state.items()),
        lambda state: {f"_orig_mod.module.{k}": nn.Parameter(v) for k, v in state.items()},
    ],
)
def test_where_scripts_put_a_state_dict(tmp_path: Path, nest: Any) -> None:
    state = {k: v for k, v in bnn_pynq("tfc_1w1a").state_dict().items() if v.is_floating_point()}
    plain = load_weights(saved(tmp_path / "plain", state))
    nested = load_weights(saved(tmp_path / "nested", nest(state)))
    assert nested.digest == plain.digest
    assert nested.tensors[0].name == "features.2"


def test_a_checkpoint_of_brevitas_own_training_script(tmp_path: Path) -> None:
    content = checkpoint(bnn_pynq("tfc_1w1a"))
    path = saved(tmp_path / "checkpoint.tar", content)
    assert load_weights(path).digest == load_weights(saved(tmp_path / "a", content["state_dict"])).digest
    assert isinstance(load(path), PackedModel)


def test_files_of_old_versions_of_pytorch(tmp_path: Path) -> None:
    state = bnn_pynq("tfc_1w1a").state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_weights(tmp_path / "old.pth").digest == load_weights(saved(tmp_path / "new", state)).digest


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int8])
def test_types(tmp_path: Path, dtype: torch.dtype) -> None:
    values = torch.tensor([[2.0, -1.0, 0.0], [-3.0, 4.0, 5.0]]).to(dtype)
    weights = load_weights(saved(tmp_path / "a", {"fc.weight": values}))
    assert weights.tensors[0].matrix.to_signs().tolist() == [[1, -1, 1], [-1, 1, 1]]


def test_latent_weights_of_0_and_1_are_signs(tmp_path: Path) -> None:
    weights = load_weights(saved(tmp_path / "a", {"weight": torch.tensor([[0.0, 1.0]])}))
    assert weights.tensors[0].matrix.ones == 2
    assert weights.tensors[0].reading == "signs of real values"


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    state = {"a.weight": torch.ones(2, 2), "b.weight": torch.ones(2, 2, 2), "scale": torch.ones(2, 1)}
    assert load_weights(saved(tmp_path / "a", state)).notes == (
        "b.weight: left out, 3 axes",
        "scale: left out, a tensor of shape (2, 1) that is not named weight",
        "network: weights only: a is no fully connected BNN-PYNQ network",
    )


def broken(change: Any) -> dict[str, torch.Tensor]:
    state = dict(bnn_pynq("tfc_1w1a").state_dict())
    change(state)
    return state


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("features.15.bias"),
        lambda state: state.pop("features.6.weight"),
        lambda state: state.update({"features.6.bias": torch.ones(64)}),
        lambda state: state.update({"features.7.bias": torch.ones(63)}),
        lambda state: state.update({"other.weight": state.pop("features.14.weight")}),
        lambda state: state.update({"features.6.weight": torch.ones(64, 63)}),
        lambda state: state.update({f"features.7.{k}": torch.ones(9) for k in PARTS}),
        lambda state: state.update({f"features.15.{k}": torch.ones(9) for k in PARTS}),
    ],
)
def test_other_networks_give_weights_only(tmp_path: Path, change: Any) -> None:
    path = saved(tmp_path / "a", broken(change))
    assert load_weights(path).model is None
    with pytest.raises(UnsupportedError) as caught:
        load(path)
    assert "a" in caught.value.message


def refused(path: Path, message: str) -> None:
    for read in (load, load_weights):
        with pytest.raises(FileError, match=message) as caught:
            read(path)
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_diverged_networks(tmp_path: Path) -> None:
    state = broken(lambda state: state["features.2.weight"].view(-1)[3:4].fill_(torch.nan))
    refused(saved(tmp_path / "a", state), "features.2.weight has values that are not finite")
    state = broken(lambda state: state["features.3.bias"].fill_(torch.inf))
    path = saved(tmp_path / "a", state)
    with pytest.raises(UnsupportedError, match="batch-norm has values that are not finite"):
        load(path)
    assert load_weights(path).notes[-1].endswith("batch-norm has values that are not finite")


class _Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_of_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"a.weight": torch.ones(1, 1), "bomb": _Bomb()}
    torch.save(content, tmp_path / "bomb.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "bomb.pt", "no state dict that can be read safely")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "module.pt", "no state dict that can be read safely")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        3,
        None,
        torch.ones(2, 2),
        {"a": 3},
        {"bias": torch.ones(3)},
        {0: torch.ones(2, 2)},
        [{"weight": 1}],
    ],
)
def test_no_state_dict(tmp_path: Path, content: Any) -> None:
    refused(saved(tmp_path / "a", content), "holds no state dict")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(1).expand(10**7, 10**7),
        torch.eye(3).to_sparse(),
        torch.ones(2, 2, dtype=torch.complex64),
    ],
)
def test_tensors_that_are_not_plain(tmp_path: Path, tensor: torch.Tensor) -> None:
    path = saved(tmp_path / "a", {"fc.weight": tensor})
    with pytest.raises(FileError, match=r"fc.weight is not a plain tensor|read safely"):
        load_weights(path)


def test_torchscript(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "a")
    refused(tmp_path / "a", "read safely")


def test_a_tar_archive(tmp_path: Path) -> None:
    (tmp_path / "inner").write_bytes(b"x" * 600)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "inner", "storages")
    refused(tmp_path / "a.tar", "read safely")


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_are_read_or_refused(tmp_path: Path, zipped: bool) -> None:
    buffer = io.BytesIO()
    state = {"a.weight": torch.randn(4, 4), "b.weight": torch.randn(2, 3, 1, 1), "c.bias": torch.ones(3)}
    torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
    refusals = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = bytearray(buffer.getvalue())
        for position in rng.integers(0, len(data), rng.integers(1, 6)):
            data[position] = rng.integers(0, 256)
        (tmp_path / "a").write_bytes(data[: rng.integers(1, len(data))] if seed % 3 == 0 else data)
        try:
            load_weights(tmp_path / "a")
        except FileError:
            refusals += 1
    assert refusals > 60
