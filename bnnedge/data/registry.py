"""Data sets by name: found, checked, resized and split. Nothing is downloaded here."""

from __future__ import annotations

import dataclasses
import difflib
import os
from pathlib import Path

from bnnedge.data.dataset import Dataset, ImageSet, Split
from bnnedge.data.digits import load_digits
from bnnedge.data.idx import AXES, SHA256, file_name, find_files, read_set
from bnnedge.data.resize import resize as resize_images
from bnnedge.data.splits import stratified
from bnnedge.errors import ConfigError, DataError

__all__ = ["DEBIAN_FOLDERS", "NAMES", "cache_dir", "load_dataset"]

NAMES = ("digits", "mnist", "fashion-mnist", "idx")

DEBIAN_FOLDERS = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
"""Where Debian's packages put sets."""

# Below a user's folder: the folder itself, then torchvision's layouts.
_SUBFOLDERS = {
    "mnist": ("", "raw", "MNIST/raw"),
    "fashion-mnist": ("", "raw", "FashionMNIST/raw"),
    "idx": ("", "raw", "MNIST/raw", "FashionMNIST/raw"),
}


def load_dataset(
    name: str,
    *,
    data_dir: Path | None = None,
    resize: int | None = None,
    validation: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """A data set by name, its SHA-256 checked where it is known.

    Args:
        name: ``digits`` (embedded), ``mnist``, ``fashion-mnist``, or ``idx`` for IDX files of your own.
        data_dir: the only folder to look in; else the cache of ``scripts/fetch_datasets``, then Debian's.
        resize: side in pixels that images are resized to; None: as stored.
        validation: share of the official training part held out, stratified; the test part stays whole.
        split_seed: seed of that split.

    Raises:
        ConfigError: an unknown name, or settings that cannot be.
        DataError: the set is not on this machine, or is no set to learn from.
        FileError: files that are broken, or not those of the set.

    >>> digits = load_dataset("digits", resize=6)
    >>> digits.image_shape, len(digits.train.labels), len(digits.validation.labels), len(digits.test.labels)
    ((6, 6), 1294, 144, 359)
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        suggestion = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no data set {name!r}", f"{suggestion}known here: {', '.join(NAMES)}")
    images = _read(name, data_dir)
    if resize is not None:
        images = dataclasses.replace(
            images,
            train_images=resize_images(images.train_images, resize),
            test_images=resize_images(images.test_images, resize),
        )
    return _split(name, images, validation, split_seed)


def cache_dir() -> Path:
    """The folder that fetched sets lie in, one folder a set.

    Raises:
        ConfigError: nothing says where the user's home is.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # unset, empty, or relative, which the XDG specification says to ignore
        try:
            caches = Path.home() / ".cache"
        except RuntimeError as error:
            raise ConfigError("cannot tell where the home folder is", "set HOME or XDG_CACHE_HOME") from error
    return caches / "bnnedge" / "datasets"


def _read(name: str, data_dir: Path | None) -> ImageSet:
    if name == "digits":
        if data_dir is not None:
            raise ConfigError(
                f"digits is embedded in bnnedge, so there is nothing to look for in {data_dir}",
                "leave the data folder out, or load files of your own under the name 'idx'",
            )
        return load_digits()
    if data_dir is not None:
        return _read_below(data_dir, name)
    if name == "idx":
        raise ConfigError("idx means files of your own, but no folder was given", "name it: --data-dir DIR")
    return _read_fetched(name)


def _read_fetched(name: str) -> ImageSet:
    folders = [cache_dir() / name]
    if name in DEBIAN_FOLDERS:
        folders.append(DEBIAN_FOLDERS[name])
    for folder in folders:
        files = find_files(folder, ("",))
        if len(files) == len(AXES):
            return read_set(files, SHA256[name])
    raise DataError(
        f"{name} is not on this machine: not in {' nor in '.join(map(str, folders))}",
        f"fetch it: scripts/fetch_datasets {name} (or name a folder that has it: --data-dir DIR)",
    )


def _read_below(root: Path, name: str) -> ImageSet:
    files = find_files(root, _SUBFOLDERS[name])
    if missing := [file_name(part) for part in AXES if part not in files]:
        below = " or ".join(f"{subfolder}/" for subfolder in _SUBFOLDERS[name] if subfolder)
        fetch = f"; or leave --data-dir out and fetch them: scripts/fetch_datasets {name}"
        raise DataError(
            f"no {name} in {root}: missing {', '.join(missing)}",
            f"expected IDX files, also .gz, there or in {below}{fetch if name in SHA256 else ''}",
        )
    return read_set(files, SHA256.get(name))


def _split(name: str, images: ImageSet, validation: float, split_seed: int) -> Dataset:
    train, held_out = stratified(images.train_labels, validation, split_seed)
    inputs = images.train_images.reshape(len(images.train_images), -1)
    height, width = images.train_images.shape[1:]
    return Dataset(
        name=name,
        image_shape=(height, width),
        maximum=images.maximum,
        classes=1 + int(max(images.train_labels.max(), images.test_labels.max())),
        train=Split(inputs[train], images.train_labels[train]),
        validation=Split(inputs[held_out], images.train_labels[held_out]),
        test=Split(images.test_images.reshape(len(images.test_images), -1), images.test_labels),
        source=images.source,
        verified=images.verified,
    )
