"""Intervals and verdicts of the fold design, from one number a seed. Arrays and numbers only: no runs, no files.

Seed s tests fold s mod F, so F seeds test every face once; seed, split and training faces vary together. Seeds of one
fold share its test faces, so the mean of a fold is one observation: the estimate is the mean over the folds' means, its
interval Student's t with one degree of freedom less than folds. That is right whatever the shares of faces and seeds
in the noise are (`gralib.evaluation.simulation` compares it with other ways).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, isfinite, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

Verdict = Literal["supported", "contradicted", "inconclusive", "not testable", "not run"]
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive", "not testable", "not run")
RuleKind = Literal["superiority", "non-inferiority", "sign", "exact", "none"]
LEVEL, POWER = 0.95, 0.8
GRID = np.linspace(-8.0, 8.0, 4001)
"""Of the Brownian motion whose ways past the bounds are counted."""


@dataclass(frozen=True)
class Interval:
    """A mean of paired differences with its intervals: `low` to `high` at 95 %, and at 90 %.

    With several looks these are repeated confidence intervals: together they hold the truth in 95 % (90 %).
    """

    value: float
    low: float
    high: float
    low_90: float
    high_90: float
    se: float
    p: float
    """Two-sided, for a single look."""
    folds: int

    @property
    def detectable(self) -> float:
        """The difference that such a study sees with 80 % power at 95 %, at the look that the interval is of."""
        df = self.folds - 1
        return float((self.high - self.low) / 2 + t.ppf(POWER, df) * self.se) if df > 0 else nan


def fold_means(values: Mapping[int, float], folds: int) -> NDArray[np.float64]:
    """Return the mean over the seeds of each fold that has any, in order.

    Args:
        values: by seed.
        folds: F of the design.
    """
    by_fold: dict[int, list[float]] = {}
    for seed, value in sorted(values.items()):
        by_fold.setdefault(seed % folds, []).append(value)
    return np.array([np.mean(by_fold[fold]) for fold in sorted(by_fold)])


def interval(means: ArrayLike, shares: Sequence[float] = (1.0,), null: float = 0.0) -> Interval:
    """Return the mean of the folds' means with its intervals.

    Args:
        means: (folds,) paired differences.
        shares: information at each look up to this one, as shares of the last look's; see `bounds`.
        null: the difference that `p` is against.

    Raises:
        ValueError: no mean. A single fold has no interval: its ends are NaN.
    """
    values = np.asarray(means, dtype=np.float64)
    if not len(values):
        raise ValueError("means: expected at least one fold, got none")
    value, df = float(values.mean()), len(values) - 1
    if not df:
        return Interval(value, nan, nan, nan, nan, nan, nan, 1)
    se = float(values.std(ddof=1) / sqrt(len(values)))
    half, half_90 = (reach(df, tuple(shares), level) * se for level in (LEVEL, 0.90))
    p = float(2 * t.sf(abs(value - null) / se, df)) if se else float(value == null)
    return Interval(value, value - half, value + half, value - half_90, value + half_90, se, p, len(values))


@lru_cache(maxsize=64)
def reach(df: int, shares: tuple[float, ...] = (1.0,), level: float = LEVEL) -> float:
    """Return half the width of an interval in standard errors: the bound of the last look, as a Student's t has it."""
    return float(t.isf(norm.sf(bounds(shares, level)[-1]), df))


@lru_cache(maxsize=64)
def bounds(shares: tuple[float, ...], level: float = LEVEL) -> tuple[float, ...]:
    """Return the O'Brien-Fleming bounds of |z| at looks, by the spending of Lan and DeMets (1983).

    Args:
        shares: information at each look, ascending; the last look of the plan has 1.
        level: that the intervals of all looks have together.

    Raises:
        ValueError: shares that do not rise from above 0 to at most 1.
    """
    if not shares or min(np.diff([0.0, *shares])) <= 0 or shares[-1] > 1:
        raise ValueError(f"shares: expected to rise from above 0 to at most 1, got {shares}")
    side = (1 - level) / 2
    spent = [2 * norm.sf(norm.isf(side / 2) / sqrt(share)) for share in shares]
    step = GRID[1] - GRID[0]
    density = norm.pdf(GRID, scale=sqrt(shares[0]))
    found = [float(norm.isf(spent[0]))]
    for before, now, gone, wanted in zip(shares, shares[1:], spent, spent[1:], strict=False):
        inside = density * np.clip((found[-1] * sqrt(before) - np.abs(GRID)) / step + 0.5, 0, 1)
        density = np.convolve(inside, norm.pdf(GRID, scale=sqrt(now - before)), mode="same") * step
        beyond = np.cumsum(density[::-1]) * step
        found.append(float(np.interp(wanted - gone, beyond, GRID[::-1] - step / 2)) / sqrt(now))
    return tuple(found)


def judge(rule: RuleKind, found: Interval, margin: float = 0.0) -> tuple[Verdict, str]:
    """Return the verdict of a rule, and what it stands on.

    - superiority (the paper claims a gain): supported above 0; contradicted below 0, or holding 0 wholly
      inside the margin.
    - non-inferiority (the paper says "no worse"): supported where the lower end is above minus the margin;
      contradicted where the interval reaches past that and lies below 0.
    - sign (which way alone): supported above 0, contradicted below.

    Everything else is inconclusive.
    """
    if rule == "none":
        return "not testable", "nothing to compare with"
    if not isfinite(found.low):
        return "inconclusive", "one fold is no interval"
    if rule == "non-inferiority":
        if found.low > -margin:
            return "supported", "no worse by the margin"
        return ("contradicted", "worse") if found.high < 0 else ("inconclusive", "could be worse by the margin")
    if found.low > 0:
        return "supported", "better"
    if found.high < 0:
        return "contradicted", "worse"
    if rule == "superiority" and -margin < found.low and found.high < margin:
        return "contradicted", "no difference that matters"
    return "inconclusive", "could not see"


def settle(rule: RuleKind, found: Interval, margin: float, seeds: int) -> float:
    """Return how many seeds, at least, would settle an inconclusive contrast if its estimate stays; infinity if none.

    The spread over folds is taken to fall as the root of the seeds. What is lasting in the faces does not fall, and one
    seed a fold cannot tell how much that is: so it may take more. At least one round of the folds is left: what an
    early look leaves open, as many seeds cannot settle.

    Args:
        rule: of the contrast.
        found: its interval now.
        margin: of the rule.
        seeds: behind it now.
    """
    wanted = {
        "superiority": max(abs(found.value), margin - abs(found.value)),
        "non-inferiority": max(found.value + margin, -found.value),
    }.get(rule, abs(found.value))
    df = found.folds - 1
    if df < 1 or not wanted > 0:
        return inf if df >= 1 else nan
    rounds = ceil(seeds * (found.se * float(t.ppf((1 + LEVEL) / 2, df)) / wanted) ** 2 / found.folds)
    return max(seeds + found.folds, rounds * found.folds)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given; NaN stays NaN and does not count."""
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    out = np.full(len(values), nan)
    out[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return out.tolist()
