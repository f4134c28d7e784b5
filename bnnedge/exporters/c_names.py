"""Names of files, models and layers as C has them."""

from __future__ import annotations

import re
from itertools import chain, count

from bnnedge.packed.model import PackedModel

__all__ = ["c_name", "layer_names"]

LONGEST_NAME = 40
ENCODING = "encoding"  # has limits, as layers have


def c_name(model: PackedModel) -> str:
    """What files, functions and macros of a model are called: its own name, as far as C has the letters."""
    return _identifier(str(model.provenance.get("name", "")), "network")


def layer_names(model: PackedModel) -> tuple[str, ...]:
    """What layers are called in C, no two alike; suffixes follow, so none can be a word of the language."""
    taken = [ENCODING]
    for layer in model.layers:
        plain = _identifier(layer.name, "layer")
        others = (f"{plain}_{number}" for number in count(2))
        taken.append(next(choice for choice in chain([plain], others) if choice not in taken))
    return tuple(taken[1:])


def _identifier(text: str, otherwise: str) -> str:
    """Letters, digits and single underscores, a letter first, in lower case."""
    plain = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST_NAME].rstrip("_")
    if not plain:
        return otherwise
    return plain if plain[0].isalpha() else f"{otherwise}_{plain}"
