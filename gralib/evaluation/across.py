"""How networks trained on each data set do on the others, made from what they said of their faces alone.

Where one side has ages and the other Adience's groups, an age counts as the group it lies in or next to, and only
faces whose age lies in a group are asked about.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import ages, metrics
from gralib.evaluation.measures import measures, outputs_of
from gralib.labels import groups_of
from gralib.training import probed
from gralib.training.records import Constants, Run

COLUMNS = ["trained", "tested", "score", "value", "low", "high", "constant", "runs", "faces", "run_ids"]


def measured(run: Run, table: pd.DataFrame) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """Return the score that a run has on faces of another set, its value of each face, and the constant's.

    The constant predictor says the best of what the run's own training faces say (`experiment.constants_of`).

    Args:
        run: trained elsewhere.
        table: n rows of `probed.across`.
    """
    config, constants = run.record.config, run.record.constants
    if config.task == "gender":
        return "accuracy", *measures(config, table, constants)["accuracy"]
    if config.task == "age_category" and table["age"].notna().all():
        return "category_mae_years", *measures(config, table, constants)["category_mae_years"]
    truth = groups_of(table)
    answer, same = _answered(run, table, constants)
    return "group_accuracy", metrics.hits(truth, answer), metrics.hits(truth, same)


def _answered(run: Run, table: pd.DataFrame, constants: Constants) -> tuple[NDArray[np.int64], int]:
    """Return the group that each face is said to be in, and the one that the constant predictor says of all."""
    outputs = outputs_of(run.record.config, table)
    if run.record.config.task == "age_group":
        return outputs.argmax(axis=1), ages.GROUP_NAMES.index(str(constants["age_group"]))
    means = np.asarray(constants["category_means"], dtype=np.float64)
    return ages.nearest_group(outputs @ means), int(ages.nearest_group(np.array([constants["age"]], dtype=float))[0])


def matrix(runs: Iterable[Run]) -> pd.DataFrame:
    """Return how networks trained on each data set do on the others, `COLUMNS`, one row a pair of sets and score.

    Runs that differ in nothing but fold and seed are averaged, those that did not train left out; the interval is over
    them and over groups of faces (`metrics.interval_over_seeds`).
    """
    found: dict[tuple[str, str, str, str], list[tuple[Run, pd.DataFrame, NDArray, NDArray]]] = {}
    for run in (run for run in runs if run.converged):
        alike = run.record.config.model_copy(update={"fold": 0, "seed": 0}).canonical()
        for tested, table in probed.across(run):
            score, values, constant = measured(run, table)
            found.setdefault((alike, run.record.config.dataset, tested, score), []).append(
                (run, table, values, constant)
            )
    rows = []
    for (_, trained, tested, score), parts in found.items():
        every, tables, values, constants = zip(*parts, strict=True)
        e = metrics.interval_over_seeds(np.stack(values), tables[0]["group"])
        ids = " ".join(run.record.run_id for run in every)
        rows.append((trained, tested, score, e.value, e.low, e.high, np.mean(constants), len(every), e.n, ids))
    return pd.DataFrame(rows, columns=COLUMNS)
