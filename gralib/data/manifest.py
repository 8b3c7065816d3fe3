"""The Manifest: one validated row a picture, with its labels and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from gralib.ages import GROUP_NAMES, MAX_AGE
from gralib.data.sources import Source, unsafe
from gralib.errors import UserError
from gralib.labels import GENDERS

STATUSES = ("kept", "repaired", "excluded")
COPY = "copy of "
"""How the reason of a copy starts; the name of the first follows."""


class Row(NamedTuple):
    """What a loader knows of one picture; None where the data set does not say."""

    path: str
    """Name in the source."""
    age: float | None = None
    """Years."""
    age_group: str | None = None
    """One of `gralib.ages.GROUP_NAMES`, for a set without ages."""
    gender: str | None = None
    """male or female."""
    group: str | None = None
    """Pictures of one group may not be split: subject, photo, person, time stamp, user."""
    subject: str | None = None
    """Who it shows, where the set publishes identities."""
    fold: int | None = None
    """Official fold."""
    race: str | None = None
    """UTKFace's own label of it; nothing is trained or chosen by it."""
    crop: str | None = None
    """Where the face is: 'left top right bottom' in pixels; the whole picture if None."""
    status: str = "kept"
    """kept, repaired or excluded."""
    reason: str = ""
    """Why repaired or excluded."""


def excluded(path: str, reason: str, **known) -> Row:
    """Return the row of a picture that is not used."""
    return Row(path, status="excluded", reason=reason, **known)


def _checked(row: Row) -> Row:
    """Return the row, excluded if its name cannot be used."""
    if not row.path.isprintable():
        return excluded(ascii(row.path), "name that cannot be printed")
    return excluded(row.path, "name points outside the archive") if unsafe(row.path) else row


@dataclass(frozen=True)
class Manifest:
    """What a loader found: a row for every picture and every other file of the source, none left unsaid.

    `rows` has the columns of `Row`: all that the source lists, but for the tables that labels were read from, and
    what those tables name that is not here. Raises UserError naming the row that breaks a rule.
    """

    dataset: str
    source: Source
    rows: pd.DataFrame

    @classmethod
    def of(cls, dataset: str, source: Source, rows: Iterable[Row], tables: Iterable[str] = ()) -> "Manifest":
        """Put rows together with what the source could not read; the account is closed here.

        Args:
            dataset: name of the loader.
            source: where the rows come from.
            rows: of all pictures; names that point outside the source are excluded whatever the loader says.
            tables: files that labels were read from, which are no rows.

        Raises:
            UserError: a file that the source lists is in no row.
        """
        rows = [*rows, *(excluded(name, reason) for name, reason in source.others.items())]
        unsaid = [*(set(source.names) - {row.path for row in rows} - set(tables))]
        if unsaid:
            what = f"expected a row for every file, got none for {len(unsaid)}"
            raise UserError(f"{source.path}: {min(unsaid)}: {what}")
        frame = pd.DataFrame([_checked(row) for row in rows], columns=list(Row._fields))
        return cls(dataset, source, frame.astype({"age": "float64", "fold": "float64"}))

    def __post_init__(self) -> None:
        rows = self.rows
        if list(rows.columns) != list(Row._fields):
            raise UserError(f"manifest of {self.dataset}: expected columns {list(Row._fields)}, got {list(rows)}")
        out = rows["status"] == "excluded"
        labels = rows[["age", "age_group", "gender"]]
        box = r"-?\d+ -?\d+ -?\d+ -?\d+"
        rules = {
            "a path of its own": ~rows["path"].duplicated(),
            "a status of " + ", ".join(STATUSES): rows["status"].isin(STATUSES),
            f"an age from 0 to {MAX_AGE} or none": out | rows["age"].isna() | rows["age"].between(0, MAX_AGE),
            "an age group or none": out | rows["age_group"].isna() | rows["age_group"].isin(GROUP_NAMES),
            "a gender of male, female or none": out | rows["gender"].isna() | rows["gender"].isin(GENDERS),
            "a crop of four numbers or none": rows["crop"].isna() | rows["crop"].astype(str).str.fullmatch(box),
            "a label": out | labels.notna().any(axis=1),
            "a reason": (rows["status"] == "kept") | (rows["reason"] != ""),
        }
        for rule, ok in rules.items():
            if not ok.all():
                raise UserError(f"{rows['path'][~ok].iloc[0]}: expected {rule}")

    @property
    def kept(self) -> pd.DataFrame:
        """The rows to be used, repaired ones included."""
        return self.rows[self.rows["status"] != "excluded"].reset_index(drop=True)


def account(rows: pd.DataFrame) -> pd.DataFrame:
    """Count rows by status and reason; the last line is all that was found. Columns: status, reason, files.

    Copies are counted by the folder of the first.
    """
    reasons = [_kind(path, reason) for path, reason in zip(rows["path"], rows["reason"], strict=True)]
    counts = (
        rows.assign(reason=reasons).groupby(["status", "reason"], observed=True).size().rename("files").reset_index()
        if len(rows)
        else pd.DataFrame(columns=["status", "reason", "files"])
    )
    order = counts["status"].map({s: i for i, s in enumerate(STATUSES)})
    counts = counts.assign(order=order).sort_values(["order", "reason"]).drop(columns="order")
    total = pd.DataFrame({"status": ["found"], "reason": [""], "files": [len(rows)]})
    return pd.concat([counts, total], ignore_index=True)


def _kind(path: str, reason: str) -> str:
    """Return the reason, a copy's without what its name and the first's end in alike."""
    if not reason.startswith(COPY):
        return reason
    here, there = (name.split("/")[:-1] for name in (path, reason.removeprefix(COPY)))
    if here == there:
        return f"{COPY}a file beside it"
    while min(len(here), len(there)) > 1 and here[-1] == there[-1]:
        here, there = here[:-1], there[:-1]
    ours, theirs = ("/".join(folders) or "the top folder" for folders in (here, there))
    return f"in {ours}: {COPY}files in {theirs}"


def summary(table: pd.DataFrame) -> dict[str, str | int]:
    """Say in a few numbers who is in a table of rows: pictures, subjects, groups, folds, ages, genders."""
    found: dict[str, str | int] = {"pictures": len(table)}
    for name, column in (("subjects", "subject"), ("groups", "group"), ("official folds", "fold")):
        if table[column].notna().any():
            found[name] = table[column].nunique()
    if table["fold"].notna().any():
        found["groups in two folds"] = int((table.groupby("group")["fold"].nunique() > 1).sum())
    if table["age"].notna().any():
        found["ages"] = f"{table['age'].min():.0f}-{table['age'].max():.0f}"
    if "crop" in table and table["crop"].notna().any():
        found["cut out of larger pictures"] = int(table["crop"].notna().sum())
    has_group = table["age_group"].notna()
    if has_group.any():
        found["with one of the eight age groups"] = int(has_group.sum())
        found["with age group and gender"] = int((has_group & table["gender"].notna()).sum())
    for gender in GENDERS:
        if (table["gender"] == gender).any():
            found[gender] = int((table["gender"] == gender).sum())
    return found
