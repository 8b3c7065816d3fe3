"""Adience: faces from Flickr albums in eight age groups, with five official folds (Eidinger, Enbar and Hassner 2014).

`fold_0_data.txt` to `fold_4_data.txt`, separated by tabs, name the faces; the aligned ones are
`aligned/<user_id>/landmark_aligned_face.<face_id>.<original_image>`. A Flickr user is in one fold only and is the group
here; within a user's album `face_id` tells people apart.

The rule for labels: one of the eight groups as written in the fold files is a group; `None`, single ages and slips such
as `(38, 42)` are no group, and the face then serves gender only. Gender `u` or empty is unknown.
"""

import csv
import io
import re

from PIL import Image

from gralib.ages import GROUPS
from gralib.errors import UserError
from gralib.manifest import Manifest, Row, aside
from gralib.sources import Source

FOLD = re.compile(r"fold_(?P<fold>\d)_data\.txt")
COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
LABELS = {f"({low}, {high})": f"{low}-{high}" for low, high in GROUPS}
GENDER = {"m": "male", "f": "female"}
FRAME = 816
"""Side of a published aligned picture; the face fills its middle."""
CENTRE = "163 163 653 653"
"""The middle three fifths of the frame. Smaller copies of the pictures are taken whole."""


def load(source: Source) -> Manifest:
    """Read the five fold files, one row a line, and every file that none of them names.

    Raises:
        UserError: no fold files, or one without the columns expected.
    """
    folds = {int(m["fold"]): n for n in source.names if (m := FOLD.fullmatch(n.rsplit("/", 1)[-1]))}
    if not folds:
        raise UserError(f"{source.path}: expected fold_0_data.txt to fold_4_data.txt beside the pictures, found none")
    pictures = {"/".join(n.split("/")[-2:]): n for n in source.names if n not in folds.values()}
    with source.reader() as read:
        lines = [(fold, line) for fold, name in sorted(folds.items()) for line in read_fold(read(name), name)]
        sides = (_side(read, name) for name in pictures.values())
        crop = CENTRE if next((side for side in sides if side), None) == FRAME else None
    rows: dict[str, Row] = {}
    for fold, line in lines:
        key = f"{line['user_id']}/landmark_aligned_face.{line['face_id']}.{line['original_image']}"
        path = pictures.get(key, f"aligned/{key}")
        if path in rows:
            path = f"{path} (again in fold {fold})"
            rows[path] = aside(path, "named twice")
        else:
            rows[path] = read_line(line, path, fold, crop, key in pictures)
    others = [aside(name, "in no fold file") for name in pictures.values() if name not in rows]
    return Manifest.of("adience", source, [*rows.values(), *others])


def read_fold(data: bytes, name: str) -> list[dict[str, str]]:
    """Return the lines of a fold file by column name.

    Raises:
        UserError: no table, a missing column, or a line that is shorter than the head.
    """
    text = io.StringIO(data.decode("utf-8", "replace"), newline=None)
    reader = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
        lines = list(reader)
    except csv.Error as error:
        raise UserError(f"{name}: expected a table separated by tabs, got {error}") from None
    if missing:
        raise UserError(f"{name}: expected columns {', '.join(COLUMNS)}; missing {', '.join(missing)}")
    for number, line in enumerate(lines, start=2):
        if any(line[c] is None for c in COLUMNS):
            raise UserError(f"{name}: line {number} is cut short; expected {len(reader.fieldnames or [])} columns")
    return lines


def read_line(line: dict[str, str], path: str, fold: int, crop: str | None, present: bool) -> Row:
    """Return the row of one line of a fold file."""
    user = line["user_id"]
    group, gender = LABELS.get(line["age"]), GENDER.get(line["gender"])
    labels = {"age_group": group, "gender": gender, "fold": fold, "group": user}
    labels["subject"] = f"{user}/{line['face_id']}"
    if not present:
        return aside(path, "picture not here", **labels)
    if group is None and gender is None:
        return aside(path, "neither age group nor gender", **labels)
    return Row(path, **labels, crop=crop)  # type: ignore[arg-type]


def _side(read, name: str) -> int | None:
    """Return the width of a picture, None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(read(name)), formats=("JPEG", "PNG")) as picture:
            return picture.width
    except Exception:  # Pillow raises a dozen kinds on damaged files
        return None
