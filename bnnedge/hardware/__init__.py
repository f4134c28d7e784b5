"""Boards: parts, resources, clocks."""
