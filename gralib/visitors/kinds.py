"""The kinds of attention side by side: the masks that Eq. 4, 5 and 6 make of one set of features.

The shipped networks learned with Eq. 4, which is undone here to have the features. A network that learns with another
kind comes to other features: notebooks/attention_types.ipynb trains them.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from gralib.equations import masks_of

EDGE = 1e-7
"""A mask is this far from 0 and 1 at least, so that its logarithms are numbers."""
SCALES = {"mixed": (0.2, 0.8), "channel": (-1.0, 1.0), "spatial": (0.2, 0.8)}
"""Values that are shown as blue and as yellow, whatever the masks; those of Eq. 5 by the square root of the channels:
a unit vector of equal parts has 1 everywhere."""

Shares = dict[str, NDArray[np.float64]]
"""Masks by kind, (h, w) each, from 0 (shown as blue) to 1 (yellow)."""


def of(mask: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Return the masks by kind, (h, w, c) each, of the features whose mask by Eq. 4 is `mask` (h, w, c).

    That of Eq. 5 lies in [-1, 1], the others in (0, 1).
    """
    return masks_of(logit(np.clip(mask.astype(np.float64), EDGE, 1 - EDGE)))


def shares(mask: NDArray[np.floating]) -> Shares:
    """Return the same averaged over channels and scaled to how they are shown, see `SCALES`."""
    out = {}
    for kind, found in of(mask).items():
        low, high = SCALES[kind]
        unit = np.sqrt(mask.shape[-1]) if kind == "channel" else 1
        out[kind] = np.clip((found.mean(axis=-1) * unit - low) / (high - low), 0, 1)
    return out
