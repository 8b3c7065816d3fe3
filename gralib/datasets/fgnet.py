"""FG-NET: 82 people photographed over their lives, 1,002 pictures (Lanitis; Panis et al. 2016).

`FGNET/images/001A02.JPG` is subject 001 at the age of 2 (a letter follows where there are several of one age), with 68
landmarks in `FGNET/points/001a02.pts`. No gender is published. Whole photographs: faces are cut out by the landmarks.
"""

import re

import numpy as np
from numpy.typing import NDArray

from gralib.errors import UserError
from gralib.manifest import Manifest, Row, aside
from gralib.sources import Source

NAME = re.compile(r"(?P<subject>\d{3})A(?P<age>\d{2})[a-z]?\.jpe?g", re.IGNORECASE)
LANDMARKS = 68
SIDE = 1.3
"""Side of the crop, in units of the larger side of the landmarks' box. They reach from brows to chin."""
LIFT = 0.1
"""How far the crop's middle lies above the landmarks' middle, in the same units, so that the forehead is in."""


def load(source: Source) -> Manifest:
    """Read every name and landmark file of the source, one row a picture; landmarks count with theirs."""
    points = {name.rsplit("/", 1)[-1].lower(): name for name in source.names if name.lower().endswith(".pts")}
    with source.reader() as read:
        rows = [_row(name, points, read) for name in source.names if not name.lower().endswith(".pts")]
    pictures = {row.path.rsplit("/", 1)[-1].lower().rsplit(".", 1)[0] for row in rows}
    rows += [aside(path, "landmarks without a picture") for key, path in points.items() if key[:-4] not in pictures]
    return Manifest.of("fgnet", source, rows)


def _row(path: str, points: dict[str, str], read) -> Row:
    name = path.rsplit("/", 1)[-1]
    match = NAME.fullmatch(name)
    if not match:
        return aside(path, "name without subject and age" if name.lower().endswith(".jpg") else "not a picture")
    subject = match["subject"]
    row = Row(path, age=float(match["age"]), group=subject, subject=subject)
    landmarks = points.get(name.lower().rsplit(".", 1)[0] + ".pts")
    if landmarks is None:
        return row._replace(status="set aside", reason="no landmark file")
    try:
        box = crop(read_points(read(landmarks), landmarks))
    except UserError:
        return row._replace(status="set aside", reason=f"landmark file without {LANDMARKS} points")
    return row._replace(crop=box)


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
