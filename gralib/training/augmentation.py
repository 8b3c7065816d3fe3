"""The faces of one epoch, shuffled and augmented: a function of seed, epoch and step alone."""

import keras
import numpy as np

from gralib.config import RunConfig

GREY = 128
"""What cutout lays on a face: the middle of the pixels' range."""


class Batches(keras.utils.PyDataset):
    """The training faces of one epoch in its order, augmented: all drawn from (seed, epoch).

    Args:
        config: names the seed and the augmentation.
        epoch: counted from 0.
        pixels: (n, 32, 32, 3) uint8.
        rows: (m,) row numbers of the training faces.
        truth: (m, outputs) their targets.
    """

    def __init__(self, config: RunConfig, epoch: int, pixels: np.ndarray, rows: np.ndarray, truth: np.ndarray):
        super().__init__()
        self.config, self.epoch, self.pixels = config, epoch, pixels
        order = np.random.default_rng([config.seed, epoch]).permutation(len(rows))
        self.rows, self.truth = rows[order], truth[order]
        self.mirrored = None
        if config.mirror == "alternating":
            self.mirrored = (np.random.default_rng([config.seed, 2]).random(len(pixels)) < 0.5) ^ bool(epoch % 2)

    def __len__(self) -> int:
        """Return the number of whole batches; the few faces left over sit this epoch out."""
        return len(self.rows) // self.config.batch_size

    def __getitem__(self, step: int):
        """Return pixels (batch, 32, 32, 3), uint8 or with mixup float32, and targets of one step."""
        part = slice(step * self.config.batch_size, (step + 1) * self.config.batch_size)
        rows, truth = self.rows[part], self.truth[part]
        rng = np.random.default_rng([self.config.seed, self.epoch, step])
        if self.config.mirror == "random":
            mirrored = rng.random(len(rows)) < 0.5
        else:
            mirrored = np.zeros(len(rows), bool) if self.mirrored is None else self.mirrored[rows]
        faces = augment(self.pixels[rows], mirrored, self.config, rng)
        return mix(faces, truth, self.config.mixup, rng) if self.config.mixup else (faces, truth)


def augment(faces: np.ndarray, mirrored: np.ndarray, config: RunConfig, rng: np.random.Generator) -> np.ndarray:
    """Mirror the marked faces, move and zoom each, edges repeated, and lay a grey square on it.

    Shapes: (n, h, w, 3) uint8, (n,) -> (n, h, w, 3) uint8.
    """
    faces = np.where(mirrored[:, None, None, None], faces[:, :, ::-1], faces)
    if config.zoom:
        faces = _zoom(faces, config.shift, config.zoom, rng)
    elif config.shift:
        faces = _move(faces, config.shift, rng)
    return _cut_out(faces, config.cutout, rng) if config.cutout else faces


def _move(faces: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Move every face by up to `most` pixels in both directions."""
    n, height, width, _ = faces.shape
    down, right = rng.integers(-most, most + 1, (2, n, 1))
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    return faces[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _zoom(faces: np.ndarray, most: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Enlarge or reduce every face by up to `share` and move it, bilinear."""
    n, height, width, _ = faces.shape
    scale = np.exp(rng.uniform(-1, 1, (n, 1)) * np.log1p(share))
    down, right = rng.uniform(-most, most, (2, n, 1))

    def places(size: int, move: np.ndarray):
        at = np.clip((np.arange(size) - (size - 1) / 2) * scale + (size - 1) / 2 + move, 0, size - 1)
        low = np.minimum(at.astype(int), size - 2)
        return low, (at - low).astype("float32")

    (row, a), (column, b), face = places(height, down), places(width, right), np.arange(n)[:, None, None]
    wide = faces.astype("float32")
    tall = wide[face[:, :, 0], row] * (1 - a)[..., None, None] + wide[face[:, :, 0], row + 1] * a[..., None, None]
    every = np.arange(height)[None, :, None]
    left, right_ = tall[face, every, column[:, None, :]], tall[face, every, column[:, None, :] + 1]
    return np.rint(left + (right_ - left) * b[:, None, :, None]).astype("uint8")


def _cut_out(faces: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Lay a grey square of `side` pixels on every face, its centre anywhere (DeVries and Taylor 2017)."""
    n, height, width, _ = faces.shape
    centre = rng.integers(0, [[height], [width]], (2, n))
    tall, wide = (
        np.abs(np.arange(s) - c[:, None] + 0.5) <= side / 2 for s, c in zip((height, width), centre, strict=True)
    )
    return np.where((tall[:, :, None] & wide[:, None, :])[..., None], np.uint8(GREY), faces)


def mix(faces: np.ndarray, truth: np.ndarray, alpha: float, rng: np.random.Generator):
    """Mix every face and its target with another by one share from Beta(alpha, alpha) (Zhang et al. 2018)."""
    share, other = np.float32(rng.beta(alpha, alpha)), rng.permutation(len(faces))
    mixed = share * faces.astype("float32") + (1 - share) * faces[other].astype("float32")
    return mixed, share * truth + (1 - share) * truth[other]
