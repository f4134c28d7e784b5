"""Files and networks of others, and our own, as packed models and as weight bits."""

from bnnedge.importers.load import load
from bnnedge.importers.weights import load_weights

__all__ = ["load", "load_weights"]
