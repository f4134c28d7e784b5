"""Compare the accelerator on the board with the golden model, and measure accuracy. Needs NumPy and PYNQ.

    python validate.py [--dataset FILE.npz] [--batchsize 100]

Always runs input.npy, whose labels by the golden model are in expected_output.npy. A data set is a .npz with
the samples x_test and their labels y_test, or X and y; where it has the golden model's own labels besides, as
``golden``, each is compared. Exits 0 if every compared label is the golden model's, else 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from driver import BITFILE, Accelerator
from host import FOLDER, add_options, open_accelerator

SHOWN = 5  # mismatches that are named one by one


def compare(name, found, expected):
    """Print how many labels are as expected, and the first that are not; gives back how many are not."""
    expected = np.asarray(expected).reshape(-1)
    if len(expected) != len(found):
        raise ValueError(f"{name} has {len(expected)} labels for {len(found)} samples")
    wrong = np.flatnonzero(found != expected)
    print(f"{name}: {len(found) - len(wrong):,} of {len(found):,} labels are the golden model's")
    for sample in wrong[:SHOWN]:
        print(f"  sample {sample}: the board says {found[sample]}, the golden model {expected[sample]}")
    return len(wrong)


def read_dataset(path):
    """(samples, labels, the golden model's labels or None) of a .npz."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name.lower(): archive[name] for name in archive.files}
    for inputs, labels in (("x_test", "y_test"), ("x", "y")):
        if inputs in arrays and labels in arrays:
            return arrays[inputs], arrays[labels].reshape(-1), arrays.get("golden")
    raise ValueError(f"{path} has {', '.join(arrays) or 'no arrays'}; expected x_test and y_test, or X and y")


def accuracy(accelerator, path):
    """Print how many samples of a data set the board gets right; gives back its mismatches."""
    samples, labels, golden = read_dataset(path)
    found = accelerator.execute(samples)
    if len(labels) != len(found) or not len(found):
        raise ValueError(f"{path} has {len(labels)} labels for {len(found)} samples")
    right = int((found == labels).sum())
    print(f"{path}: {right:,} of {len(found):,} right, {right / len(found):.2%}")
    return 0 if golden is None else compare(path, found, golden)


def main(arguments=None):
    """Compare, measure; gives back the exit code."""
    parser = argparse.ArgumentParser(description="Check the accelerator of this folder.")
    add_options(parser, BITFILE, 100)
    parser.add_argument("--dataset", type=Path, help="a .npz with x_test and y_test, or X and y")
    given = parser.parse_args(arguments)
    try:
        accelerator = open_accelerator(Accelerator, given)
        found = accelerator.execute(np.load(FOLDER / "input.npy", allow_pickle=False))
        wrong = compare("expected_output.npy", found, np.load(FOLDER / "expected_output.npy"))
        if given.dataset is not None:
            wrong += accuracy(accelerator, given.dataset)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
