"""AFAD, the Asian Face Age Dataset: `AFAD-Full/<age>/<111 male or 112 female>/<photo>-<n>.jpg` (Niu et al. 2016).

The number before the dash is the photo: faces of one photo are often of both genders, with one age between them. They
form a group.
"""

import re

from gralib.ages import MAX_AGE
from gralib.manifest import Manifest, Row, aside
from gralib.sources import Source

PHOTO = re.compile(r"(?P<photo>\d+)-\d+\.jpe?g", re.IGNORECASE)
GENDER = {"111": "male", "112": "female"}


def load(source: Source) -> Manifest:
    """Read every name of the source, one row a file."""
    return Manifest.of("afad", source, (read_path(path) for path in source.names))


def read_path(path: str) -> Row:
    """Return the row of one file, from the last two folders and the name."""
    *_, age, gender, name = ("", "", *path.split("/"))
    if name.lower() == "thumbs.db":
        return aside(path, "Thumbs.db, left by Windows")
    match = PHOTO.fullmatch(name)
    if not match:
        return aside(path, "not a picture" if not name.lower().endswith((".jpg", ".jpeg")) else "name without photo")
    if not (age.isascii() and age.isdigit()):
        return aside(path, "age folder is no number")
    if int(age) > MAX_AGE:
        return aside(path, f"age above {MAX_AGE}")
    if gender not in GENDER:
        reason = "gender folder neither 111 nor 112: gender unknown"
        return Row(path, age=float(age), group=match["photo"], status="repaired", reason=reason)
    return Row(path, age=float(age), gender=GENDER[gender], group=match["photo"])
