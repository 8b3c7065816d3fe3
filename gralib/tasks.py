"""What each of the three networks learns: targets and losses (paper, 7.1)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from keras import ops

from gralib import ages
from gralib.config import RunConfig


def targets(config: RunConfig, table: pd.DataFrame) -> np.ndarray:
    """Return what the network of `config.task` learns: one-hot classes, or (category, remainder) pairs.

    Shapes: (n, 2) for gender, (n, categories) for the age category, (n, 2) for the regression inside it.
    """
    if config.task == "gender":
        return np.eye(2, dtype="float32")[(table["gender"] == "female").to_numpy().astype(int)]
    category, remainder = ages.encode(table["age"], config.age_width)
    if config.task == "age_category":
        return np.eye(ages.category_count(config.age_width), dtype="float32")[category]
    return np.stack([category, remainder], axis=1).astype("float32")


def remainder_error(truth, outputs):
    """Return |r - r'| in widths (batch,), r' being the output of the true category: regression inside it (Fig. 8)."""
    inside = ops.one_hot(ops.cast(truth[:, 0], "int32"), outputs.shape[-1])
    return ops.abs(ops.sum(inside * outputs, axis=-1) - truth[:, 1])


LOSSES: dict[str, str | Callable] = {
    "gender": "binary_crossentropy",  # 7.1.1
    "age_category": "categorical_crossentropy",  # 7.1.2
    "age_regression": remainder_error,  # not stated in the paper
}


def loss_of(config: RunConfig, truth: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean loss of predictions, the same quantity that training lowers (7.1)."""
    if config.task == "age_regression":
        chosen = np.take_along_axis(outputs, truth[:, :1].astype(int), axis=1)[:, 0]
        return float(np.abs(chosen - truth[:, 1]).mean())
    return float(-np.log(np.maximum((outputs * truth).sum(axis=1), 1e-7)).mean())
