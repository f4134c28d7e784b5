"""Change the core's source in small ways, one at a time, and see whether the tests notice: scripts/mutate."""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_and_test, mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
CORE = ("packed", "complexity", "exporters", "hardware")
# A change is tried on so many files of tests, and on no more of them once these have taken so long.
MOST_TESTS, MOST_SECONDS = 4, 30.0
PYTEST = "-m pytest -x -q -p no:cacheprovider -p no:xdist -p no:randomly"


@dataclass(frozen=True)
class Tried:
    """A change and what became of it.

    Attributes:
        key: of the file's content and the change, by which a later call knows it.
        file: of the package.
        outcome: ``killed``, ``survived``, or ``hung`` where the tests took too long.
        seconds: until then.
        diff: the change.
    """

    key: str
    file: str
    outcome: str
    seconds: float
    diff: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", help="of the environment that has the package")
    parser.add_argument("--mutants", type=int, default=4, help="of each file; default: 4")
    parser.add_argument("--files", nargs="*", default=[f"bnnedge/{room}/**/*.py" for room in CORE])
    parser.add_argument("--seed", type=int, default=0, help="of the choice; default: 0")
    parser.add_argument(
        "--results", type=Path, default=Path(sys.prefix) / "tried.jsonl", help="kept from call to call"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    options.results = options.results.absolute()
    with tempfile.TemporaryDirectory(prefix="bnnedge-mutate-") as scratch:
        tree = copy_of_tree(Path(scratch) / "tree")
        # Tests run in the copy, and import it.
        os.environ |= {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.chdir(tree)
        files = sorted({path for glob in options.files for path in tree.glob(glob)})
        known = read(options.results)
        tried = []
        for file in files:
            for one in try_file(tree, file, options, known):
                tried.append(one)
                print(f"{one.file}: {one.outcome} ({one.seconds:.0f} s)", file=sys.stderr, flush=True)
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


def try_file(tree: Path, file: Path, options: argparse.Namespace, known: dict[str, Tried]) -> Iterator[Tried]:
    """Changes of one file, chosen by chance, each with its fate; known ones are not tried again."""
    source, name = file.read_text(encoding="utf-8"), file.relative_to(tree).as_posix()
    chosen = [
        (key_of(source, code), change)
        for change, code in islice(meaningful(file, source, f"{options.seed} {name}"), options.mutants)
    ]
    if all(key in known for key, _ in chosen):
        yield from (known[key] for key, _ in chosen)
        return
    command, seconds = tests_of(tree, file, options.python)
    for key, change in chosen:
        if key not in known:
            start = time.perf_counter()
            result = mutate_and_test([change], command, 3 * seconds + 20)
            if result.test_outcome is TestOutcome.INCOMPETENT:
                sys.exit(f"{name}: {result.output}")
            hung = result.output == "timeout"
            outcome = "hung" if hung else str(result.test_outcome.value)
            known[key] = Tried(key, name, outcome, time.perf_counter() - start, result.diff or "")
            with options.results.open("a", encoding="utf-8") as results:
                results.write(json.dumps(asdict(known[key])) + "\n")
        yield known[key]


def meaningful(file: Path, source: str, seed: str) -> Iterator[tuple[MutationSpec, str]]:
    """Single changes of a file in a random order, with what they make of it; annotations are left alone."""
    database = WorkDB(":memory:", WorkDB.Mode.create)
    init([file], database, {})
    changes = [change for item in database.work_items for change in item.mutations]
    changes.sort(key=lambda one: (one.start_pos, one.operator_name, one.occurrence))
    random.Random(seed).shuffle(changes)  # noqa: S311
    before = meaning(source)
    for change in changes:
        operator = get_operator(change.operator_name)(**change.operator_args)
        code = mutate_code(source, operator, change.occurrence)
        if code is not None and meaning(code) not in (before, None):
            yield change, code


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


def tests_of(tree: Path, file: Path, python: str) -> tuple[str, float]:
    """The command that runs the tests that import a file, or else its room; how long it takes unchanged."""
    module = ".".join(file.relative_to(tree).with_suffix("").parts).removesuffix(".__init__")
    tests = importing(tree, module)
    # Those called after the file come first: they say most about it, and are the quickest to fail.
    tests.sort(key=lambda path: (file.stem not in path.stem, path.stat().st_size))
    taken, seconds = [], 0.0
    for path in tests[:MOST_TESTS]:
        seconds += seconds_of(python, path)
        taken.append(path)
        if seconds > MOST_SECONDS:
            break
    return command_of(python, taken), seconds


def importing(tree: Path, module: str) -> list[Path]:
    """The files of tests that import a module; where there is none, those that import what holds it."""
    parent, _, last = module.rpartition(".")
    imports = re.compile(
        rf"^(?:from|import) {re.escape(module)}\b|^from {re.escape(parent)} import .*\b{last}\b", re.MULTILINE
    )
    found = [
        path
        for path in sorted(tree.glob("tests/test_*.py"))
        if imports.search(path.read_text(encoding="utf-8"))
    ]
    return found or importing(tree, parent)


@cache
def seconds_of(python: str, test: Path) -> float:
    """How long a file of tests takes, unchanged."""
    command = command_of(python, [test])
    start = time.perf_counter()
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} fails without any change:\n{done.stdout}")
    return time.perf_counter() - start


def command_of(python: str, tests: Sequence[Path]) -> str:
    return shlex.join([python, *PYTEST.split(), *map(str, tests)])


def key_of(source: str, code: str) -> str:
    return hashlib.sha256(f"{source}\0{code}".encode()).hexdigest()[:16]


def read(results: Path) -> dict[str, Tried]:
    if not results.exists():
        return {}
    lines = results.read_text(encoding="utf-8").splitlines()
    return {one.key: one for one in (Tried(**json.loads(line)) for line in lines)}


def show(tried: Sequence[Tried]) -> None:
    """By room, then every change that no test noticed."""
    table = Table(title="Changes that tests notice")
    for header in ("room", "changes", "killed", "hung", "survived"):
        table.add_column(header, justify="left" if header == "room" else "right")
    for room in sorted({one.file.split("/")[1] for one in tried}):
        outcomes = [one.outcome for one in tried if one.file.split("/")[1] == room]
        counts = [outcomes.count(outcome) for outcome in ("killed", "hung", "survived")]
        table.add_row(room, str(len(outcomes)), *map(str, counts))
    Console().print(table)
    for one in tried:
        if one.outcome == "survived":
            print(one.diff)


if __name__ == "__main__":
    main()
