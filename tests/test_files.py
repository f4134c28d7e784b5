"""Files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnnedge.errors import OutputError
from bnnedge.files import atomic_directory, write_atomically


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "export"
    with atomic_directory(path) as draft:
        (draft / "a").write_text("1")
        assert not path.exists()

    def fail_halfway() -> None:
        with atomic_directory(path) as draft:
            (draft / "b").write_text("2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert [file.name for file in path.iterdir()] == ["a"]
    with atomic_directory(path) as draft:
        (draft / "c").write_text("3")
    assert [file.name for file in path.iterdir()] == ["c"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), atomic_directory(tmp_path / "file" / "export"):
        pass
