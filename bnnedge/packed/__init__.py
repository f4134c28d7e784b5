"""Bits, integer thresholds and the golden model. NumPy only."""
