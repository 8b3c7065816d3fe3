"""Test faces turned and moved by steps, and what a trained network still makes of them (section 4; claim C8).

Nothing is trained: the weights of a finished gender run read changed test faces. The hits are kept beside its record.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import rotate
from tqdm import tqdm

from gralib import scores
from gralib.errors import UserError
from gralib.experiment import network
from gralib.faces import Faces
from gralib.labels import GENDERS
from gralib.packed import pack_rows, unpack_rows
from gralib.records import ORIENTATION, Run, add

TURNS = (5, 10, 15, 20, 30)
"""Degrees, in both directions."""
MOVES = (1, 2, 3, 4, 6)
"""Pixels of 32, to both sides."""


def columns() -> dict[str, tuple[str, int]]:
    """Return the changes by name of their column: 'turn' in degrees or 'move' in pixels, signed by direction."""
    signed = [("turn", sign * step) for step in TURNS for sign in (-1, 1)]
    signed += [("move", sign * step) for step in MOVES for sign in (-1, 1)]
    return {"as they are": ("turn", 0), **{f"{kind} {step:+d}": (kind, step) for kind, step in signed}}


def change(pixels: NDArray[np.uint8], kind: str, step: int) -> NDArray[np.uint8]:
    """Turn faces by `step` degrees or move them right by `step` pixels; edges are repeated.

    Args:
        pixels: (n, height, width, 3).
        kind: 'turn' or 'move'.
        step: degrees or pixels; 0 changes nothing.
    """
    if not step:
        return pixels
    if kind == "turn":
        return rotate(pixels, step, axes=(2, 1), reshape=False, order=1, mode="nearest")
    width = pixels.shape[2]
    return pixels[:, :, np.clip(np.arange(width) - step, 0, width - 1)]


def probe(run: Run, faces: Faces) -> Path:
    """Read the changed test faces with the network of a gender run, and write the hits beside its record.

    Returns:
        The file: one row a test face: 1 or 0 for each of `columns`, packed; `read` returns the faces with it.

    Raises:
        UserError: no gender run, its weights are not here, or other faces than it was made on.
    """
    record = run.record
    if record.config.task != "gender" or record.fingerprint != faces.fingerprint:
        raise UserError(f"{record.run_id}: expected a gender run on these faces ({faces.fingerprint})")
    target = run.folder / ORIENTATION
    if ORIENTATION in run.files:
        return target
    from gralib.training import predict

    model, table = network(run), run.tested
    rows = run.rows
    hits = pd.DataFrame(index=range(len(rows)))
    for name, (kind, step) in tqdm(columns().items(), desc=f"{record.run_id}: changed faces", unit="change"):
        outputs = predict(model, change(np.asarray(faces.pixels[rows]), kind, step), np.arange(len(rows)))
        hits[name] = scores.hits(table["gender"], np.array(GENDERS)[outputs.argmax(axis=1)]).astype(int)
    add(run.folder, ORIENTATION, pack_rows(rows, hits))
    return target


def read(run: Run) -> pd.DataFrame | None:
    """Return one row a test face: path, group, and 1 or 0 for each of `columns`; None where `probe` was not run.

    Raises:
        UserError: a table that is none of these faces.
    """
    path = run.folder / ORIENTATION
    if not path.exists():
        return None
    try:
        rows, hits = unpack_rows(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected what was made of changed faces; {error}") from None
    if list(hits) != list(columns()) or not np.array_equal(rows, run.rows) or not hits.isin((0, 1)).all(axis=None):
        raise UserError(f"{path}: expected 0 or 1 for each change and test face of {run.record.run_id}")
    return pd.concat([run.tested[["path", "group"]], hits], axis=1)


def losses(tables: Sequence[pd.DataFrame], kind: str, step: int) -> NDArray[np.float64]:
    """Return what a step to either side takes away from each face: (seeds, faces), the mean of both directions."""
    return np.stack([t["as they are"] - (t[f"{kind} -{step}"] + t[f"{kind} +{step}"]) / 2 for t in tables])


def curve(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return accuracy by step: kind, step, value, low, high over seeds and groups of faces."""
    rows = []
    for kind, steps in (("turn", TURNS), ("move", MOVES)):
        for step in (0, *steps):
            names = ["as they are"] if not step else [f"{kind} -{step}", f"{kind} +{step}"]
            e = scores.interval_over_seeds(np.stack([t[names].mean(axis=1) for t in tables]), tables[0]["group"])
            rows.append((kind, step, e.value, e.low, e.high))
    return pd.DataFrame(rows, columns=["kind", "step", "value", "low", "high"])


def saved(tables: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return by how much less changed faces cost `tables` than `others`, paired by seed and face, a row as in `curve`.

    Returns:
        kind, step, saved, low, high, verdict ('better', 'worse' or 'inside the noise').
    """
    rows = []
    for kind, steps in (("turn", TURNS), ("move", MOVES)):
        rows.append((kind, 0, 0.0, 0.0, 0.0, ""))
        for step in steps:
            less = losses(others, kind, step) - losses(tables, kind, step)
            e = scores.interval_over_seeds(less, tables[0]["group"])
            rows.append((kind, step, e.value, e.low, e.high, e.word))
    return pd.DataFrame(rows, columns=["kind", "step", "saved", "low", "high", "verdict"])
