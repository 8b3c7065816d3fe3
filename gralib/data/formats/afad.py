"""AFAD, the Asian Face Age Dataset: `AFAD-Full/<age>/<111 male or 112 female>/<photo>-<n>.jpg` (Niu et al. 2016).

The number before the dash is the photo: faces of one photo are often of both genders, with one age between them. They
form a group. AFAD-Lite is a part of AFAD-Full: beside it, its files are copies.
"""

import re

from gralib.ages import MAX_AGE
from gralib.data.copies import Candidate, once, rank_of, unmarked
from gralib.data.manifest import Manifest, Row, excluded
from gralib.data.sources import Source, no_picture

DATA = {
    "title": "AFAD",
    "tasks": ("gender", "age_category", "age_regression"),
    "pictures": 164_432,  # AFAD-Lite has 59,344
}
PHOTO = re.compile(r"(?P<photo>\d+)-(?P<face>\d+)(?P<addition>.*?)\.(jpe?g|png|webp)", re.IGNORECASE | re.DOTALL)
GENDER = {"111": "male", "112": "female"}


def load(source: Source) -> Manifest:
    """Read every name of the source, one row a file."""
    return Manifest.of("afad", source, once(_candidate(path) for path in source.names))


def _candidate(path: str) -> Candidate:
    *_, age, gender, last = ("", "", *re.split(r"[/\\]", path))
    name, rank = unmarked(last)
    match = PHOTO.fullmatch(name)
    if not match:
        return Candidate(read_path(path))
    key = age, gender, match["photo"], match["face"]
    return Candidate(read_path(path), key, max(rank, rank_of(match["addition"])))


def read_path(path: str) -> Row:
    """Return the row of one file, from the last two folders and the name."""
    *_, age, gender, name = ("", "", *re.split(r"[/\\]", path))
    match = PHOTO.fullmatch(unmarked(name)[0])
    if not match:
        return excluded(path, no_picture(name) or "name without photo")
    if not (age.isascii() and age.isdigit()):
        return excluded(path, "age folder is no number")
    if int(age) > MAX_AGE:
        return excluded(path, f"age above {MAX_AGE}")
    if gender not in GENDER:
        reason = "gender folder neither 111 nor 112: gender unknown"
        return Row(path, age=float(age), group=match["photo"], status="repaired", reason=reason)
    return Row(path, age=float(age), gender=GENDER[gender], group=match["photo"])
