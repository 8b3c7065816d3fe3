"""One training: build, fit epoch by epoch, resume where it stopped, keep the weights of the best epoch.

What a step sees is a function of seed, epoch and step alone, so that an interrupted training goes on with the same
bits as one that was not.
"""

import json
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pandas as pd
from keras import ops
from tqdm import tqdm

from gralib.backend import devices, jit_compile, precision
from gralib.batches import Batches
from gralib.config import RunConfig, shape
from gralib.errors import FailedTraining, UserError, writing
from gralib.nadam import FlatNadam
from gralib.network import gate_layers, gate_values, gra_net
from gralib.sources import DAMAGED
from gralib.tasks import class_names, loss_for, loss_of, sizes, targets

Progress = Literal["bar", "lines", "none"]
PREDICT_BATCH = 256


@dataclass(frozen=True)
class Trained:
    """A network at its best epoch, and how it got there."""

    model: keras.Model
    history: pd.DataFrame
    chosen_epoch: int
    seconds: float
    faces_per_second: float


def build(config: RunConfig) -> keras.Model:
    """Return the network of a configuration; weights are those of `initialise` only after calling that."""
    with precision(config.precision):
        return _build(config)


def _build(config: RunConfig) -> keras.Model:
    if config.network != "gra_net":
        from gralib.baselines import BASELINES

        return BASELINES[config.network](sizes(config), config.width)
    return gra_net(
        outputs=len(class_names(config)),
        width=config.width,
        attention=config.attention,
        gate=config.gate,
        upsampling=config.upsampling,
        groups=config.groups,
        modules=config.modules,
        mask_depths=config.mask_depths,
        head="sigmoid" if config.task == "age_regression" else "softmax",
    )


def prepare(config: RunConfig, steps: int) -> keras.Model:
    """Return the compiled network of `config` before its first step, `steps` being those of an epoch.

    Building, tracing and compiling take far longer than a step. So networks of one shape are compiled once a process:
    seeds, folds and gate values (weights too, see `GatedAttention`) only set the weights back.
    """
    model, start = _compiled(shape(config))
    for variable, value in zip(_state(model), start, strict=True):
        variable.assign(value)
    model.optimizer.total_steps.assign(config.epochs * steps)
    for gate in gate_layers(model):
        gate.hold(config.gate)
    initialise(model, config.seed)
    return model


@lru_cache(maxsize=2)
def _compiled(config: RunConfig) -> tuple[keras.Model, list[np.ndarray]]:
    """Return a compiled network with trainable gates, and the values all its variables start from."""
    model = build(config)
    optimizer = FlatNadam(config.learning_rate)
    optimizer.build(model.trainable_variables)  # variables made inside the first step would cost a second tracing
    model.compile(optimizer, loss_for(config), jit_compile=jit_compile())
    return model, [ops.convert_to_numpy(v) for v in _state(model)]


def _state(model: keras.Model) -> list[keras.Variable]:
    """Return all that a step changes: weights, counters of random draws (dropout), the optimizer's variables."""
    return [*model.variables, *model.optimizer.variables]


def initialise(model: keras.Model, seed: int) -> None:
    """Draw all kernels anew: Glorot uniform, Keras' default, from NumPy so that every engine starts alike."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name.endswith("kernel"):
            receptive = int(np.prod(weight.shape[:-2]))
            limit = np.sqrt(6 / (receptive * (weight.shape[-2] + weight.shape[-1])))
            weight.assign(rng.uniform(-limit, limit, weight.shape).astype("float32"))


def train(
    config: RunConfig,
    pixels: np.ndarray,
    table: pd.DataFrame,
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
    folder: Path,
    label: str,
    progress: Progress = "bar",
) -> Trained:
    """Train the network of `config`; an interrupted training in `folder` goes on after its last whole epoch.

    Args:
        config: what to train.
        pixels: (n, 32, 32, 3) uint8.
        table: n rows of labels.
        train_rows: row numbers that train.
        validation_rows: row numbers that choose the epoch: that of the lowest loss on them.
        folder: where checkpoints and weights go.
        label: what progress calls this run.
        progress: a bar, a line an epoch, or nothing.

    Raises:
        UserError: fewer training faces than a batch.
        FailedTraining: a loss that is no number.
    """
    if len(train_rows) < config.batch_size or not len(validation_rows):
        raise UserError(f"{label}: expected at least {config.batch_size} training faces, got {len(train_rows)}")
    if config.batch_size % devices():
        raise UserError(f"batch_size: expected a multiple of GRA_DEVICES={devices()}, got {config.batch_size}")
    truth = targets(config, table.iloc[train_rows])
    validation_truth = targets(config, table.iloc[validation_rows])
    steps = len(train_rows) // config.batch_size
    model = prepare(config, steps)
    checkpoint = folder / "checkpoint.npz"
    history = _restore(checkpoint, model)
    if history and not _whole(folder / "weights.npz", model.weights):
        print(f"{folder / 'weights.npz'}: not there or damaged; this training starts anew", file=sys.stderr)
        model, history = prepare(config, steps), []
    meter = _Meter(label, config.epochs, steps, len(history), progress)
    for epoch in range(len(history), config.epochs):
        started = time.perf_counter()
        batches = Batches(config, epoch, pixels, train_rows, truth)
        fitted = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[meter])
        outputs = predict(model, pixels, validation_rows)
        row: dict[str, float] = {
            "epoch": epoch + 1,
            "train_loss": float(np.mean(fitted.history["loss"])),
            "validation_loss": loss_of(config, validation_truth, outputs),
            **{f"gate_{name}": value for name, value in gate_values(model).items()},
        }
        if not np.isfinite([row["train_loss"], row["validation_loss"]]).all():
            raise FailedTraining(f"{label}: the loss is no number after epoch {epoch + 1}; try a lower learning_rate")
        if row["validation_loss"] < min((r["validation_loss"] for r in history), default=np.inf):
            _save(folder / "weights.npz", model.weights)
        history.append({**row, "seconds": time.perf_counter() - started})
        _save(checkpoint, _state(model), history)
        meter.epoch_line(row)
    meter.close()
    load_weights(model, folder)
    seconds = [row["seconds"] for row in history]
    return Trained(
        model,
        pd.DataFrame(history).drop(columns="seconds"),
        min(history, key=lambda row: row["validation_loss"])["epoch"],
        sum(seconds),
        steps * config.batch_size / float(np.median(seconds[1:] or seconds)),
    )


def predict(model: keras.Model, pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the network's outputs for those rows, (rows, outputs) float32."""
    count, whole = len(rows), -(-len(rows) // devices()) * devices()
    faces = pixels[np.resize(rows, whole)]  # every device gets as many
    if whole <= PREDICT_BATCH:  # a face at a time: without the loop that fills batches
        return np.asarray(model.predict_on_batch(faces))[:count]
    return np.asarray(model.predict(faces, batch_size=PREDICT_BATCH, verbose=0))[:count]


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


def _save(path: Path, variables, history: list[dict] | None = None) -> None:
    """Write variables in order, and the history so far, whole or not at all."""
    part = path.with_suffix(".part.npz")
    arrays = {f"a{i}": ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(part, history=np.array(json.dumps(history or [])), **arrays)
            part.replace(path)
    except UserError:
        part.unlink(missing_ok=True)
        raise


def _restore(path: Path, model: keras.Model) -> list[dict]:
    """Set model and optimizer to the last whole epoch and return the history up to it; none if it is damaged."""
    if not path.exists():
        return []
    try:
        return _assign(path, _state(model))
    except DAMAGED as error:
        print(f"{path}: damaged ({error}); this training starts anew", file=sys.stderr)
        return []


def _whole(path: Path, variables: list[keras.Variable]) -> bool:
    """Tell whether what `_save` wrote is there and can be read."""
    try:
        return bool(_read(path, variables))
    except DAMAGED:
        return False


def _read(path: Path, variables: list[keras.Variable]) -> tuple[list[np.ndarray], list[dict]]:
    """Return the values that `_save` wrote for these variables, and the history beside them."""
    with np.load(path, allow_pickle=False) as arrays:
        values = [arrays[f"a{i}"] for i in range(len(variables))]
        history = json.loads(str(arrays["history"]))
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != value.shape:
            raise ValueError(f"shape {value.shape} instead of {tuple(variable.shape)}")
    return values, history


def _assign(path: Path, variables: list[keras.Variable]) -> list[dict]:
    """Give variables the values that `_save` wrote, all or none, and return the history beside them."""
    values, history = _read(path, variables)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return history


class _Meter(keras.callbacks.Callback):
    """Shows how far a training is: a bar for a person, a line an epoch for a log."""

    def __init__(self, label: str, epochs: int, steps: int, done: int, progress: Progress):
        super().__init__()
        self.label, self.epochs, self.progress = label, epochs, progress
        self.started, self.first = time.perf_counter(), done
        self.bar = tqdm(total=epochs * steps, initial=done * steps, desc=label, unit="step", disable=progress != "bar")

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.bar.update()

    def epoch_line(self, row: dict) -> None:
        self.bar.set_postfix_str(f"validation loss {row['validation_loss']:.4f}")
        if self.progress == "lines":
            spent = time.perf_counter() - self.started
            left = spent / (row["epoch"] - self.first) * (self.epochs - row["epoch"])
            print(
                f"{self.label}: epoch {row['epoch']}/{self.epochs}, loss {row['train_loss']:.4f}, "
                f"validation {row['validation_loss']:.4f}, about {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        self.bar.close()
