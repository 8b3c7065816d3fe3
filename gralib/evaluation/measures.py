"""What a run's predictions are worth: a value for each test face, beside the constant predictor's; and ages joined."""

from functools import partial

import numpy as np
import pandas as pd

from gralib import ages, metrics
from gralib.config import RunConfig
from gralib.errors import UserError
from gralib.labels import GENDERS, output_names
from gralib.metrics import Score
from gralib.training.records import Constants, Run


def outputs_of(config: RunConfig, predictions: pd.DataFrame) -> np.ndarray:
    """Return the network's outputs (n, outputs) from a table of predictions."""
    return predictions[output_names(config)].to_numpy()


Measures = dict[str, tuple[np.ndarray, np.ndarray]]
"""By name of the score: a value for each test face, and the constant predictor's on the same face."""


def measures(config: RunConfig, predictions: pd.DataFrame, constants: Constants) -> Measures:
    """Measure every test face of a run, beside the best constant of the training faces. Scores are their means.

    - gender: `accuracy` (Eq. 8), `balanced_accuracy`.
    - age_category: `category_accuracy` (Eq. 8), and `category_mae_years` (Eq. 7) of the expected age when every
      category stands for what its training faces average.
    - age_regression: `remainder_error_years`, the error inside the category of the label; no age error. The age
      error of the paper needs both age networks: `join_ages`.
    - age_group: `group_accuracy` (Eq. 8), `group_one_off_accuracy` (right or next to it), `group_balanced_accuracy`,
      and `group_mae_years_by_middles`: Adience has no ages, so truth and answer stand for the middles of their groups.
    """
    outputs = outputs_of(config, predictions)
    answer = outputs.argmax(axis=1)
    if config.task == "gender":
        truth = predictions["gender"].to_numpy()
        hits = metrics.hits(truth, np.array(GENDERS)[answer])
        floor = metrics.hits(truth, constants["gender"])
        return {
            "accuracy": (hits, floor),
            "balanced_accuracy": (metrics.balanced(truth, hits), metrics.balanced(truth, floor)),
        }
    if config.task == "age_group":
        return _group_measures(predictions["age_group"], answer, outputs, str(constants["age_group"]))
    age = predictions["age"].to_numpy()
    category, remainder = ages.encode(age, config.age_width)
    if config.task == "age_category":
        years_off = partial(metrics.absolute_errors, age)
        means = constants.get("category_means", ages.middles(config.age_width))  # older records lack it
        expected = outputs @ np.asarray(means, dtype=np.float64)
        return {
            "category_accuracy": (metrics.hits(category, answer), metrics.hits(category, constants["category"])),
            "category_mae_years": (years_off(expected), years_off(constants["age"])),
        }
    inside = np.take_along_axis(outputs, category[:, None], axis=1)[:, 0]
    errors, floor = (metrics.absolute_errors(remainder, r) for r in (inside, constants["remainder"]))
    return {"remainder_error_years": (config.age_width * errors, config.age_width * floor)}


def _group_measures(names: pd.Series, answer: np.ndarray, outputs: np.ndarray, constant: str) -> Measures:
    truth = pd.Categorical(names, categories=ages.GROUP_NAMES).codes
    same = ages.GROUP_NAMES.index(constant)
    hits, floor = metrics.hits(truth, answer), metrics.hits(truth, same)
    middles = ages.group_ages()
    expected = outputs @ middles
    return {
        "group_accuracy": (hits, floor),
        "group_one_off_accuracy": (metrics.one_off(truth, answer), metrics.one_off(truth, same)),
        "group_balanced_accuracy": (metrics.balanced(truth, hits), metrics.balanced(truth, floor)),
        "group_mae_years_by_middles": (
            metrics.absolute_errors(middles[truth], expected),
            metrics.absolute_errors(middles[truth], middles[same]),
        ),
    }


def scored(values: np.ndarray, constant: np.ndarray, group: pd.Series) -> Score:
    """Return the mean of a measure with its interval over groups of faces, and the constant predictor's mean."""
    e = metrics.interval(values, group)
    return Score(e.value, e.low, e.high, e.n, float(constant.mean()))


def measures_of(run: Run) -> Measures:
    """Return the measures of one run, from its predictions."""
    return measures(run.record.config, run.predictions, run.record.constants)


def scores_of(run: Run) -> dict[str, Score]:
    """Return the scores of one run, from its predictions."""
    return {name: scored(*pair, run.tested["group"]) for name, pair in measures_of(run).items()}


def join_ages(category: Run, regression: Run, how: str = "soft") -> pd.DataFrame:
    """Join the two age networks into ages (7.1.2, Fig. 8).

    Args:
        category: a run of task `age_category`.
        regression: a run of task `age_regression` on the same faces.
        how: 'soft' for the expected age, 'hard' for the likeliest category.

    Returns:
        One row a test face: path, group, age, gender, predicted (ages in years).

    Raises:
        UserError: the runs do not belong together.
    """
    width = category.record.config.age_width
    left, right = category.predictions, regression.predictions
    if width != regression.record.config.age_width or not category.same_faces(regression):
        raise UserError(f"{regression.record.run_id}: other test faces or categories than {category.record.run_id}")
    join = {"soft": ages.join_soft, "hard": ages.join_hard}[how]
    probability, remainder = outputs_of(category.record.config, left), outputs_of(regression.record.config, right)
    return left[["path", "group", "age", "age_group", "gender"]].assign(predicted=join(probability, remainder, width))
