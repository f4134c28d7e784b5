"""Where the fuzzed files come from: small ones that the product wrote, each in the place it is read from."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

import bnnedge
from bnnedge.data.digits import load_digits
from bnnedge.packed.model import PackedModel
from bnnedge.share import share
from bnnedge.studies.study import Study, load_study

__all__ = ["Material"]


class Material:
    """The files of the seeds, each made when it is first asked for.

    Attributes:
        folder: where everything lies that a reader may read or write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model: PackedModel = bnnedge.load("digits-tfc")
        digits = load_digits()
        self.inputs = digits.test_inputs.reshape(len(digits.test_inputs), -1)[:20]
        self.labels = digits.test_labels[:20]

    def checkpoint(self) -> bytes:
        """The packed model of a preset."""
        return (share("models") / "digits-tfc" / "model.safetensors").read_bytes()

    def signs(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        """Weights of ±1 by layer."""
        return {
            f"{each.name}.weight": each.weights.to_signs().astype(np.float32) for each in self.model.layers
        }

    def foreign(self) -> bytes:
        """Weights as anybody's safetensors file."""
        import safetensors.numpy

        return bytes(safetensors.numpy.save(self.signs()))

    def arrays(self) -> bytes:
        """Weights as ``.npz``."""
        return _npz(self.signs())

    def samples(self) -> bytes:
        """Samples and labels as ``.npz``."""
        return _npz({"X": self.inputs, "y": self.labels})

    def state_dict(self, *, zipped: bool = True) -> bytes:
        """Weights as BNN-PYNQ's fully connected networks lay them out, by either of PyTorch's formats."""
        import torch

        state = OrderedDict()
        for place, layer in enumerate(self.model.layers):
            state[f"features.{2 * place}.weight"] = torch.from_numpy(
                layer.weights.to_signs().astype(np.float32)
            )
            width = layer.outputs if place < len(self.model.layers) - 1 else 1
            for part in ("weight", "bias", "running_mean", "running_var"):
                state[f"features.{2 * place + 1}.{part}"] = torch.ones(width)
        stream = io.BytesIO()
        torch.save(state, stream, _use_new_zipfile_serialization=zipped)
        return stream.getvalue()

    def graph(self, target: str) -> bytes:
        """The network as a graph."""
        from bnnedge.exporters.targets import GRAPHS

        return bytes(GRAPHS[target](self.model).SerializeToString())

    def idx(self) -> bytes:
        """Images as in MNIST's files."""
        images = self.inputs.reshape(-1, 8, 8)
        return bytes([0, 0, 8, 3]) + np.array(images.shape, dtype=">u4").tobytes() + images.tobytes()

    def batch(self) -> bytes:
        """A batch of CIFAR-10's Python layout, of few images."""
        import pickle

        data = np.zeros((2, 3072), dtype=np.uint8)
        values = {
            "batch_label": "training batch 1 of 5",
            "labels": [6, 9],
            "data": data,
            "filenames": ["a", "b"],
        }
        return pickle.dumps({key.encode(): value for key, value in values.items()}, protocol=3)

    def table(self) -> bytes:
        """Samples and labels as text."""
        rows = (
            ",".join(map(str, [*row.tolist(), label]))
            for row, label in zip(self.inputs, self.labels, strict=True)
        )
        return "\n".join(rows).encode() + b"\n"

    def run(self) -> Path:
        """The directory of a training of two epochs whose steps were tracked."""
        place = self.folder / "run"
        if not place.exists():
            settings = ("training.track=steps", "net.hidden=[8]", "data.resize=4", "training.batch_size=300")
            _bnnedge("train", "--epochs", "2", "--out", place, *(f"--set={setting}" for setting in settings))
        return place

    def sweep(self) -> Path:
        """The directory of a sweep of two jobs."""
        place = self.folder / "sweep"
        if not place.exists():
            (self.folder / "two.toml").write_bytes(self.study())
            _bnnedge("sweep", self.folder / "two.toml", "--out", place)
        return place

    @cached_property
    def loaded_study(self) -> Study:
        """That sweep's jobs."""
        return load_study(self.folder / "two.toml")

    def study(self) -> bytes:
        """What that sweep is of."""
        return (
            b'name = "two"\nbase = "digits-tfc"\nseeds = 1\n[set]\ndata.resize = 4\ntraining.epochs = 1\n'
            b"training.batch_size = 300\n[grid]\nnet.hidden = [[4], [8, 4]]\n"
        )

    def export(self, target: str, *options: str) -> Path:
        """The folder of an export."""
        place = self.folder / target
        if not place.exists():
            _bnnedge("export", "digits-tfc", "--target", target, "--out", place, *options)
        return place

    def synthesis(self) -> bytes:
        """A report of a synthesis, as ``bnnedge synth --json`` prints one."""
        from bnnedge.hardware.netlist import Resources
        from bnnedge.hardware.synthesise import LayerResources, Synthesis
        from bnnedge.packed.file import digest

        none = Resources(**dict.fromkeys(Resources.__dataclass_fields__, 0))
        layers = tuple(LayerResources(layer.name, none) for layer in self.model.layers)
        report = Synthesis("xc7", "Yosys 0.50", layers, none, none, 4, digest(self.model))
        return json.dumps(report.to_dict()).encode()

    def package(self, suffix: str) -> bytes:
        """What a package client brings: an archive with a gzipped member, or a plain one."""
        stream, body = io.BytesIO(), gzip.compress(self.idx(), mtime=0)
        if suffix == ".whl":
            with zipfile.ZipFile(stream, "w") as wheel:
                wheel.writestr("package/images", body)
        else:
            with tarfile.open(fileobj=stream, mode="w:gz") as tar:
                entry = tarfile.TarInfo("package/images")
                entry.size = len(body)
                tar.addfile(entry, io.BytesIO(body))
        return stream.getvalue()


def _npz(arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _bnnedge(*arguments: object) -> None:
    """The command line, run in this process, silent."""
    from bnnedge.cli import main

    given, sys.argv = sys.argv, ["bnnedge", *map(str, arguments)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main()
    except SystemExit as done:
        if done.code:
            raise RuntimeError(f"bnnedge {arguments[0]} exited with {done.code}: {said.getvalue()}") from done
    finally:
        sys.argv = given
