"""Graphs and build folders from packed models, each verified against the golden model."""
