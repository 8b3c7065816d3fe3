"""What each network learns: classes, targets and losses (paper, 7.1)."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from gralib import ages
from gralib.config import TASKS, RunConfig, Task
from gralib.manifest import GENDERS

LABEL: dict[Task, str] = {"gender": "gender", "age_category": "age", "age_regression": "age", "age_group": "age_group"}
"""The column of the faces' table that a task needs."""


GROWN = 13
"""Years from which pairwise noise leaves a gender as it is."""


def class_names(config: RunConfig) -> list[str]:
    """Return a name for each output of the network."""
    if config.task == "gender":
        return list(GENDERS)
    return list(ages.GROUP_NAMES) if config.task == "age_group" else ages.category_names(config.age_width)


def output_names(config: RunConfig) -> list[str]:
    """Return the outputs' columns in a table of predictions: p_ and the class, or r_ and the category."""
    prefix = "r_" if config.task == "age_regression" else "p_"
    return [f"{prefix}{name}" for name in class_names(config)]


def heads(config: RunConfig) -> tuple[Task, ...]:
    """Return the tasks that a network learns at once: one, but for the multi-output MobileNet of Savchenko (2019)."""
    other: Task = "gender" if config.task != "gender" else next(t for t in TASKS[config.dataset] if t != "gender")
    return (config.task, other) if config.network == "savchenko" else (config.task,)


def sizes(config: RunConfig) -> list[int]:
    """Return the number of outputs of each head."""
    return [len(class_names(config.model_copy(update={"task": task}))) for task in heads(config)]


def targets(config: RunConfig, table: pd.DataFrame) -> np.ndarray:
    """Return what a network learns: one-hot classes of every head, side by side, or (category, remainder) pairs.

    Shapes: (n, sum of `sizes`) for gender, age group and age category, (n, 2) for the regression inside the category.
    The row of a face that lacks the label of a second head is zero there.
    """
    return np.concatenate([_target(config.model_copy(update={"task": task}), table) for task in heads(config)], axis=1)


def _target(config: RunConfig, table: pd.DataFrame) -> np.ndarray:
    if config.task in ("gender", "age_group"):
        return (table[LABEL[config.task]].to_numpy()[:, None] == np.array(class_names(config))).astype("float32")
    category, remainder = ages.encode(table["age"].fillna(0), config.age_width)
    if config.task == "age_category":
        one_hot = np.eye(ages.category_count(config.age_width), dtype="float32")[category]
        return one_hot * table["age"].notna().to_numpy()[:, None]
    return np.stack([category, remainder], axis=1).astype("float32")


def flip(config: RunConfig, table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Replace the label of a share `config.label_noise` of `rows` by a wrong one (6.1: "noisy labels").

    Which faces and which of the other classes is drawn with `config.seed`. An age moves to another age category and
    keeps its remainder. Symmetric noise makes all other classes equally likely; pairwise noise moves an age to one of
    the two categories beside it, and the gender of children (below `GROWN` years) alone.

    Returns:
        The table with those labels changed; the same table where there is no noise.
    """
    if not config.label_noise:
        return table
    rng = np.random.default_rng([config.seed, 1])
    pairwise = config.noise == "pairwise"
    if pairwise and config.task == "gender":
        rows = rows[(table["age"].iloc[rows] < GROWN).to_numpy()]
    chosen = np.sort(rng.permutation(rows)[: round(config.label_noise * len(rows))])
    count, column = len(class_names(config)), LABEL[config.task]
    changed = table[column].to_numpy(copy=True)
    steps = rng.integers(1, count, len(chosen))
    if column == "age":
        category, _ = ages.encode(table["age"].iloc[chosen], config.age_width)
        if pairwise:
            steps = rng.choice((-1, 1), len(chosen))
            steps[(category + steps < 0) | (category + steps >= count)] *= -1
        moved = changed[chosen] + ((category + steps) % count - category) * config.age_width
        changed[chosen] = np.minimum(moved, ages.MAX_AGE)  # the last category is cut short
    else:
        names = np.array(class_names(config))
        code = (changed[chosen][:, None] == names).argmax(axis=1)
        changed[chosen] = names[(code + steps) % count]
    return table.assign(**{column: changed})


def remainder_error(truth, outputs):
    """Return |r - r'| in widths (batch,), r' being the output of the true category: regression inside it (Fig. 8)."""
    from keras import ops  # here, because classes and labels are asked for where no engine is loaded

    inside = ops.one_hot(ops.cast(truth[:, 0], "int32"), outputs.shape[-1])
    return ops.abs(ops.sum(inside * outputs, axis=-1) - truth[:, 1])


def all_heads(truth, outputs):
    """Return the sum of the heads' cross-entropies (batch,): each head is a softmax, and its true class has a 1."""
    from keras import ops

    return -ops.sum(truth * ops.log(ops.maximum(outputs, 1e-7)), axis=-1)


LOSSES: dict[str, str | Callable] = {
    "gender": "binary_crossentropy",  # 7.1.1
    "age_category": "categorical_crossentropy",  # 7.1.2
    "age_group": "categorical_crossentropy",
    "age_regression": remainder_error,  # not stated in the paper
}


def loss_for(config: RunConfig) -> str | Callable:
    """Return the loss that a network of `config` is compiled with."""
    return LOSSES[config.task] if len(heads(config)) == 1 else all_heads


def loss_of(config: RunConfig, truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean loss of predictions, the same quantity that training lowers (7.1)."""
    if config.task == "age_regression":
        chosen = np.take_along_axis(outputs, truth[:, :1].astype(int), axis=1)[:, 0]
        return float(np.abs(chosen - truth[:, 1]).mean())
    return float(-(truth * np.log(np.maximum(outputs, 1e-7))).sum(axis=1).mean())
