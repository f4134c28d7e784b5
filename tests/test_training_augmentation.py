"""Augmentation: what a batch of images becomes is what each of them would by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bnnedge.errors import ConfigError
from bnnedge.runs.training import TrainingConfig
from bnnedge.training.augmentation import Augmentation

CPU = torch.device("cpu")


@given(st.booleans(), st.integers(0, 3), st.sampled_from(["edge", "zero"]), st.integers(0, 99))
def test_each_image_is_padded_and_cropped(flip: bool, shift: int, fill: str, seed: int) -> None:
    settings = TrainingConfig(flip=flip, shift=shift, shift_fill=fill, seed=seed)  # type: ignore[arg-type]
    images = np.random.default_rng(seed).integers(0, 256, (12, 2, 5, 4), dtype=np.uint8)
    augmentation = Augmentation.of_epoch(settings, (2, 5, 4), 12, 3, CPU)
    if augmentation is None:
        assert (flip, shift) == (False, 0)
        return
    chosen = torch.tensor([5, 0, 11, 5])
    inputs = torch.from_numpy(images.reshape(12, -1))[chosen]
    result = augmentation(inputs, chosen)
    assert result.dtype == torch.uint8
    for row, place in enumerate(chosen.tolist()):
        image = images[place, :, :, ::-1] if augmentation.mirrored[place] else images[place]
        around = ((0, 0), (shift, shift), (shift, shift))
        padded = np.pad(image, around, "edge") if fill == "edge" else np.pad(image, around)
        up, left = (augmentation.moves[place] + shift).tolist()
        assert np.array_equal(result[row].numpy().reshape(2, 5, 4), padded[:, up : up + 5, left : left + 4])


def test_draws_depend_on_seed_and_epoch_and_cover_everything() -> None:
    def draw(seed: int, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        settings = TrainingConfig(flip=True, shift=2, seed=seed)
        augmentation = Augmentation.of_epoch(settings, (1, 8, 8), 400, epoch, CPU)
        assert augmentation is not None
        return augmentation.moves, augmentation.mirrored

    moves, mirrored = draw(0, 1)
    assert torch.equal(moves, draw(0, 1)[0])
    assert not torch.equal(moves, draw(0, 2)[0])
    assert not torch.equal(mirrored, draw(1, 1)[1])
    assert {tuple(pair) for pair in moves.tolist()} == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
    assert 150 < int(mirrored.sum()) < 250


def test_what_is_no_image_or_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match="samples are 60 features"):
        Augmentation.of_epoch(TrainingConfig(flip=True), (60,), 5, 1, CPU)
    with pytest.raises(ConfigError, match="out of sight"):
        Augmentation.of_epoch(TrainingConfig(shift=4), (1, 8, 4), 5, 1, CPU)
