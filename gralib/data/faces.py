"""Pixels once: decode, resize and cache a data set's faces as uint8, so that later openings are instant."""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from gralib.data import cache as store
from gralib.data import repeats
from gralib.data.decoding import SIZE, decode
from gralib.data.formats import find_root, load
from gralib.data.manifest import COPY, Row, account
from gralib.data.sources import Source, Unreadable
from gralib.errors import UserError, from_root, writing
from gralib.labels import DRAWN
from gralib.progress import Bar

CHUNK = 64
"""Pictures that a thread decodes at a time."""
FORMAT = 8
"""Raised when the cache's content changes for the same pictures."""
COLUMNS = ["path", "age", "age_group", "gender", "group", "subject", "fold", "race"]
DTYPES = {name: "float64" if name in ("age", "fold") else str for name in COLUMNS} | {"picture": "int64"}
FILES = ("pixels.npy", "table.csv", "pairs.csv", "account.csv")


@dataclass(frozen=True)
class Faces:
    """Decoded faces and their labels, row by row.

    Attributes:
        dataset: name of the loader.
        pixels: (n, 32, 32, 3) uint8, a memory map.
        table: n rows: path, age (years), age_group, gender, group, subject, fold, race as in `manifest.Row`,
            NaN where the data set does not say; digest (SHA-256 of the file); and picture (number of the photograph:
            equal for near-identical faces, see `gralib.data.repeats`).
        pairs: pairs of near-identical faces under `repeats.LOOSER`, see `repeats.pairs`.
        account: files by status and reason, the excluded ones included.
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


class Decoded(NamedTuple):
    """A picture's name and bytes, its pixels (32, 32, 3) uint8 or None, and why it, or the first of it, has none."""

    path: str
    data: bytes
    pixels: np.ndarray | None
    reason: str


def open_faces(dataset: str, root: str | Path = "", cache: str | Path = "cache", progress: bool = True) -> Faces:
    """Return the faces at `root`, decoding them if that has not been done since they last changed.

    What the cache holds is believed only if its bytes are those once written; else they are decoded again.

    Args:
        dataset: name of the loader.
        root: folder or archive, as downloaded; a relative path starts at the project's root. Without it the faces are
            looked for, or drawn, see `formats.find_root`.
        cache: folder for the decoded pixels.
        progress: show a bar while decoding.

    Raises:
        UserError: nothing usable at `root`, or a cache that cannot be written.
    """
    manifest = load(dataset, find_root(dataset, root))
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
    if meta.get("rule") != str(repeats.RULE) or not isinstance(meta.get("synthetic"), bool):
        raise store.Damaged(f"{store.META} is damaged")
    table = pd.read_csv(folder / "table.csv", dtype=DTYPES, keep_default_na=False, na_values=[""])
    pairs = pd.read_csv(folder / "pairs.csv", dtype=repeats.COLUMNS)
    counts = pd.read_csv(folder / "account.csv", keep_default_na=False)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    parts = (meta["rule"], meta["files"]["table.csv"], meta["files"]["pixels.npy"])
    fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return Faces(dataset, pixels, table, pairs, counts, fingerprint, meta["synthetic"])


def _fill(folder: Path, source: Source, rows: pd.DataFrame, progress: bool) -> None:
    """Decode all kept rows into `folder`, which appears whole or not at all."""
    rows = rows.copy()
    wanted = rows.index[rows["status"] != "excluded"]
    results = Bar(
        _decoded(source, rows),
        total=len(wanted),
        unit="face",
        desc=f"decoding {source.path.name}",
        disable=not progress,
    )
    digests: dict[int, str] = {}
    synthetic = source.synthetic
    with store.made(folder) as part:
        with writing(folder.parent), (part / "raw").open("wb") as raw:  # written, not mapped: a full disk would kill us
            for index, found in zip(wanted, results, strict=True):
                synthetic |= DRAWN in found.data[:256]
                if found.reason:
                    rows.loc[index, ["status", "reason"]] = ["excluded", found.reason]
                if found.pixels is not None:
                    index = _instead(rows, index, found.path)
                    raw.write(found.pixels.tobytes())
                    digests[index] = hashlib.sha256(found.data).hexdigest()
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


def _instead(rows: pd.DataFrame, index: int, path: str) -> int:
    """Return the row of the picture that was decoded for row `index`: of a copy where the first was damaged.

    The copy gets the labels of the first, and further copies its name.
    """
    first = str(rows.at[index, "path"])
    if path == first:
        return index
    place = int(rows.index[rows["path"] == path][0])
    known = [name for name in Row._fields if name not in ("path", "status", "reason")]
    rows.loc[place, known] = rows.loc[index, known]
    rows.loc[rows["reason"] == COPY + first, "reason"] = COPY + path
    rows.loc[place, ["status", "reason"]] = ["repaired", "in place of its first copy, which cannot be read"]
    return place


def _decoded(source: Source, rows: pd.DataFrame) -> Iterator[Decoded]:
    """Yield the kept rows' pictures in order; reads on while threads decode."""
    wanted = rows[rows["status"] != "excluded"]
    names = wanted["path"].tolist()
    crops = [c if isinstance(c, str) else None for c in wanted["crop"]]
    copies = _copies(rows)
    threads = os.cpu_count() or 1
    waiting: deque[tuple[slice, Future]] = deque()

    def settled(read) -> Iterator[Decoded]:
        chunk, future = waiting.popleft()
        for name, crop, found in zip(names[chunk], crops[chunk], future.result(), strict=True):
            yield _sound(read, copies.get(name, []), crop, Decoded(name, *found))

    with source.reader() as read, ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(names), CHUNK):
            chunk = slice(start, start + CHUNK)
            blobs = [_read(read, name) for name in names[chunk]]
            waiting.append((chunk, pool.submit(_decode_all, blobs, crops[chunk])))
            if len(waiting) > 2 * threads:
                yield from settled(read)
        while waiting:
            yield from settled(read)


def _copies(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return the names of the copies of each picture, by its name."""
    found: dict[str, list[str]] = {}
    for path, reason in zip(rows["path"], rows["reason"], strict=True):
        if reason.startswith(COPY):
            found.setdefault(reason.removeprefix(COPY), []).append(path)
    return found


def _sound(read, copies: list[str], crop: str | None, found: Decoded) -> Decoded:
    """Return a picture, or the first of its copies that can be read where it cannot itself."""
    for name in copies if found.reason else ():
        data, pixels, reason = _decode_all([_read(read, name)], [crop])[0]
        if not reason:
            return Decoded(name, data, pixels, found.reason)
    return found


def _decode_all(blobs: list[tuple[bytes, str]], crops: list[str | None]) -> list[tuple]:
    """Return of each picture its bytes, its pixels or None, and why there are none."""
    made = [(blob, reason or decode(blob, crop)) for (blob, reason), crop in zip(blobs, crops, strict=True)]
    return [(blob, None, face) if isinstance(face, str) else (blob, face, "") for blob, face in made]


def _read(read, name: str) -> tuple[bytes, str]:
    """Return a file's bytes, and why it cannot be read where that is so."""
    try:
        return read(name), ""
    except Unreadable as error:
        return b"", error.reason
