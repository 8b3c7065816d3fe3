"""The faces of one epoch, shuffled and augmented: a function of seed, epoch and step alone."""

import keras
import numpy as np

from gralib.config import RunConfig

SHIFT = 2
"""Pixels by which augmentation moves a face at most."""


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
