"""The command line: one file a verb, imported when it runs; parse, call, print."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from bnnedge import __version__
from bnnedge.errors import BnnedgeError, OutputError

__all__ = ["main"]

_FULL = (errno.ENOSPC, errno.EDQUOT)

# Verb: what it does. The module bnnedge.cli.<verb> holds a command named `command`. Help texts stand here
# so that `bnnedge --help` imports none of them.
_VERBS = {
    "train": "Train a 1-bit network into a run directory.",
    "sweep": "Train a family of networks over settings and seeds, interrupted or not, into one table.",
    "audit": "Measure the complexity of a checkpoint's weight bits, layer by layer.",
    "compare": "Show which bits flipped between checkpoints, and what became simpler.",
    "llc": "Estimate the discrete local learning coefficient of deployed bits, or say why not.",
    "data": "List the data sets that are known, and fetch them into the cache.",
    "budget": "Say whether a network fits a board, before any training: LUT, BRAM, cycles, frames/s.",
    "export": "Write ONNX, QONNX, FINN graphs or a PYNQ build folder, each verified bit for bit.",
    "simulate": "Simulate generated hardware on test images, against the golden model.",
    "synth": "Count what generated hardware takes of an FPGA, layer by layer, with Yosys.",
    "verify": "Run what was exported against the golden model, and name the first difference.",
}


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order in which one uses them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb's command."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"bnnedge.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_Verbs, subcommand_metavar="VERB ...", context_settings={"max_content_width": 110})
@click.version_option(__version__, prog_name="bnnedge")
@click.option("--traceback", is_flag=True, help="On an error, show where in bnnedge it was raised.")
def _group(traceback: bool) -> None:
    """From a fully 1-bit neural network to an FPGA, with the complexity of its weights measured on the way.

    \b
    bnnedge train                     train the embedded default into runs/0001-digits-tfc
    bnnedge audit                     audit its best checkpoint
    bnnedge compare                   what its training changed
    bnnedge export --target pynq      a verified build folder for FINN
    """  # noqa: D301 (the escape is click's)


def main() -> None:
    """Run the command line; errors are two lines on stderr and a stable exit code (see bnnedge.errors)."""
    show_traceback = "--traceback" in sys.argv[1:]
    try:
        _group.main(standalone_mode=False, prog_name="bnnedge")
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BnnedgeError as error:
        if show_traceback:
            raise
        _end_with(error)
    except OSError as error:  # what writes files of ours says so itself; this is stdout, or a temporary file
        if show_traceback or error.errno not in _FULL:
            raise
        _give_up_output()
        _end_with(
            OutputError(
                f"cannot write {error.filename or 'the output'}: {error.strerror}",
                "make room on the disk, or let TMPDIR name a folder on another one",
            )
        )


def _give_up_output() -> None:
    """What could not be written is not tried again when Python ends, which would change the exit code."""
    with contextlib.suppress(OSError, ValueError):  # as where standard output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_with(error: BnnedgeError) -> NoReturn:
    click.echo(f"Error: {error.message}", err=True)
    if error.hint:
        click.echo(f"Hint: {error.hint}", err=True)
    sys.exit(error.exit_code)
