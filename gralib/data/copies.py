"""One face a picture: files that are the same picture again are excluded with the name of the first.

Names decide, since they carry the labels: UTKFace holds one picture under several names that disagree, which all stay.
"""

import re
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from gralib.data.manifest import COPY, Row, excluded


class Candidate(NamedTuple):
    """A row, and what tells whether another file is the same picture again."""

    row: Row
    key: Hashable = None
    """Equal for files of one picture; None where nothing can be said."""
    rank: int = 0
    """0 as published; 1 with the mark of a copy in its name, 2 with another addition: those never come first."""


COPY_START = re.compile(r"(copy|kopie|copie|copia)( \(?\d+\)?)? (of|von|de|di) ", re.IGNORECASE)
COPY_MARK = re.compile(r"[ _-]*(\(\d+\)|(copy|kopie|copie|copia|checkpoint)([ _-]*\(?\d+\)?)?|~\d*)", re.IGNORECASE)
"""What browsers, file managers and notebook servers add to the name of a copy."""
COPY_END = re.compile(rf"({COPY_MARK.pattern})$", re.IGNORECASE)


def unmarked(name: str) -> tuple[str, int]:
    """Return a name without the words some put before that of a copy, and its rank by them."""
    match = COPY_START.match(name)
    return (name[match.end() :], 1) if match else (name, 0)


def original(path: str) -> str:
    """Return the name that a file has where it is the mark of a copy that distinguishes it; else its own."""
    folder, slash, last = path.rpartition("/")
    stem, dot, ending = unmarked(last)[0].rpartition(".")
    return folder + slash + COPY_END.sub("", stem) + dot + ending


def rank_of(addition: str) -> int:
    """Return the rank of a file by what its name has beyond the published ones."""
    return 0 if not addition else 1 if COPY_MARK.fullmatch(addition) else 2


def once(candidates: Iterable[Candidate]) -> list[Row]:
    """Return the rows with one file a picture: its copies are excluded with the name of the first."""
    candidates = list(candidates)
    first: dict[Hashable, Candidate] = {}
    for found in candidates:
        if found.key is not None and found.row.status != "excluded":
            known = first.setdefault(found.key, found)
            first[found.key] = min(known, found, key=lambda c: c.rank)  # of equal ones the one listed first
    rows = []
    for row, key, rank in candidates:
        if row.status != "excluded" and key in first and first[key].row.path != row.path:
            row = excluded(row.path, COPY + first[key].row.path)
        elif row.status != "excluded" and rank == 1:
            row = row._replace(status="repaired", reason="name of a copy, whose first is not here")
        elif row.status != "excluded" and rank == 2:
            row = excluded(row.path, "name with an addition: made from a picture that is not here")
        rows.append(row)
    return rows
