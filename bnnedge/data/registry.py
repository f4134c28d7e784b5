"""Data sets by name: found, checked, resized, split and scaled. Nothing is downloaded here."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.data import idx
from bnnedge.data.cache import cache_dir
from bnnedge.data.dataset import Dataset, SourceSet, Split
from bnnedge.data.digits import load_digits
from bnnedge.data.known import Find
from bnnedge.data.npz import read_npz
from bnnedge.data.resize import resize as resize_images
from bnnedge.data.scaling import fit_images, fit_table
from bnnedge.data.sources import SETS
from bnnedge.data.splits import stratified
from bnnedge.data.tables import LabelColumn, read_csv
from bnnedge.errors import ConfigError, DataError, FileError

__all__ = ["NAMES", "OWN", "load_dataset"]

OWN = ("idx", "npz", "csv")
"""Formats of users' own files, which stand where a name stands."""

NAMES = ("digits", *SETS, *OWN)

# Below a user's folder: the folder itself, then torchvision's layouts.
_IDX_SUBFOLDERS = ("", "raw", "MNIST/raw", "FashionMNIST/raw")


def load_dataset(
    name: str,
    *,
    path: Path | str | None = None,
    label: LabelColumn = "last",
    shape: tuple[int, ...] | None = None,
    resize: int | None = None,
    validation: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """A data set by name, its SHA-256 checked where it is known.

    Args:
        name: one of :data:`NAMES`: ``digits`` (embedded), a known set, or ``idx``, ``npz`` or ``csv`` for
            files of your own.
        path: where your own file, or your own copy of a known set, is: the only place to look in. None: the
            cache of ``bnnedge data fetch``, then where packages of the system put sets.
        label: for ``csv``: the column of the label.
        shape: for ``npz`` and ``csv``: of a sample, where the file has it flat.
        resize: side in pixels that images are resized to; None: as stored.
        validation: share of the official training part held out, stratified; the test part stays whole.
        split_seed: seed of that split.

    Raises:
        ConfigError: an unknown name, or settings that cannot be.
        DataError: the set is not on this machine, or is no set to learn from.
        FileError: files that are broken, or not those of the set.

    >>> digits = load_dataset("digits", resize=6)
    >>> digits.shape, len(digits.train.labels), len(digits.validation.labels), len(digits.test.labels)
    ((1, 6, 6), 1294, 144, 359)
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        suggestion = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no data set {name!r}", f"{suggestion}known here: {', '.join(NAMES)}")
    if shape is not None and name not in ("npz", "csv"):
        raise ConfigError(f"data.shape has no meaning for {name}, whose shape is known")
    place = None if path is None else Path(path)
    source = _own(name, place, label, shape) if name in OWN else _known(name, place)
    return _split(name, source, resize, validation, split_seed)


def _own(name: str, path: Path | None, label: LabelColumn, shape: tuple[int, ...] | None) -> SourceSet:
    if path is None:
        raise ConfigError(
            f"{name} means files of your own, but no path was given", "name it: --data PATH, or data.path"
        )
    if name == "npz":
        return read_npz(path, shape)
    if name == "csv":
        return read_csv(path, label, shape)
    files = _find(path, _IDX_SUBFOLDERS, idx.find_files, idx.AXES, name)
    return idx.read_set(files, None)


def _known(name: str, path: Path | None) -> SourceSet:
    if name == "digits":
        if path is not None:
            raise ConfigError(
                f"digits is embedded in bnnedge, so there is nothing to look for in {path}",
                "leave the path out, or load files of your own as 'idx', 'npz' or 'csv'",
            )
        return load_digits()
    known = SETS[name]
    if path is not None:
        files = _find(path, known.subfolders, known.find, known.files, name)
    else:
        folders = (cache_dir() / name, *known.installed)
        complete = (
            found for folder in folders if len(found := _look(known.find, folder)) == len(known.files)
        )
        if (files := next(complete, {})) == {}:
            raise DataError(
                f"{name} is not on this machine: not in {' nor in '.join(map(str, folders))}",
                f"fetch it: bnnedge data fetch {name} (or name a folder that has it: --data DIR)",
            )
    return dataclasses.replace(known.read(files, known.digests), class_names=known.class_names)


def _find(
    root: Path,
    subfolders: tuple[str, ...],
    find: Find,
    names: Iterable[str],
    name: str,
) -> Mapping[str, Path]:
    """The files below a user's folder: those of the first subfolder that has all, else of the best."""
    files = max((_look(find, root / subfolder) for subfolder in subfolders), key=len)
    if missing := [file for file in names if file not in files]:
        below = " or ".join(f"{subfolder}/" for subfolder in subfolders if subfolder)
        fetch = f"; or leave the path out and fetch them: bnnedge data fetch {name}" if name in SETS else ""
        raise DataError(
            f"no {name} in {root}: missing {', '.join(missing)}",
            f"expected the files there{f' or in {below}' if below else ''}{fetch}",
        )
    return files


def _look(find: Find, folder: Path) -> dict[str, Path]:
    try:
        return find(folder)
    except OSError as error:
        raise FileError(f"cannot look into {folder}: {error.strerror or error}") from error


def _split(name: str, source: SourceSet, resize: int | None, validation: float, split_seed: int) -> Dataset:
    """Hold out the validation split, make whole numbers of what is not, resize, and flatten."""
    train, held_out = stratified(source.train_labels, validation, split_seed)
    parts = [source.train_inputs[train], source.train_inputs[held_out], source.test_inputs]
    scaling = None
    if parts[0].dtype != np.uint8:
        scaling = (fit_images if parts[0].ndim == 4 else fit_table)(parts[0])
        parts = [scaling.apply(part) for part in parts]
    if resize is not None:
        if parts[0].ndim != 4:
            raise ConfigError(f"{name} is no set of images to resize", "leave data.resize out")
        parts = [resize_images(part, resize) for part in parts]
    labels = (source.train_labels[train], source.train_labels[held_out], source.test_labels)
    training, validating, testing = map(Split, map(_flat, parts), labels)
    return Dataset(
        name=name,
        shape=tuple(parts[0].shape[1:]),
        maximum=source.maximum,
        class_names=source.class_names,
        train=training,
        validation=validating,
        test=testing,
        source=source.source,
        verified=source.verified,
        scaling=scaling,
    )


def _flat(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(samples.reshape(len(samples), -1))
