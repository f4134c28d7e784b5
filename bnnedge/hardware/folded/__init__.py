"""Folded hardware: each layer an engine that computes PE neurons x SIMD inputs in a clock cycle."""

from bnnedge.hardware.folded.design import Design, LayerDesign
from bnnedge.hardware.folded.fold import Fold, fold_for
from bnnedge.hardware.folded.generate import generate
from bnnedge.hardware.folded.pace import default_folds

__all__ = ["Design", "Fold", "LayerDesign", "default_folds", "fold_for", "generate"]
