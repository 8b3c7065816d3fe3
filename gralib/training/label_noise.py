"""Wrong labels for those that train (6.1: "noisy labels")."""

import numpy as np
import pandas as pd

from gralib import ages
from gralib.config import RunConfig
from gralib.labels import LABEL, class_names

GROWN = 13
"""Years from which pairwise noise leaves a gender as it is."""
STREAM = (0, 0, 1)
"""Beside the seed, what names the stream of draws: no epoch's order and no step's augmentation has it."""


def flip(config: RunConfig, table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Replace the label of a share `config.label_noise` of `rows` by a wrong one (6.1: "noisy labels").

    Which faces and which of the other classes is drawn with `config.seed`. An age moves to another age category and
    keeps its remainder. Symmetric noise makes all other classes equally likely; pairwise noise moves an age to one of
    the two categories beside it, and the gender of children (below `GROWN` years) alone.

    Returns:
        The table with those labels changed; the same table where there is no noise.
    """
    if not config.label_noise:
        return table
    rng = np.random.default_rng([config.seed, *STREAM])
    pairwise = config.noise == "pairwise"
    if pairwise and config.task == "gender":
        rows = rows[(table["age"].iloc[rows] < GROWN).to_numpy()]
    chosen = np.sort(rng.permutation(rows)[: round(config.label_noise * len(rows))])
    count, column = len(class_names(config)), LABEL[config.task]
    changed = table[column].to_numpy(copy=True)
    steps = rng.integers(1, count, len(chosen))
    if column == "age":
        category, _ = ages.encode(table["age"].iloc[chosen], config.age_width)
        if pairwise:
            steps = rng.choice((-1, 1), len(chosen))
            steps[(category + steps < 0) | (category + steps >= count)] *= -1
        moved = changed[chosen] + ((category + steps) % count - category) * config.age_width
        changed[chosen] = np.minimum(moved, ages.MAX_AGE)  # the last category is cut short
    else:
        names = np.array(class_names(config))
        code = (changed[chosen][:, None] == names).argmax(axis=1)
        changed[chosen] = names[(code + steps) % count]
    return table.assign(**{column: changed})
