"""The Manifest: one validated row a file, with its labels and what became of it."""

from dataclasses import dataclass

import pandas as pd

from gralib.errors import UserError
from gralib.sources import Source

GENDERS = ("male", "female")
"""In the order of the network's two outputs (7.1)."""
STATUSES = ("kept", "repaired", "set aside")
COLUMNS = {
    "path": "name in the source",
    "age": "years, or missing",
    "gender": "male or female, or missing",
    "group": "pictures of one group may not be split (subject, photo, time stamp), or missing",
    "status": "kept, repaired or set aside",
    "reason": "why repaired or set aside, else empty",
}


@dataclass(frozen=True)
class Manifest:
    """What a loader found: a row for every file of the source, none left unsaid.

    `rows` has the columns of `COLUMNS`. Raises UserError naming the row that breaks a rule.
    """

    dataset: str
    source: Source
    rows: pd.DataFrame

    def __post_init__(self) -> None:
        rows = self.rows
        if list(rows.columns) != list(COLUMNS):
            raise UserError(f"manifest of {self.dataset}: expected columns {list(COLUMNS)}, got {list(rows.columns)}")
        kept = rows["status"] != "set aside"
        rules = {
            "a path of its own": ~rows["path"].duplicated(),
            "a status of " + ", ".join(STATUSES): rows["status"].isin(STATUSES),
            "an age from 0 to 116 or none": ~kept | rows["age"].isna() | rows["age"].between(0, 116),
            "a gender of male, female or none": ~kept | rows["gender"].isna() | rows["gender"].isin(GENDERS),
            "a label": ~kept | rows["age"].notna() | rows["gender"].notna(),
            "a reason": (rows["status"] == "kept") | (rows["reason"] != ""),
        }
        for rule, ok in rules.items():
            if not ok.all():
                raise UserError(f"{rows['path'][~ok].iloc[0]}: expected {rule}")

    @property
    def kept(self) -> pd.DataFrame:
        """The rows to be used, repaired ones included."""
        return self.rows[self.rows["status"] != "set aside"].reset_index(drop=True)


def account(rows: pd.DataFrame) -> pd.DataFrame:
    """Count rows by status and reason; the last line is all that was found. Columns: status, reason, files."""
    counts = (
        rows.groupby(["status", "reason"], observed=True).size().rename("files").reset_index()
        if len(rows)
        else pd.DataFrame(columns=["status", "reason", "files"])
    )
    order = counts["status"].map({s: i for i, s in enumerate(STATUSES)})
    counts = counts.assign(order=order).sort_values(["order", "reason"]).drop(columns="order")
    total = pd.DataFrame({"status": ["found"], "reason": [""], "files": [len(rows)]})
    return pd.concat([counts, total], ignore_index=True)
