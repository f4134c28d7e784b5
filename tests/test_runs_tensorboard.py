"""TensorBoard's event files: every step once, also of a run that was interrupted."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from bnnedge.errors import ConfigError
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.tensorboard import check_tensorboard, tensorboard_log


def record(epoch: int) -> dict[str, object]:
    return {"epoch": epoch, "step": 10 * epoch, "train_loss": 0.5**epoch, "bdm": {"fc1": 8.0, "fc2": None}}


def events(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every scalar in the order of the files: TFRecords of length, CRC, event, CRC."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted((run.path / "tensorboard").iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
            place += length + 16
    return found


def test_each_step_is_there_once_after_an_interruption(tmp_path: Path) -> None:
    check_tensorboard()
    run = RunDirectory.create(tmp_path / "run", Config())
    with tensorboard_log(run) as log:
        for epoch in (1, 2):
            run.append(record(epoch))
            log(record(epoch))
    run.append(record(3))  # killed before its state was saved
    assert events(run)["epoch"] == [(10, 1), (20, 2)]
    with tensorboard_log(run) as log:
        run.rewind(2, 20)
        for epoch in (3, 4):
            run.append(record(epoch))
            log(record(epoch))
    logged = events(run)
    assert logged.keys() == {"epoch", "train_loss", "bdm/fc1"}
    assert logged["train_loss"] == [(10 * epoch, 0.5**epoch) for epoch in (1, 2, 3, 4)]


def test_a_finished_run_gets_all_of_its_steps(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", Config())
    with tensorboard_log(run):
        pass
    assert events(run) == {}
    run.append(record(1))
    run.append(record(2))
    with tensorboard_log(run):
        pass
    assert events(run)["epoch"] == [(10, 1), (20, 2)]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match="tensorboardX") as caught:
        check_tensorboard()
    assert caught.value.hint is not None
    assert "bnnedge[tensorboard]" in caught.value.hint
