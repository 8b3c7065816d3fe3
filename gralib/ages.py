"""Ages as the paper divides them (section 6.6, Fig. 8): a category and a remainder inside it, and back.

An age of 37 with categories ten years wide is category 3 (30-39) and remainder 0.7. One network predicts the
category, another the remainder; `join_hard` and `join_soft` put the two together again.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_AGE = 116
"""Oldest age that can be encoded, in years (the oldest label of UTKFace)."""


def category_count(width: int = 10) -> int:
    """Return how many categories of `width` years cover the ages 0 to 116."""
    if not 1 <= width <= MAX_AGE + 1:
        raise ValueError(f"width: expected 1 to {MAX_AGE + 1} years, got {width}")
    return MAX_AGE // width + 1


def category_names(width: int = 10) -> list[str]:
    """Return a label for each category, such as '30-39'."""
    return [f"{c * width}-{c * width + width - 1}" for c in range(category_count(width))]


def middles(width: int = 10) -> NDArray[np.float64]:
    """Return the middle of each category in years (categories,): what its ages average, were all equally frequent.

    Labels are whole years: 30 to 39 average 34.5, and a category of one year stands for itself. The last category
    ends at `MAX_AGE`.
    """
    first = width * np.arange(category_count(width))
    return (first + np.minimum(first + width - 1, MAX_AGE)) / 2


def category_means(age: ArrayLike, width: int = 10) -> NDArray[np.float64]:
    """Return what the ages (n,) of each category average, in years (categories,); where it has none, its middle."""
    category, _ = encode(age, width)
    standing = middles(width)
    total = np.bincount(category, np.asarray(age, dtype=np.float64), len(standing))
    count = np.bincount(category, minlength=len(standing))
    return np.where(count, total / np.maximum(count, 1), standing)


def encode(age: ArrayLike, width: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Divide ages into category and remainder (Fig. 8).

    Args:
        age: ages in years, any shape, each 0 to 116.
        width: years in a category.

    Returns:
        The category (integers from 0) and the remainder (0 <= r < 1, in widths), each shaped like `age`.

    Raises:
        ValueError: an age that is not a number from 0 to 116.
    """
    years = np.asarray(age, dtype=np.float64)
    count = category_count(width)
    wrong = ~((years >= 0) & (years < MAX_AGE + 1))
    if wrong.any():
        raise ValueError(f"age: expected 0 to {MAX_AGE} years, got {years[wrong].flat[0]:g}")
    category = np.minimum(years // width, count - 1).astype(np.int64)
    return category, years / width - category


def decode(category: ArrayLike, remainder: ArrayLike, width: int = 10) -> NDArray[np.float64]:
    """Return the age in years of a category and a remainder: the inverse of `encode`."""
    return width * (np.asarray(category, dtype=np.float64) + np.asarray(remainder, dtype=np.float64))


def join_hard(
    probability: NDArray[np.floating], remainder: NDArray[np.floating], width: int = 10
) -> NDArray[np.float64]:
    """Return the age in the likeliest category.

    Args:
        probability: (n, categories), of the category network.
        remainder: (n, categories), of the regression network: the remainder, were the face in that category.
        width: years in a category.

    Returns:
        (n,) ages in years.
    """
    category = probability.argmax(axis=1)
    return decode(category, np.take_along_axis(remainder, category[:, None], axis=1)[:, 0], width)


def join_soft(
    probability: NDArray[np.floating], remainder: NDArray[np.floating], width: int = 10
) -> NDArray[np.float64]:
    """Return the expected age: each category's answer weighted by its probability (shapes as `join_hard`)."""
    category = np.arange(probability.shape[1])
    return (probability.astype(np.float64) * decode(category, remainder, width)).sum(axis=1)


GROUPS = ((0, 2), (4, 6), (8, 12), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100))
"""The eight age groups of Adience (Eidinger, Enbar and Hassner 2014), in years, ends included."""
GROUP_NAMES = tuple(f"{low}-{high}" for low, high in GROUPS)


def group_ages() -> NDArray[np.float64]:
    """Return an age for each group of `GROUPS`, its middle: Adience publishes no ages, so an MAE needs this mapping."""
    return np.array([(low + high) / 2 for low, high in GROUPS])


def group_of(age: ArrayLike) -> NDArray[np.int64]:
    """Return the number of the group that each age (n,) in whole years lies in; -1 where it lies between two."""
    years = np.asarray(age, dtype=np.float64)[:, None]
    low, high = np.array(GROUPS, dtype=np.float64).T
    inside = (years >= low) & (years <= high)
    return np.where(inside.any(axis=1), inside.argmax(axis=1), -1)


def nearest_group(age: ArrayLike) -> NDArray[np.int64]:
    """Return the number of the group that each age (n,) in years lies in or next to, the younger of two as near."""
    years = np.asarray(age, dtype=np.float64)[:, None]
    low, high = np.array(GROUPS, dtype=np.float64).T
    return np.maximum(np.maximum(low - years, years - high), 0).argmin(axis=1)
