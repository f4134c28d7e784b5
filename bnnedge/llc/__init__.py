"""Local learning coefficients: of real weights, of deployed bits, and in closed form where they are known.

``estimator.llc`` samples around a model with real weights, and refuses where the chains cannot be believed;
``discrete.dllc`` flips the bits of a packed network; ``deep_linear`` is the truth for both of their kind.
"""
