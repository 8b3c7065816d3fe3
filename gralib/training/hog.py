"""A method without a network: histograms of oriented gradients and a linear classifier (section 2 of the paper)."""

import time

import numpy as np
import pandas as pd
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from gralib.config import RunConfig
from gralib.labels import targets
from gralib.model.losses import loss_of

STRENGTHS = (1e-4, 1e-3, 1e-2)
"""Inverse strengths of the regularisation; validation faces choose one, as they choose a network's epoch."""


def features(pixels: np.ndarray) -> np.ndarray:
    """Return HOG features (n, 1764) of faces (n, 32, 32, 3) uint8: 9 directions, cells of 4x4, blocks of 2x2 cells."""
    return np.stack([hog(face, 9, (4, 4), (2, 2), channel_axis=-1) for face in pixels]).astype("float32")


def fit(
    config: RunConfig, pixels: np.ndarray, table: pd.DataFrame, train: np.ndarray, validation: np.ndarray
) -> tuple[Pipeline, pd.DataFrame, int, float]:
    """Fit a logistic regression on HOG features with each of `STRENGTHS`.

    Args:
        config: names the classes (task `gender`, `age_category` or `age_group`).
        pixels: (n, 32, 32, 3) uint8.
        table: n rows of labels.
        train: row numbers that train.
        validation: row numbers that choose the strength: that of the lowest loss on them; with none, a tenth of the
            training faces does, and all of them train the chosen one.

    Returns:
        The chosen classifier, a history with one row a strength (as `epoch`), the number of the chosen row, seconds.
    """
    started = time.perf_counter()
    if not len(validation):
        drawn = np.random.default_rng(0).permutation(train)
        _, history, chosen, _ = fit(config, pixels, table, drawn[len(drawn) // 10 :], drawn[: len(drawn) // 10])
        truth = targets(config, table.iloc[train]).argmax(axis=1)
        model = _classifier(STRENGTHS[chosen - 1]).fit(features(pixels[train]), truth)
        return model, history, chosen, time.perf_counter() - started
    seen, held_out = features(pixels[train]), features(pixels[validation])
    truth, held_out_truth = (targets(config, table.iloc[rows]) for rows in (train, validation))
    fitted, rows = [], []
    for number, strength in enumerate(STRENGTHS, start=1):
        model = _classifier(strength).fit(seen, truth.argmax(axis=1))
        fitted.append(model)
        losses = [loss_of(config, t, predict(config, model, f, truth.shape[1]))
                  for t, f in ((truth, seen), (held_out_truth, held_out))]  # fmt: skip
        rows.append({"epoch": number, "train_loss": losses[0], "validation_loss": losses[1]})
    history = pd.DataFrame(rows)
    chosen = int(np.argmin(history["validation_loss"]))
    return fitted[chosen], history, chosen + 1, time.perf_counter() - started


def _classifier(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))


def predict(config: RunConfig, model: Pipeline, seen: np.ndarray, classes: int) -> np.ndarray:
    """Return probabilities (n, classes) for features (n, 1764); classes never seen in training get 0."""
    outputs = np.zeros((len(seen), classes))
    outputs[:, model.classes_] = model.predict_proba(seen)
    return outputs
