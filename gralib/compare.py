"""Settings against settings: per-face scores of several seeds, their differences paired by face and seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gralib import scores
from gralib.errors import UserError
from gralib.experiment import join_ages, measures
from gralib.records import Run
from gralib.scores import Estimate


@dataclass(frozen=True)
class Side:
    """What the runs of one setting say of every test face.

    Attributes:
        values: (seeds, faces) one score a seed and face.
        floor: (seeds, faces) that of the constant predictor.
        faces: one row a face: path, group, age, gender.
        run_ids: of all runs behind it.
    """

    values: np.ndarray
    floor: np.ndarray
    faces: pd.DataFrame
    run_ids: tuple[str, ...]

    @property
    def estimate(self) -> Estimate:
        """The mean score with its interval over seeds and groups of faces."""
        return scores.interval_over_seeds(self.values, self.faces["group"])


def side(runs: Sequence[Sequence[Run]], measure: str) -> Side:
    """Return the per-face scores of one setting.

    Args:
        runs: for each seed its run; for an age of both networks (`age_mae`) the category run, then the regression run.
        measure: a key of `gralib.experiment.measures`, or 'age_mae': years off Eq. 7, of both networks joined, of the
            category network alone, or of regression alone where there is one category for all.

    Raises:
        UserError: runs that tested different faces.
    """
    tables = [seed_runs[0].predictions for seed_runs in runs]
    for table, seed_runs in zip(tables, runs, strict=True):
        if list(table["path"]) != list(tables[0]["path"]):
            raise UserError(f"{seed_runs[0].record.run_id}: other test faces than {runs[0][0].record.run_id}")
    found = [_values(seed_runs, measure) for seed_runs in runs]
    ids = tuple(run.record.run_id for seed_runs in runs for run in seed_runs)
    faces = tables[0][["path", "group", "age", "gender"]]
    return Side(np.stack([f[0] for f in found]), np.stack([f[1] for f in found]), faces, ids)


def _values(runs: Sequence[Run], measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Return value and constant predictor's value of every face."""
    record = runs[0].record
    if measure == "age_mae" and len(runs) == 2:
        table = join_ages(runs[0], runs[1])
        return (
            scores.absolute_errors(table["age"], table["predicted"]),
            scores.absolute_errors(table["age"], float(record.constants["age"])),
        )
    if measure == "age_mae":
        measure = "category_mae_years" if record.config.task == "age_category" else "remainder_error_years"
    return measures(record.config, runs[0].predictions, record.constants)[measure]


def less_is_better(measure: str) -> bool:
    """Tell whether a measure is an error."""
    return "mae" in measure or "error" in measure


def gain(first: Side, second: Side, measure: str) -> Estimate:
    """Return by how much `first` is better than `second`, paired by seed and face, with its interval.

    Raises:
        UserError: other faces, or another number of seeds.
    """
    if list(first.faces["path"]) != list(second.faces["path"]) or len(first.values) != len(second.values):
        raise UserError(f"{second.run_ids[0]}: expected the faces and seeds of {first.run_ids[0]}")
    return _signed(first.values - second.values, first.faces["group"], measure)


def gain_on_floor(one: Side, measure: str) -> Estimate:
    """Return by how much a setting is better than the constant predictor."""
    return _signed(one.values - one.floor, one.faces["group"], measure)


def _signed(difference: np.ndarray, groups: pd.Series, measure: str) -> Estimate:
    return scores.interval_over_seeds(-difference if less_is_better(measure) else difference, groups)
