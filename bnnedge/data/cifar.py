"""CIFAR-10 in the two layouts that its makers publish: plain records, and pickles of Python 2.

A record of the binary layout has 3073 bytes: the label, then 32 x 32 red, green and blue values, a row at a
time. A batch of the Python layout is a pickled dictionary; its ``data`` and ``labels`` give the same records,
so the digests of the binary layout tell whether either is the real one. Source: Krizhevsky, Learning
Multiple Layers of Features from Tiny Images, 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import SourceSet
from bnnedge.data.files import check_digest, read_whole
from bnnedge.data.unpickle import ByteArray, unpickle
from bnnedge.errors import FileError

__all__ = ["BATCHES", "CLASSES", "find_files", "read_set", "records_of_pickle"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""What labels 0 … 9 mean; ``batches.meta.txt`` of the set."""

BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
"""The files of the binary layout, the test part last; those of the Python layout lack the suffix."""

_SIDE, _CHANNELS = 32, 3
_PIXELS = _CHANNELS * _SIDE * _SIDE
_BATCH = 10_000
_LARGEST = 40_000_000  # bytes; the real batches have 30.73 million, their pickles 31.04


def find_files(folder: Path) -> dict[str, Path]:
    """The batches in a folder, by their names in :data:`BATCHES`: the binary ones if all are there."""
    binary, pickled = (
        {name: path for name in BATCHES if (path := folder / name.removesuffix(suffix)).is_file()}
        for suffix in ("", ".bin")
    )
    return pickled if len(pickled) > len(binary) else binary


def read_set(files: Mapping[str, Path], digests: Mapping[str, str]) -> SourceSet:
    """Read the six batches: 50,000 images to train on and 10,000 to test on.

    Args:
        files: path of each batch, by its name in :data:`BATCHES`.
        digests: expected SHA-256 of each batch's records.

    Raises:
        FileError: a file that is unreadable, broken, or not the real one.
    """
    images, labels = [], []
    for name in BATCHES:
        path = files[name]
        content = read_whole(path, _LARGEST)
        try:
            records = content if path.suffix else records_of_pickle(content)
        except FileError as error:
            raise FileError(f"{path}: {error.message}", error.hint) from error
        check_digest(path, hashlib.sha256(records).hexdigest(), digests[name])
        table = np.frombuffer(records, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
        images.append(table[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE))
        labels.append(table[:, 0].astype(np.int64))
    return SourceSet(
        train_inputs=np.concatenate(images[:-1]),
        train_labels=np.concatenate(labels[:-1]),
        test_inputs=images[-1],
        test_labels=labels[-1],
        class_names=CLASSES,
        maximum=255,
        source=f"CIFAR-10 batches in {files[BATCHES[-1]].parent}",
        verified=True,
    )


def records_of_pickle(content: bytes) -> bytes:
    """The records of the binary layout from a batch of the Python layout.

    Raises:
        FileError: no such batch, or a pickle that wants more than an array of bytes.
    """
    batch = unpickle(content)
    data, labels = (
        (batch.get(key) for key in (b"data", b"labels")) if isinstance(batch, dict) else (None, None)
    )
    if not isinstance(data, ByteArray) or not isinstance(labels, list):
        raise FileError("a pickle without the data and labels of CIFAR-10", "expected a batch as published")
    images = data.array()
    if images.shape != (_BATCH, _PIXELS) or len(labels) != _BATCH or not _are_labels(labels):
        raise FileError(
            f"a batch of shape {images.shape} with {len(labels)} labels",
            f"expected {_BATCH:,} images of {_PIXELS:,} values, and labels from 0 to 9",
        )
    column: NDArray[np.uint8] = np.array(labels, dtype=np.uint8)[:, None]
    return np.hstack([column, images]).tobytes()


def _are_labels(labels: list[object]) -> bool:
    return all(type(label) is int and 0 <= label < len(CLASSES) for label in labels)
