"""UTKFace: labels in the file names, `[age]_[gender]_[race]_[date].jpg.chip.jpg` (Zhang, Song and Qi 2017).

Gender 0 is male, 1 female. No identities are published. Pictures with one time stamp form a group, since they
may come from one page or one sitting.
"""

import re

from gralib.ages import MAX_AGE
from gralib.manifest import Manifest, Row
from gralib.sources import Source

FIELDS = re.compile(r"(?P<age>\d+)(_(?P<gender>\d+))?(_(?P<race>\d+))?_(?P<date>\d{8,20})(?!\d)")
RACES = ("White", "Black", "Asian", "Indian", "Others")
"""As the data set's page names the digits 0 to 4."""
ENDING = re.compile(r"\d(\.jpg\.chip)?\.jpg$")


def load(source: Source) -> Manifest:
    """Read every name of the source, one row a file."""
    rows = []
    for path in source.names:
        name = path.rsplit("/", 1)[-1]
        age, gender, date, status, reason = read_name(name)
        rows.append(Row(path, age=age, gender=gender, group=date, race=race_of(name), status=status, reason=reason))
    return Manifest.of("utkface", source, rows)


def race_of(name: str) -> str | None:
    """Return the race that a file name gives: one of `RACES`; None where it lacks a field."""
    match = FIELDS.match(name)
    return RACES[int(match["race"])] if match and match["race"] in set("01234") else None


def read_name(name: str) -> tuple[float | None, str | None, str | None, str, str]:
    """Return age in years, gender, time stamp, status and reason of a file name.

    Irregular names of the published set are repaired where nothing is guessed: a missing dot or an extra space
    before `jpg`, a date of 16 or 18 digits. Where one of gender and race is missing the remaining figure could
    be either, so the age is kept and the gender counts as unknown.
    """

    def aside(reason):
        return None, None, None, "set aside", reason

    if not name.lower().endswith((".jpg", ".jpeg")):
        return aside("not a picture")
    match = FIELDS.match(name)
    if not match:
        return aside("name without age, gender, race and date")
    age, gender, date = int(match["age"]), match["gender"], match["date"]
    if age > MAX_AGE:
        return aside(f"age above {MAX_AGE}")
    if match["race"] is None:
        return float(age), None, date, "repaired", "one of gender and race missing: gender unknown"
    if gender not in ("0", "1"):
        return aside("gender neither 0 nor 1")
    sex = "male" if gender == "0" else "female"
    if not ENDING.search(name):
        return float(age), sex, date, "repaired", "odd ending of the name"
    if len(date) != 17:
        return float(age), sex, date, "repaired", "date not of 17 digits"
    return float(age), sex, date, "kept", ""
