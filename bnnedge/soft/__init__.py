"""Complexities that a gradient can lower, of the probabilities of weights; exact where those are 0 or 1."""
