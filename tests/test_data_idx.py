"""IDX files: read back exactly, and refused whole when they are anything but whole."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.data.idx import AXES, find_files, read_idx, read_set
from bnnedge.errors import FileError

SMALL = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


def write_set(folder: Path, samples: int = 6, side: int = 3) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(samples)
    files = {}
    for part, axes in AXES.items():
        shape = (samples, side, side)[:axes]
        files[part] = folder / part
        values = (
            rng.integers(0, 256, shape, dtype=np.uint8) if axes == 3 else np.arange(samples, dtype=np.uint8)
        )
        files[part].write_bytes(idx_bytes(values))
    return files


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans(), st.data())
def test_round_trip(shape: list[int], zipped: bool, data: st.DataObject) -> None:
    size = int(np.prod(shape))
    content = data.draw(st.binary(min_size=size, max_size=size))
    values = np.frombuffer(content, dtype=np.uint8).reshape(shape)
    plain = idx_bytes(values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any-name"
        path.write_bytes(gzip.compress(plain) if zipped else plain)
        file = read_idx(path, len(shape))
    np.testing.assert_array_equal(file.values, values)
    assert file.sha256 == hashlib.sha256(plain).hexdigest()
    assert file.values.flags.writeable  # torch.from_numpy warns of arrays that are not


@pytest.mark.parametrize("zipped", [False, True])
def test_every_truncation_is_an_error(tmp_path: Path, zipped: bool) -> None:
    whole = gzip.compress(idx_bytes(SMALL)) if zipped else idx_bytes(SMALL)
    path = tmp_path / "images"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match="images"):
            read_idx(path, 3)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_idx(path, 3).values, SMALL)


@pytest.mark.parametrize("tail", [b"\0", b"xyz", bytes(100)])
def test_anything_after_the_end_is_an_error(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "images"
    for content in (idx_bytes(SMALL) + tail, gzip.compress(idx_bytes(SMALL) + tail)):
        path.write_bytes(content)
        with pytest.raises(FileError, match="should hold 2 x 3 x 4 values, but has more"):
            read_idx(path, 3)


def test_every_bit_of_the_header_counts(tmp_path: Path) -> None:
    path = tmp_path / "images"
    for bit in range(8 * 16):
        content = bytearray(idx_bytes(SMALL))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(FileError, match="images"):
            read_idx(path, 3)


def test_flipped_bits_in_gzip_are_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "images"
    whole, refused = gzip.compress(idx_bytes(SMALL)), 0
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            values = read_idx(path, 3).values
        except FileError:
            refused += 1
        else:
            np.testing.assert_array_equal(values, SMALL)
    assert refused > 8 * (len(whole) - 10)  # in the 10-byte gzip header, time and system do not matter


@given(st.binary(max_size=64), st.integers(1, 3))
def test_noise_is_an_error(content: bytes, axes: int) -> None:
    for content_or_zip in (content, gzip.compress(content), b"\x1f\x8b" + content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "noise"
            path.write_bytes(content_or_zip)
            if content[:4] != bytes([0, 0, 8, axes]):
                with pytest.raises(FileError, match="noise"):
                    read_idx(path, axes)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3))
def test_claimed_sizes_are_not_believed(shape: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims"
        path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape) + bytes(5))
        if shape in ([1, 1, 5], [1, 5, 1], [5, 1, 1]):
            assert read_idx(path, 3).values.shape == tuple(shape)
        else:
            with pytest.raises(FileError, match="claims"):
                read_idx(path, 3)


def test_memory_is_bounded_by_what_is_there_and_by_what_is_claimed(tmp_path: Path) -> None:
    bomb, boast = tmp_path / "bomb", tmp_path / "boast"
    bomb.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 1000) + bytes(1 << 27), 1))
    boast.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 1 << 27) + bytes(1000)))
    for path, message in ((bomb, "has more"), (boast, "has 1000")):
        tracemalloc.start()
        with pytest.raises(FileError, match=message):
            read_idx(path, 1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20


@pytest.mark.parametrize("shape", [(0, 28, 28), (60000, 0, 28), (2**32 - 1, 2**32 - 1, 0), (2**31, 28, 28)])
def test_absurd_sizes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "images"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape))
    with pytest.raises(FileError, match=f"holds {' x '.join(map(str, shape))} values, expected 1 to"):
        read_idx(path, 3)


def test_messages_say_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes([0, 0, 13, 3]) + bytes(100))
    with pytest.raises(FileError, match="starts with 00 00 0d 03, expected 00 00 08 03"):
        read_idx(path, 3)
    path.write_bytes(idx_bytes(SMALL))
    with pytest.raises(FileError, match="expected 00 00 08 01") as caught:
        read_idx(path, 1)
    assert "unsigned bytes with 1 axis" in caught.value.hint
    path.write_bytes(idx_bytes(SMALL)[:9])
    with pytest.raises(FileError, match="ends after 9 bytes, within its header"):
        read_idx(path, 3)
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 20)
    with pytest.raises(FileError, match="damaged gzip file"):
        read_idx(path, 3)
    with pytest.raises(FileError, match="no file"):
        read_idx(tmp_path / "missing", 3)
    with pytest.raises(FileError, match="cannot read"):
        read_idx(tmp_path, 3)


def test_a_wrong_checksum_within_gzip(tmp_path: Path) -> None:
    path = tmp_path / "images"
    content = bytearray(gzip.compress(idx_bytes(SMALL)))
    content[-8:-4] = struct.pack("<I", zlib.crc32(b"something else"))
    path.write_bytes(content)
    with pytest.raises(FileError, match="incorrect data check"):
        read_idx(path, 3)


@pytest.mark.parametrize(
    "name", ["{0}-idx{1}-ubyte", "{0}.idx{1}-ubyte", "{0}-idx{1}-ubyte.gz", "{0}.idx{1}-ubyte.gz"]
)
def test_spellings(tmp_path: Path, name: str) -> None:
    for part, path in write_set(tmp_path).items():
        path.rename(path.with_name(name.format(part[: -len("-idx1-ubyte")], AXES[part])))
    found = find_files(tmp_path)
    assert found == {
        part: tmp_path / name.format(part[: -len("-idx1-ubyte")], axes) for part, axes in AXES.items()
    }
    assert len(read_set(found, None).train_labels) == 6


def test_only_files_count(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"a stray one")
    (tmp_path / "t10k-labels-idx1-ubyte").mkdir()
    assert find_files(tmp_path).keys() == {"train-images-idx3-ubyte"}
    assert find_files(tmp_path / "nowhere") == {}


def test_a_set_is_read_as_it_is(tmp_path: Path) -> None:
    files = write_set(tmp_path)
    images = read_set(files, None)
    assert images.train_inputs.shape == images.test_inputs.shape == (6, 1, 3, 3)
    assert images.train_inputs.tobytes() == files["train-images-idx3-ubyte"].read_bytes()[16:]
    assert images.test_labels.tolist() == list(files["t10k-labels-idx1-ubyte"].read_bytes()[8:])
    assert images.train_labels.dtype == np.int64
    assert (images.maximum, images.verified) == (255, False)
    assert str(tmp_path) in images.source


def test_known_digests_are_compared(tmp_path: Path) -> None:
    files = write_set(tmp_path)
    digests = {part: hashlib.sha256(path.read_bytes()).hexdigest() for part, path in files.items()}
    assert read_set(files, digests).verified
    zipped = tmp_path / "t10k-labels-idx1-ubyte.gz"
    zipped.write_bytes(gzip.compress(files["t10k-labels-idx1-ubyte"].read_bytes(), mtime=7))
    assert read_set(files | {"t10k-labels-idx1-ubyte": zipped}, digests).verified
    for part, path in files.items():
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(FileError, match=f"{part}.* is not the real file: its SHA-256 is") as caught:
            read_set(files, digests)
        assert "bnnedge data fetch" in caught.value.hint
        content[-1] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize("half", ["train", "t10k"])
def test_counts_that_differ(tmp_path: Path, half: str) -> None:
    files = write_set(tmp_path)
    files[f"{half}-labels-idx1-ubyte"].write_bytes(idx_bytes(np.zeros(7, dtype=np.uint8)))
    with pytest.raises(FileError, match=f"{half}-images-idx3-ubyte has 6 images, but .* 7 labels"):
        read_set(files, None)


def test_sizes_that_differ(tmp_path: Path) -> None:
    files = write_set(tmp_path)
    files["t10k-images-idx3-ubyte"].write_bytes(idx_bytes(np.zeros((6, 3, 4), dtype=np.uint8)))
    with pytest.raises(FileError, match=r"has images of 3 x 3, but .* of 3 x 4"):
        read_set(files, None)


def test_labels_that_do_not_start_at_0(tmp_path: Path) -> None:
    """EMNIST's letters are 1 to 26."""
    files = write_set(tmp_path)
    for part in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        files[part].write_bytes(idx_bytes(np.array([3, 1, 26, 3, 1, 26], dtype=np.uint8)))
    images = read_set(files, None)
    assert images.train_labels.tolist() == [1, 0, 2, 1, 0, 2]
    assert images.class_names == ("1", "3", "26")
