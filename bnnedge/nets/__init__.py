"""Brevitas networks, all weights and activations 1 bit."""
