"""The embedded default: 1797 scanned digits of 8 x 8 pixels, values 0 … 16.

The file is scikit-learn's ``digits.csv.gz``, byte for byte; NOTICE.digits says whose work it is. The set has
no official test part here, so a fixed, stratified fifth is one. Its 13 writers are not told apart, so each
may have digits in both parts: an accuracy on it says nothing of strangers' handwriting.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np

from bnnedge.data.dataset import SourceSet
from bnnedge.data.splits import fixed_test_part
from bnnedge.errors import FileError

__all__ = ["load_digits"]

_FILE = Path(__file__).with_name("digits.csv.gz")
_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


def load_digits() -> SourceSet:
    """1438 images to train on and 359 to test on, 8 x 8, values 0 … 16, ten classes.

    Raises:
        FileError: the installed file is missing or damaged.

    >>> load_digits().test_inputs.shape
    (359, 1, 8, 8)
    """
    try:
        packed = _FILE.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {_FILE}: {error.strerror or error}", "install bnnedge again") from error
    if hashlib.sha256(packed).hexdigest() != _SHA256:
        raise FileError(f"{_FILE} is not the file that bnnedge comes with", "install bnnedge again")
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
    train, test = fixed_test_part(labels)
    return SourceSet(
        train_inputs=images[train],
        train_labels=labels[train],
        test_inputs=images[test],
        test_labels=labels[test],
        class_names=tuple("0123456789"),
        maximum=16,
        source="embedded in bnnedge: UCI Optical Recognition of Handwritten Digits, CC BY 4.0",
        verified=True,
    )
