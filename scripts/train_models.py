"""Train presets anew and put what came out beside their config: scripts/train_models NAME...

Each gets model.safetensors (the best epoch by validation accuracy), vectors.npz (the golden model's class
scores on the first test images, and the images themselves where the set may be redistributed) and README.md,
the model card. Run it with .venv/bin/python.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.audit import audit
from bnnedge.analysis.series import series
from bnnedge.data.dataset import Dataset
from bnnedge.data.registry import load_dataset
from bnnedge.files import write_atomically
from bnnedge.importers import load_weights
from bnnedge.packed.file import digest, load_packed, save_packed
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import weights_of
from bnnedge.report.page import audit_page
from bnnedge.report.views import audit_table
from bnnedge.runs.config import Config, load_config, presets
from bnnedge.runs.directory import RunDirectory
from bnnedge.training.loop import train

VECTORS = 100
DEFAULT = "digits-tfc"  # the preset whose report the README shows
REDISTRIBUTABLE = {"digits"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(presets()), metavar="NAME")
    for name in parser.parse_args().names:
        train_preset(name, presets()[name].parent)


def train_preset(name: str, folder: Path) -> None:
    config = load_config(name)
    data = load_dataset(**dataclasses.asdict(config.data))
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory.create(Path(scratch) / "run", config)
        summary = train(config, data, run, lambda record: print(name, record["epoch"], record, flush=True))
        model = load_packed(run.best_checkpoint())
        seconds = sum(record["seconds"] for record in run.records())
        if name == DEFAULT:
            write_atomically(folder / "report.html", page(run))
    save_packed(model, folder / "model.safetensors")
    write_vectors(folder / "vectors.npz", config, data, model)
    write_atomically(folder / "README.md", card(config, data, model, summary, seconds))


def page(run: RunDirectory) -> str:
    """The HTML report of a run, as ``bnnedge audit --html`` writes it."""
    weights = dataclasses.replace(load_weights(run.path), name=run.config().name)
    names = run.checkpoint_names()
    curves = series([load_weights(path) for path in names.values()], list(names))
    return audit_page(audit(weights), weights, curves, run.records())


def write_vectors(path: Path, config: Config, data: Dataset, model: PackedModel) -> None:
    images = data.test.inputs[:VECTORS]
    arrays: dict[str, NDArray[Any]] = {
        "scores": model.predict(images).scores,
        "labels": data.test.labels[:VECTORS],
    }
    if config.data.name in REDISTRIBUTABLE:
        arrays["images"] = images
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def card(config: Config, data: Dataset, model: PackedModel, summary: dict[str, Any], seconds: float) -> str:
    widths = [model.encoding.features, *(layer.outputs for layer in model.layers)]
    best, test = summary["best"], summary["test"]
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    threads = config.training.threads
    return f"""# {config.name}

{"-".join(map(str, widths))}, every weight and activation 1 bit, {model.encoding.kind} input, on {data.name}.

| | |
|---|---|
| test accuracy | {test["accuracy"]:.2%} of {test["samples"]:,} samples (packed model, one seed) |
| validation accuracy | {best["validation_accuracy"]:.2%} at epoch {best["epoch"]}, the best |
| training | {summary["last"]["epoch"]} epochs, {seconds:.0f} s on {threads} thread{"s" * (threads > 1)} |
| seed | {config.training.seed} |
| SHA-256 of what it computes | `{digest(model)}` |
| versions | {versions} |

Made by `scripts/train_models {config.name}`; `bnnedge train {config.name}` trains the same network.

```
{audit_table(audit(weights_of(model, config.name)))}
```
"""


if __name__ == "__main__":
    main()
