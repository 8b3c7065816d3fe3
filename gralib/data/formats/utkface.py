"""UTKFace: labels in the file names, `[age]_[gender]_[race]_[date].jpg.chip.jpg` (Zhang, Song and Qi 2017).

Gender 0 is male, 1 female. No identities are published. Pictures with one time stamp form a group, since they
may come from one page or one sitting. A name that comes again in another folder is the same picture.

The faces cut out are square; the photographs they come from are published too (`part1` to `part3`), under names without
`.chip`, as some re-uploads of the faces have them. Their shape tells which they are.
"""

import re
from collections import defaultdict

from gralib.ages import MAX_AGE
from gralib.data.copies import Candidate, once, rank_of, unmarked
from gralib.data.manifest import Manifest, Row, excluded
from gralib.data.shapes import sizes, some, square
from gralib.data.sources import Source, base, no_picture

DATA = {
    "title": "UTKFace",
    "tasks": ("gender", "age_category", "age_regression"),
    "pictures": 23_708,
}
FIELDS = re.compile(r"(?P<age>\d+)(_(?P<gender>\d+))?(_(?P<race>\d+))?_(?P<date>\d{8,20})(?!\d)")
RACES = ("White", "Black", "Asian", "Indian", "Others")
"""As the data set's page names the digits 0 to 4."""
ENDING = re.compile(
    r"(?P<odd> ?)((?P<dot>\.?)jpg(\.chip)?)?(?P<addition>.*?)(?P<last>\.?)(jpe?g|png|webp)", re.IGNORECASE | re.DOTALL
)
WHOLE = "whole photograph, not a face cut out of one: get the aligned and cropped release"
SAMPLE = 8
"""Pictures of a folder whose shape is looked at."""


def load(source: Source) -> Manifest:
    """Read every name of the source, one row a file."""
    whole = _whole_photographs(source)
    found = []
    for path in source.names:
        name, rank = unmarked(base(path))
        age, gender, date, status, reason = read_name(name)
        row = Row(path, age=age, gender=gender, group=date, race=race_of(name), status=status, reason=reason)
        match = FIELDS.match(name)
        ending = ENDING.fullmatch(name[match.end() :]) if match else None
        row = excluded(path, WHOLE) if path in whole else row
        found.append(Candidate(row, match and match[0], max(rank, rank_of(ending["addition"]) if ending else 0)))
    return Manifest.of("utkface", source, once(found))


def _whole_photographs(source: Source) -> set[str]:
    """Return the pictures of the folders whose names lack `.chip` and whose pictures, most of them, are not square."""
    folders = defaultdict(list)
    for path in source.names:
        if FIELDS.match(base(path)) and not no_picture(path) and ".chip" not in base(path):
            folders[path.rpartition("/")[0]].append(path)
    if not folders:
        return set()
    with source.reader() as read:
        shapes = {folder: sizes(read, some(paths, SAMPLE)).values() for folder, paths in folders.items()}
    wild = {folder for folder, found in shapes.items() if sum(not square(size) for size in found) * 2 > len(found)}
    return {path for folder in wild for path in folders[folder]}


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
        return None, None, None, "excluded", reason

    if reason := no_picture(name):
        return aside(reason)
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
    ending = ENDING.fullmatch(name[match.end() :])
    if ending is None or ending["odd"] or "" in (ending["dot"], ending["last"]):
        return float(age), sex, date, "repaired", "odd ending of the name"
    if len(date) != 17:
        return float(age), sex, date, "repaired", "date not of 17 digits"
    return float(age), sex, date, "kept", ""
