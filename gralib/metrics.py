"""Scores of predictions (paper, 7.2), their intervals, and what a constant predictor would reach. Arrays only."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, t


class Metric(NamedTuple):
    """What is known of a metric: what a reader calls it, its unit, its direction, and whether more is only more."""

    title: str
    unit: Literal["shares", "years", "doublings"]
    less_is_better: bool = False
    neutral: bool = False


METRICS = {
    "accuracy": Metric("gender accuracy", "shares"),
    "balanced_accuracy": Metric("gender balanced accuracy", "shares"),
    "category_accuracy": Metric("age category accuracy", "shares"),
    "category_mae_years": Metric("age MAE, category network alone (years)", "years", True),
    "remainder_error_years": Metric("error inside the true category (years)", "years", True),
    "group_accuracy": Metric("age group accuracy, exact", "shares"),
    "group_one_off_accuracy": Metric("age group accuracy, one-off", "shares"),
    "group_balanced_accuracy": Metric("age group balanced accuracy", "shares"),
    "group_mae_years_by_middles": Metric("age MAE if every group stands for its middle (years)", "years", True),
    "age_mae": Metric("age MAE, both networks, expected age (years)", "years", True),
    "age_mae_hard": Metric("age MAE, both networks, likeliest category (years)", "years", True),
    "rotation_loss": Metric("accuracy lost on turned faces", "shares", True),
    "shift_loss": Metric("accuracy lost on shifted faces", "shares", True),
    "orientation_loss": Metric("accuracy lost on turned and shifted faces", "shares", True),
    "feature_growth": Metric("growth of features, in doublings", "doublings", neutral=True),
    "feature_growth_before": Metric("growth before training", "doublings", neutral=True),
    "mask_position_share": Metric("share of the masks' variance over positions", "shares", neutral=True),
    "mask_channel_share": Metric("share of the masks' variance over channels", "shares", neutral=True),
}
"""Every metric by its key."""
RESAMPLES = 2000
LEVEL = 0.95


def improvement(metric: str, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much values of a metric are better than others, whichever way it counts."""
    return second - first if METRICS[metric].less_is_better else first - second


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, `low` to `high`, over `n` faces."""

    value: float
    low: float
    high: float
    n: int

    @property
    def word(self) -> str:
        """Return what a gain with this interval is: 'better', 'worse' or 'inside the noise'."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "inside the noise"

    def __str__(self) -> str:
        """Return 'value [low, high]'."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Score(Estimate):
    """A score with its interval, and `floor`: what the constant predictor reaches on the same faces."""

    floor: float


def absolute_errors(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Return |Y - Y'| of each face, in years; their mean is the MAE of Eq. 7."""
    return np.abs(np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64))


def hits(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Return 1 where the class is right and 0 elsewhere; their mean is the accuracy of Eq. 8."""
    return (np.asarray(truth) == np.asarray(predicted)).astype(np.float64)


def one_off(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Return 1 where the class is right or next to it, classes being numbered in order, and 0 elsewhere."""
    return (np.abs(np.asarray(truth, dtype=int) - np.asarray(predicted, dtype=int)) <= 1).astype(np.float64)


def balanced(truth: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Weigh per-face values so that every class of `truth` has the same say in their mean: for hits, the balanced
    accuracy."""
    _, index, counts = np.unique(np.asarray(truth), return_inverse=True, return_counts=True)
    return np.asarray(values, dtype=np.float64) * (len(index) / len(counts) / counts)[index]


def calibration(confidence: ArrayLike, hit: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Return how often answers of like confidence are right (Guo et al. 2017, 'On calibration').

    Args:
        confidence: (n,) probability of the likeliest class, 0 to 1.
        hit: (n,) 1 where that class is right, else 0.
        bins: of equal width.

    Returns:
        One row a bin with faces: confidence (mean), accuracy, faces.
    """
    table = pd.DataFrame({"confidence": np.asarray(confidence, dtype=np.float64), "accuracy": np.asarray(hit)})
    place = np.minimum((table["confidence"] * bins).astype(int), bins - 1)
    grouped = table.groupby(place)
    return grouped.mean().assign(faces=grouped.size()).reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """Return the expected calibration error of a table of `calibration`: mean gap, weighted by faces, 0 to 1."""
    return float(np.average((table["accuracy"] - table["confidence"]).abs(), weights=table["faces"]))


def paired(first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """Return the mean difference `first - second` of two runs on the same faces, with its interval (see `interval`).

    Raises:
        ValueError: another number of faces.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"second: expected {a.shape[0]} values, one a face of the first, got {b.shape[0]}")
    return interval(a - b, groups, seed)


def interval(values: ArrayLike, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """Return the mean of per-face values and its 95 % percentile bootstrap interval over groups of faces.

    Args:
        values: (n,) one number a face, such as absolute errors or hits.
        groups: (n,) faces of one group are drawn together; every face on its own when None.
        seed: of the resampling.

    Hits that are all 0 or all 1 leave nothing to resample; they get the exact binomial interval (Clopper and Pearson)
    over their groups. Other values of a single group have no interval: its ends are NaN.

    Raises:
        ValueError: no values.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        raise ValueError("values: expected at least one, got none")
    _, index = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index).astype(np.float64)
    mean = float(values.mean())
    if np.ptp(values) == 0 and mean in (0, 1):
        exact = binomtest(int(mean) * len(sums), len(sums)).proportion_ci(LEVEL)
        return Estimate(mean, float(exact.low), float(exact.high), len(values))
    if len(sums) < 2:
        return Estimate(mean, np.nan, np.nan, len(values))
    drawn = _resampled(np.stack([sums, counts], axis=1), seed)
    low, high = _ends(drawn[:, 0] / drawn[:, 1])
    return Estimate(mean, low, high, len(values))


def _resampled(sums: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the bootstrap's totals (RESAMPLES, k) of k numbers a group, `sums` (groups, k)."""
    counts, drawn = _draws(len(sums), seed), np.empty((RESAMPLES, sums.shape[1]))
    piece = max(1, 2**17 // len(sums))  # a megabyte of float64, which the processor holds: ten times as fast
    for i in range(0, RESAMPLES, piece):
        drawn[i : i + piece] = counts[i : i + piece].astype(np.float64) @ sums
    return drawn


@lru_cache(maxsize=48)
def _draws(groups: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each resample draws each group, (RESAMPLES, groups): one table for all scores of these groups.

    The draws are those of `scipy.stats.bootstrap` with this seed, so its intervals are ours.
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((RESAMPLES, groups), dtype=np.uint8)  # 255 times of a mean of 1 is never seen
    for row in counts:
        np.add.at(row, rng.integers(0, groups, groups), np.uint8(1))
    return counts


def _ends(means: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def interval_over_seeds(values: ArrayLike, groups: ArrayLike, seed: int = 0) -> Estimate:
    """Return the mean of per-face values of several seeds and its 95 % interval over seeds and groups of faces.

    Two independent parts, added as squares: Student's t over the means of the seeds (few seeds make it wide, as they
    should: 12.7 standard errors of two seeds, 4.3 of three), and `interval` of the faces' means over all seeds.

    Args:
        values: (seeds, n) one number a seed and face; a single seed leaves the faces' part alone.
        groups: (n,) faces of one group are drawn together.
        seed: of the resampling.

    Raises:
        ValueError: not two axes.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"values: expected (seeds, faces), got shape {values.shape}")
    faces = interval(values.mean(axis=0), groups, seed)
    seeds, means = len(values), values.mean(axis=1)
    if seeds == 1:
        return faces
    spread = t.ppf((1 + LEVEL) / 2, seeds - 1) * means.std(ddof=1) / np.sqrt(seeds)
    low, high = np.hypot(faces.value - faces.low, spread), np.hypot(faces.high - faces.value, spread)
    return Estimate(faces.value, float(faces.value - low), float(faces.value + high), faces.n)


def cumulative_score(errors: ArrayLike, years: ArrayLike) -> NDArray[np.float64]:
    """Return CS(k), the share of faces whose error is at most k years, for each k of `years`."""
    return (np.asarray(errors)[:, None] <= np.asarray(years)[None, :]).mean(axis=0)


def constant_age(train_ages: ArrayLike) -> float:
    """Return the age, in years, that predicts the training faces best when predicted for all: their median."""
    return float(np.median(np.asarray(train_ages, dtype=np.float64)))


def constant_class(train_classes: ArrayLike):
    """Return the class most frequent among the training faces."""
    names, counts = np.unique(np.asarray(train_classes), return_counts=True)
    return names[counts.argmax()]
