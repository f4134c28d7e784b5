"""Graphs and build folders from packed models, each verified against the golden model.

``export`` and ``verify`` are imported when they are first used: ONNX and its run-times take their time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnnedge.exporters.folder import export
    from bnnedge.exporters.report import ExportReport
    from bnnedge.exporters.verification import Verification, verify

__all__ = ["ExportReport", "Verification", "export", "verify"]

_HOMES = {
    "ExportReport": "bnnedge.exporters.report",
    "Verification": "bnnedge.exporters.verification",
    "export": "bnnedge.exporters.folder",
    "verify": "bnnedge.exporters.verification",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bnnedge.exporters' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
