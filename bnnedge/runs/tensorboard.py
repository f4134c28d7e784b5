"""metrics.jsonl as TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bnnedge.errors import ConfigError
from bnnedge.files import writing
from bnnedge.runs.directory import RunDirectory

__all__ = ["check_tensorboard", "tensorboard_log"]

Record = dict[str, Any]


def check_tensorboard() -> None:
    """See that the package which writes event files is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import tensorboardX  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--log tensorboard needs the package tensorboardX, which is not installed",
            "pip install 'bnnedge[tensorboard]'",
        ) from error


@contextmanager
def tensorboard_log(run: RunDirectory) -> Iterator[Callable[[Record], None]]:
    """A function to be called with each new record of a run, once it is in metrics.jsonl.

    Event files lie in the run's folder ``tensorboard``. Each training begins them anew, from all of
    metrics.jsonl, so that a run which was killed and resumed has every step once.

    Raises:
        OutputError: the folder cannot be written.
    """
    import tensorboardX

    folder = run.path / "tensorboard"
    with writing(folder):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        writer = tensorboardX.SummaryWriter(str(folder))
    fresh = True

    def log(record: Record) -> None:
        nonlocal fresh
        # What an interrupted training wrote after its last whole epoch is gone from the metrics only now.
        for each in run.records() if fresh else [record]:
            for name, value in _scalars(each):
                writer.add_scalar(name, value, each["step"])
        fresh = False
        writer.flush()

    try:
        yield log
        if fresh and (records := run.records()):  # the run was finished already
            log(records[-1])
    finally:
        writer.close()


def _scalars(record: Record, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Numbers of a record by name, those of layers as bdm/fc1; values that are not there are left out."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif value is not None and name != "step":
            yield prefix + name, value
