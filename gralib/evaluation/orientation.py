"""What turned and moved faces cost a trained network (claim C8), from the tables that `training.perturb` left."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import metrics
from gralib.training.probed import MOVES, TURNS


def losses(tables: Sequence[pd.DataFrame], kind: str, step: int) -> NDArray[np.float64]:
    """Return what a step to either side takes away from each face: (seeds, faces), the mean of both directions."""
    return np.stack([t["as they are"] - (t[f"{kind} -{step}"] + t[f"{kind} +{step}"]) / 2 for t in tables])


def curve(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return accuracy by step: kind, step, value, low, high over seeds and groups of faces."""
    rows = []
    for kind, steps in (("turn", TURNS), ("move", MOVES)):
        for step in (0, *steps):
            names = ["as they are"] if not step else [f"{kind} -{step}", f"{kind} +{step}"]
            e = metrics.interval_over_seeds(np.stack([t[names].mean(axis=1) for t in tables]), tables[0]["group"])
            rows.append((kind, step, e.value, e.low, e.high))
    return pd.DataFrame(rows, columns=["kind", "step", "value", "low", "high"])
