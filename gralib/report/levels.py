"""Scores of single conditions, on the very seeds that their differences come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from gralib.config import ignored
from gralib.evaluation.rules import Condition, Contrast
from gralib.evaluation.verdicts import fold_means, interval
from gralib.metrics import METRICS
from gralib.report import words
from gralib.report.evidence import Book
from gralib.report.text import SURE, cell_of, level, link, table


@dataclass(frozen=True)
class Level:
    """The score of one condition.

    Attributes:
        name: of the condition.
        unit: see `gralib.metrics.METRICS`.
        value: mean over the folds' means, with its interval `low` to `high` (NaN for one fold).
        folds: the mean of each fold.
        seeds: that count.
        constant: what the constant predictor reaches; NaN where there is none.
        not_trained: seeds left out, as a run did not train.
        fixed: whether nothing is drawn by chance: one run a fold.
        run_ids: of all runs behind it.
    """

    name: str
    unit: str
    value: float
    low: float
    high: float
    folds: tuple[float, ...]
    seeds: int
    constant: float
    not_trained: int
    fixed: bool
    run_ids: tuple[str, ...]


def level_of(
    book: Book, contrast: Contrast, condition: Condition, seeds: Sequence[int], recipe: str = "tuned"
) -> Level | None:
    """Return the score of a condition on these seeds; None where a run or a look into it is missing."""
    values, constants, names, left_out, fixed = {}, [], [], 0, False
    for seed in seeds:
        found = book.say(contrast, condition, seed, recipe)
        if found is None:
            return None
        runs, said = found
        names += [run.record.run_id for run in runs]
        fixed = "seed" in ignored(runs[0].record.config)
        if not all(run.converged for run in runs):
            left_out += 1
            continue
        values[seed] = float(said.values.mean())
        constants.append(float(said.constant.mean()))
    if not values:
        return None
    means = fold_means(values, book.protocol.general.folds[contrast.dataset])
    e = interval(means)
    constant = float(np.mean(constants)) if np.isfinite(constants).all() else nan
    unit = METRICS[contrast.score].unit
    return Level(words.condition(condition), unit, e.value, e.low, e.high, tuple(means), len(values), constant,
                 left_out, fixed, tuple(dict.fromkeys(names)))  # fmt: skip


def levels_table(book: Book, page: str, found: Sequence[Level]) -> str:
    """Return one row a condition: score, interval, folds, seeds, constant predictor, runs."""
    rows = [
        (one.name, f"**{level(one.value, one.unit)}**", interval_in_words(one), seeds_in_words(one),
         level(one.constant, one.unit), cell_of([link(i, book.to_run(page, name)) for i, name in
         enumerate(one.run_ids, 1)]))
        for one in found
    ]  # fmt: skip
    headers = ("condition", "score", f"{SURE} interval", "seeds", "same answer for all", "runs")
    return table(headers, rows)


def interval_in_words(one: Level) -> str:
    """Return the interval over folds, or why there is none."""
    if one.low != one.low:
        return "one fold, so no interval over folds"
    return f"{level(one.low, one.unit)} to {level(one.high, one.unit)}"


def seeds_in_words(one: Level) -> str:
    """Return how many seeds count, how many did not train, and whether chance has a part."""
    left = f", {one.not_trained} left out (did not train)" if one.not_trained else ""
    return f"{len(one.folds)} folds, nothing drawn by chance" if one.fixed else f"{one.seeds}{left}"
