"""Files and networks of others, and our own, as packed models."""

from bnnedge.importers.load import load

__all__ = ["load"]
