"""A C file is compiled, run and compared with the golden model; then its tables are, number by number.

Only text that is ours is compiled: all but the numbers in its tables must be what :func:`to_c` writes for the
model, so that to verify a stranger's file is not to run a stranger's program.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bnnedge
from bnnedge.errors import FileError, VerificationError
from bnnedge.exporters.c import to_c, to_c_test
from bnnedge.exporters.c_names import c_name
from bnnedge.exporters.c_tables import LANES, layer_tables
from bnnedge.files import scratch_directory
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel

__all__ = ["build_c_test", "check_c", "run_c_test"]

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O2")

_HOW = "install one (Debian: apt-get install gcc libc6-dev), or name yours in the variable CC"
_TABLE = re.compile(r"(static const u?int[0-9]+_t (\w+)(?:\[\w+\])+ = \{)([\w\s,{}/*-]*)\};")
_COMMENT = re.compile(r"/\*[ a-z0-9]*\*/")
_NUMBERS = re.compile(r"[-0-9a-fx{},\s]*")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def check_c(folder: Path, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    """Compare a folder's C file with the golden model: all scores and classes of all inputs, all numbers.

    Args:
        folder: with ``NAME.c``, ``NAME.h`` and ``NAME_test.c``.
        model: what it should compute.
        inputs: (samples, features) whole numbers that fit the model, at least one.

    Raises:
        FileError: a file is missing, is not ours, or does not compile.
        VerificationError: names the first score and the first number that differ; or there is no compiler.
    """
    name, texts = _read(folder)
    source, header, test = f"{name}.c", f"{name}.h", f"{name}_test.c"
    named = replace(model, provenance={"name": name})
    if c_name(named) != name:
        raise FileError(f"{folder / test} is not called as an export would be", "export it again")
    expected = to_c(named)
    hint = _hint(texts[header], model)
    for file in (source, header):
        if difference := _first_line(_frame(texts[file]), _frame(expected[file])):
            raise VerificationError(f"{folder / file}: {difference}", hint)
    score = _first_score(texts | to_c_test(named, inputs[:1]), name, named, inputs)
    number = _first_number(texts[source], expected[source], named)
    if score or number:
        found = [score or "no sample shows it", number] if number else [score]
        raise VerificationError(f"{folder / source}: {'; '.join(found)}", hint)
    if difference := _first_line(
        texts[test], to_c_test(named, _samples(folder / test, texts[test], model))[test]
    ):
        raise VerificationError(f"{folder / test}: {difference}", hint)


def build_c_test(
    folder: Path, name: str, program: Path, compiler: Sequence[str] = (), flags: Sequence[str] = FLAGS
) -> None:
    """Compile ``NAME.c`` and ``NAME_test.c``, with the system's compiler unless another is named.

    Raises:
        FileError: it does not compile; the compiler's first complaint is in the message.
        VerificationError: there is no compiler.
    """
    sources = [str(folder / f"{name}.c"), str(folder / f"{name}_test.c")]
    command = [*(compiler or _compiler()), *flags, "-o", str(program), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise VerificationError(f"cannot run the C compiler {command[0]}: {error.strerror}", _HOW) from error
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise FileError(f"{folder / name}.c does not compile: {complaint}", f"tried {shlex.join(command)}")


def run_c_test(command: Sequence[str], inputs: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """(samples, 1 + classes): class and scores that the compiled test gives for each sample.

    Raises:
        FileError: the program failed, or printed something else.
    """
    with scratch_directory() as scratch:
        path = scratch / "samples"
        path.write_bytes(inputs.tobytes())
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    values = np.array(done.stdout.split(), dtype=np.int64)
    if done.returncode or values.size != len(inputs) * (1 + classes):
        raise FileError(
            f"{shlex.join(command)} exited with {done.returncode} after {values.size} numbers: "
            f"{done.stderr.strip()}"
        )
    return values.reshape(len(inputs), 1 + classes)


def _compiler() -> list[str]:
    """What CC names, or else the first compiler there is."""
    if named := shlex.split(os.environ.get("CC", "")):
        return named
    for name in COMPILERS:
        if path := shutil.which(name):
            return [path]
    raise VerificationError(
        f"no C compiler to verify the export with: none of {', '.join(COMPILERS)} is on the path",
        _HOW,
    )


def _read(folder: Path) -> tuple[str, dict[str, str]]:
    """The network's name, and the text of its three files."""
    tests = sorted(folder.glob("*_test.c"))
    if len(tests) != 1:
        raise FileError(f"{folder} holds {len(tests)} files *_test.c, expected one", "export it again")
    name = tests[0].name.removesuffix("_test.c")
    texts = {}
    for file in (f"{name}.c", f"{name}.h", f"{name}_test.c"):
        try:
            texts[file] = (folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"cannot read {folder / file}: {error}", "export it again") from error
    return name, texts


def _frame(text: str) -> str:
    """A text without the numbers of its tables and without its digest: what must be ours to be compiled."""

    def without_numbers(table: re.Match[str]) -> str:
        return f"{table[1]}}};" if _NUMBERS.fullmatch(_COMMENT.sub("", table[3])) else table[0]

    return _DIGEST.sub("", _TABLE.sub(without_numbers, text))


def _first_line(actual: str, expected: str) -> str:
    """The first line of a text that is not as expected; empty where none is."""
    lines = actual.splitlines(), expected.splitlines()
    for there, here in zip(*lines, strict=False):
        if there != here:
            return f"a line is {there.strip()!r}, but bnnedge {bnnedge.__version__} writes {here.strip()!r}"
    if actual != expected:
        return f"is of {len(lines[0])} lines, but bnnedge {bnnedge.__version__} writes {len(lines[1])}"
    return ""


def _first_score(texts: dict[str, str], name: str, model: PackedModel, inputs: NDArray[np.uint8]) -> str:
    """The first score or class that differs, once compiled and run; empty where none does."""
    with scratch_directory() as scratch:
        for file, text in texts.items():
            (scratch / file).write_text(text, encoding="utf-8")
        program = scratch / "test"
        build_c_test(scratch, name, program)
        results = run_c_test([str(program)], inputs, model.classes)
    prediction = model.predict(inputs)
    expected = np.column_stack((prediction.labels, prediction.scores))
    wrong = np.argwhere(results != expected)
    if not len(wrong):
        return ""
    sample, column = (int(index) for index in wrong[0])
    what = f"score of class {column - 1}" if column else "class"
    there, here = results[sample, column], expected[sample, column]
    return f"{what}, sample {sample}, is {there}, but the golden model has {here}"


def _first_number(actual: str, expected: str, model: PackedModel) -> str:
    """The first number of a table that differs; empty where none does. Both texts have the same frame."""
    layers = {entry.name: entry for entry in layer_tables(model)}
    for there, here in zip(_TABLE.finditer(actual), _TABLE.finditer(expected), strict=True):
        numbers = list(zip_longest(_numbers(there[3]), _numbers(here[3]), fillvalue="nothing"))
        place = next((place for place, pair in enumerate(numbers) if pair[0] != pair[1]), None)
        if place is None:
            continue
        name, _, kind = here[2].rpartition("_")
        where = f"{here[2]}, entry {place}"
        if name in layers:
            entry = layers[name]
            block = place // (entry.words * LANES if kind == "weights" else LANES)
            where = f"layer {entry.layer.name}, neuron {block * LANES + place % LANES}: {kind}"
        return f"{where} {numbers[place][0]}, but the model has {numbers[place][1]}"
    return ""


def _numbers(body: str) -> list[str]:
    """The numbers of a table, as they are written: 010 is not 10."""
    return re.findall(r"[^,{}\s]+", _COMMENT.sub("", body))


def _samples(path: Path, text: str, model: PackedModel) -> NDArray[np.uint8]:
    """The samples that a test file holds.

    Raises:
        FileError: none, or none of this model.
    """
    found = [_numbers(table[3]) for table in _TABLE.finditer(text) if table[2] == "samples"]
    allowed = {str(value): value for value in range(model.encoding.maximum + 1)}
    numbers = found[0] if found else []
    if not numbers or len(numbers) % model.encoding.features or not allowed.keys() >= set(numbers):
        raise FileError(f"{path} holds no samples of this model", "export it again")
    values = [allowed[number] for number in numbers]
    return np.array(values, dtype=np.uint8).reshape(-1, model.encoding.features)


def _hint(header: str, model: PackedModel) -> str:
    own, stated = digest(model), _DIGEST.search(header)
    if stated is None or stated[0] != own:
        return f"the file was made from model {stated[0][:12] if stated else '?'}, this one is {own[:12]}"
    return "the file was changed since it was exported, or another version wrote it; export it again"
