"""What scripts/fuzz has read: how each kind of file is read, and how its seeds come about."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fuzz_material import Material

from bnnedge.errors import BnnedgeError
from bnnedge.packed.model import PackedModel

__all__ = [
    "Prepare",
    "Read",
    "c",
    "cifar",
    "config",
    "dataset",
    "exported",
    "forged",
    "graph",
    "idx",
    "job",
    "job_file",
    "luts",
    "manifest",
    "of_run",
    "package",
    "preset",
    "rtl",
    "run",
    "series",
    "series_seeds",
    "state",
    "state_seeds",
    "study",
    "vectors",
    "verified",
    "weights",
]

Prepare = Callable[[Material], Sequence[bytes]]
"""Makes what must lie around a file, and says what whole files look like."""

Read = Callable[[Material, Path], object]
"""Reads the file at that place."""


def weights(_: Material, path: Path) -> None:
    from bnnedge.importers import load, load_weights

    load_weights(path)
    with contextlib.suppress(BnnedgeError):
        load(path)


def forged(_: Material, path: Path) -> None:
    """As if its maker had signed it: all that follows the check of the digest is reached, too."""
    from bnnedge.packed import file
    from bnnedge.packed.geometry import geometry_of
    from bnnedge.packed.weights import weights_of

    real = file.digest
    file.digest = _forged_digest
    try:
        model = file.load_packed(path)
    finally:
        file.digest = real
    geometry_of(model)
    weights_of(model, model.name)
    if model.encoding.features <= 1 << 16:
        model.predict(np.zeros((1, model.encoding.features), dtype=np.uint8))


def _forged_digest(model: PackedModel) -> str:  # noqa: ARG001
    return _Anything()


class _Anything(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True


def idx(_: Material, path: Path) -> None:
    from bnnedge.data.idx import read_idx

    read_idx(path, 3)


def cifar(_: Material, path: Path) -> None:
    """With two images a batch in place of ten thousand."""
    from bnnedge.data import cifar

    cifar._BATCH = 2
    cifar.records_of_pickle(path.read_bytes())


def dataset(name: str) -> Read:
    def read(_: Material, path: Path) -> object:
        from bnnedge.data.registry import load_dataset

        return load_dataset(name, path=path)

    return read


def config(_: Material, path: Path) -> None:
    from bnnedge.runs.toml import load_config, to_toml

    to_toml(load_config(path))


def study(_: Material, path: Path) -> None:
    from bnnedge.studies.study import load_study

    load_study(path)


def run(material: Material, _: Path) -> None:
    from bnnedge.runs.directory import RunDirectory

    run = RunDirectory.open(material.folder / "run")
    run.config()
    run.finished()
    run.records()
    run.trajectory()
    run.best_checkpoint()
    run.last_checkpoint()
    run.checkpoint_names()


def state(_: Material, path: Path) -> None:
    import torch

    from bnnedge.training.state import load_state

    net = torch.nn.Sequential(torch.nn.Linear(16, 4))
    load_state(path, net, [torch.optim.Adam(net.parameters())])


def state_seeds(material: Material) -> list[bytes]:
    import torch

    from bnnedge.training.state import Standing, save_state

    net = torch.nn.Sequential(torch.nn.Linear(16, 4))
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 16)).sum().backward()
    optimiser.step()
    save_state(material.folder / "state", net, [optimiser], Standing(epoch=1, step=3))
    return [(material.folder / "state").read_bytes()]


def job(material: Material, _: Path) -> None:
    from bnnedge.studies.place import SweepPlace
    from bnnedge.studies.results import results

    place, study = SweepPlace(material.folder / "sweep"), material.loaded_study
    for job in study.jobs:
        place.job(job.key).attempts()
        place.job(job.key).status()
        place.job(job.key).costs()
    results(study, place, costs=("luts",)).table()


def job_file(name: str, fallback: bytes = b"") -> tuple[str, Prepare]:
    """A file of the first job of a sweep; its key is that of the study's settings."""

    def seeds(material: Material) -> list[bytes]:
        jobs = sorted((material.sweep() / "jobs").iterdir())
        first = material.folder / "sweep" / "jobs" / "first"
        if not first.exists():
            first.symlink_to(jobs[0].name)
        path = first / name
        return [path.read_bytes() if path.exists() else fallback]

    return f"sweep/jobs/first/{name}", seeds


def series(_: Material, path: Path) -> None:
    from bnnedge.studies.series import read_series

    read_series(path)


def series_seeds(material: Material) -> list[bytes]:
    from bnnedge.studies.series import RunSeries, write_series

    ones = np.ones((2, 3))
    run = RunSeries(**{name: 1 if name == "seed" else ones for name in RunSeries.__dataclass_fields__})  # type: ignore[arg-type]
    write_series(material.folder / "series", [run])
    return [(material.folder / "series").read_bytes()]


def luts(material: Material, path: Path) -> None:
    from bnnedge.hardware.costs import synthesised_luts

    synthesised_luts(path, material.model)


def graph(_: Material, path: Path) -> None:
    from bnnedge.exporters.execution import read_graph

    read_graph(path)


def verified(target: str) -> Read:
    def read(material: Material, _: Path) -> object:
        from bnnedge.exporters import verify

        return verify(material.folder / target, material.model, material.inputs)

    return read


def manifest(_: Material, path: Path) -> None:
    from bnnedge.exporters.manifest import check_files, read_manifest

    check_files(path.parent, read_manifest(path.parent))


def vectors(material: Material, path: Path) -> None:
    from bnnedge.exporters.vectors import check_vectors

    check_vectors(path.parent, material.model)


def rtl(_: Material, path: Path) -> None:
    from bnnedge.exporters.rtl import read_rtl

    read_rtl(path.parent)


def c(material: Material, path: Path) -> None:
    """Up to the compiler, which is only given what is ours but for its numbers."""
    from bnnedge.exporters import c_verification

    real = c_verification._first_score
    c_verification._first_score = lambda *_: ""
    try:
        c_verification.check_c(path.parent, material.model, material.inputs)
    finally:
        c_verification._first_score = real


def exported(target: str, file: str, *options: str) -> tuple[str, Prepare]:
    return f"{target}/{file}", lambda material: [(material.export(target, *options) / file).read_bytes()]


def of_run(pattern: str) -> Prepare:
    return lambda material: [next(material.run().glob(pattern)).read_bytes()]


def package(suffix: str) -> Read:
    def read(material: Material, path: Path) -> object:
        from bnnedge.data import fetch
        from bnnedge.data.clients import Client
        from bnnedge.data.known import File, Source, gunzip

        body = material.idx()
        archive = path.with_name(f"package{suffix}")
        shutil.copy(path, archive)
        source = Source(
            Client("stand-in", lambda *_: archive), "package", {"images": "package/images"}, gunzip
        )
        files = {"images": File(hashlib.sha256(body).hexdigest(), len(body))}
        contents = fetch._bring(source, files, material.folder)
        fetch._store(contents, material.folder / "cache")
        return contents

    return read


def preset() -> bytes:
    from bnnedge.share import share

    return (share("models") / "cifar10-cnv" / "config.toml").read_bytes()
