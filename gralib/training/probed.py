"""What probes of a trained network left beside its record; `perturb`, `inspection` and `across` write it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gralib.errors import UserError
from gralib.files import path_of
from gralib.training.packed import faces_at, unpack, unpack_predictions, unpack_rows
from gralib.training.records import ACROSS, BLOCKS, ORIENTATION, Run, faces_name

TURNS = (5, 10, 15, 20, 30)
"""Degrees, in both directions."""
MOVES = (1, 2, 3, 4, 6)
"""Pixels of 32, to both sides."""
BLOCK_COLUMNS = ["block", "size_before", "size_after", "position_share", "channel_share"]


def changes() -> dict[str, tuple[str, int]]:
    """Return the changes by name of their column: 'turn' in degrees or 'move' in pixels, signed by direction."""
    signed = [("turn", sign * step) for step in TURNS for sign in (-1, 1)]
    signed += [("move", sign * step) for step in MOVES for sign in (-1, 1)]
    return {"as they are": ("turn", 0), **{f"{kind} {step:+d}": (kind, step) for kind, step in signed}}


def orientation(run: Run) -> pd.DataFrame | None:
    """Return one row a test face: path, group, and 1 or 0 for each of `changes`; None where nobody looked.

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
    if list(hits) != list(changes()) or not np.array_equal(rows, run.rows) or not hits.isin((0, 1)).all(axis=None):
        raise UserError(f"{path}: expected 0 or 1 for each change and test face of {run.record.run_id}")
    return pd.concat([run.tested[["path", "group"]], hits], axis=1)


def blocks(run: Run) -> pd.DataFrame | None:
    """Return one row an attention block, `BLOCK_COLUMNS`; None where nobody looked.

    Raises:
        UserError: a table that is none of blocks.
    """
    path = run.folder / BLOCKS
    if not path.exists():
        return None
    try:
        table = unpack(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected what was measured of blocks; {error}") from None
    if list(table) != BLOCK_COLUMNS:
        raise UserError(f"{path}: expected columns {', '.join(BLOCK_COLUMNS)}, got {', '.join(map(str, table))}")
    return table


def across(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield of every other data set whose faces a run's network read: its name; one row a face, labels and outputs.

    Raises:
        UserError: a table that is none of these faces.
    """
    for name in run.files:
        if not (parts := ACROSS.fullmatch(name)):
            continue
        try:
            rows, outputs = unpack_predictions(run.record.config, (run.folder / name).read_bytes())
            path = path_of(run.folder, faces_name(*parts.groups()))
            tested = faces_at(path.read_bytes(), rows.tobytes())
        except (OSError, ValueError, IndexError) as error:
            raise UserError(f"{run.folder / name}: expected outputs for faces of {parts[1]}; {error}") from None
        yield parts[1], pd.concat([tested, outputs], axis=1)
