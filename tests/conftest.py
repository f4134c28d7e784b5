"""Where the tests find what others published and what we froze."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from bnnedge.data.dataset import Dataset
from bnnedge.data.registry import load_dataset
from tests.commands import Bnnedge, runner

# No test fails for its time: machines are shared.
settings.register_profile("bnnedge", deadline=None)
settings.register_profile("mutation", deadline=None, phases=(Phase.explicit, Phase.generate), database=None)
settings.load_profile("bnnedge")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference-dir",
        type=Path,
        default=Path(__file__).parents[2] / "shared" / "reference",
        help="published test data of pybdm and QONNX (default: ../shared/reference beside the repository)",
    )
    parser.addoption(
        "--regenerate-golden", action="store_true", help="freeze the present print-outs in tests/golden"
    )


@pytest.fixture(scope="session")
def reference_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of published reference data; a test that needs it is skipped, visibly, without it."""
    folder: Path = request.config.getoption("--reference-dir")
    if not folder.is_dir():
        pytest.skip(f"no published reference data at {folder}; say where they are with --reference-dir")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the frozen one of that name."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def bnnedge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bnnedge:
    """Runs the command line in this process."""
    return runner(monkeypatch, capsys)


@pytest.fixture
def brevitas_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Exports a network to QONNX with Brevitas."""
    from tests.brevitas_export import exporter  # with PyTorch, which most tests do without

    return exporter(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The embedded digits, split as the default preset splits them."""
    return load_dataset("digits", validation=0.15)
