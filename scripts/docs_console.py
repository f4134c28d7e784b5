"""Pages whose examples are commands: run them in order, and put what they print under them.

A block fenced as ``console`` is a list of ``$ command`` lines, each followed by what it printed; long runs of
epoch lines are cut in the middle. A ``{code-block}`` with a caption is a file of that name, there for the
commands below it. A command may fail only where ``$ echo $?`` follows, which then shows its exit code.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIECE = re.compile(
    r"```\{code-block\} \w+\n:caption: (?P<name>\S+)\n(?P<text>.*?)```|```console\n(?P<session>.*?)```",
    re.DOTALL,
)
TOCTREE = re.compile(r"```\{toctree\}\n(.*?)```", re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Z_]+=")
EXIT_CODE = "echo $?"
SHOWN_EPOCHS = 2  # at either end


@dataclass(frozen=True)
class Printed:
    """What a command left: its exit code, what it printed, and what it printed as an error."""

    code: int
    out: str
    err: str


Runner = Callable[[list[str], dict[str, str], Path], Printed]
"""Runs words in a folder, with additions to the environment."""


def run_program(words: list[str], extra: dict[str, str], folder: Path) -> Printed:
    """Run a command in a process of its own; ``bnnedge`` and ``python`` are those of this environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path} | extra
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Printed(done.returncode, done.stdout, done.stderr)


def run_aloud(words: list[str], extra: dict[str, str], folder: Path) -> Printed:
    """As :func:`run_program`, and say so on stderr."""
    print("$", *words, file=sys.stderr, flush=True)
    return run_program(words, extra, folder)


@dataclass
class Pages:
    """Renews pages one after another, in one folder.

    Attributes:
        folder: where the commands run.
        only: blocks without a command that contains this stay as they are, and are not run.
        run: what runs a command.
    """

    folder: Path
    only: str = ""
    run: Runner = run_program
    code: int = field(default=0, init=False)  # of the last command

    def renewed(self, page: str) -> str:
        """The text of a page with the present output under its commands."""
        return PIECE.sub(self._renewed_piece, page)

    def _renewed_piece(self, match: re.Match[str]) -> str:
        if match["name"] is not None:
            (self.folder / match["name"]).write_text(match["text"].lstrip("\n"), encoding="utf-8")
            return match[0]
        commands = [line[2:] for line in match["session"].splitlines() if line.startswith("$ ")]
        if self.only and not any(self.only in command for command in commands):
            return match[0]
        shown = [
            f"$ {command}\n{self._output_of(command, followed)}"
            for command, followed in zip(commands, [*commands[1:], ""], strict=True)
        ]
        return f"```console\n{''.join(shown)}```"

    def _output_of(self, command: str, followed_by: str) -> str:
        if command == EXIT_CODE:
            return f"{self.code}\n"
        words = shlex.split(re.sub(r"(?<!\S)(?=(models|scripts)/)", f"{ROOT}/", command))
        extra = {}
        while ASSIGNMENT.match(words[0]):
            name, extra[name] = words.pop(0).split("=", 1)
        done = self.run(words, extra, self.folder)
        self.code = done.code
        if done.code and followed_by != EXIT_CODE:
            sys.exit(f"{command} exited with {done.code}:\n{done.out}{done.err}")
        return shortened(f"{done.out}{done.err if done.code else ''}".replace(str(Path.home()), "~"))


def contents(index: str) -> list[str]:
    """Pages in the order of a table of contents, in which their commands run, on what others left."""
    lines = "".join(TOCTREE.findall(index)).splitlines()
    return [line for line in lines if line and not line.startswith((":", "api/"))]


def renew(paths: Sequence[Path], only: str = "") -> None:
    """Renew pages in place, in one scratch folder; a page is written once all of its commands have run."""
    with tempfile.TemporaryDirectory() as scratch:
        pages = Pages(Path(scratch), only, run_aloud)
        for path in paths:
            path.write_text(pages.renewed(path.read_text(encoding="utf-8")), encoding="utf-8")


def shortened(output: str) -> str:
    """What was printed, without most of a training's epochs."""
    lines = output.splitlines(keepends=True)
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ") and "loss" in line]
    for number in epochs[SHOWN_EPOCHS:-SHOWN_EPOCHS]:
        lines[number] = ""
    if len(epochs) > 2 * SHOWN_EPOCHS:
        lines[epochs[SHOWN_EPOCHS]] = "...\n"
    return "".join(lines)
