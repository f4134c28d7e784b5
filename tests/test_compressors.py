"""Compressed sizes: by other routes through the libraries, and back, what must hold, edges, frozen values."""

from __future__ import annotations

import lzma
import math
import zlib

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity import compressors as module
from bnnedge.complexity.compressors import MEASURES, MINIMUM_BITS, lzma_per_bit, zlib_per_bit, zstd_per_bit

Bits = NDArray[np.bool_]

KEYS = ["zlib_per_bit", "lzma_per_bit", "zstd_per_bit"]
LZMA2 = [{"id": lzma.FILTER_LZMA2, "preset": 6}]

shapes = st.tuples(st.integers(1, 70), st.integers(1, 130))
densities = st.sampled_from([0.02, 0.2, 0.5])


def random_bits(shape: tuple[int, int], density: float = 0.5, seed: int = 0) -> Bits:
    return np.random.default_rng(seed).random(shape) < density


def plainly_packed(bits: Bits) -> bytes:
    digits = "".join("01"[bit] for bit in bits.ravel().tolist())
    digits += "0" * (-len(digits) % 8)
    return int("1" + digits, base=2).to_bytes(len(digits) // 8 + 1, "big")[1:]


def plainly_compressed(data: bytes) -> tuple[int, int, int]:
    """Sizes by the libraries' one-call interfaces, in containers, less what the containers add."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19, source_size=len(data), write_content_size=False
    )
    framed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return (
        len(zlib.compress(data, 9)) - 2 - 4,  # header, Adler-32
        len(lzma.compress(data, lzma.FORMAT_RAW, filters=LZMA2)),
        len(framed.compress(data) + framed.flush()) - 4,  # magic number
    )


@given(shapes, densities, st.integers(0, 5))
def test_sizes_are_those_of_the_plainly_packed_bits(
    shape: tuple[int, int], density: float, seed: int
) -> None:
    bits = random_bits(shape, density, seed)
    scores = [measure.of(PackedMatrix.from_bits(bits)) for measure in MEASURES]
    if bits.size < MINIMUM_BITS:
        assert all(math.isnan(score) for score in scores)
    else:
        expected = plainly_compressed(plainly_packed(bits))
        assert scores == pytest.approx([8 * size / bits.size for size in expected], rel=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (37, 333), (200, 8)])
def test_what_is_counted_decompresses_to_the_bits(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    """Taken on the way to being counted: the sizes are of these bits, and of all of them."""
    bits = random_bits(shape, 0.1)
    streams: list[bytes] = []

    def counting(data: bytes) -> int:
        streams.append(data)
        return len(data)

    monkeypatch.setattr(module, "len", counting, raising=False)
    for measure in MEASURES:
        streams.clear()
        score = measure.of(PackedMatrix.from_bits(bits))
        stream = b"".join(streams)
        assert score == 8 * len(stream) / bits.size
        if measure.key == "zlib_per_bit":
            data = zlib.decompress(stream, -zlib.MAX_WBITS)
        elif measure.key == "lzma_per_bit":
            data = lzma.decompress(stream, lzma.FORMAT_RAW, filters=LZMA2)
        else:
            plain = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
            data = plain.decompress(stream, max_output_size=bits.size)
        assert data == plainly_packed(bits)


@pytest.mark.parametrize("columns", [4, 12, 64, 65, 320, 333])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_slices_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch, columns: int, size: int) -> None:
    bits = random_bits((203, columns), 0.2)
    whole = [measure.of(PackedMatrix.from_bits(bits)) for measure in MEASURES]
    monkeypatch.setattr(module, "_SLICE_BYTES", size)
    assert [measure.of(PackedMatrix.from_bits(bits)) for measure in MEASURES] == whole
    assert b"".join(module._unpadded(PackedMatrix.from_bits(bits))) == plainly_packed(bits)


def test_padding_is_not_compressed() -> None:
    """The same bits in rows of 64, of 65 with padding to 128, and in one row."""
    bits = random_bits((65, 64), 0.2)
    for measure in MEASURES:
        scores = {
            measure.of(PackedMatrix.from_bits(bits.reshape(shape)))
            for shape in ((65, 64), (64, 65), (1, 4160))
        }
        assert len(scores) == 1, measure.key


def test_random_bits_do_not_compress_and_repeated_ones_do() -> None:
    for shape in ((64, 64), (1024, 1024)):
        for measure in MEASURES:
            score = measure.of(PackedMatrix.from_bits(random_bits(shape)))
            assert 1 < score < 1.02, measure.key
            assert score == pytest.approx(measure.of(PackedMatrix.from_bits(~random_bits(shape))), rel=1e-3)
    repeated = PackedMatrix.from_bits(np.tile(random_bits((8, 256)), (64, 1)))
    constant = PackedMatrix.from_bits(np.zeros((512, 256), dtype=bool))
    for measure in MEASURES:
        assert measure.of(constant) < measure.of(repeated) < 0.03, measure.key


def test_the_reach_of_each_dictionary() -> None:
    """Of 64 KiB twice, zlib's window of 32 KiB sees nothing, and the others see it."""
    twice = PackedMatrix.from_bits(np.tile(random_bits((512, 1024)), (2, 1)))
    assert zlib_per_bit(twice) > 1
    assert lzma_per_bit(twice) < 0.51
    assert zstd_per_bit(twice) < 0.51


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0), (1, 1), (1, 511), (511, 1), (7, 73)])
def test_too_small_is_nan(shape: tuple[int, int]) -> None:
    for measure in MEASURES:
        assert math.isnan(measure.of(PackedMatrix.from_bits(np.ones(shape, dtype=bool))))


@pytest.mark.parametrize("shape", [(1, 512), (512, 1), (8, 64)])
def test_the_smallest_that_is_measured(shape: tuple[int, int]) -> None:
    for measure in MEASURES:
        assert 1 < measure.of(PackedMatrix.from_bits(random_bits((8, 64)).reshape(shape))) < 1.1


def test_frozen_values() -> None:
    """Within 2 %: another version of a library, or zlib-ng in zlib's place, may save a few bytes more."""
    seeded = PackedMatrix.from_bits(np.random.default_rng(7).random((61, 133)) < 0.1)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    assert [measure.key for measure in MEASURES] == KEYS
    assert [measure.of(seeded) for measure in MEASURES] == pytest.approx([0.6005, 0.6991, 0.5345], rel=0.02)
    assert [measure.of(trained) for measure in MEASURES] == pytest.approx([1.0098, 1.0078, 1.0098], rel=0.02)
