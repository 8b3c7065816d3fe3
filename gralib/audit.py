"""The leakage audit: what the test faces of a split share with the faces that train or choose the epoch."""

import imagehash
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from gralib.protocols import Split

NEAR = 4
"""Two pictures whose perceptual hashes differ in at most this many of 64 bits count as near-identical."""
COLUMNS = ["shared with training", "test faces concerned", "test faces"]
CHECKS = {"byte-identical picture": "digest", "same group": "group", "same subject": "subject"}


def leakage(table: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Count the test faces whose file, group or subject is also among those that train or choose the epoch.

    Returns:
        One row a check that the data set allows: what is shared, test faces concerned, test faces.
    """
    seen = np.concatenate([split.train, split.validation])
    rows = []
    for name, column in CHECKS.items():
        if table[column].notna().any():
            known = set(table[column].iloc[seen].dropna())
            rows.append((name, int(table[column].iloc[split.test].isin(known).sum()), len(split.test)))
    return pd.DataFrame(rows, columns=COLUMNS)


def perceptual_hashes(pixels: np.ndarray, progress: bool = True) -> NDArray[np.uint64]:
    """Return the 64-bit perceptual hash (pHash, library imagehash) of each face, (n,)."""
    faces = tqdm(pixels, desc="hashing faces", unit="face", disable=not progress)
    bits = np.stack([imagehash.phash(Image.fromarray(face)).hash.ravel() for face in faces])
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def near_identical(hashes: NDArray[np.uint64], split: Split, near: int = NEAR) -> NDArray[np.bool_]:
    """Return for each test face whether a face that trains or chooses differs in at most `near` bits of its hash."""
    seen = np.unique(hashes[np.concatenate([split.train, split.validation])])
    return np.array([np.bitwise_count(seen ^ h).min() <= near for h in hashes[split.test]])


def audit(table: pd.DataFrame, hashes: NDArray[np.uint64], split: Split) -> pd.DataFrame:
    """Return `leakage` and one more line: near-identical pictures."""
    near = int(near_identical(hashes, split).sum())
    line = pd.DataFrame([("near-identical picture", near, len(split.test))], columns=COLUMNS)
    return pd.concat([leakage(table, split), line], ignore_index=True)


def contradictions(table: pd.DataFrame) -> dict[str, int]:
    """Count groups of byte-identical pictures, and those whose labels disagree, by label."""
    same = table[table["digest"].duplicated(keep=False)].groupby("digest")
    found = {"groups of identical pictures": same.ngroups, "pictures in them": int(same.size().sum())}
    for label in ("age", "age_group", "gender"):
        if table[label].notna().any():
            found[f"groups that disagree on {label.replace('_', ' ')}"] = int((same[label].nunique() > 1).sum())
    return found
