"""Data sets: every one becomes whole-number inputs, labels and fixed splits."""
