"""Adience: faces from Flickr albums in eight age groups, with five official folds (Eidinger, Enbar and Hassner 2014).

`fold_0_data.txt` to `fold_4_data.txt`, separated by tabs, name the faces; the aligned ones are
`aligned/<user_id>/landmark_aligned_face.<face_id>.<original_image>`. A Flickr user is in one fold only and is the group
here; within a user's album `face_id` tells people apart.

The rule for labels: one of the eight groups as written in the fold files is a group; `None`, single ages and slips such
as `(38, 42)` are no group, and the face then serves gender only. Gender `u` or empty is unknown.
"""

import codecs
import csv
import io
import re
from collections import defaultdict

from gralib.ages import GROUPS
from gralib.data.copies import original
from gralib.data.manifest import COPY, Manifest, Row, excluded
from gralib.data.shapes import sizes, some
from gralib.data.sources import Source, base, no_picture
from gralib.errors import UserError

DATA = {
    "title": "Adience",
    "tasks": ("gender", "age_group"),
    "protocol": {"protocol": "official"},
    "pictures": 19_370,
}
FOLD = re.compile(r"fold_(?P<fold>\d)_data\.txt")
FOLDS = range(5)
COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
LABELS = {f"({low}, {high})": f"{low}-{high}" for low, high in GROUPS}
GENDER = {"m": "male", "f": "female"}
FRAME = 816
"""Side of a published aligned picture; the face fills its middle."""
CENTRE = "163 163 653 653"
"""The middle three fifths of the frame. Smaller copies of the pictures are taken whole."""
ALIGNED, COARSE = "landmark_aligned_face", "coarse_tilt_aligned_face"
"""How pictures of the two releases are called; only the first is aligned."""
SAMPLE = 8
"""Pictures whose size is looked at."""
Key = tuple[str, str]
"""A picture's folder and its name without ending: re-uploads change the format."""


def load(source: Source) -> Manifest:
    """Read the five fold files, one row a line, and every file that none of them names.

    Raises:
        UserError: no fold files, two different ones of a number, or one without the columns expected.
    """
    pictures: dict[Key, list[str]] = defaultdict(list)
    for name in source.names:
        if not no_picture(name):
            pictures[_key(name)].append(name)
    with source.reader() as read:
        folds, repeated = _fold_files(source, read)
        lines = [(fold, line) for fold, name in sorted(folds.items()) for line in read_fold(read(name), name)]
        aligned = [names[0] for key, names in pictures.items() if key[1].startswith(ALIGNED)]
        widths = [width for width, _ in sizes(read, some(aligned, SAMPLE)).values()]
    crop = CENTRE if widths.count(FRAME) * 2 > len(widths) else None
    rows: dict[str, Row] = {}
    for fold, line in lines:
        row = _line(line, fold, crop, pictures)
        if row.path in rows:
            row = excluded(f"{row.path} (again in fold {fold}, line {line['line']})", "named twice")
        rows[row.path] = row
    lost = "fold file not here: the official protocol needs all five; get it where the others came from"
    missing = [excluded(f"fold_{fold}_data.txt", lost) for fold in FOLDS if fold not in folds]
    others = [_other(name, pictures, rows) for name in source.names if name not in rows and name not in folds.values()]
    others = [excluded(row.path, COPY + repeated[row.path]) if row.path in repeated else row for row in others]
    return Manifest.of("adience", source, [*rows.values(), *missing, *others], tables=folds.values())


def _fold_files(source: Source, read) -> tuple[dict[int, str], dict[str, str]]:
    """Return the fold files by number, and the first of each by the names of its copies."""
    folds: dict[int, str] = {}
    copies: dict[str, str] = {}
    for name in source.names:
        if match := FOLD.fullmatch(base(name)):
            first = folds.setdefault(int(match["fold"]), name)
            if first != name and read(first) != read(name):
                raise UserError(f"{source.path}: expected one {base(name)}, found two that differ: {first}, {name}")
            if first != name:
                copies[name] = first
    if not folds:
        expected = "expected fold_0_data.txt to fold_4_data.txt beside the pictures or their archive"
        raise UserError(f"{source.path}: {expected}, found none{source.hint}")
    return folds, copies


def _key(name: str) -> Key:
    folder, last = ("", *re.split(r"[/\\]", name))[-2:]
    return folder, last.rsplit(".", 1)[0]


def _line(line: dict[str, str], fold: int, crop: str | None, pictures: dict[Key, list[str]]) -> Row:
    """Return the row of one line of a fold file; the first of several pictures of its name is taken."""
    if any(line[c] is None for c in COLUMNS):
        return excluded(f"fold_{fold}_data.txt, line {line['line']}", "line cut short")
    name = f"{line['face_id']}.{line['original_image']}"
    key = _key(f"{line['user_id']}/{ALIGNED}.{name}")
    if key in pictures:
        return read_line(line, pictures[key][0], fold, crop, present=True)
    if coarse := pictures.get(_key(f"{line['user_id']}/{COARSE}.{name}")):
        known = read_line(line, coarse[0], fold, crop, present=True)
        return known._replace(
            status="excluded", crop=None, reason="of the release that is not aligned: get aligned.tar.gz"
        )
    return read_line(line, f"aligned/{line['user_id']}/{ALIGNED}.{name}", fold, crop, present=False)


def _other(name: str, pictures: dict[Key, list[str]], rows: dict[str, Row]) -> Row:
    """Return the row of a file that no line takes."""
    for first in (pictures.get(_key(name), [""])[0], original(name)):
        if first in rows and not no_picture(name):
            return excluded(name, COPY + first)
    if base(name).startswith(COARSE):
        return excluded(name, "of the release that is not aligned")
    return excluded(name, no_picture(name) or "in no fold file")


def read_fold(data: bytes, name: str) -> list[dict[str, str]]:
    """Return the lines of a fold file by column name, with `line`, the number; cells that a line lacks are None.

    Raises:
        UserError: no table, or a missing column.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = io.StringIO(data.decode("utf-16" if wide else "utf-8-sig", "replace"), newline=None)
    reader = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
        lines = [{**line, "line": str(reader.line_num)} for line in reader]
    except csv.Error as error:
        raise UserError(f"{name}: expected a table separated by tabs, got {error}") from None
    if missing:
        raise UserError(f"{name}: expected columns {', '.join(COLUMNS)}; missing {', '.join(missing)}")
    return lines


def read_line(line: dict[str, str], path: str, fold: int, crop: str | None, present: bool) -> Row:
    """Return the row of one line of a fold file."""
    user = line["user_id"]
    group, gender = LABELS.get(line["age"]), GENDER.get(line["gender"])
    labels = {"age_group": group, "gender": gender, "fold": fold, "group": user}
    labels["subject"] = f"{user}/{line['face_id']}"
    if not present:
        return excluded(path, "picture not here", **labels)
    if group is None and gender is None:
        return excluded(path, "neither age group nor gender", **labels)
    return Row(path, **labels, crop=crop)  # type: ignore[arg-type]
