"""What the runs of one condition and seed say of their test faces, under one score; and what probes of them say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import metrics
from gralib.errors import UserError
from gralib.evaluation.compare import values_of
from gralib.training import probed
from gralib.training.probed import MOVES, TURNS
from gralib.training.records import Run

TURN, MOVE = 15, 3
"""Degrees and pixels of C8."""


@dataclass(frozen=True)
class Outcome:
    """One value a test face, or one for the whole run.

    Attributes:
        values: (n,).
        constant: (n,) of the best constant of the training faces; NaN where there is none.
        faces: n rows: path, group; None where the value is of the run as a whole.
    """

    values: NDArray[np.float64]
    constant: NDArray[np.float64]
    faces: pd.DataFrame | None


def losses(tables: Sequence[pd.DataFrame], kind: str, step: int) -> NDArray[np.float64]:
    """Return what a turn or move to either side takes away from each face (C8): (seeds, faces), both sides' mean.

    Args:
        tables: of `probed.orientation`, one a seed.
        kind: 'turn' or 'move'.
        step: degrees or pixels.
    """
    return np.stack([t["as they are"] - (t[f"{kind} -{step}"] + t[f"{kind} +{step}"]) / 2 for t in tables])


def curve(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return accuracy by step of turning and moving: kind, step, value, low, high over seeds and groups of faces."""
    rows = []
    for kind, steps in (("turn", TURNS), ("move", MOVES)):
        for step in (0, *steps):
            names = ["as they are"] if not step else [f"{kind} -{step}", f"{kind} +{step}"]
            e = metrics.interval_over_seeds(np.stack([t[names].mean(axis=1) for t in tables]), tables[0]["group"])
            rows.append((kind, step, e.value, e.low, e.high))
    return pd.DataFrame(rows, columns=["kind", "step", "value", "low", "high"])


def growth(table: pd.DataFrame, column: str = "size_after") -> float:
    """Return by how many doublings features grow from the first to the last module of a stage (C16), stages' mean.

    Raises:
        UserError: one module a stage, between which nothing can grow.
    """
    stage = table["block"].str.extract(r"^(stage\d+)_module\d+$")[0]
    ends = np.log2(table[column]).groupby(stage).agg(["first", "last", "size"])
    if (ends["size"] < 2).any():
        raise UserError("modules: expected at least 2 a stage to compare the size of features, got 1")
    return float((ends["last"] - ends["first"]).mean())


def _changed(kinds: Sequence[tuple[str, int]]) -> Callable[[Run], NDArray[np.float64] | None]:
    def one(run: Run) -> NDArray[np.float64] | None:
        table = probed.orientation(run)
        return None if table is None else np.mean([losses([table], *change)[0] for change in kinds], axis=0)

    return one


def _block(measure: Callable[[pd.DataFrame], float]) -> Callable[[Run], NDArray[np.float64] | None]:
    def one(run: Run) -> NDArray[np.float64] | None:
        table = probed.blocks(run)
        return None if table is None else np.array([measure(table)])

    return one


PROBED: dict[str, Callable[[Run], NDArray[np.float64] | None]] = {
    "rotation_loss": _changed([("turn", TURN)]),
    "shift_loss": _changed([("move", MOVE)]),
    "orientation_loss": _changed([("turn", TURN), ("move", MOVE)]),
    "feature_growth": _block(growth),
    "feature_growth_before": _block(lambda table: growth(table, "size_before")),
    "mask_position_share": _block(lambda table: float(table["position_share"].mean())),
    "mask_channel_share": _block(lambda table: float(table["channel_share"].mean())),
}
"""Scores that need a look into the trained network: of each face what a change of orientation costs, or one number."""


def probe_of(score: str) -> str:
    """Return which look into a trained network a score needs: 'orientation', 'blocks', or none."""
    return "" if score not in PROBED else "orientation" if score.endswith("_loss") else "blocks"


def outcome(runs: Sequence[Run], score: str, join: str = "", faces: dict[str, tuple] | None = None) -> Outcome | None:
    """Return what the runs of one condition say; None where a score needs a probe that was not made.

    Args:
        runs: one, or the two age networks.
        score: a key of `METRICS`.
        join: see `gralib.evaluation.protocol.Condition`.
        faces: of the test faces only these, see there.

    Raises:
        UserError: no test face is left.
    """
    if score in PROBED:
        values = PROBED[score](runs[0])
        if values is None:
            return None
        constant = np.full(len(values), np.nan)
    else:
        values, constant = values_of(runs, score, "hard" if join == "hard" else "soft")
    tested = runs[0].tested
    if len(values) != len(tested):
        return Outcome(values, constant, None)
    wanted = chosen(tested, faces or {})
    if not wanted.any():
        raise UserError(f"{runs[0].record.run_id}: expected test faces with {faces}, got none")
    return Outcome(values[wanted], constant[wanted], tested.loc[wanted, ["path", "group"]])


def chosen(table: pd.DataFrame, faces: dict[str, tuple]) -> NDArray[np.bool_]:
    """Return which rows have every column in its range (two numbers, ends included) or among its names."""
    out = np.ones(len(table), dtype=bool)
    for column, wanted in faces.items():
        numbers = all(isinstance(v, int | float) for v in wanted)
        out &= (table[column].between(*wanted) if numbers else table[column].isin(wanted)).to_numpy()
    return out
