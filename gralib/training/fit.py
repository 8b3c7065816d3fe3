"""One training: build, fit epoch by epoch, resume where it stopped, keep the weights of the best epoch.

What a step sees is a function of seed, epoch and step alone, so that an interrupted training goes on with the same
bits as one that was not.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import gralib.model  # noqa: F401  starts the backend, which has to be before Keras is loaded

# isort: split
import keras
import numpy as np
import pandas as pd
from keras import ops

from gralib.ages import MAX_AGE
from gralib.backend import devices, jit_compile, precision, trace_prediction
from gralib.config import NETWORK, UNSHAPED, RunConfig, shape
from gralib.errors import FailedTraining, UserError
from gralib.labels import class_names, sizes, targets
from gralib.model.losses import loss_for, loss_of
from gralib.model.network import gate_layers, gate_values, gra_net, trainable_count
from gralib.model.optimizer import FlatNadam
from gralib.progress import Bar, called
from gralib.training import checkpoint
from gralib.training.augmentation import Batches

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
        model = _build(config)
    for layer in model._flatten_layers():  # a MobileNet is a network inside a network
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
    return model


def _build(config: RunConfig) -> keras.Model:
    if config.network != "gra_net":
        from gralib.model.baselines import BASELINES

        return BASELINES[config.network](sizes(config), config.width)
    chosen = config.model_dump(include={"width", *NETWORK} - {"gate_rate"})
    return gra_net(len(class_names(config)), head=head_of(config), **chosen)


def head_of(config: RunConfig) -> Literal["softmax", "sigmoid", "linear"]:
    """Return the activation that a configuration's outputs end in: an age as a whole is a number without ends."""
    if config.task != "age_regression":
        return "softmax"
    return "linear" if config.age_width == MAX_AGE + 1 else "sigmoid"


def prepare(config: RunConfig, steps: int) -> keras.Model:
    """Return the compiled network of `config` before its first step, `steps` being those of an epoch.

    Building, tracing and compiling take far longer than a step. So networks of one shape are compiled once a process:
    seeds, folds, recipes and gate values (weights too, see `GatedAttention`) only set the weights back.

    Raises:
        RuntimeError: the compiled network is not the one that `config` builds.
    """
    model, start = _compiled(shape(config))
    for variable, value in zip(checkpoint.state(model), start, strict=True):
        variable.assign(value)
    model.optimizer.follow(config, config.epochs * steps)
    for gate in gate_layers(model):
        gate.hold(config.gate)
    initialise(model, config)
    if layout(model) != _layout(config.model_copy(update=UNSHAPED)):
        raise RuntimeError(f"network: the compiled one differs from what {config.canonical()} builds")
    return model


@lru_cache(maxsize=4)
def _layout(config: RunConfig) -> tuple:
    """Return the layout of the network that a configuration builds."""
    return layout(build(config))


def layout(model: keras.Model) -> tuple:
    """Return what a network is: its weights' names and shapes, what learns, and the gates as they are held."""
    weights = tuple((v.name, tuple(v.shape)) for v in model.weights)
    return weights, trainable_count(model), tuple((g.name, float(g.held)) for g in gate_layers(model))


@lru_cache(maxsize=2)
def _compiled(config: RunConfig) -> tuple[keras.Model, list[np.ndarray]]:
    """Return a compiled network with trainable gates, and the values all its variables start from."""
    model = build(config)
    optimizer = FlatNadam(config.learning_rate, config.averaging)
    optimizer.build(model.trainable_variables)  # variables made inside the first step would cost a second tracing
    model.compile(optimizer, loss_for(config), jit_compile=jit_compile())
    return model, [ops.convert_to_numpy(v) for v in checkpoint.state(model)]


def initialise(model: keras.Model, config: RunConfig) -> None:
    """Draw all kernels anew by `config.start`, and the state of dropout; in NumPy: all backends start alike."""
    rng = np.random.default_rng(config.seed)
    for weight in model.weights:
        if weight.name.endswith("kernel"):
            weight.assign(_kernel(weight, config.start, rng))
    for number, state in enumerate(v for v in model.variables if v.name == "seed_generator_state"):
        state.assign(np.array([np.random.default_rng([config.seed, 3, number]).integers(2**32), 0], "uint32"))


def _kernel(weight: keras.Variable, start: str, rng: np.random.Generator) -> np.ndarray:
    """Return the values a kernel (..., in, out) starts from: Glorot and Bengio 2010, or He et al. 2015."""
    receptive = int(np.prod(weight.shape[:-2]))
    if start == "he":
        return (rng.standard_normal(weight.shape) * np.sqrt(2 / (receptive * weight.shape[-2]))).astype("float32")
    limit = np.sqrt(6 / (receptive * (weight.shape[-2] + weight.shape[-1])))
    drawn = rng.uniform(-limit, limit, weight.shape).astype("float32")
    if start == "glorot" or "_conv3/" not in weight.path:  # the last convolution of a residual unit
        return drawn
    return np.zeros_like(drawn) if start == "zero" else np.broadcast_to(np.eye(*weight.shape[-2:]), weight.shape)


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
        label: the run's name, for messages and lines of a log.
        progress: a bar, a line an epoch, or nothing.

    Raises:
        UserError: fewer training faces than a batch.
        FailedTraining: a loss that is no number.
    """
    if len(train_rows) < config.batch_size or (config.held_out and not len(validation_rows)):
        raise UserError(f"{label}: expected at least {config.batch_size} training faces, got {len(train_rows)}")
    if config.batch_size % devices():
        raise UserError(f"batch_size: expected a multiple of GRA_DEVICES={devices()}, got {config.batch_size}")
    truth = smooth(config, targets(config, table.iloc[train_rows]))
    validation_truth = targets(config, table.iloc[validation_rows])
    steps = len(train_rows) // config.batch_size
    model = prepare(config, steps)
    unfinished = folder / "checkpoint.npz"
    history = checkpoint.restore(unfinished, model)
    if history and not checkpoint.whole(folder / "weights.npz", model.weights):
        print(f"{folder / 'weights.npz'}: not there or damaged; this training starts anew", file=sys.stderr)
        model, history = prepare(config, steps), []
    meter = _Meter(config, label, steps, len(history), progress)
    for epoch in range(len(history), config.epochs):
        started = time.perf_counter()
        batches = Batches(config, epoch, pixels, train_rows, truth)
        fitted = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[meter])
        row: dict[str, float] = {"epoch": epoch + 1, "train_loss": float(np.mean(fitted.history["loss"]))}
        with answering(model):
            if len(validation_rows):
                outputs = predict(model, pixels, validation_rows, config.mirrored_prediction)
                row["validation_loss"] = loss_of(config, validation_truth, outputs)
            row |= {f"gate_{name}": value for name, value in gate_values(model).items()}
            if not np.isfinite(list(row.values())).all():
                raise FailedTraining(
                    f"{label}: the loss is no number after epoch {epoch + 1}; try a lower learning_rate"
                )
            if best_epoch([*history, row]) == row["epoch"]:
                checkpoint.save(folder / "weights.npz", model.weights)
        history.append({**row, "seconds": time.perf_counter() - started})
        checkpoint.save(unfinished, checkpoint.state(model), history)
        meter.epoch_line(row)
    meter.close()
    checkpoint.load_weights(model, folder)
    seconds = [row["seconds"] for row in history]
    return Trained(
        model,
        pd.DataFrame(history).drop(columns="seconds"),
        best_epoch(history),
        sum(seconds),
        steps * config.batch_size / float(np.median(seconds[1:] or seconds)),
    )


def best_epoch(history: list[dict]) -> int:
    """Return the epoch of the least validation loss, or the last one where no faces were held out to choose it."""
    if "validation_loss" not in history[-1]:
        return history[-1]["epoch"]
    return min(history, key=lambda row: row["validation_loss"])["epoch"]


def smooth(config: RunConfig, truth: np.ndarray) -> np.ndarray:
    """Spread a share of every one-hot target over all classes of its head (Szegedy et al. 2016); remainders stay."""
    if not config.label_smoothing or config.task == "age_regression":
        return truth
    first = np.cumsum([0, *sizes(config)[:-1]])
    count = np.repeat(sizes(config), sizes(config))
    known = np.repeat(np.add.reduceat(truth, first, axis=1), sizes(config), axis=1)
    return (truth * (1 - config.label_smoothing) + known * config.label_smoothing / count).astype("float32")


@contextmanager
def answering(model: keras.Model) -> Iterator[None]:
    """Give the network the weights it answers with: their running mean where one is kept; inside only."""
    if not model.optimizer.averaging:
        yield
        return
    kept = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    ends = np.cumsum([0, *(v.size for v in kept)])
    average = ops.convert_to_numpy(model.optimizer.average)
    for variable, start, end in zip(model.trainable_variables, ends, ends[1:], strict=False):
        variable.assign(average[start:end].reshape(variable.shape))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)


def predict(model: keras.Model, pixels: np.ndarray, rows: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """Return the network's outputs for those rows, (rows, outputs) float32; if `mirrored`, the mean with the mirror
    image's."""
    count, whole = len(rows), -(-len(rows) // devices()) * devices()
    faces = pixels[np.resize(rows, whole)]  # every device gets as many
    if mirrored:
        return (_outputs(model, faces)[:count] + _outputs(model, faces[:, :, ::-1])[:count]) / 2
    return _outputs(model, faces)[:count]


def _outputs(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    trace_prediction(model)
    batches = np.split(faces, range(PREDICT_BATCH, len(faces), PREDICT_BATCH))
    return np.concatenate([np.asarray(model.predict_on_batch(batch)) for batch in batches])


class _Meter(keras.callbacks.Callback):
    """Shows how far a training is: a bar for a person, a line an epoch for a log."""

    def __init__(self, config: RunConfig, label: str, steps: int, done: int, progress: Progress):
        super().__init__()
        self.label, self.epochs, self.progress = label, config.epochs, progress
        self.started, self.first = time.perf_counter(), done
        total, done = config.epochs * steps, done * steps
        self.bar = Bar(total=total, initial=done, desc=called(config), unit="step", disable=progress != "bar")

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.bar.update()

    def epoch_line(self, row: dict) -> None:
        now = f"validation {row['validation_loss']:.4f}" if "validation_loss" in row else "no validation"
        self.bar.set_postfix_str(f"loss {row['train_loss']:.4f}, {now}")
        if self.progress == "lines":
            spent = time.perf_counter() - self.started
            left = spent / (row["epoch"] - self.first) * (self.epochs - row["epoch"])
            print(
                f"{self.label}: epoch {row['epoch']}/{self.epochs}, loss {row['train_loss']:.4f}, "
                f"{now}, about {left / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        self.bar.close()
