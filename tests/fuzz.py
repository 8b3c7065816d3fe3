"""Broken inputs by the thousand: trees of the five layouts, damaged by seed, read by the loaders as a user's would be.

Each must end in rows that are kept, repaired or excluded, or in one line of error; `hostile` counts how they ended.
"""

import io
import resource
import shutil
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from gralib import synthetic
from gralib.config import TASKS
from gralib.data.faces import open_faces
from gralib.errors import UserError

Tree = dict[str, bytes]
SECONDS = 10
"""No input may keep the processor longer; seconds on the clock would count what else the machine does."""
TABLES = (".mat", ".pts", ".txt")
NAMES = (
    "/etc/passwd", "../../canary", "..\\canary", "C:\\canary.jpg", "a\0b.jpg", "line\nbreak.jpg", "\udcff.jpg",
    "x" * 300 + ".jpg",
    "25_0_0_20170112213500901.jpg.chip.jpg/", "999999999999_0_0_20170112213500901.jpg", "٣_0_0_20170112213500901.jpg",
    "images/001A99999.JPG", "15/111/²-0.jpg", ",\"'\r.jpg", "wiki.mat", "fold_9_data.txt", ".hidden.jpg",
)  # fmt: skip


def trees(folder: Path) -> dict[str, Tree]:
    """Return a small synthetic tree of every layout by name of the data set."""
    found = {}
    for name in TASKS:
        synthetic.write(name, folder / name, subjects=11)
        files = sorted(f for f in (folder / name).rglob("*") if f.is_file())
        files = [f for f in files if f.suffix in TABLES] + [f for f in files if f.suffix not in TABLES][:14]
        found[name] = {f.relative_to(folder / name).as_posix(): f.read_bytes() for f in files}
    return found


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one thing wrong: cut short, flipped bits, a part gone, twice, zeroed, 0xff or made up."""
    start, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    some = rng.bytes(int(rng.integers(1, 64)))
    flips = np.where(rng.random(len(data)) < 0.01, 1 << rng.integers(0, 8, len(data)), 0).astype(np.uint8)
    ways = (
        data[:start],
        (np.frombuffer(data, np.uint8) ^ flips).tobytes(),
        data[:start] + data[end:],
        data[:end] + data[start:],
        data[:start] + bytes(end - start) + data[end:],
        data[: start % 64] + b"\xff" * 8 + data[start % 64 + 8 :],
        data[:start] + some + data[start:],
        some,
    )
    return ways[int(rng.integers(len(ways)))]


def pack(tree: Tree, ending: str, odd: tarfile.TarInfo | None = None) -> bytes:
    """Return the tree as an archive of that ending; `odd` is a member of a tar that is no file."""
    held = io.BytesIO()
    if ending == ".zip":
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in tree.items():
                name = name.encode(errors="replace").decode().split("\0")[0]
                archive.writestr(name or "/", data)  # zipfile writes no file without a name
        return held.getvalue()
    with tarfile.open(fileobj=held, mode="w:gz" if ending == ".tar.gz" else "w") as tar:
        for name, data in tree.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        if odd:
            tar.addfile(odd)
    return held.getvalue()


def odd_member(tree: Tree, rng: np.random.Generator) -> tarfile.TarInfo:
    """Return a member that is a link out of the folder, a link to itself, a device or a pipe."""
    member = tarfile.TarInfo(list(tree)[int(rng.integers(len(tree)))] + "x.jpg")
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    member.type = kinds[int(rng.integers(len(kinds)))]
    member.linkname = str(rng.choice(["/etc/passwd", "../../canary", member.name]))
    return member


def one(tree: Tree, folder: Path, rng: np.random.Generator) -> tuple[str, Path]:
    """Write a damaged copy of a tree into `folder` and return what was done and where it is."""
    tree, kind = dict(tree), str(rng.choice(["file", "table", "name", "archive", "member"]))
    ending = str(rng.choice(["", ".tar", ".tar.gz", ".zip"]))
    tables = [name for name in tree if name.endswith(TABLES)]
    chosen = tables if kind == "table" and tables else list(tree)
    for name in rng.choice(chosen, min(3, len(chosen)), replace=False).tolist():
        if kind in ("file", "table"):
            tree[name] = damage(tree[name], rng)
        elif kind == "name":
            new = str(rng.choice(NAMES)) if rng.random() < 0.5 else damage(name.encode(), rng).decode(errors="replace")
            tree[new] = tree.pop(name)
    root = folder / f"set{ending}"
    if ending:
        odd = odd_member(tree, rng) if kind == "member" and ending != ".zip" else None
        packed = pack(tree, ending, odd)
        root.write_bytes(damage(packed, rng) if kind == "archive" else packed)
        return f"{kind} in {ending}", root
    for name, data in tree.items():
        try:
            path = root / name
            if not path.resolve().is_relative_to(folder):  # a file system has no such name
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except (OSError, ValueError):
            continue
    root.mkdir(exist_ok=True)
    if kind == "member":
        (root / "link.jpg").symlink_to(str(rng.choice(["/etc/passwd", "../../canary", "link.jpg", "/dev/zero"])))
    return f"{kind} in a folder", root


def outcome(dataset: str, root: Path, cache: Path) -> str:
    """Read a tree as a user would and return 'read' or 'refused'; anything else is an AssertionError or a crash."""
    try:
        faces = open_faces(dataset, root, cache, progress=False)
    except UserError as error:
        assert len(str(error).splitlines()) == 1 and ": " in str(error), error
        return "refused"
    files = faces.account.set_index("status")["files"]
    assert files["found"] == files.drop("found").sum(), "every row is accounted for"
    assert len(faces) == faces.pixels.shape[0] > 0
    return "read"


def hostile(folder: Path, inputs: int, seed: int = 0, first: int = 0) -> dict:
    """Read `inputs` damaged trees, from number `first`, and return how they ended; raises on the first bad end."""
    sound = trees(folder / "sound")
    counts: Counter[str] = Counter()
    slowest = 0.0
    for i in range(first, first + inputs):
        rng = np.random.default_rng((seed, i))
        dataset = list(sound)[i % len(sound)]
        place = folder / f"{i}" / "in"
        place.mkdir(parents=True)
        (place.parent / "canary").write_text("untouched")
        kind, root = one(sound[dataset], place, rng)
        started = time.process_time()
        try:
            ended = outcome(dataset, root, folder / f"{i}" / "cache")
        except Exception as error:
            raise AssertionError(f"input {i} of seed {seed}: {dataset}, {kind}: {error!r}") from error
        slowest = max(slowest, time.process_time() - started)
        assert slowest < SECONDS, f"input {i} of seed {seed}: {dataset}, {kind}: {slowest:.1f} s"
        left = {p.name for p in place.parent.iterdir()} - {"cache"}
        assert left == {"in", "canary"} and (place.parent / "canary").read_text() == "untouched", left
        counts[f"{kind}: {ended}"] += 1
        shutil.rmtree(folder / f"{i}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"inputs": inputs, "slowest_s": round(slowest, 2), "peak_mib": round(peak), "ends": dict(counts)}
