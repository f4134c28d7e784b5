"""Audit and comparison of packed models."""
