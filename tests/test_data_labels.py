"""Labels of any kind, in sorted order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnnedge.data.labels import number_labels
from bnnedge.errors import DataError


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_whole_numbers(values: list[int]) -> None:
    labels = np.array(values)
    train, test, names = number_labels(labels, labels)
    ordered = sorted(set(values))
    assert names == tuple(map(str, ordered))
    assert train.dtype == np.int64
    assert [ordered[label] for label in train.tolist()] == values
    assert train.tolist() == test.tolist()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1))
def test_texts_keep_their_names(texts: list[str]) -> None:
    labels = np.array(texts)
    train, _, names = number_labels(labels, labels[:1])
    assert [names[label] for label in train.tolist()] == texts
    assert len(names) == len(set(texts))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "C"], ("C", "a", "b")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        ([b"no", b"yes"], ("no", "yes")),
        ([True, False], ("False", "True")),
        ([1.0, 2.5], ("1", "2.5")),
        (np.array([26, 1, 3], np.uint8), ("1", "3", "26")),
    ],
)
def test_the_order_of_classes(values: Any, names: tuple[str, ...]) -> None:
    assert number_labels(np.array(values), np.array(values))[2] == names


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (np.zeros((3, 2), int), "labels are int64 of shape"),
        (np.array([None, 1], object), "labels are object"),
        (np.arange(5000), "5,000 different labels"),
        (np.array([1.0, np.nan]), "no classes"),
    ],
)
def test_labels_that_are_none(train: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        number_labels(train, train)


def test_a_class_that_cannot_be_learnt() -> None:
    with pytest.raises(DataError, match="no training sample is of the class 2"):
        number_labels(np.array([0, 1]), np.array([1, 2]))
