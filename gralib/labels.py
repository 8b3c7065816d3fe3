"""What each network learns: its classes and targets (paper, 7.1); and the marks of what is drawn."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import ages
from gralib.config import TASKS, RunConfig, Task

GENDERS = ("male", "female")
"""In the order of the network's two outputs (7.1)."""
LABEL: dict[Task, str] = {"gender": "gender", "age_category": "age", "age_regression": "age", "age_group": "age_group"}
"""The column of the faces' table that a task needs."""
MARKER = "SYNTHETIC.txt"
"""A file of this name says that the pictures beside it are drawn."""
DRAWN = b"synthetic face, drawn by gralib"
"""Comment inside every drawn JPEG, which says the same wherever the file goes."""


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


def groups_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the number of each face's age group, -1 where its age lies between two."""
    named = pd.Categorical(table["age_group"], categories=ages.GROUP_NAMES).codes.astype(np.int64)
    return np.where(named >= 0, named, ages.group_of(table["age"].fillna(-1).to_numpy(dtype=float)))
