"""Who trains, who chooses the epoch, who tests. Test faces never choose anything."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupShuffleSplit

from gralib.errors import UserError

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
"""Share of the training side that is held out to choose the epoch."""


@dataclass(frozen=True)
class Split:
    """Row numbers of the faces that train, validate and test; disjoint, sorted."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def groups(table: pd.DataFrame) -> np.ndarray:
    """Number the faces that must stay together: same `group`, or byte-identical file (`digest`), chained.

    Args:
        table: n rows with columns `group` (may be missing) and `digest`.

    Returns:
        (n,) integers, equal for faces that may not be split.
    """
    n = len(table)
    keys = pd.concat([table["digest"], "g" + table["group"].dropna().astype(str)])
    faces = np.concatenate([np.arange(n), np.flatnonzero(table["group"].notna())])
    codes, _ = pd.factorize(keys)
    size = n + codes.max() + 1
    links = coo_matrix((np.ones(len(codes), dtype=np.int8), (faces, n + codes)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n]


def grouped_split(table: pd.DataFrame, seed: int = 0, train_faces: int | None = None) -> Split:
    """Split 80/20 by groups, then hold out a tenth of the training side, by groups again.

    Args:
        table: the faces; see `groups`.
        seed: of the draw.
        train_faces: draw at most this many faces from the training side (validation included).

    Raises:
        UserError: fewer than ten groups.
    """
    group = groups(table) if len(table) else np.array([])
    if len(np.unique(group)) < 10:
        raise UserError(f"split: expected at least 10 groups of faces, got {len(np.unique(group))}")
    everyone = np.arange(len(table))
    rest, test = _draw(everyone, group, TEST_SHARE, seed)
    if train_faces is not None and train_faces < len(rest):
        rest = np.sort(np.random.default_rng(seed).permutation(rest)[:train_faces])
    train, validation = _draw(rest, group, VALIDATION_SHARE, seed)
    return Split(train, validation, test)


def _draw(faces: np.ndarray, group: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    stay, leave = next(splitter.split(faces, groups=group[faces]))
    return np.sort(faces[stay]), np.sort(faces[leave])


def leakage(table: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Count what the test faces share with those that trained or chose the epoch.

    Returns:
        One row a check: what is shared, and how many test faces are concerned.
    """
    seen = np.concatenate([split.train, split.validation])
    checks = {"byte-identical picture": "digest", "same group (time stamp, subject)": "group"}
    rows = []
    for name, column in checks.items():
        known = set(table[column].iloc[seen].dropna())
        rows.append((name, int(table[column].iloc[split.test].isin(known).sum()), len(split.test)))
    return pd.DataFrame(rows, columns=["shared with training", "test faces concerned", "test faces"])
