"""Pixels once: decode, resize and cache a data set's faces as uint8, so that later openings are instant."""

import hashlib
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from gralib.datasets import load
from gralib.decoding import SIZE, decode
from gralib.errors import UserError, from_root, writing
from gralib.manifest import account
from gralib.sources import DRAWN, Source, Unreadable

CHUNK = 64
"""Pictures that a thread decodes at a time."""
FORMAT = 5
"""Raised when the cache's content changes for the same pictures."""
COLUMNS = ["path", "age", "age_group", "gender", "group", "subject", "fold"]
DTYPES = {name: "float64" if name in ("age", "fold") else str for name in COLUMNS}


@dataclass(frozen=True)
class Faces:
    """Decoded faces and their labels, row by row.

    Attributes:
        dataset: name of the loader.
        pixels: (n, 32, 32, 3) uint8, a memory map.
        table: n rows: path, age (years), age_group, gender, group, subject, fold as in `gralib.manifest.Row`, NaN
            where the data set does not say; and digest (SHA-256 of the file).
        account: files by status and reason, the excluded ones included.
        fingerprint: hash of pixels and labels; runs are addressed by it.
        synthetic: whether the faces are drawn.
    """

    dataset: str
    pixels: np.ndarray
    table: pd.DataFrame
    account: pd.DataFrame
    fingerprint: str
    synthetic: bool

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.table)


def open_faces(dataset: str, root: str | Path, cache: str | Path = "cache", progress: bool = True) -> Faces:
    """Return the faces at `root`, decoding them if that has not been done since they last changed.

    Args:
        dataset: name of the loader.
        root: folder or archive, as downloaded; a relative path starts at the project's root.
        cache: folder for the decoded pixels.
        progress: show a bar while decoding.

    Raises:
        UserError: nothing usable at `root`.
    """
    manifest = load(dataset, from_root(root))
    if manifest.kept.empty:
        most = manifest.rows["reason"].value_counts().index[0]
        raise UserError(f"{manifest.source.path}: {len(manifest.rows)} rows, no usable picture; most: {most}")
    rows = manifest.rows.to_csv(index=False)
    key = hashlib.sha256(f"{FORMAT} {SIZE} {manifest.source.stamp}\n{rows}".encode()).hexdigest()[:16]
    folder = from_root(cache) / f"{dataset}-{key}"
    if not folder.exists():
        _fill(folder, manifest.source, manifest.rows, progress)
    meta = json.loads((folder / "meta.json").read_text())
    table = pd.read_csv(folder / "table.csv", dtype=DTYPES, keep_default_na=False, na_values=[""])
    counts = pd.read_csv(folder / "account.csv", keep_default_na=False)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    return Faces(dataset, pixels, table, counts, meta["fingerprint"], meta["synthetic"])


def _fill(folder: Path, source: Source, rows: pd.DataFrame, progress: bool) -> None:
    """Decode all kept rows into `folder`, which appears whole or not at all."""
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    rows = rows.copy()
    wanted = rows.index[rows["status"] != "excluded"]
    results = tqdm(
        _decoded(source, rows.loc[wanted]),
        total=len(wanted),
        unit="face",
        desc=f"decoding {source.path.name}",
        disable=not progress,
    )
    good: list[int] = []
    digests: list[str] = []
    synthetic = source.synthetic
    try:
        with writing(folder.parent), (part / "raw").open("wb") as raw:  # written, not mapped: a full disk would kill us
            for index, (blob, result) in zip(wanted, results, strict=True):
                synthetic |= DRAWN in blob[:256]
                if isinstance(result, str):
                    rows.loc[index, ["status", "reason"]] = ["excluded", result]
                else:
                    raw.write(result.tobytes())
                    good.append(index)
                    digests.append(hashlib.sha256(blob).hexdigest())
        if not good:
            most = rows["reason"][wanted].value_counts().index[0]
            raise UserError(f"{source.path}: {len(wanted)} pictures, none usable; most: {most}")
        with writing(folder.parent):
            _finish(part, folder, rows, good, digests, synthetic)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _finish(part: Path, folder: Path, rows: pd.DataFrame, good: list[int], digests: list[str], synthetic: bool) -> None:
    """Write what belongs to the pixels in `part` and make it `folder`."""
    raw = np.memmap(part / "raw", np.uint8, "r", shape=(len(good), SIZE, SIZE, 3))
    np.save(part / "pixels.npy", raw)
    del raw
    (part / "raw").unlink()
    table = rows.loc[good, COLUMNS].assign(digest=digests)
    table.to_csv(part / "table.csv", index=False)
    account(rows).to_csv(part / "account.csv", index=False)
    fingerprint = _hash_of(part / "table.csv", part / "pixels.npy")[:16]
    (part / "meta.json").write_text(json.dumps({"fingerprint": fingerprint, "synthetic": synthetic}))
    try:
        part.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was quicker
            raise


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


def _decode_all(blobs: list[tuple[bytes, str]], crops: list[str | None]) -> list[tuple[bytes, np.ndarray | str]]:
    return [(blob, reason or decode(blob, crop)) for (blob, reason), crop in zip(blobs, crops, strict=True)]


def _read(read, name: str) -> tuple[bytes, str]:
    """Return a file's bytes, and why it cannot be read where that is so."""
    try:
        return read(name), ""
    except Unreadable as error:
        return b"", error.reason


def _hash_of(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes, one after another."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
