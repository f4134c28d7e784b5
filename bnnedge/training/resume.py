"""Where an interrupted run goes on: at its newest state that is whole, as is all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable

from bnnedge.errors import FileError
from bnnedge.packed.file import load_packed
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.trajectory import read_steps
from bnnedge.training.checks import check_resumed
from bnnedge.training.parts import Parts
from bnnedge.training.state import Standing, load_state

__all__ = ["begun", "resume"]


def begun(run: RunDirectory) -> bool:
    """Whether a run has a state to go on from.

    Raises:
        FileError: it has none, and yet has epochs, which beginning anew would overwrite.
    """
    if run.states():
        return True
    if run.records() or max(run.checkpoints(), default=0) > 0:
        raise FileError(
            f"{run.path} has epochs, but no {run.state_file.name} to go on from",
            "put that file back, or train anew into another folder: --out",
        )
    return False


def resume(parts: Parts, config: Config, run: RunDirectory, say: Callable[[str], None]) -> Standing:
    """Put the parts back where the last whole epoch left them, and drop what was written after it.

    Where the newest state is damaged, or the newest checkpoint, line of metrics or file of steps that belongs
    to it, the state before it is gone on from; that epoch is trained again, to the same bits.

    Args:
        parts: of the training, as new.
        config: of the run, as it is now.
        run: with a state.
        say: told, in one line, of damage that was passed over.

    Raises:
        ConfigError: the configuration or the teacher is another than when the run started.
        FileError: both states are damaged, or of another network, or lack what belongs to them.
    """
    damage: list[FileError] = []
    for path in run.states():
        try:
            standing = load_state(path, parts.net, parts.optimisers)
            _check_company(run, standing)
        except FileError as error:
            damage.append(error)
            continue
        check_resumed(config, parts.provenance, run, standing)
        run.rewind(standing.epoch, standing.step)
        if damage:
            say(f"{damage[0].message}; going on from {path.name}, after epoch {standing.epoch}")
            run.state_file.unlink()  # or it would be kept in the place of the one that is whole
        if parts.charge is not None and standing.pressure is not None:
            parts.charge.pressure = standing.pressure
        return standing
    raise damage[0]


def _check_company(run: RunDirectory, standing: Standing) -> None:
    """See that what a run has written by then is there, as far as the training and its end rely on it.

    Raises:
        FileError: checkpoints or steps that are damaged or gone, or metrics that end too early.
    """
    steps = [step for step in run.checkpoints() if step <= standing.step]
    for step in {standing.best_step, *steps[-1:]}:
        load_packed(run.checkpoint(step))
    measured = [path for epoch, path in run.steps_files().items() if epoch <= standing.epoch]
    for path in measured[-1:]:
        read_steps(path)
    epochs = [record["epoch"] for record in run.records()]
    if epochs[: standing.epoch] != list(range(1, standing.epoch + 1)):
        raise FileError(
            f"{run.path / 'metrics.jsonl'} does not have each epoch up to {standing.epoch}",
            "put a copy of it back, or train anew into another folder: --out",
        )
