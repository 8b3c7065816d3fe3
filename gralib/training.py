"""One training: build, fit epoch by epoch, resume where it stopped, keep the weights of the best epoch.

What a step sees is a function of seed, epoch and step alone, so that an interrupted training goes on with the same
bits as one that was not.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pandas as pd
from keras import ops
from tqdm import tqdm

from gralib import ages
from gralib.backend import jit_compile
from gralib.config import RunConfig
from gralib.errors import UserError
from gralib.nadam import FlatNadam
from gralib.network import gate_values, gra_net

Progress = Literal["bar", "lines", "none"]
PREDICT_BATCH = 256
SHIFT = 2
"""Pixels by which augmentation moves a face at most."""


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
    return gra_net(
        outputs=2 if config.task == "gender" else ages.category_count(config.age_width),
        width=config.width,
        attention=config.attention,
        gate=config.gate,
        upsampling=config.upsampling,
        groups=config.groups,
        modules=config.modules,
        mask_depths=config.mask_depths,
        head="sigmoid" if config.task == "age_regression" else "softmax",
    )


def initialise(model: keras.Model, seed: int) -> None:
    """Draw all kernels anew: Glorot uniform, Keras' default, from NumPy so that every engine starts alike."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name == "kernel":
            receptive = int(np.prod(weight.shape[:-2]))
            limit = np.sqrt(6 / (receptive * (weight.shape[-2] + weight.shape[-1])))
            weight.assign(rng.uniform(-limit, limit, weight.shape).astype("float32"))


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


class Batches(keras.utils.PyDataset):
    """The training faces of one epoch in its order, augmented: all drawn from (seed, epoch)."""

    def __init__(self, config: RunConfig, epoch: int, pixels: np.ndarray, rows: np.ndarray, truth: np.ndarray):
        super().__init__()
        self.config, self.epoch, self.pixels = config, epoch, pixels
        order = np.random.default_rng([config.seed, epoch]).permutation(len(rows))
        self.rows, self.truth = rows[order], truth[order]

    def __len__(self) -> int:
        """Return the number of whole batches; the few faces left over sit this epoch out."""
        return len(self.rows) // self.config.batch_size

    def __getitem__(self, step: int):
        """Return pixels (batch, 32, 32, 3) uint8 and targets of one step."""
        part = slice(step * self.config.batch_size, (step + 1) * self.config.batch_size)
        faces = self.pixels[self.rows[part]]
        if self.config.augment:
            faces = augment(faces, np.random.default_rng([self.config.seed, self.epoch, step]))
        return faces, self.truth[part]


def augment(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror half of the faces and shift each by up to two pixels, edges repeated; (n, h, w, 3) uint8."""
    n, height, width, _ = faces.shape
    faces = np.where(rng.random((n, 1, 1, 1)) < 0.5, faces[:, :, ::-1], faces)
    down, right = rng.integers(-SHIFT, SHIFT + 1, (2, n, 1))
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    return faces[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


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
        UserError: fewer training faces than a batch, or a loss that is no number.
    """
    if len(train_rows) < config.batch_size or not len(validation_rows):
        raise UserError(f"{label}: expected at least {config.batch_size} training faces, got {len(train_rows)}")
    truth = targets(config, table.iloc[train_rows])
    validation_truth = targets(config, table.iloc[validation_rows])
    steps = len(train_rows) // config.batch_size
    model = build(config)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * steps)
    optimizer = FlatNadam(rate)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, LOSSES[config.task], jit_compile=jit_compile())
    initialise(model, config.seed)
    checkpoint = folder / "checkpoint.npz"
    history = _restore(checkpoint, model)
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
            raise UserError(f"{label}: the loss is no number after epoch {epoch + 1}; try a lower learning_rate")
        if row["validation_loss"] < min((r["validation_loss"] for r in history), default=np.inf):
            _save(folder / "weights.npz", model.weights)
        history.append({**row, "seconds": time.perf_counter() - started})
        _save(checkpoint, [*model.weights, *optimizer.variables], history)
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
    return np.asarray(model.predict(pixels[rows], batch_size=PREDICT_BATCH, verbose=0))


def load_weights(model: keras.Model, folder: Path) -> None:
    """Give `model` the weights of a run's best epoch.

    Raises:
        UserError: the weights are not on this machine (records travel without them).
    """
    path = folder / "weights.npz"
    if not path.exists():
        raise UserError(f"{path}: the weights are not on this machine; train with gra run --again")
    with np.load(path, allow_pickle=False) as arrays:
        for i, weight in enumerate(model.weights):
            weight.assign(arrays[f"a{i}"])


def _save(path: Path, variables, history: list[dict] | None = None) -> None:
    """Write variables in order, and the history so far, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    arrays = {f"a{i}": ops.convert_to_numpy(v) for i, v in enumerate(variables)}
    np.savez(part, history=np.array(json.dumps(history or [])), **arrays)
    part.replace(path)


def _restore(path: Path, model: keras.Model) -> list[dict]:
    """Set model and optimizer to the last whole epoch and return the history up to it."""
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        for i, variable in enumerate([*model.weights, *model.optimizer.variables]):
            variable.assign(arrays[f"a{i}"])
        return json.loads(str(arrays["history"]))


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
