"""What a network's training lowers (paper, 7.1)."""

from collections.abc import Callable

import numpy as np
from keras import ops

from gralib.config import RunConfig
from gralib.labels import heads


def remainder_error(truth, outputs):
    """Return |r - r'| in widths (batch,), r' being the output of the true category: regression inside it (Fig. 8)."""
    inside = ops.one_hot(ops.cast(truth[:, 0], "int32"), outputs.shape[-1])
    return ops.abs(ops.sum(inside * outputs, axis=-1) - truth[:, 1])


def all_heads(truth, outputs):
    """Return the sum of the heads' cross-entropies (batch,): each head is a softmax, and its true class has a 1."""
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
