"""The CTM tables, and the script that makes them of pybdm's pickles."""

from __future__ import annotations

import io
import os
import pickle
import runpy
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bnnedge.complexity import ctm
from bnnedge.complexity.ctm import CTM_SHAPES, ctm_table
from bnnedge.errors import ConfigError, FileError

SCRIPT = Path(__file__).parents[1] / "scripts" / "build_ctm.py"
SHIPPED = Path(ctm.__file__).with_name("ctm.npz")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="build_ctm")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("shape", CTM_SHAPES)
def test_a_table_has_every_block_and_its_complement_at_one_value(shape: tuple[int, ...]) -> None:
    table = ctm_table(shape)
    assert table.dtype == np.float64
    assert table.shape == (2 ** int(np.prod(shape)),)
    assert (table > 0).all()
    assert np.array_equal(table, table[::-1])
    assert ctm_table(shape) is table
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 0


def test_extremes_are_the_published_ones() -> None:
    table = ctm_table((4, 4))
    assert round(float(table.min()), 4) == 22.0067 == round(float(table[0]), 4)
    assert round(float(table.max()), 4) == 36.0228
    assert ctm_table((12,))[0] == 25.610413747641715


def test_squares_are_as_complex_turned_round() -> None:
    codes = np.arange(65536)
    blocks = (codes[:, None] >> np.arange(15, -1, -1) & 1).reshape(-1, 4, 4)
    for turned in (blocks.swapaxes(1, 2), blocks[:, ::-1], blocks[:, :, ::-1]):
        turned_codes = turned.reshape(-1, 16) @ (1 << np.arange(15, -1, -1))
        assert np.allclose(ctm_table((4, 4))[turned_codes], ctm_table((4, 4)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 5), (13,), (1,), (3, 4), ()])
def test_an_unknown_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="no CTM table") as caught:
        ctm_table(shape)
    assert "(4, 4)" in caught.value.hint


def test_the_shipped_file_is_what_pybdm_says(tmp_path: Path) -> None:
    checked = run("--check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert run(tmp_path / "ctm.npz").returncode == 0
    with np.load(tmp_path / "ctm.npz") as built, np.load(SHIPPED) as shipped:
        assert built.files == shipped.files
        for name in shipped.files:
            assert np.array_equal(built[name], shipped[name])


def test_check_names_what_differs(tmp_path: Path, script: dict[str, Any]) -> None:
    tables = script["build"]()
    tables["3x3"][7] = np.nextafter(tables["3x3"][7], 0)
    del tables["5"]
    np.savez(tmp_path / "other.npz", allow_pickle=False, **tables)
    checked = run("--check", tmp_path / "other.npz")
    assert checked.returncode == 1
    assert checked.stdout.splitlines() == ["5: only in one of the two", "3x3: other values"]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short"])
def test_check_refuses_what_is_no_table_file(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.npz").write_bytes(content)
    checked = run("--check", tmp_path / "x.npz")
    assert checked.returncode == 1
    assert "cannot read" in checked.stderr
    assert "Hint: " in checked.stderr
    assert "Traceback" not in checked.stderr


@pytest.mark.parametrize("value", [os.system, Path("x"), np.float64(1), eval])
def test_the_unpickler_refuses_every_other_name(script: dict[str, Any], value: object) -> None:
    with pytest.raises(FileError, match="a CTM pickle asks for"):
        script["Containers"](io.BytesIO(pickle.dumps(value))).load()


def test_a_table_with_gaps_is_refused(script: dict[str, Any]) -> None:
    assert script["expand"]({"00": 1.0, "01": 2.0}, 2).tolist() == [1, 2, 2, 1]
    with pytest.raises(FileError, match="gaps"):
        script["expand"]({"00": 1.0}, 2)


def test_another_pybdm_or_none_is_refused(script: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names = script["locate"].__globals__
    monkeypatch.setitem(names, "distribution", lambda name: SimpleNamespace(version="0.2.0"))
    with pytest.raises(FileError, match=r"pybdm 0\.2\.0 is installed, expected 0\.1\.0"):
        script["locate"]("x")

    def missing(name: str) -> object:
        raise PackageNotFoundError(name)

    monkeypatch.setitem(names, "distribution", missing)
    with pytest.raises(FileError, match="pybdm is not installed"):
        script["locate"]("x")


def test_the_notice_carries_the_licence(reference_dir: Path) -> None:
    licence = (reference_dir / "pybdm" / "LICENSE").read_text()
    assert SHIPPED.with_name("NOTICE.ctm").read_text().endswith(licence)
