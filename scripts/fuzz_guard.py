"""What a reader must keep to, whatever the file: checked for one input after another, in this process.

Only a BnnedgeError may come out of it. It ends within :data:`SECONDS` of processor time (what waits for
ever, fuzz.py finds). Its memory stays below :data:`TIMES`
the input and :data:`FLOOR`. It starts no program, opens no socket, writes nothing outside its folder, and
reads nothing that is neither there nor part of the installation. Files that C and Rust open are not seen by
Python's audit hooks; the tests have pipes in their place, which block whoever opens them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz_archives import MARKER

from bnnedge.errors import BnnedgeError

__all__ = ["FLOOR", "SECONDS", "TIMES", "Guard", "Hang", "Outcome"]

SECONDS = 5.0
TIMES = 10
FLOOR = 256 << 20  # bytes

_ROOT = Path(__file__).resolve().parent.parent
_INSTALLED = tuple(
    str(Path(place).resolve()) for place in (str(_ROOT), sys.prefix, sys.base_prefix, *filter(None, sys.path))
)
_KERNEL = ("/proc/", "/sys/", "/dev/null", "/dev/urandom", "/etc/localtime", "/usr/share/zoneinfo")
_NEVER = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
)
_WRITES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
)


class Hang(BaseException):
    """Raised in a reader that has had its time; not an Exception, so that no reader takes it for damage."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        kind: ``read``, ``refused``, or what was broken: ``crash``, ``hang``, ``memory``, ``escape``.
        detail: of a refusal the error's class and message, numbers aside; of a finding where it happened.
        seconds: of processor time that it took.
    """

    kind: str
    detail: str
    seconds: float

    @property
    def found(self) -> bool:
        """Whether the contract was broken."""
        return self.kind not in ("read", "refused")


class Guard:
    """Runs readers on inputs and says what became of each; audit hooks stay, so make one a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve())
        self._escapes: list[str] | None = None
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGPROF, _stop)

    def run(self, read: Callable[[], object], size: int) -> Outcome:
        """What became of an input of ``size`` bytes that ``read`` reads."""
        before = _memory(reset=True)
        escapes: list[str] = []
        self._escapes = escapes
        begun = time.process_time()
        kind, detail = "read", ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                try:
                    read()
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
        except BnnedgeError as error:
            kind, detail = "refused", f"{type(error).__name__}: {_shape(error.message)}"
        except Hang as error:
            kind, detail = "hang", _place(error)
        except BaseException as error:  # noqa: BLE001 - whatever else comes out is what is looked for
            kind, detail = "crash", f"{type(error).__name__} in {_place(error)}"
        seconds = time.process_time() - begun
        self._escapes = None
        grown = _memory() - before
        if escapes or MARKER.exists():
            MARKER.unlink(missing_ok=True)
            return Outcome("escape", escapes[0] if escapes else "code of the file ran", seconds)
        if kind in ("read", "refused") and grown > TIMES * size + FLOOR:
            return Outcome("memory", f"{grown >> 20} MiB for {size} bytes", seconds)
        return Outcome(kind, detail, seconds)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._escapes is None:
            return
        if event in _NEVER:
            self._escapes.append(f"{event} {arguments[:2]!r:.100}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            writing = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if not (self._inside(path) or (not writing and path.startswith((*_INSTALLED, *_KERNEL)))):
                self._escapes.append(f"{'writes' if writing else 'reads'} {path:.100}")
        elif event in _WRITES and not self._inside(os.path.realpath(os.fsdecode(arguments[0]))):
            self._escapes.append(f"{event} {arguments[0]!r:.100}")

    def _inside(self, path: str) -> bool:
        return path.startswith(self._folder)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def _memory(*, reset: bool = False) -> int:
    """Bytes of the process's memory: now, and the peak is made to begin here; or the peak since then."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    wanted = "VmRSS:" if reset else "VmHWM:"
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(wanted))


def _place(error: BaseException) -> str:
    """The last line of ours on the way to an error, and its message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{_ROOT}/bnnedge/" in frame.filename] or frames
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}" if ours else "?"
    return f"{where}: {_shape(str(error))}"


def _shape(message: str) -> str:
    """A message without what varies from input to input."""
    letters = "".join("9" if letter.isdigit() else letter for letter in message[:300])
    while "99" in letters:
        letters = letters.replace("99", "9")
    return letters[:80]
