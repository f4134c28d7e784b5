"""Run the commands that README.md shows, in order and in a scratch folder, and put their output under them.

A block fenced as ``console`` is a list of ``$ command`` lines, each followed by what it printed. Long runs of
epoch lines are cut in the middle. ``--only TEXT`` renews the blocks whose commands contain TEXT.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
SHOWN_EPOCHS = 2  # at either end


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="renew only blocks with a command that contains this")
    only = parser.parse_args().only
    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as scratch:
        before = readme.read_text(encoding="utf-8")
        after = BLOCK.sub(lambda match: renewed(match, Path(scratch), only), before)
    readme.write_text(after, encoding="utf-8")


def renewed(match: re.Match[str], folder: Path, only: str) -> str:
    commands = [line[2:] for line in match[1].splitlines() if line.startswith("$ ")]
    if only and not any(only in command for command in commands):
        return match[0]
    shown = [f"$ {command}\n{output_of(command, folder)}" for command in commands]
    return f"```console\n{''.join(shown)}```"


def output_of(command: str, folder: Path) -> str:
    print(f"$ {command}", file=sys.stderr, flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    arguments = shlex.split(re.sub(r"(?<!\S)(?=(models|scripts)/)", f"{ROOT}/", command))
    done = subprocess.run(
        arguments, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command} exited with {done.returncode}:\n{done.stderr}")
    return shortened(done.stdout.replace(str(Path.home()), "~"))


def shortened(output: str) -> str:
    lines = output.splitlines(keepends=True)
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ") and "loss" in line]
    for number in epochs[SHOWN_EPOCHS:-SHOWN_EPOCHS]:
        lines[number] = ""
    if len(epochs) > 2 * SHOWN_EPOCHS:
        lines[epochs[SHOWN_EPOCHS]] = "...\n"
    return "".join(lines)


if __name__ == "__main__":
    main()
