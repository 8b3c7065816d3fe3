"""What the blocks of trained networks say (C16, C19), from the tables that `training.inspection` left."""

import numpy as np
import pandas as pd

from gralib.errors import UserError


def growth(table: pd.DataFrame, column: str = "size_after") -> float:
    """Return by how many doublings features grow from the first to the last module of a stage, mean of the stages.

    Raises:
        UserError: one module a stage, between which nothing can grow.
    """
    stage = table["block"].str.extract(r"^(stage\d+)_module\d+$")[0]
    ends = np.log2(table[column]).groupby(stage).agg(["first", "last", "size"])
    if (ends["size"] < 2).any():
        raise UserError("modules: expected at least 2 a stage to compare the size of features, got 1")
    return float((ends["last"] - ends["first"]).mean())
