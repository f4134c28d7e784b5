"""Pictures of bits and of block complexity: pixel by pixel, read by another PNG reader."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from bnnedge import PackedMatrix, bdm
from bnnedge.report.pictures import COLDEST, HOTTEST, bits_picture, heat_colours, heat_picture


def pixels(uri: str) -> NDArray[np.uint8]:
    """(height, width) palette indices, read by another PNG reader than wrote them."""
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert image.mode == "P"
    return np.asarray(image)


shapes = st.tuples(st.integers(1, 40), st.integers(1, 150))


def random_bits(shape: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(shape) < 0.4


@given(shapes, st.integers(0, 99))
@settings(max_examples=40)
def test_small_layers_are_drawn_bit_for_bit(shape: tuple[int, int], seed: int) -> None:
    bits = random_bits(shape, seed)
    picture = bits_picture(PackedMatrix.from_bits(bits), 10_000)
    assert (picture.rows_per_pixel, picture.columns_per_pixel) == (1, 1)
    assert np.array_equal(pixels(picture.uri), bits)


@given(shapes, st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_heat_is_the_complexity_of_each_block(shape: tuple[int, int], seed: int) -> None:
    bits = random_bits(shape, seed)
    picture = heat_picture(PackedMatrix.from_bits(bits), 10_000)
    rows, columns = shape[0] // 4, shape[1] // 4
    if not rows or not columns:
        assert picture is None
        return
    assert picture is not None
    ctm = [
        [bdm(PackedMatrix.from_bits(bits[4 * i : 4 * i + 4, 4 * j : 4 * j + 4])) for j in range(columns)]
        for i in range(rows)
    ]
    levels = len(heat_colours())
    expected = np.floor((np.array(ctm) - COLDEST) / (HOTTEST - COLDEST) * levels)
    assert 0 <= expected.min() <= expected.max() <= levels
    assert np.array_equal(pixels(picture.uri), np.minimum(expected, levels - 1))
    assert (picture.rows, picture.columns) == (4 * rows, 4 * columns)


@given(shapes, st.integers(0, 99), st.integers(1, 300))
@settings(max_examples=40)
def test_large_layers_are_averaged_over_rectangles(shape: tuple[int, int], seed: int, most: int) -> None:
    bits = random_bits(shape, seed)
    picture = bits_picture(PackedMatrix.from_bits(bits), most)
    tall, wide = picture.rows_per_pixel, picture.columns_per_pixel
    if tall == wide == 1:
        return
    drawn = pixels(picture.uri)
    assert drawn.shape == (math.ceil(shape[0] / tall), math.ceil(shape[1] / wide))
    assert drawn.size * 0.6 <= most or drawn.size == 1
    for (row, column), level in np.ndenumerate(drawn):
        part = bits[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        assert level == round(16 * float(part.mean()))


def test_means_do_not_depend_on_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = PackedMatrix.from_bits(random_bits((93, 210), 0))
    whole = bits_picture(matrix, 500), heat_picture(matrix, 100)
    monkeypatch.setattr("bnnedge.report.pictures.SLICE_BITS", 16 * 210 * 5)
    assert (bits_picture(matrix, 500), heat_picture(matrix, 100)) == whole
