"""One reader's inputs, run in a process of their own: fuzz_worker.py READER FOLDER INPUTS SEED guided|blind.

The input that is being read lies in the reader's file, so whoever finds this process dead or stuck has it.
``report.json`` in the folder is written at the end, and now and then on the way.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import shutil
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPORT = "report.json"
_ADDRESSES = 12 << 30  # bytes of address space, so that a bomb fails before the machine does
_LONGEST = 1 << 18
_SPOILT = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError,
    struct.error, tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass
class Tally:
    """What became of a reader's inputs."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    findings: dict[str, str] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)

    def write(self, folder: Path, *, done: bool) -> None:
        """The report."""
        report = {
            "inputs": self.inputs,
            "read": self.outcomes["read"],
            "refusals": len(self.outcomes) - ("read" in self.outcomes),
            "slowest": round(self.slowest, 4),
            "seconds": round(time.perf_counter() - self.begun, 1),
            "findings": self.findings,
            "done": done,
        }
        (folder / REPORT).write_text(json.dumps(report), encoding="utf-8")


def main() -> None:
    name, folder, inputs, seed, mode = sys.argv[1:]
    place = Path(folder)
    (place / "tmp").mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(place / "tmp")
    if mode == "guided":
        import atheris

        with atheris.instrument_imports(include=["bnnedge", "tomllib", "zipfile", "pickle"]):
            _run(name, place, int(inputs), int(seed), atheris)
    else:
        _run(name, place, int(inputs), int(seed), None)


def _run(name: str, folder: Path, inputs: int, seed: int, atheris: Any) -> None:
    from fuzz_guard import Guard
    from fuzz_material import Material
    from fuzz_readers import READERS

    reader, material, tally = READERS[name], Material(folder / "material"), Tally()
    shutil.rmtree(material.folder, ignore_errors=True)
    if reader.quick:
        material.folder.mkdir()
    else:
        shutil.copytree(_trained(folder.parent / "trained"), material.folder, symlinks=True)
    seeds = list(reader.seeds(material))
    target = (material.folder / reader.file).resolve()
    guard = Guard(folder)
    rehearse(reader, material, target, seeds)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    (folder / "findings").mkdir(exist_ok=True)

    def one(content: bytes) -> None:
        target.write_bytes(content)
        outcome = guard.run(lambda: reader.read(material, target), len(content))
        tally.inputs += 1
        tally.outcomes[outcome.detail if outcome.kind != "read" else "read"] += 1
        if outcome.seconds > tally.slowest:
            tally.slowest = outcome.seconds
            (folder / "slowest").write_bytes(content)
        if outcome.found and (key := f"{outcome.kind}: {outcome.detail}") not in tally.findings:
            kept = folder / "findings" / f"{len(tally.findings)}"
            kept.write_bytes(content)
            tally.findings[key] = str(kept)
        if tally.inputs % 200 == 0 or tally.inputs >= inputs:
            tally.write(folder, done=tally.inputs >= inputs)

    if atheris is None:
        dice = random.Random(seed)  # noqa: S311
        for _ in range(inputs):
            one(mutated(reader, dice.choice(seeds), dice))
    else:
        _guide(atheris, one, reader, folder, seeds, inputs, seed)


def _guide(
    atheris: Any,
    one: Callable[[bytes], None],
    reader: Any,
    folder: Path,
    seeds: Sequence[bytes],
    inputs: int,
    seed: int,
) -> None:
    """Let atheris choose what to mutate, by what it reached."""
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, content in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(content)

    def change(content: bytes, most: int, number: int) -> bytes:
        dice = random.Random(number)  # noqa: S311
        if dice.random() < 0.25 and content:
            return bytes(atheris.Mutate(content, most))
        return mutated(reader, content if dice.random() < 0.7 and content else dice.choice(seeds), dice)[
            :most
        ]

    flags = [
        f"-runs={inputs}",
        f"-seed={seed + 1}",
        f"-max_len={_LONGEST}",
        "-timeout=60",
        "-rss_limit_mb=0",
        "-verbosity=1",
    ]
    atheris.Setup(
        [sys.argv[0], *flags, f"-artifact_prefix={folder}/", str(corpus)], one, custom_mutator=change
    )
    atheris.Fuzz()


def mutated(reader: Any, content: bytes, dice: random.Random) -> bytes:
    """A mutation by one of the reader's rules."""
    from fuzz_bytes import bytewise

    try:
        return bytes(dice.choice(reader.mutations)(content, dice)[:_LONGEST])
    except _SPOILT:  # what is a mutation itself need not have its format any more
        return bytewise(content, dice)[:_LONGEST]


def _trained(folder: Path) -> Path:
    """A run, a sweep and exports, made once for all readers of such."""
    from fuzz_material import Material

    folder.mkdir(exist_ok=True)
    material = Material(folder)
    material.run()
    material.sweep()
    for target in ("onnx", "pynq", "rtl", "c"):
        material.export(target)
    return folder


def rehearse(reader: Any, material: Any, target: Path, seeds: list[bytes]) -> None:
    """Read the seeds, unguarded: what is imported late would count as the first input's time and memory."""
    for module in ("chain", "onnx", "onnx_weights", "state_dict"):
        importlib.import_module(f"bnnedge.importers.{module}")
    for content in seeds:
        target.write_bytes(content)
        reader.read(material, target)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
