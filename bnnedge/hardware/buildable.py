"""What a FINN leaves out of the accelerator, refused before it is written.

FINN builds one chain of hardware layers. Where it leaves a layer in the middle to the processor its own steps
stop with an assertion about cycles. FINN+ 1.6.1 took every network that was tried; of FINN, release 0.10.1
and the dev branch of April 2026, from which 1.0 came, were run (``units_of`` is checked against all three).
"""

from __future__ import annotations

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.finns import Finn, title
from bnnedge.packed.geometry import Geometry

__all__ = ["insist_buildable"]


def insist_buildable(geometry: Geometry, finn: Finn) -> None:
    """Pass on if every layer of a network becomes hardware.

    Raises:
        UnsupportedError: one does not; the hint says which FINN builds it.
    """
    if finn == "plus":
        return
    if _flattens_alone(geometry, finn):
        raise UnsupportedError(
            f"{title(finn)} does not flatten images that no filter larger than 1 x 1 has seen",
            "take --finn plus",
        )
    if finn == "0.10":
        _insist_on_0_10(geometry)


def _flattens_alone(geometry: Geometry, finn: Finn) -> bool:
    """Whether images meet a dense layer, in a network without the node that makes FINN look for that."""
    slides = [layer.convolution for layer in geometry.layers if layer.convolution is not None]
    if not slides and not (geometry.by_channel and len(geometry.shape) > 1):
        return False
    windows = any((sliding.kernel, sliding.stride) != (1, 1) for sliding in slides)
    pools = any(sliding.pool > 1 for sliding in slides)
    return not (windows or (pools and finn != "0.10"))


def _insist_on_0_10(geometry: Geometry) -> None:
    hint = "take --finn 1.0 or --finn plus"
    if not geometry.head_keeps_order:
        raise UnsupportedError("FINN 0.10 leaves a head with a scale for each class to the processor", hint)
    for layer in geometry.layers:
        sliding = layer.convolution
        if sliding is None:
            continue
        height, width = sliding.positions
        if sliding.kernel == 1 < sliding.stride:
            raise UnsupportedError(
                f"FINN 0.10 does not build {layer.name}: a 1 x 1 filter that strides", hint
            )
        if sliding.pool > 1 and (height != width or height % sliding.pool):
            raise UnsupportedError(
                f"FINN 0.10 does not build {layer.name}: it pools square images without a rest, "
                f"and these are {height} x {width} for {sliding.pool} x {sliding.pool}",
                hint,
            )
