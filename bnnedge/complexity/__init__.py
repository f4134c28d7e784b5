"""Measures of complexity, all read off packed words."""
