"""A training on disk: its best weights, and all that a step changes, so that it goes on with the same bits."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops

from gralib.data.archives import DAMAGED
from gralib.errors import UserError, writing
from gralib.files import make_folder, put


def state(model: keras.Model) -> list[keras.Variable]:
    """Return all that a step changes: weights, counters of random draws (dropout), the optimizer's variables."""
    return [*model.variables, *model.optimizer.variables]


def load_weights(model: keras.Model, folder: Path) -> None:
    """Give `model` the weights of a run's best epoch.

    Raises:
        UserError: the weights are not on this machine (records travel without them).
    """
    path = folder / "weights.npz"
    if not path.exists():
        raise UserError(f"{path}: the weights are not on this machine; gra run --again trains it here")
    try:
        _assign(path, model.weights)
    except DAMAGED as error:
        raise UserError(f"{path}: expected the weights of this network, got {error}") from None


def save(path: Path, variables, history: list[dict] | None = None) -> None:
    """Write variables in order, and the history so far, whole or not at all."""
    part = path.with_suffix(".part.npz")
    arrays = {f"a{i}": ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    try:
        with writing(path):
            make_folder(path.parent)
            np.savez(part, history=np.array(json.dumps(history or [])), **arrays)
            put(part, path)
    except UserError:
        part.unlink(missing_ok=True)
        raise


def restore(path: Path, model: keras.Model) -> list[dict]:
    """Set model and optimizer to the last whole epoch and return the history up to it; none if it is damaged."""
    if not path.exists():
        return []
    try:
        return _assign(path, state(model))
    except DAMAGED as error:
        print(f"{path}: damaged ({error}); this training starts anew", file=sys.stderr)
        return []


def whole(path: Path, variables: list[keras.Variable]) -> bool:
    """Tell whether what `save` wrote is there and can be read."""
    try:
        return bool(_read(path, variables))
    except DAMAGED:
        return False


def _read(path: Path, variables: list[keras.Variable]) -> tuple[list[np.ndarray], list[dict]]:
    """Return the values that `save` wrote for these variables, and the history beside them."""
    with np.load(path, allow_pickle=False) as arrays:
        values = [arrays[f"a{i}"] for i in range(len(variables))]
        history = json.loads(str(arrays["history"]))
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"shape {value.shape} instead of {tuple(variable.shape)}")
    return values, history


def _assign(path: Path, variables: list[keras.Variable]) -> list[dict]:
    """Give variables the values that `save` wrote, all or none, and return the history beside them."""
    values, history = _read(path, variables)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return history
