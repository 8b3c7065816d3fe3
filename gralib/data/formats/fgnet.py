"""FG-NET: 82 people photographed over their lives, 1,002 pictures (Lanitis; Panis et al. 2016).

`FGNET/images/001A02.JPG` is subject 001 at the age of 2 (a letter follows where there are several of one age), with 68
landmarks in `FGNET/points/001a02.pts`. No gender is published. Whole photographs: faces are cut out by the landmarks,
which count pixels of the published pictures: with pictures of another size they are of no use. That is found out by the
published sizes (`fgnet_sizes.csv`, 718 different ones) where 20 pictures or more are seen to be the published ones,
however little they were resized. Elsewhere where the landmarks lie must do: outside a reduced picture, or close
together in 100 that were enlarged by half; fewer than 20 that were enlarged look like published ones, and pass.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gralib.data.copies import Candidate, once, rank_of, unmarked
from gralib.data.manifest import COPY, Manifest, Row, excluded
from gralib.data.shapes import sizes
from gralib.data.sources import Source, Unreadable, base, no_picture
from gralib.errors import UserError

DATA = {
    "title": "FG-NET",
    "tasks": ("age_category", "age_regression"),
    "protocol": {"folds": 10},  # leave one person out (82 folds) is the field's; ten folds of persons a laptop does
    "pictures": 1_002,
    "address": "http://yanweifu.github.io/FG_NET_data/FGNET.zip",
}
NAME = re.compile(
    r"(?P<subject>\d{3})A(?P<age>\d{2})(?P<letter>[a-z]?)(?P<addition>([^0-9a-z].*?)?)\.(jpe?g|png|webp)",
    re.IGNORECASE | re.DOTALL,
)
LANDMARKS = 68
SIDE = 1.3
"""Side of the crop, in units of the larger side of the landmarks' box. They reach from brows to chin."""
LIFT = 0.1
"""How far the crop's middle lies above the landmarks' middle, in the same units, so that the forehead is in."""
OUT = 0.02
"""Share of a picture's side by which its landmarks may stick out (published: 0.002, of one)."""
SPREAD = 0.36
"""The landmarks' box takes 0.45 to 0.88 of a published picture; below this median they were enlarged."""
FEW = 20
"""Pictures from which on a set is judged by the published sizes."""
FIT = 0.75
"""Share of a set's pictures that are the published ones enlarged or reduced, from which on they count as those."""
MANY = 100
"""Pictures from which on a set is judged by its median, and by being all of one square size."""
RESIZED = "picture resized away from its landmarks: get the published pictures"


def load(source: Source) -> Manifest:
    """Read every name and landmark file of the source, one row a picture; landmarks count with theirs."""
    points = defaultdict(list)
    for name in source.names:
        if name.lower().endswith(".pts"):
            points[_stem(name)].append(name)
    rows = once(_candidate(name) for name in source.names if not name.lower().endswith(".pts"))
    wanted = [row for row in rows if row.status != "excluded"]
    near = {row.path: _nearest(row.path, points[key]) for row in wanted if (key := _key(row.path)) in points}
    with source.reader() as read:
        found = {path: _first_sound(read, names) for path, names in near.items()}
        boxes = {path: box for path, (_, box) in found.items()}
        shapes = sizes(read, [path for path, box in boxes.items() if box is not None])
    away = _resized({path: boxes[path] for path in shapes}, shapes)  # type: ignore[misc]
    rows = [_placed(row, boxes, away) if row.status != "excluded" else row for row in rows]
    used = {name for name, _ in found.values()}
    first = {_stem(name): name for name in used}
    rest = [name for names in points.values() for name in names if name not in used]
    lost = "landmarks without a picture"
    rows += [excluded(name, COPY + first[key] if (key := _stem(name)) in first else lost) for name in rest]
    return Manifest.of("fgnet", source, rows, tables=used)


def _stem(path: str) -> str:
    return base(path).lower().rsplit(".", 1)[0]


def _key(path: str) -> str:
    match = NAME.fullmatch(unmarked(base(path))[0])
    return f"{match['subject']}a{match['age']}{match['letter']}".lower() if match else ""


def _candidate(path: str) -> Candidate:
    name, rank = unmarked(base(path))
    match = NAME.fullmatch(name)
    if not match:
        return Candidate(excluded(path, no_picture(path) or "name without subject and age"))
    row = Row(path, age=float(match["age"]), group=match["subject"], subject=match["subject"])
    return Candidate(row, _key(path), max(rank, rank_of(match["addition"])))


def _nearest(path: str, names: list[str]) -> list[str]:
    """Return the names, those first that share most folders with a path."""

    def shared(name: str) -> int:
        pairs = list(zip(path.split("/"), name.split("/"), strict=False))
        return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))

    return sorted(names, key=shared, reverse=True)


def _first_sound(read: Callable[[str], bytes], names: list[str]) -> tuple[str, NDArray[np.float64] | None]:
    """Return the first file with 68 landmarks and what it says; the first file and None if none has."""
    for name in names:
        try:
            return name, read_points(read(name), name)
        except (UserError, Unreadable):
            continue
    return names[0], None


def _resized(points: dict[str, NDArray[np.float64]], shapes: dict[str, tuple[int, int]]) -> set[str]:
    """Return the pictures whose size is not that of their landmarks: all, if one in twenty shows it."""
    if not points:
        return set()
    if (away := _not_as_published(shapes)) is not None:
        return away
    spread = {path: float((np.ptp(points[path], axis=0) / shapes[path]).max()) for path in points}
    out = {
        path
        for path, p in points.items()
        if (p.max(axis=0) > np.multiply(shapes[path], 1 + OUT)).any()
        or (p.min(axis=0) < -OUT * np.array(shapes[path])).any()
    }
    one_square = len(kinds := set(shapes.values())) == 1 and len(set(*kinds)) == 1
    enlarged = len(points) >= MANY and (np.median(list(spread.values())) < SPREAD or one_square)
    return set(points) if enlarged or len(out) * 20 > len(points) + 20 else out


@cache
def published() -> dict[str, tuple[int, int]]:
    """Return width and height of the published pictures by name without ending, in lower case."""
    with Path(__file__).with_name("fgnet_sizes.csv").open(encoding="utf-8", newline="") as file:
        return {row["picture"]: (int(row["width"]), int(row["height"])) for row in csv.DictReader(file)}


def _not_as_published(shapes: dict[str, tuple[int, int]]) -> set[str] | None:
    """Return the pictures of another size than published; None if these are too few, or not the published ones."""
    known = {path: size for path in shapes if (size := published().get(_key(path)))}
    fit = 0
    for path, (width, height) in known.items():
        across, down = shapes[path][0] / width, shapes[path][1] / height
        fit += abs(across - down) <= 0.5 / width + 0.5 / height  # one factor, sides rounded
    if len(known) < FEW or fit < FIT * len(known):
        return None
    return {path for path, size in known.items() if shapes[path] != size}


def _placed(row: Row, boxes: dict[str, NDArray[np.float64] | None], away: set[str]) -> Row:
    """Return the row with the crop that its landmarks give, or excluded with the reason."""
    if row.path not in boxes:
        return row._replace(status="excluded", reason="no landmark file")
    points = boxes[row.path]
    if points is None:
        return row._replace(status="excluded", reason=f"landmark file without {LANDMARKS} points")
    return row._replace(status="excluded", reason=RESIZED) if row.path in away else row._replace(crop=crop(points))


def read_points(data: bytes, name: str) -> NDArray[np.float64]:
    """Return the landmarks of a `.pts` file, (68, 2): x to the right and y down, in pixels.

    Raises:
        UserError: anything but 68 pairs of finite numbers between braces.
    """
    text = data.decode("latin-1")
    inside = text[text.find("{") + 1 : text.rfind("}")].split()
    try:
        points = np.array(inside, dtype=np.float64).reshape(-1, 2)
        if len(points) != LANDMARKS or not (np.abs(points) < 1e5).all():
            raise ValueError
    except ValueError:
        raise UserError(f"{name}: expected {LANDMARKS} points, got {len(inside) // 2}") from None
    return points


def crop(points: NDArray[np.float64]) -> str:
    """Return the square around a face from its landmarks, as `Row.crop`."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    x, y = (low + high) / 2
    y -= LIFT * size
    half = SIDE * size / 2
    return " ".join(str(round(v)) for v in (x - half, y - half, x + half, y + half))
