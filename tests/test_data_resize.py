"""Resizing: exact against rational arithmetic, and PyTorch's own antialiased bilinear filter."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.data import resize as module
from bnnedge.data.digits import load_digits
from bnnedge.data.resize import resize
from bnnedge.errors import ConfigError, DataError

RNG = np.random.default_rng(20240607)


def random_images(samples: int, height: int, width: int) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, (samples, 2, height, width), dtype=np.uint8)


def by_torch(images: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    stacked = torch.from_numpy(images.astype(np.float64))
    scaled = torch.nn.functional.interpolate(
        stacked, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return np.asarray(scaled.numpy(), dtype=np.float64)


def exact_row(before: int, after: int, position: int) -> list[Fraction]:
    """The textbook triangle filter, in rational numbers."""
    scale = Fraction(before, after)
    centre, support = scale * (position + Fraction(1, 2)), max(scale, Fraction(1))
    weights = [max(Fraction(0), 1 - abs(j + Fraction(1, 2) - centre) / support) for j in range(before)]
    return [weight / sum(weights) for weight in weights]


def exact(image: NDArray[np.uint8], size: int) -> list[list[int]]:
    height, width = image.shape
    down = [exact_row(height, size, i) for i in range(size)]
    across = [exact_row(width, size, i) for i in range(size)]
    pixels = image.tolist()
    return [
        [
            round(
                sum(
                    (u * v * pixels[y][x] for y, u in enumerate(row) for x, v in enumerate(column) if u * v),
                    Fraction(0),
                )
            )
            for column in across
        ]
        for row in down
    ]


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (28, 28), (7, 13), (64, 5), (33, 32)])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 10, 16, 28, 45])
def test_within_one_rounding_of_torch(shape: tuple[int, int], size: int) -> None:
    images = random_images(5, *shape)
    result = resize(images, size)
    assert result.dtype == np.uint8
    assert result.shape == (5, 2, size, size)
    assert np.abs(result - by_torch(images, size)).max() <= 0.5 + 1e-9


def test_close_to_torch_on_bytes() -> None:
    """PyTorch's kernel for uint8 rounds its weights to 16 bits and rounds between the two passes."""
    images = random_images(20, 28, 28)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(images), size=(16, 16), mode="bilinear", antialias=True
    )
    difference = resize(images, 16).astype(int) - theirs.numpy().astype(int)
    assert np.abs(difference).max() <= 1


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_equals_rational_arithmetic(height: int, width: int, size: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    assert resize(image[None, None], size)[0, 0].tolist() == exact(image, size)


def test_halves_go_to_the_even_number() -> None:
    images = np.array([[[0, 1], [0, 1]], [[1, 2], [1, 2]], [[254, 255], [254, 255]]], dtype=np.uint8)
    assert resize(images[None], 1).ravel().tolist() == [0, 2, 254]


@pytest.mark.parametrize(("side", "size"), [(1024, 1), (1, 1024), (1024, 1023), (1023, 1024), (1024, 3)])
def test_the_largest_sides_are_exact(side: int, size: int) -> None:
    """A constant image stays what it is, and sums at the limit are whole numbers below 2^53."""
    images = np.full((1, 1, side, side), 255, dtype=np.uint8)
    assert (resize(images, size) == 255).all()
    rows = module.triangle_weights(side, size).sum(axis=1)
    assert rows.max() ** 2 * 255 < 2**53
    np.testing.assert_array_equal(rows, np.rint(rows))


def test_the_same_size_changes_nothing() -> None:
    images = random_images(3, 28, 28)
    np.testing.assert_array_equal(resize(images, 28), images)


def test_digits_stay_in_their_range() -> None:
    images = load_digits().test_inputs
    for size in (4, 6, 16):
        result = resize(images, size)
        assert result.max() <= 16
        assert np.abs(result - by_torch(images, size)).max() <= 0.5 + 1e-9


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images(37, 9, 6)
    whole = resize(images, 5)
    monkeypatch.setattr(module, "_CHUNK_PIXELS", 2 * 9 * 9 * 4)
    np.testing.assert_array_equal(resize(images, 5), whole)


def test_no_images() -> None:
    assert resize(np.zeros((0, 3, 8, 8), dtype=np.uint8), 4).shape == (0, 3, 4, 4)


def test_views_that_are_not_contiguous() -> None:
    images = random_images(6, 10, 12)[::2, ::-1, :, ::-1]
    np.testing.assert_array_equal(resize(images, 7), resize(np.ascontiguousarray(images), 7))


@pytest.mark.parametrize("size", [0, -1, 1025])
def test_sizes_out_of_range(size: int) -> None:
    with pytest.raises(ConfigError, match=f"cannot resize images to {size} pixels"):
        resize(random_images(1, 8, 8), size)


@pytest.mark.parametrize(
    "images", [np.zeros((1, 8, 8), np.uint8), np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 1, 8, 8), np.uint8)]
)
def test_wrong_arrays(images: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="images are"):
        resize(images, 4)


@pytest.mark.parametrize("shape", [(1, 1, 1025, 8), (1, 1, 8, 1025), (1, 1, 0, 8), (1, 1, 8, 0)])
def test_impossible_sides(shape: tuple[int, int, int, int]) -> None:
    with pytest.raises(DataError, match="cannot resize images of"):
        resize(np.zeros(shape, dtype=np.uint8), 4)


def test_channels_are_resized_apart() -> None:
    images = random_images(4, 9, 7)
    for channel in range(2):
        alone = resize(np.ascontiguousarray(images[:, channel : channel + 1]), 5)
        np.testing.assert_array_equal(resize(images, 5)[:, channel : channel + 1], alone)
