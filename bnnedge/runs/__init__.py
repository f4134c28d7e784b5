"""Configurations and run directories: what a training leaves on disk."""
