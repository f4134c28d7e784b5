"""A short run of scripts/fuzz: every reader whose seeds are made at once, on mutations of a fixed seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
INPUTS = 40  # a reader

SHORT_RUN = """
import random, sys, tempfile
from pathlib import Path
from fuzz_guard import Guard
from fuzz_material import Material
from fuzz_readers import READERS
from fuzz_worker import mutated, rehearse

folder, inputs = Path(sys.argv[1]), int(sys.argv[2])
tempfile.tempdir = str(folder)
material, guard, refused = Material(folder), Guard(folder), 0
for name, reader in READERS.items():
    if not reader.quick:
        continue
    target, dice, seeds = folder / reader.file, random.Random(name), list(reader.seeds(material))
    rehearse(reader, material, target, seeds)
    for number in range(inputs):
        content = mutated(reader, dice.choice(seeds), dice)
        target.write_bytes(content)
        outcome = guard.run(lambda: reader.read(material, target), len(content))
        assert not outcome.found, (name, number, outcome)
        refused += outcome.kind == "refused"
    print(name)
print("refused", refused)
"""
"""In a process of its own, since what watches over it cannot be taken out of a process again."""


@pytest.fixture(scope="module")
def readers() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import fuzz_readers as f; print(*f.READERS, sep='\\n')"],
        cwd=SCRIPTS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_every_reader_keeps_to_its_contract(tmp_path: Path, readers: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_RUN, str(tmp_path), str(INPUTS)],
        cwd=SCRIPTS, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *names, last = done.stdout.splitlines()
    assert set(names) <= set(readers)
    assert len(names) >= 20
    assert int(last.split()[1]) > INPUTS * len(names) // 4  # most of what is mutated is no longer whole
