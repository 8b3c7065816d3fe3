"""Who trains, who chooses the epoch, who tests. Test faces never choose anything.

- `grouped`: the faces divided into `folds` parts by groups (subject, photo, person, time stamp; near-identical
  pictures too), one part tests. Five parts are the 80/20 of AFAD, Wikipedia and UTKFace; ten are FG-NET's for laptops.
- `leave_one_out`: one group tests, everybody else trains (FG-NET: 82 persons).
- `official`: the folds published with Adience; one tests.
- `random`: parts drawn face by face. Offered for one purpose: to show what that does.

While a recipe is chosen (`tuning`) the test faces sit out: a fifth of the others test in their place.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from gralib.config import RunConfig
from gralib.errors import UserError

OFFICIAL = range(5)
"""The published folds of Adience."""
TUNING_SHARE = 0.2
"""Share of a fold's training side that tests while a recipe is chosen, by groups."""


@dataclass(frozen=True)
class Split:
    """Row numbers of the faces that train, validate and test; disjoint, sorted."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def groups(table: pd.DataFrame) -> np.ndarray:
    """Number the faces that must stay together: same `group`, or same photograph (`picture`), chained.

    Args:
        table: n rows with columns `group` (may be missing) and `picture` (see `gralib.data.repeats`).

    Returns:
        (n,) integers, equal for faces that may not be split.
    """
    n = len(table)
    keys = pd.concat(["p" + table["picture"].astype(str), "g" + table["group"].dropna().astype(str)])
    faces = np.concatenate([np.arange(n), np.flatnonzero(table["group"].notna())])
    codes, _ = pd.factorize(keys)
    size = n + codes.max() + 1
    links = coo_matrix((np.ones(len(codes), dtype=np.int8), (faces, n + codes)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n]


def split(config: RunConfig, table: pd.DataFrame) -> Split:
    """Return who trains, validates and tests under `config.protocol`.

    Args:
        config: names the protocol, the fold, the seed of the split, the ages wanted and how many faces may train.
        table: the faces, see `gralib.data.faces.Faces`.

    Raises:
        UserError: fewer than ten groups of faces, or no such fold.
    """
    everyone = _wanted(config, table)
    group = groups(table) if len(table) else np.array([], dtype=int)
    known = len(np.unique(group[everyone]))
    if known < 10:
        raise UserError(f"split: expected at least 10 groups of faces, got {known}")
    together = everyone if config.protocol == "random" else group[everyone]
    tests = _tests(config, table.iloc[everyone], together)
    rest, test = everyone[~tests], everyone[tests]
    if config.tuning:
        rest, test = _part(config, rest, group, TUNING_SHARE)
    if config.train_faces is not None and config.train_faces < len(rest):
        rest = np.sort(np.random.default_rng(config.split_seed).permutation(rest)[: config.train_faces])
    if not config.held_out:
        return Split(rest, rest[:0], test)
    train, validation = _part(config, rest, group, config.held_out)
    return Split(train, validation, test)


def _part(config: RunConfig, rows: np.ndarray, group: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw a share of the rows by groups, with `split_seed`; return those that stay and those drawn, sorted."""
    from sklearn.model_selection import GroupShuffleSplit  # a second to load, and most doors divide no faces

    keys = rows if config.protocol == "random" else group[rows]
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=config.split_seed)
    stay, drawn = next(splitter.split(rows, groups=keys))
    return np.sort(rows[stay]), np.sort(rows[drawn])


def _wanted(config: RunConfig, table: pd.DataFrame) -> np.ndarray:
    """Return the row numbers of the faces of the ages that are asked for."""
    everyone = np.arange(len(table))
    return everyone[table["age"].between(*config.age_range)] if config.age_range else everyone


def _tests(config: RunConfig, table: pd.DataFrame, together: np.ndarray) -> np.ndarray:
    """Return for each face whether it is in the fold that tests."""
    if config.protocol == "official":
        tests = (table["fold"] == config.fold).to_numpy()
        if not tests.any():
            raise UserError(f"fold: expected one of {sorted(table['fold'].dropna().unique())}, got {config.fold}")
        if lost := sorted(set(OFFICIAL) - set(table["fold"].dropna())):
            raise UserError(f"protocol: official needs the folds 0 to 4, got no face of {lost}; see gra data check")
        return tests
    if config.protocol == "leave_one_out":
        persons = pd.unique(together)  # in the order of their first face
        if config.fold >= len(persons):
            raise UserError(f"fold: expected 0 to {len(persons) - 1}, one a person, got {config.fold}")
        return together == persons[config.fold]
    from sklearn.model_selection import GroupKFold

    known = len(np.unique(together))
    if known < config.folds:
        raise UserError(f"folds: expected at most {known}, the groups of faces, got {config.folds}")
    parts = GroupKFold(config.folds, shuffle=True, random_state=config.split_seed).split(together, groups=together)
    tests = np.zeros(len(together), dtype=bool)
    tests[[test for _, test in parts][config.fold]] = True
    return tests


def fold_count(config: RunConfig, table: pd.DataFrame) -> int:
    """Return how many folds the protocol of `config` has on these faces."""
    everyone = _wanted(config, table)
    if config.protocol == "official":
        return table["fold"].iloc[everyone].nunique()
    if config.protocol == "leave_one_out":
        return len(np.unique(groups(table)[everyone]))
    return config.folds
