"""The paper's equations of gate and masks (Eq. 3 to 6) on plain arrays, for pictures, exercises and the page to play.

A network's are in `gralib.model.attention`; a test holds the two together.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

EPSILON = 1e-6
"""Keeps norm and spread from zero, as `MaskActivation.epsilon` does."""


def gated(mask: ArrayLike, gamma: float, features: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Return O = (gamma + (1 - gamma) K) F of Eq. 3; mask K and features F of any shapes that go together."""
    return (gamma + (1 - gamma) * np.asarray(mask, dtype=np.float64)) * np.asarray(features, dtype=np.float64)


def masks_of(features: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return the masks K that Eq. 4, 5 and 6 make of features (height, width, channels), by kind of attention."""
    x = np.asarray(features, dtype=np.float64)
    off = (x - x.mean(axis=(0, 1))) / np.sqrt(x.var(axis=(0, 1)) + EPSILON)
    norm = np.sqrt((x**2).sum(axis=-1, keepdims=True) + EPSILON**2)
    return {"mixed": expit(x), "channel": x / norm, "spatial": expit(off)}
