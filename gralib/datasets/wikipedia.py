"""Wikipedia, the smaller half of IMDB-WIKI: `wiki.mat` and `wiki_crop/00/….jpg` (Rothe, Timofte and Van Gool 2015).

The struct `wiki` gives for every picture the date of birth (MATLAB day number), the year it was taken, its path,
gender, name, face location and the scores of a face detector. Of the day only the year is known, so age is that on the
first of July of it. The field's rule decides which rows are used: age 0 to 100, gender known, face score above 1, no
second face.
"""

import io
from datetime import date

import numpy as np
from scipy.io import loadmat

from gralib.errors import UserError
from gralib.manifest import Manifest, Row, aside
from gralib.sources import Source

FIELDS = (
    "dob", "photo_taken", "full_path", "gender", "name", "face_location", "face_score", "second_face_score",
)  # fmt: skip
MATLAB_EPOCH = 366
"""MATLAB counts days from year 0, Python from year 1."""


def load(source: Source, ages: tuple[float, float] = (0, 100), face_score: float = 1.0) -> Manifest:
    """Read `wiki.mat`, one row a line of it, and every file that it does not name.

    Args:
        source: holds `wiki.mat`; whole pictures under `wiki/` are cropped by `face_location`, those under
            `wiki_crop/` are cropped already.
        ages: least and greatest age used, in years.
        face_score: least score of the face detector, itself excluded.

    Raises:
        UserError: no `wiki.mat`, or one without the struct and its fields.
    """
    mats = [name for name in source.names if name.rsplit("/", 1)[-1] == "wiki.mat"]
    if len(mats) != 1:
        raise UserError(f"{source.path}: expected one wiki.mat, found {len(mats)}")
    with source.reader() as read:
        wiki = read_mat(read(mats[0]), mats[0])
    pictures = {"/".join(n.split("/")[-2:]): n for n in source.names if n != mats[0]}
    rows: dict[str, Row] = {}
    for i, key in enumerate(wiki["full_path"]):
        name = wiki["name"][i].casefold() or key.rsplit("/", 1)[-1].split("_")[0]
        age, gender = wiki["age"][i], wiki["gender"][i]
        known = {"age": age, "gender": gender, "group": name, "subject": name}
        path = pictures.get(key, key)
        reason = _unfit(wiki, i, ages, face_score) or ("" if key in pictures else "fits the rule, picture not here")
        if path in rows:
            path, reason = f"{path} (line {i + 1})", "named twice"
        if reason:
            known["age"] = age if 0 <= age <= 116 else None
            rows[path] = aside(path, reason, **known)
        else:
            rows[path] = Row(path, **known, crop=_crop(path, wiki["face_location"][i]))
    others = [aside(name, "not in wiki.mat") for name in pictures.values() if name not in rows]
    return Manifest.of("wikipedia", source, [*rows.values(), *others])


def read_mat(data: bytes, name: str) -> dict[str, list]:
    """Return the fields of the struct `wiki`, one entry a picture, `age` in years and `gender` as a word among them.

    Raises:
        UserError: not a MATLAB file, or without the struct `wiki` and its eight fields of one length.
    """
    expected = f"{name}: expected a MATLAB file with a struct 'wiki' of {', '.join(FIELDS)}"
    try:
        wiki = loadmat(io.BytesIO(data), variable_names=["wiki"])["wiki"][0, 0]
        columns = {field: wiki[field].ravel() for field in FIELDS}
    except KeyError:
        raise UserError(f"{expected}; the struct is missing") from None
    except Exception as error:  # scipy raises a dozen kinds on damaged files
        raise UserError(f"{expected}; {type(error).__name__}: {error}") from None
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise UserError(f"{expected} of one length, got lengths {sorted(lengths)}")
    try:
        found: dict[str, list] = {
            f: [str(v.ravel()[0]) if v.size else "" for v in columns[f]] for f in ("full_path", "name")
        }
        found["face_location"] = [np.asarray(v, dtype=float).ravel() for v in columns["face_location"]]
        for field in ("face_score", "second_face_score"):
            found[field] = columns[field].astype(float).tolist()
        found["gender"] = [{0.0: "female", 1.0: "male"}.get(g) for g in columns["gender"].astype(float).tolist()]
        found["age"] = [age(int(b), int(t)) for b, t in zip(columns["dob"], columns["photo_taken"], strict=True)]
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(f"{expected}; a field holds something else: {error}") from None
    return found


def age(birth: int, taken: int) -> float:
    """Return the age in years on the first of July of the year `taken`, `birth` being a MATLAB day number."""
    born = date.fromordinal(min(max(birth - MATLAB_EPOCH, 1), date.max.toordinal()))
    return float(taken - born.year - (born.month >= 7))


def _unfit(wiki: dict[str, list], i: int, ages: tuple[float, float], face_score: float) -> str:
    """Return the first reason why a row breaks the field's rule, or nothing."""
    if not ages[0] <= wiki["age"][i] <= ages[1]:
        return f"age not from {ages[0]:g} to {ages[1]:g}"
    if wiki["gender"][i] is None:
        return "gender unknown"
    score = wiki["face_score"][i]
    if not np.isfinite(score):
        return "no face found"
    if not score > face_score:
        return f"face score at most {face_score:g}"
    return "" if np.isnan(wiki["second_face_score"][i]) else "a second face"


def _crop(path: str, location: np.ndarray) -> str | None:
    """Return where the face is in a whole picture; pictures of `wiki_crop` are cropped already."""
    if "wiki" not in path.split("/")[:-1] or len(location) != 4 or not np.isfinite(location).all():
        return None
    return " ".join(str(round(v)) for v in location)
