"""Train presets anew and put what came out beside their config: scripts/train_models NAME...

Each is trained from several seeds, and gets model.safetensors (seed 0; the best epoch by validation),
vectors.npz (the golden model's class scores on the first test images, and the images themselves where the
set may be redistributed) and README.md, the model card, with the accuracy of every seed. Runs are kept in
--runs: those that are there are not trained again, and those cut short are resumed.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
from collections.abc import Sequence
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
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override, presets
from bnnedge.training.loop import train

VECTORS = 100
SEEDS = 3
DEFAULT = "digits-tfc"  # the preset whose report the README shows
REDISTRIBUTABLE = {"digits"}
FENCE = "```"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(presets()), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, from 0 on; default: {SEEDS}")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept; default: runs")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="as bnnedge train has it",
    )
    parser.add_argument("--audits", action="store_true", help="train nothing; write the cards' audits anew")
    options = parser.parse_args()
    for name in options.names:
        if options.audits:
            renew_audit(name)
        else:
            train_preset(name, options.seeds, options.runs, options.settings)


def train_preset(name: str, seeds: int, runs: Path, settings: list[str]) -> None:
    folder = presets()[name].parent
    config = override(load_config(name), settings)
    data = load_dataset(**dataclasses.asdict(config.data))
    trained = [trained_run(override(config, [f"training.seed={seed}"]), data, runs) for seed in range(seeds)]
    model = load_packed(trained[0].best_checkpoint())
    if name == DEFAULT:
        write_atomically(folder / "report.html", page(trained[0]))
    save_packed(model, folder / "model.safetensors")
    write_vectors(folder / "vectors.npz", config, data, model)
    write_atomically(folder / "README.md", card(config, model, trained, settings))


def renew_audit(name: str) -> None:
    """Put the audit of the model that is there into its card, in place of the one that is."""
    card = presets()[name].parent / "README.md"
    text, _, after = card.read_text(encoding="utf-8").partition(FENCE)
    model = load_packed(card.parent / "model.safetensors")
    write_atomically(card, text + audited(model, name) + after.partition(FENCE)[2])


def trained_run(config: Config, data: Dataset, runs: Path) -> RunDirectory:
    """A finished run of the configuration: the one that is there, resumed if need be, or a new one."""
    path = runs / f"{config.name}-seed{config.training.seed}"
    run = RunDirectory(path)
    with run.held():
        if not run.config_file.exists():
            RunDirectory.create(path, config)
        if run.config() != config:
            raise SystemExit(f"{path} is of another configuration; name another --runs, or remove it")
        if not run.finished():
            train(config, data, run, lambda record: print(path.name, record["epoch"], record, flush=True))
    return run


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


def card(config: Config, model: PackedModel, runs: Sequence[RunDirectory], settings: list[str]) -> str:
    summaries = [run.summary() for run in runs]
    accuracies = np.array([summary["test"]["accuracy"] for summary in summaries])
    first = summaries[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    seconds = np.mean([sum(record["seconds"] for record in run.records()) for run in runs])
    threads = config.training.threads
    options = "".join(f" --set {setting}" for setting in settings)
    spread = f"{accuracies[0]:.2%}, one seed,"
    if len(runs) > 1:
        low, high = accuracies.min(), accuracies.max()
        spread = f"{accuracies.mean():.2%}, mean of {len(runs)} seeds ({low:.2%} to {high:.2%}),"
    rows = "\n".join(
        f"| {seed} | {summary['best']['epoch']} | {summary['best']['validation_accuracy']:.2%} "
        f"| {summary['test']['accuracy']:.2%} |"
        for seed, summary in enumerate(summaries)
    )
    return f"""# {config.name}

{architecture(model)}, every weight and activation 1 bit, on {config.data.name}. {model.encoding.describe()}

| | |
|---|---|
| test accuracy | {spread} of {first["test"]["samples"]:,} samples; packed models |
| this file, seed 0 | {accuracies[0]:.2%} |
| training | {first["last"]["epoch"]} epochs, {seconds:.0f} s on {threads} thread{"s" * (threads > 1)} |
| SHA-256 of what it computes | `{digest(model)}` |
| versions | {versions} |

| seed | best epoch, by validation | validation | test |
|---|---|---|---|
{rows}

Made by

    scripts/train_models --seeds {len(runs)} {config.name}{options}

The same network: `bnnedge train {config.name} --seed 0` with the same settings.

{audited(model, config.name)}
"""


def audited(model: PackedModel, name: str) -> str:
    return f"{FENCE}\n{audit_table(audit(weights_of(model, name)))}\n{FENCE}"


def architecture(model: PackedModel) -> str:
    """Widths of the layers: 784-64-64-64-10, or of convolutions: 3x32x32-64-64-P2-…-512-10, pooling as P."""
    parts = [
        "x".join(map(str, model.encoding.shape))
        if model.layers[0].convolution
        else str(model.encoding.features)
    ]
    for layer in model.layers:
        parts.append(str(layer.outputs))
        if layer.convolution is not None and layer.convolution.pool > 1:
            parts.append(f"P{layer.convolution.pool}")
    return "-".join(parts)


if __name__ == "__main__":
    main()
