"""Change the core's source in small ways, one at a time, and see whether the tests notice: scripts/mutate."""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from mutate_tests import Tests
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
CORE = ("packed", "complexity", "exporters", "hardware")
EXPLAINED = ROOT / "scripts" / "mutate_explained.toml"
OUTCOMES = ("killed", "hung", "explained", "survived")

# Why a change may survive, by its file, the line before and the line after.
Reasons = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True)
class Tried:
    """A change and what became of it.

    Attributes:
        key: of the file's content and the change, by which a later call knows it.
        file: of the package.
        outcome: ``killed``, ``survived``, or ``hung`` where tests took too long, and do not without it.
        seconds: until then.
        diff: the change.
        why: where it survived, and may: what makes it no change of what is computed.
    """

    key: str
    file: str
    outcome: str
    seconds: float
    diff: str
    why: str = ""

    @property
    def fate(self) -> str:
        """The outcome, or ``explained``."""
        return "explained" if self.outcome == "survived" and self.why else self.outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", help="of the environment that has the package")
    parser.add_argument("--mutants", type=int, default=4, help="of each file; default: 4")
    parser.add_argument("--files", nargs="*", default=[f"bnnedge/{room}/**/*.py" for room in CORE])
    parser.add_argument("--seed", type=int, default=0, help="of the choice; default: 0")
    parser.add_argument(
        "--results", type=Path, default=Path(sys.prefix) / "tried.jsonl", help="kept from call to call"
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no further one is tried")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    options.results = options.results.absolute()
    with tempfile.TemporaryDirectory(prefix="bnnedge-mutate-") as scratch:
        tree = copy_of_tree(Path(scratch) / "tree")
        # Tests run in the copy, and import it.
        os.environ |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.chdir(tree)
        tests = Tests(tree, options.python, ROOT.parent / "shared" / "reference")
        tried = []
        for one in try_files(tests, options):
            tried.append(one)
            print(f"{one.file}: {one.fate} ({one.seconds:.0f} s)", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(one) for one in tried]))
    else:
        show(tried)


def copy_of_tree(tree: Path) -> Path:
    """The working tree, of what git does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():  # not what was deleted, or moved, and not yet committed
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def try_files(tests: Tests, options: argparse.Namespace) -> Iterator[Tried]:
    """Changes chosen by chance, each with its fate, as many as there is time for.

    There is one of each file, in a random order, before there is a second of any. What was noticed once is
    not tried again, and no survivor that is explained.
    """
    end = time.monotonic() + 60 * options.minutes
    known, reasons = read(options.results), explanations(tests.tree)
    files = sorted({path for glob in options.files for path in tests.tree.glob(glob)})
    random.Random(options.seed).shuffle(files)  # noqa: S311
    changes = [(file, meaningful(tests.tree, file, options.seed)) for file in files]
    for file, of_file in changes * options.mutants:
        code, key = next(of_file, ("", ""))
        if not code:  # a file of fewer changes
            continue
        settled = key in known and (known[key].outcome != "survived" or identity(known[key]) in reasons)
        if not settled and time.monotonic() < end:
            start, name = time.perf_counter(), file.relative_to(tests.tree).as_posix()
            before = file.read_text(encoding="utf-8").splitlines()
            diff = difflib.unified_diff(before, code.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
            known[key] = Tried(
                key, name, tests.fate(file, code), time.perf_counter() - start, "\n".join(diff)
            )
            with options.results.open("a", encoding="utf-8") as results:
                results.write(json.dumps(asdict(known[key])) + "\n")
        if key in known:
            yield replace(known[key], why=reasons.get(identity(known[key]), ""))


def meaningful(tree: Path, file: Path, seed: int) -> Iterator[tuple[str, str]]:
    """What single changes make of a file, in a random order, with their keys; annotations are left alone."""
    source, name = file.read_text(encoding="utf-8"), file.relative_to(tree).as_posix()
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init([file], database, {})
    changes = [change for item in database.work_items for change in item.mutations]
    changes.sort(key=lambda one: (one.start_pos, one.operator_name, one.occurrence))
    random.Random(f"{seed} {name}").shuffle(changes)  # noqa: S311
    before = meaning(source)
    for change in changes:
        operator = get_operator(change.operator_name)(**change.operator_args)
        code = mutate_code(source, operator, change.occurrence)
        if code is not None and meaning(code) not in (before, None):
            yield code, hashlib.sha256(f"{source}\0{code}".encode()).hexdigest()[:16]


def meaning(source: str) -> str | None:
    """The syntax tree without annotations; None where it is no Python any more."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return ast.dump(tree)


def read(results: Path) -> dict[str, Tried]:
    if not results.exists():
        return {}
    lines = results.read_text(encoding="utf-8").splitlines()
    return {one.key: one for one in (Tried(**json.loads(line)) for line in lines)}


def explanations(tree: Path) -> Reasons:
    """What is written down; an explanation of a line that is not there any more ends the program."""
    reasons = {}
    for entry in tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["change"]:
        lines = {line.strip() for line in (tree / entry["file"]).read_text(encoding="utf-8").splitlines()}
        if entry["before"] not in lines:
            sys.exit(f"{EXPLAINED.name}: {entry['file']} has no line {entry['before']!r}")
        reasons[entry["file"], entry["before"], entry["after"]] = entry["why"]
    return reasons


def identity(one: Tried) -> tuple[str, str, str]:
    """A change by its file, and the lines that it takes out and puts in, in one each."""
    before, after = (
        " ".join(
            line[1:].strip() for line in one.diff.splitlines() if line[:1] == sign and line[:3] != 3 * sign
        )
        for sign in "-+"
    )
    return one.file, before, after


def show(tried: Sequence[Tried]) -> None:
    """By room, then every change that no test noticed, and why, where that is known."""
    table = Table(title="Changes that tests notice")
    for header in ("room", "changes", *OUTCOMES):
        table.add_column(header, justify="left" if header == "room" else "right")
    rooms = sorted({one.file.split("/")[1] for one in tried})
    for room in (*rooms, "all"):
        fates = [one.fate for one in tried if room in (one.file.split("/")[1], "all")]
        table.add_row(room, str(len(fates)), *(str(fates.count(outcome)) for outcome in OUTCOMES))
    Console().print(table)
    for one in sorted(tried, key=lambda one: one.fate):
        if one.outcome == "survived":
            print(f"{one.diff}\n{one.why or 'No test notices this, and nothing explains it.'}\n")


if __name__ == "__main__":
    main()
