"""FG-NET: 82 people photographed over their lives, 1,002 pictures (Lanitis; Panis et al. 2016).

`FGNET/images/001A02.JPG` is subject 001 at the age of 2 (a letter follows where there are several of one age), with 68
landmarks in `FGNET/points/001a02.pts`. No gender is published. Whole photographs: faces are cut out by the landmarks,
which count pixels of the published pictures: with pictures of another size they are of no use, and that is found out.
"""

import re
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gralib.data.copies import Candidate, once, rank_of, unmarked
from gralib.data.manifest import COPY, Manifest, Row, excluded
from gralib.data.shapes import sizes
from gralib.data.sources import Source, base, no_picture
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
    chosen = {row.path: _nearest(row.path, points[key]) for row in wanted if (key := _key(row.path)) in points}
    with source.reader() as read:
        boxes = {path: _box(read, name) for path, name in chosen.items()}
        shapes = sizes(read, [path for path, box in boxes.items() if box is not None])
    away = _resized({path: boxes[path] for path in shapes}, shapes)  # type: ignore[misc]
    rows = [_placed(row, boxes, away) if row.status != "excluded" else row for row in rows]
    used = set(chosen.values())
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


def _nearest(path: str, names: list[str]) -> str:
    """Return the name that shares most folders with a path."""

    def shared(name: str) -> int:
        pairs = list(zip(path.split("/"), name.split("/"), strict=False))
        return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))

    return max(names, key=shared)


def _box(read: Callable[[str], bytes], name: str) -> NDArray[np.float64] | None:
    """Return the landmarks of a file, None if it has no 68."""
    try:
        return read_points(read(name), name)
    except UserError:
        return None


def _resized(points: dict[str, NDArray[np.float64]], shapes: dict[str, tuple[int, int]]) -> set[str]:
    """Return the pictures whose size is not that of their landmarks: all, if one in twenty shows it."""
    if not points:
        return set()
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
