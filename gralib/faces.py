"""Pixels once: decode, resize and cache a data set's faces as uint8, so that later openings are instant."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from gralib.datasets import load
from gralib.errors import from_root
from gralib.manifest import account
from gralib.sources import DRAWN, Source

SIZE = 32
"""Side of a face in pixels (7.1)."""
LARGEST = 8000
"""A picture whose header claims a longer side is set aside unread."""
FORMAT = 3
"""Raised when the cache's content changes for the same pictures."""


@dataclass(frozen=True)
class Faces:
    """Decoded faces and their labels, row by row.

    Attributes:
        dataset: name of the loader.
        pixels: (n, 32, 32, 3) uint8, a memory map.
        table: n rows: path, age (years or NaN), gender ('male', 'female' or NaN), group, digest (SHA-256 of the
            file).
        account: files by status and reason, the set-aside ones included.
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
    rows = manifest.rows.to_csv(index=False)
    key = hashlib.sha256(f"{FORMAT} {SIZE} {manifest.source.stamp}\n{rows}".encode()).hexdigest()[:16]
    folder = from_root(cache) / f"{dataset}-{key}"
    if not folder.exists():
        _fill(folder, manifest.source, manifest.rows, progress)
    meta = json.loads((folder / "meta.json").read_text())
    table = pd.read_csv(folder / "table.csv", dtype={"group": str, "gender": str, "path": str})
    counts = pd.read_csv(folder / "account.csv", keep_default_na=False)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    return Faces(dataset, pixels, table, counts, meta["fingerprint"], meta["synthetic"])


def decode(data: bytes, size: int = SIZE) -> np.ndarray | str:
    """Return a picture as (size, size, 3) uint8 RGB, or why that cannot be done."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if max(picture.size) > LARGEST:
                return f"picture larger than {LARGEST} pixels"
            picture.draft("RGB", (2 * size, 2 * size))
            small = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
            return np.asarray(small)
    except Image.DecompressionBombError:
        return f"picture larger than {LARGEST} pixels"
    except Image.UnidentifiedImageError:
        return "not a picture inside"
    except (OSError, SyntaxError, ValueError):
        return "picture damaged or cut short"


def _fill(folder: Path, source: Source, rows: pd.DataFrame, progress: bool) -> None:
    """Decode all kept rows into `folder`, which appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows = rows.copy()
    wanted = rows.index[rows["status"] != "set aside"]
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        pixels = np.lib.format.open_memmap(
            part / "all.npy", mode="w+", dtype=np.uint8, shape=(len(wanted), SIZE, SIZE, 3)
        )
        good: list[int] = []
        digests: list[str] = []
        synthetic = source.synthetic
        results = tqdm(
            _decoded(source, rows["path"].loc[wanted]),
            total=len(wanted),
            unit="face",
            desc=f"decoding {source.path.name}",
            disable=not progress,
        )
        for index, (blob, result) in zip(wanted, results, strict=True):
            synthetic |= DRAWN in blob[:256]
            if isinstance(result, str):
                rows.loc[index, ["status", "reason"]] = ["set aside", result]
            else:
                pixels[len(good)] = result
                good.append(index)
                digests.append(hashlib.sha256(blob).hexdigest())
        np.save(part / "pixels.npy", pixels[: len(good)])
        del pixels
        (part / "all.npy").unlink()
        table = rows.loc[good, ["path", "age", "gender", "group"]].assign(digest=digests)
        table.to_csv(part / "table.csv", index=False)
        account(rows).to_csv(part / "account.csv", index=False)
        fingerprint = _hash_of(part / "table.csv", part / "pixels.npy")[:16]
        (part / "meta.json").write_text(json.dumps({"fingerprint": fingerprint, "synthetic": synthetic}))
        try:
            part.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was quicker
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _decoded(source: Source, names: pd.Series) -> Iterator[tuple[bytes, np.ndarray | str]]:
    """Yield each file's bytes and its pixels, or why there are none, in order."""
    with source.reader() as read, ThreadPoolExecutor() as pool:
        for start in range(0, len(names), 1024):
            blobs = [_read(read, name) for name in names.iloc[start : start + 1024]]
            yield from zip(blobs, pool.map(decode, blobs), strict=True)


def _read(read, name: str) -> bytes:
    """Return a file's bytes; what cannot be read counts as an empty picture and is set aside as such."""
    try:
        return read(name)
    except (OSError, EOFError, KeyError):
        return b""


def _hash_of(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes, one after another."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
