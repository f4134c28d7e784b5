"""Fully 1-bit neural networks, from training to an FPGA, with the complexity of their bits measured.

The names below are the library's face. Each is imported when it is first used, so that ``import bnnedge``
is quick and nothing needs PyTorch that does not train.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bnnedge.analysis.audit import audit
    from bnnedge.analysis.compare import compare
    from bnnedge.complexity.bdm import bdm
    from bnnedge.complexity.entropy import block_entropy
    from bnnedge.errors import BnnedgeError
    from bnnedge.exporters import export, verify
    from bnnedge.importers import load
    from bnnedge.packed.matrix import PackedMatrix
    from bnnedge.packed.model import PackedModel

__version__ = "0.1.0"

_HOMES = {
    "BnnedgeError": "bnnedge.errors",
    "PackedMatrix": "bnnedge.packed.matrix",
    "PackedModel": "bnnedge.packed.model",
    "audit": "bnnedge.analysis.audit",
    "bdm": "bnnedge.complexity.bdm",
    "block_entropy": "bnnedge.complexity.entropy",
    "compare": "bnnedge.analysis.compare",
    "export": "bnnedge.exporters",
    "load": "bnnedge.importers",
    "verify": "bnnedge.exporters",
}

__all__ = [
    "BnnedgeError",
    "PackedMatrix",
    "PackedModel",
    "audit",
    "bdm",
    "block_entropy",
    "compare",
    "export",
    "load",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bnnedge' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
