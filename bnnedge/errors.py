"""Every error that bnnedge raises on purpose, and the exit code the command line gives it.

::

    BnnedgeError            1
    ├── ConfigError         3   a setting, option or preset that cannot be
    ├── FileError           4   a file that is missing, corrupt, truncated or foreign
    ├── DataError           5   a data set that is missing, or arrays of the wrong shape or type
    ├── OutputError         6   a place that cannot be written, or that holds somebody's work
    ├── VerificationError   7   an artefact that does not compute what the golden model computes
    ├── UnsupportedError    8   a network that a target cannot express
    ├── GateError           9   a gate of ``--fail-on`` that the audit did not pass
    └── JobError            10  jobs of a sweep that stayed broken

Exit code 2 is click's (the command line itself was off), 130 an interrupt from the keyboard, and 1 with
a traceback is a defect of ours.
"""

from __future__ import annotations

__all__ = [
    "BnnedgeError",
    "ConfigError",
    "DataError",
    "FileError",
    "GateError",
    "JobError",
    "OutputError",
    "UnsupportedError",
    "VerificationError",
]


class BnnedgeError(Exception):
    """What went wrong, in one line that carries the value given, and what to do about it.

    Attributes:
        message: what was given and what was expected.
        hint: what to do next; empty when there is nothing useful to say.
        exit_code: the process exit code of the command line.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(BnnedgeError):
    """A setting, option or preset that cannot be."""

    exit_code = 3


class FileError(BnnedgeError):
    """A file that is missing, corrupt, truncated or of another format."""

    exit_code = 4


class DataError(BnnedgeError):
    """A data set that is missing, or arrays of the wrong shape, type or range."""

    exit_code = 5


class OutputError(BnnedgeError):
    """A place that cannot be written, that holds somebody's work, or that another process is at work in."""

    exit_code = 6


class VerificationError(BnnedgeError):
    """An artefact that does not compute what the golden model computes.

    Attributes:
        difference: the first place that differs, as JSON values; None where the message says it all.
    """

    exit_code = 7

    def __init__(self, message: str, hint: str = "", difference: dict[str, object] | None = None) -> None:
        super().__init__(message, hint)
        self.difference = difference


class UnsupportedError(BnnedgeError):
    """A network that a target cannot express."""

    exit_code = 8


class GateError(BnnedgeError):
    """A gate of ``--fail-on`` that the audit did not pass."""

    exit_code = 9


class JobError(BnnedgeError):
    """Jobs of a sweep that stayed broken, however often they were tried; the others are done."""

    exit_code = 10
