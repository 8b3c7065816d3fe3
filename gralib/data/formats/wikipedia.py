"""Wikipedia, the smaller half of IMDB-WIKI: `wiki.mat` and `wiki_crop/00/….jpg` (Rothe, Timofte and Van Gool 2015).

The struct `wiki` gives for every picture the date of birth (MATLAB day number), the year it was taken, its path,
gender, name, face location and the scores of a face detector. Of the day only the year is known, so age is that on the
first of July of it. The field's rule decides which rows are used: age 0 to 100, gender known, face score above 1, no
second face.

There are two releases under one `wiki.mat`: whole photographs (`wiki`), where the face is at `face_location`, and faces
already cut out of them with a margin of 40 % (`wiki_crop`). The pictures' sizes tell which is here.
"""

import io
from collections import defaultdict
from datetime import date

import numpy as np
from scipy.io import loadmat

from gralib.data import matlab
from gralib.data.copies import original
from gralib.data.manifest import COPY, Manifest, Row, excluded
from gralib.data.shapes import sizes, some, square
from gralib.data.sources import Source, base, no_picture
from gralib.errors import UserError

DATA = {
    "title": "Wikipedia (IMDB-WIKI)",
    "tasks": ("gender", "age_category", "age_regression"),
    "pictures": 62_328,
    "address": "https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static/wiki_crop.tar",
}
FIELDS = (
    "dob", "photo_taken", "full_path", "gender", "name", "face_location", "face_score", "second_face_score",
)  # fmt: skip
MATLAB_EPOCH = 366
"""MATLAB counts days from year 0, Python from year 1."""
MARGIN = 1.8
"""Side of a picture of `wiki_crop`, in sides of its face."""
AGES, FACE_SCORE = (0, 100), 1
"""Least and greatest age used, and the score of the face detector that must be passed."""
SAMPLE = 60
"""Pictures whose size is looked at."""


def load(source: Source) -> Manifest:
    """Read `wiki.mat`, one row a line of it, and every file that it does not name.

    Whole photographs are cropped by `face_location`.

    Raises:
        UserError: no `wiki.mat` or several, one without the struct and its fields, or pictures of which neither size
            nor folder tells whether they are whole photographs.
    """
    mats = [name for name in source.names if base(name) == "wiki.mat"]
    if len(mats) != 1:
        found = f"{len(mats)}" + (f" ({', '.join(mats)}): give one's folder as --root" if mats else source.hint)
        raise UserError(f"{source.path}: expected one wiki.mat, found {found}")
    with source.reader() as read:
        wiki = read_mat(read(mats[0]), mats[0])
    pictures = _pictures(source, wiki["full_path"], mats[0])
    rows: dict[str, Row] = {}
    boxes: dict[str, np.ndarray] = {}
    for i, key in enumerate(wiki["full_path"]):
        here = pictures.get(key, [])
        row = _row(wiki, i, here[0] if here else key)
        if row.path in rows or not key:
            row = excluded(f"{row.path} (line {i + 1})", "named twice" if key else "no picture named")
        elif row.status == "kept" and not here:
            row = row._replace(status="excluded", reason="fits the rule, picture not here")
        elif row.status == "kept":
            boxes[row.path] = wiki["face_location"][i]
        rows[row.path] = row
    if _whole(source, boxes):
        rows |= {path: _cut(rows[path], location) for path, location in boxes.items()}
    first = {name: names[0] for names in pictures.values() for name in names}
    others = [_other(name, first) for name in source.names if name not in rows and name != mats[0]]
    return Manifest.of("wikipedia", source, [*rows.values(), *others], tables=mats)


def _row(wiki: dict[str, list], i: int, path: str) -> Row:
    name = wiki["name"][i].casefold() or base(path).split("_")[0]
    row = Row(path, age=wiki["age"][i], gender=wiki["gender"][i], group=name, subject=name)
    if reason := _unfit(wiki, i):
        return row._replace(status="excluded", reason=reason, age=row.age if 0 <= wiki["age"][i] <= 116 else None)
    return row


def _other(name: str, first: dict[str, str]) -> Row:
    if (known := original(name)) in first:
        return excluded(name, COPY + first[known])
    return excluded(name, no_picture(name) or "not in wiki.mat")


def _pictures(source: Source, paths: list[str], mat: str) -> dict[str, list[str]]:
    """Return the files that a line may mean by its path, those nearest to `wiki.mat` first; endings may differ."""
    lengths = {path.count("/") + 1 for path in paths}
    ends: dict[str, list[str]] = defaultdict(list)
    for name in source.names:
        if not no_picture(name):
            parts = name.replace("\\", "/").rsplit(".", 1)[0].split("/")
            for length in lengths:
                if length <= len(parts):
                    ends["/".join(parts[-length:])].append(name)
    home = mat.split("/")[:-1]

    def distance(name: str) -> tuple[bool, int, bool]:
        parts = name.split("/")
        return parts[: len(home)] != home, len(parts), "wiki_crop" not in parts

    found = ((path, ends.get(path.rsplit(".", 1)[0], [])) for path in paths)
    return {path: sorted(names, key=distance) for path, names in found if names}


def _whole(source: Source, boxes: dict[str, np.ndarray]) -> bool:
    """Tell whether the pictures are whole photographs: by sizes, and by the folder where those could be either."""
    with source.reader() as read:
        shapes = sizes(read, some([path for path, box in boxes.items() if _is_box(box)], SAMPLE))
    votes = [_vote(shape, boxes[path]) for path, shape in shapes.items()]
    if votes.count("whole") != votes.count("cut out"):
        return votes.count("whole") > votes.count("cut out")
    if "either" not in votes:
        return False
    path = next(iter(shapes))
    folders = [(source.archive or source.path).resolve().name.split(".")[0], *path.split("/")[:-1]]
    named = next((folder for folder in reversed(folders) if folder in ("wiki", "wiki_crop")), None)
    if named is None:
        expected = "expected faces cut out (wiki_crop) or whole photographs (wiki), could not tell from their sizes"
        raise UserError(f"{source.path}: {path}: {expected}; name their folder so")
    return named == "wiki"


def _vote(shape: tuple[int, int], box: np.ndarray) -> str:
    """Return what a picture is by its size and the face's place: 'whole', 'cut out', 'either', or '' if all is face."""
    (width, height), (left, top, right, bottom) = shape, box
    if left <= 1 and top <= 1 and right >= width and bottom >= height:
        return "" if right <= width + 1 and bottom <= height + 1 else "cut out"
    sides = (
        np.array([width / (right - left), height / (bottom - top)]) if right > left and bottom > top else np.zeros(2)
    )
    inside = right <= width + 1 and bottom <= height + 1
    if not inside or (np.abs(sides / MARGIN - 1) < 0.04).all():
        return "cut out"
    return "either" if square(shape) else "whole"


def _is_box(location: np.ndarray) -> bool:
    return len(location) == 4 and bool((np.abs(location) < 1e5).all())


def _cut(row: Row, location: np.ndarray) -> Row:
    """Return the row with the face's place in a whole photograph: MATLAB counts pixels from 1, both ends included."""
    if not _is_box(location):
        return row._replace(status="excluded", reason="face location is no box")
    left, top, right, bottom = (int(np.floor(v + 0.5)) for v in location)
    return row._replace(crop=f"{left - 1} {top - 1} {right} {bottom}")


def read_mat(data: bytes, name: str) -> dict[str, list]:
    """Return the fields of the struct `wiki`, one entry a picture, `age` in years and `gender` as a word among them.

    Raises:
        UserError: not a MATLAB file, or without the struct `wiki` and its eight fields of one length.
    """
    expected = f"{name}: expected a MATLAB file with a struct 'wiki' of {', '.join(FIELDS)}"
    try:
        matlab.check(data)
        wiki = loadmat(io.BytesIO(data), variable_names=["wiki"])["wiki"][0, 0]
        columns = {field: wiki[field].ravel() for field in FIELDS}
    except KeyError:
        raise UserError(f"{expected}; the struct is missing") from None
    except Exception as error:  # scipy raises a dozen kinds on damaged files
        raise UserError(f"{expected}; {type(error).__name__}: {error}") from None
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise UserError(f"{expected} of one length, got lengths {sorted(lengths)}")
    numbers = {f: [_number(v) for v in columns[f]] for f in FIELDS if f not in ("full_path", "name", "face_location")}
    found: dict[str, list] = {f: [_text(v) for v in columns[f]] for f in ("full_path", "name")}
    found["face_location"] = [_box(v) for v in columns["face_location"]]
    found |= {field: numbers[field] for field in ("face_score", "second_face_score")}
    found["gender"] = [{0.0: "female", 1.0: "male"}.get(g) for g in numbers["gender"]]
    found["age"] = [age(b, t) for b, t in zip(numbers["dob"], numbers["photo_taken"], strict=True)]
    return found


def _text(value) -> str:
    value = np.asarray(value).ravel()
    return str(value[0]) if value.size else ""


def _number(value) -> float:
    """Return a cell's number, NaN where it holds none: that costs its row alone."""
    try:
        return float(np.asarray(value, dtype=float).ravel()[0])
    except (ValueError, TypeError, IndexError):
        return float("nan")


def _box(value) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float).ravel()
    except (ValueError, TypeError):
        return np.zeros(0)


def age(birth: float, taken: float) -> float:
    """Return the age in years on the first of July of the year `taken`, `birth` being a MATLAB day number; or NaN.

    Who is born on a first of July is a year older on that day.
    """
    if not (np.isfinite(birth) and np.isfinite(taken)):
        return float("nan")
    born = date.fromordinal(min(max(int(birth) - MATLAB_EPOCH, 1), date.max.toordinal()))
    return float(int(taken) - born.year - ((born.month, born.day) > (7, 1)))


def _unfit(wiki: dict[str, list], i: int) -> str:
    """Return the first reason why a row breaks the field's rule, or nothing."""
    if np.isnan(wiki["age"][i]):
        return "date of birth or year of the picture unknown"
    if not AGES[0] <= wiki["age"][i] <= AGES[1]:
        return f"age not from {AGES[0]} to {AGES[1]}"
    if wiki["gender"][i] is None:
        return "gender unknown"
    score = wiki["face_score"][i]
    if not np.isfinite(score):
        return "no face found"
    if not score > FACE_SCORE:
        return f"face score at most {FACE_SCORE}"
    return "" if np.isnan(wiki["second_face_score"][i]) else "a second face"
