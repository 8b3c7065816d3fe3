"""The leakage audit: what the test faces of a split share with the faces that train or choose the epoch."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib.data.repeats import LOOSER, RULE, under
from gralib.data.splits import Split

COLUMNS = ["shared with training", "test faces concerned", "test faces"]
CHECKS = {"byte-identical picture": "digest", "same group": "group", "same subject": "subject"}


def leakage(table: pd.DataFrame, pairs: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Count the test faces that share something with those that train or choose the epoch.

    Args:
        table: the faces, see `gralib.data.faces.Faces`; `pairs` likewise.
        pairs: the near-identical ones.
        split: who trains, validates and tests.

    Returns:
        One row a check that the data set allows: what is shared, test faces concerned, test faces. Near-identical
        pictures come last, by the rule that keeps photographs together and by a looser one.
    """
    seen = np.concatenate([split.train, split.validation])
    found = {}
    for name, column in CHECKS.items():
        if table[column].notna().any():
            known = set(table[column].iloc[seen].dropna())
            found[name] = table[column].iloc[split.test].isin(known)
    for rule in (RULE, LOOSER):
        found[f"near-identical picture ({rule})"] = _alike(under(pairs, rule), len(table), seen)[split.test]
    rows = [(name, int(concerned.sum()), len(split.test)) for name, concerned in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _alike(pairs: pd.DataFrame, n: int, seen: np.ndarray) -> NDArray[np.bool_]:
    """Return for each of n faces whether one that is `seen` is paired with it, or with the face it is a copy of."""
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    copies = pairs["difference"].to_numpy() == 0
    original = np.arange(n)
    original[second[copies]] = first[copies]
    known = np.zeros(n, dtype=bool)
    known[original[seen]] = True
    alike = known.copy()
    alike[first[known[second]]] = True
    alike[second[known[first]]] = True
    return alike[original]


def contradictions(table: pd.DataFrame) -> dict[str, int]:
    """Count photographs with several files, and those whose labels disagree, by label.

    Args:
        table: the faces, with columns picture (see `gralib.data.repeats`), age, age_group and gender.
    """
    same = table[table["picture"].duplicated(keep=False)].groupby("picture")
    found = {"photographs with several files": same.ngroups, "files of them": int(same.size().sum())}
    for label in ("age", "age_group", "gender"):
        if table[label].notna().any():
            found[f"photographs that disagree on {label.replace('_', ' ')}"] = int((same[label].nunique() > 1).sum())
    return found
