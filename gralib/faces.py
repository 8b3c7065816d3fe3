"""Pixels once: decode, resize and cache a data set's faces as uint8, so that later openings are instant."""

import hashlib
import io
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image
from tqdm import tqdm

from gralib import cache as store
from gralib import repeats
from gralib.datasets import load
from gralib.errors import UserError, from_root, writing
from gralib.manifest import account
from gralib.sources import DRAWN, Source

SIZE = 32
"""Side of a face in pixels (7.1)."""
LARGEST = 8000
"""A picture whose header claims a longer side is set aside unread."""
CHUNK = 64
"""Pictures that a thread decodes at a time."""
FORMAT = 5
"""Raised when the cache's content changes for the same pictures."""
COLUMNS = ["path", "age", "age_group", "gender", "group", "subject", "fold"]
DTYPES = {name: "float64" if name in ("age", "fold") else str for name in COLUMNS} | {"picture": "int64"}
FILES = ("pixels.npy", "table.csv", "pairs.csv", "account.csv")


@dataclass(frozen=True)
class Faces:
    """Decoded faces and their labels, row by row.

    Attributes:
        dataset: name of the loader.
        pixels: (n, 32, 32, 3) uint8, a memory map.
        table: n rows: path, age (years), age_group, gender, group, subject, fold as in `gralib.manifest.Row`, NaN
            where the data set does not say; digest (SHA-256 of the file); and picture (number of the photograph:
            equal for near-identical faces, see `gralib.repeats`).
        pairs: pairs of near-identical faces under `repeats.LOOSER`, see `repeats.pairs`.
        account: files by status and reason, the set-aside ones included.
        fingerprint: hash of pixels, labels and the rule for photographs; runs are addressed by it.
        synthetic: whether the faces are drawn.
    """

    dataset: str
    pixels: np.ndarray
    table: pd.DataFrame
    pairs: pd.DataFrame
    account: pd.DataFrame
    fingerprint: str
    synthetic: bool

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.table)


def open_faces(dataset: str, root: str | Path, cache: str | Path = "cache", progress: bool = True) -> Faces:
    """Return the faces at `root`, decoding them if that has not been done since they last changed.

    What the cache holds is believed only if its bytes are those once written; else they are decoded again.

    Args:
        dataset: name of the loader.
        root: folder or archive, as downloaded; a relative path starts at the project's root.
        cache: folder for the decoded pixels.
        progress: show a bar while decoding.

    Raises:
        UserError: nothing usable at `root`, or a cache that cannot be written.
    """
    manifest = load(dataset, from_root(root))
    if manifest.kept.empty:
        most = manifest.rows["reason"].value_counts().index[0]
        raise UserError(f"{manifest.source.path}: {len(manifest.rows)} rows, no usable picture; most: {most}")
    rows = manifest.rows.to_csv(index=False)
    made_by = f"{FORMAT} {SIZE} {repeats.RULE} {repeats.LOOSER} {manifest.source.stamp}"
    key = hashlib.sha256(f"{made_by}\n{rows}".encode()).hexdigest()[:16]
    folder = from_root(cache) / f"{dataset}-{key}"
    with suppress(store.Damaged):
        return _opened(dataset, folder)
    with store.alone(folder):
        try:
            return _opened(dataset, folder)  # another process was quicker
        except store.Damaged as damage:
            if folder.exists():
                print(f"gra: {folder}: {damage}; decoding the pictures again", file=sys.stderr)
        _fill(folder, manifest.source, manifest.rows, progress)
        return _opened(dataset, folder)


def _opened(dataset: str, folder: Path) -> Faces:
    """Return what the cache holds in `folder`. Raises cache.Damaged if that is not what was once written."""
    meta = store.checked(folder, *FILES)
    table = pd.read_csv(folder / "table.csv", dtype=DTYPES, keep_default_na=False, na_values=[""])
    pairs = pd.read_csv(folder / "pairs.csv", dtype=repeats.COLUMNS)
    counts = pd.read_csv(folder / "account.csv", keep_default_na=False)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    parts = (meta["rule"], meta["files"]["table.csv"], meta["files"]["pixels.npy"])
    fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return Faces(dataset, pixels, table, pairs, counts, fingerprint, meta["synthetic"])


def decode(data: bytes, crop: str | None = None, size: int = SIZE) -> np.ndarray | str:
    """Return a picture, or its part `crop` (see `Row`), as (size, size, 3) uint8 RGB, or why that cannot be done.

    Only JPEG and PNG are tried, as all five data sets are published: each further reader is one more to trust.
    """
    try:
        return _decode_jpeg(data, crop, size)
    except ValueError:  # no JPEG, or one with a flaw: Pillow tells which
        pass
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
            width, height = picture.size
            box = _box(crop, width, height)
            if isinstance(box, str):
                return box
            picture.draft("RGB", _enough(box, width, height, size))
            return _shrink(picture if picture.mode == "RGB" else picture.convert("RGB"), box, width, height, size)
    except Image.DecompressionBombError:
        return f"picture larger than {LARGEST} pixels"
    except Image.UnidentifiedImageError:
        return "not a picture inside"
    except Exception:  # Pillow raises a dozen kinds on damaged files
        return "picture damaged or cut short"


def _decode_jpeg(data: bytes, crop: str | None, size: int) -> np.ndarray | str:
    """Do the same for a sound JPEG: the same pixels in half the time, most of it outside Python's lock.

    Raises ValueError for anything else, and for colours (CMYK) that Pillow rounds otherwise.
    """
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    if colours not in ("YCbCr", "Gray"):
        raise ValueError(colours)
    box = _box(crop, width, height)
    if isinstance(box, str):
        return box
    across, down = _enough(box, width, height, size)
    scale = max(s for s in (1, 2, 4, 8) if s <= max(1, min(width // across, height // down)))
    pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height // scale), min_width=-(-width // scale))
    return _shrink(Image.fromarray(pixels), box, width, height, size)


def _box(crop: str | None, width: int, height: int) -> tuple[int, int, int, int] | str:
    """Return the part of a picture that is wanted, or why there is none."""
    if max(width, height) > LARGEST:
        return f"picture larger than {LARGEST} pixels"
    return (_inside(crop, width, height) if crop else (0, 0, width, height)) or "crop outside the picture"


def _enough(box: tuple[int, int, int, int], width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height that a whole picture may be reduced to: its box is still twice the size wanted."""
    left, top, right, bottom = box
    return 2 * size * width // (right - left), 2 * size * height // (bottom - top)


def _shrink(picture: Image.Image, box: tuple[int, int, int, int], width: int, height: int, size: int) -> np.ndarray:
    """Return the box of a picture, given in pixels of its `width` and `height` before reduction."""
    x, y = picture.width / width, picture.height / height
    left, top, right, bottom = box
    region = (left * x, top * y, min(right * x, picture.width), min(bottom * y, picture.height))
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=region))


def _inside(crop: str, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Move a crop into the picture, cutting off what does not fit; None if they do not meet."""
    left, top, right, bottom = map(int, crop.split())
    if not (left < right and top < bottom and left < width and top < height and right > 0 and bottom > 0):
        return None
    across = max(0, -left) - max(0, right - width)
    down = max(0, -top) - max(0, bottom - height)
    return max(left + across, 0), max(top + down, 0), min(right + across, width), min(bottom + down, height)


def _fill(folder: Path, source: Source, rows: pd.DataFrame, progress: bool) -> None:
    """Decode all kept rows into `folder`, which appears whole or not at all."""
    rows = rows.copy()
    wanted = rows.index[rows["status"] != "set aside"]
    results = tqdm(
        _decoded(source, rows.loc[wanted]),
        total=len(wanted),
        unit="face",
        desc=f"decoding {source.path.name}",
        disable=not progress,
    )
    digests: dict[int, str] = {}
    synthetic = source.synthetic
    with store.made(folder) as part:
        with writing(folder.parent), (part / "raw").open("wb") as raw:  # written, not mapped: a full disk would kill us
            for index, (blob, result) in zip(wanted, results, strict=True):
                synthetic |= DRAWN in blob[:256]
                if isinstance(result, str):
                    rows.loc[index, ["status", "reason"]] = ["set aside", result]
                else:
                    raw.write(result.tobytes())
                    digests[index] = hashlib.sha256(blob).hexdigest()
        if not digests:
            most = rows["reason"][wanted].value_counts().index[0]
            raise UserError(f"{source.path}: {len(wanted)} pictures, none usable; most: {most}")
        with writing(folder.parent):
            _finish(part, rows, digests, synthetic)


def _finish(part: Path, rows: pd.DataFrame, digests: dict[int, str], synthetic: bool) -> None:
    """Write into `part` what belongs to its raw pixels: the table with photographs' numbers, the pairs, checksums."""
    raw = np.memmap(part / "raw", np.uint8, "r", shape=(len(digests), SIZE, SIZE, 3))
    np.save(part / "pixels.npy", raw)
    pairs = repeats.pairs(raw)
    del raw
    (part / "raw").unlink()
    table = rows.loc[list(digests), COLUMNS].assign(digest=list(digests.values()))
    table["picture"] = repeats.numbers(repeats.under(pairs, repeats.RULE), table["digest"])
    table.to_csv(part / "table.csv", index=False)
    pairs.to_csv(part / "pairs.csv", index=False)
    account(rows).to_csv(part / "account.csv", index=False)
    store.seal(part, rule=str(repeats.RULE), synthetic=synthetic)


def _decoded(source: Source, rows: pd.DataFrame) -> Iterator[tuple[bytes, np.ndarray | str]]:
    """Yield each file's bytes and its pixels, or why there are none, in order; reads on while threads decode."""
    names = rows["path"].tolist()
    crops = [c if isinstance(c, str) else None for c in rows["crop"]]
    threads = os.cpu_count() or 1
    waiting: deque[Future] = deque()
    with source.reader() as read, ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(names), CHUNK):
            blobs = [_read(read, name) for name in names[start : start + CHUNK]]
            waiting.append(pool.submit(_decode_all, blobs, crops[start : start + CHUNK]))
            if len(waiting) > 2 * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _decode_all(blobs: list[bytes], crops: list[str | None]) -> list[tuple[bytes, np.ndarray | str]]:
    return [(blob, decode(blob, crop)) for blob, crop in zip(blobs, crops, strict=True)]


def _read(read, name: str) -> bytes:
    """Return a file's bytes; what cannot be read counts as an empty picture and is set aside as such."""
    try:
        return read(name)
    except UserError:
        return b""
