"""A disk that loses power: a writer's calls are recorded, and the disk is put together again from what was synced.

What survives is what POSIX promises and no more. A file that was not synced is empty, cut short, full of zeros or
whole, by chance; the names in a folder are those of its last sync and, by chance, of some or all changes after it.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class PowerLost(BaseException):
    """Ends a writer at the moment the power goes."""


class Disk:
    """What happens below a folder, from `recorded` on, until the power goes before event number `cut`."""

    def __init__(self, root: Path, cut: int | None = None):
        self.root, self.cut, self.on = str(root), cut, True
        self.events: list[tuple[str, ...]] = []
        self.before = {str(p): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}
        self.number: dict[str, int] = {}
        self.synced: dict[int, bytes] = {}
        self.written: dict[int, bytes] = {}
        self.numbers = 0

    def happened(self, *event: str) -> None:
        """Note an event, or lose the power before it."""
        if self.cut is not None and len(self.events) >= self.cut:
            self.end()
            raise PowerLost
        self.events.append(event)

    def end(self) -> None:
        """Look no further, and keep what was written so far, synced or not."""
        self.on = False
        self.written = {n: Path(path).read_bytes() for path, n in self.number.items() if Path(path).is_file()}

    def created(self, path: str) -> None:
        """Note a file that is opened empty."""
        self.happened("create", path, str(self.numbers))
        self.number[path] = self.numbers
        self.numbers += 1

    def moved(self, source: str, target: str) -> None:
        """Note a file or folder that gets another name."""
        self.happened("move", source, target, str(self.number.get(source, "")))
        for path in [p for p in self.number if p == source or p.startswith(f"{source}/")]:
            self.number[target + path[len(source) :]] = self.number.pop(path)

    def synced_now(self, path: str) -> None:
        """Note a file's content, or a folder's names, as safe."""
        self.happened("sync", path)
        if path in self.number:
            self.synced[self.number[path]] = Path(path).read_bytes()

    def heard(self, event: str, words: tuple[Any, ...]) -> None:
        """Note what Python's audit tells of files below the folder."""
        path = self._inside(words[0]) if words else None
        if event == "os.rename" and (path or self._inside(words[1])):
            self.moved(_text(words[0]), _text(words[1]))
        elif path is None:
            return
        elif event == "open" and int(words[2] or 0) & (os.O_CREAT | os.O_TRUNC) and not Path(path).is_dir():
            if int(words[2]) & os.O_TRUNC or not Path(path).exists():
                self.created(path)
        elif event == "os.mkdir":
            self.happened("folder", path)
        elif event in ("os.remove", "os.rmdir", "shutil.rmtree"):
            self.happened("remove", path)

    def _inside(self, path: Any) -> str | None:
        """Return a path if it is absolute and below the folder; those seen from an open folder are of a whole tree."""
        text = _text(path)
        return text if text.startswith(f"{self.root}/") else None

    def survivors(self, rng: np.random.Generator) -> dict[str, bytes | None]:
        """Return what is there when the power is back: content of files, None for folders, by path from the folder."""
        until: dict[str, float] = {}
        for place, (kind, path, *_) in enumerate(self.events):
            if kind == "sync":
                until[path] = place
        whole = rng.random() < 0.5  # the file system had written down all names, as a journal does, and no content
        chances = {folder: last + (len(self.events) if whole else rng.integers(0, 6)) for folder, last in until.items()}
        tree: dict[str, bytes | int | None] = dict(self.before)
        for place, (kind, *words) in enumerate(self.events):
            folder = str(Path(words[1] if kind == "move" else words[0]).parent)
            chances.setdefault(folder, len(self.events) if whole else rng.integers(-1, len(self.events)))
            if kind == "sync" or place > chances[folder]:
                continue
            _done(tree, kind, words)
        there = {path: self._content(found, rng) for path, found in tree.items()}
        return {path[len(self.root) + 1 :]: found for path, found in there.items() if self._reached(path, there)}

    def _reached(self, path: str, tree: dict[str, bytes | None]) -> bool:
        """Tell whether every folder above a path is there."""
        above = str(Path(path).parent)
        return above == self.root or (above in tree and tree[above] is None and self._reached(above, tree))

    def _content(self, found: bytes | int | None, rng: np.random.Generator) -> bytes | None:
        if not isinstance(found, int):
            return found
        if found in self.synced:
            return self.synced[found]
        data = self.written.get(found, b"")
        return (b"", data[: rng.integers(0, len(data) + 1)], bytes(len(data)), data)[rng.integers(0, 4)]


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""


def _done(tree: dict[str, Any], kind: str, words: list[str]) -> None:
    """Make a change of names in a tree."""
    if kind == "create":
        tree[words[0]] = int(words[1])
    elif kind == "folder":
        tree[words[0]] = None
    elif kind == "remove":
        for path in [p for p in tree if p == words[0] or p.startswith(f"{words[0]}/")]:
            del tree[path]
    elif kind == "move":
        source, target, number = words
        inside = [p for p in tree if p == source or p.startswith(f"{source}/")]
        for path in inside:
            tree[target + path[len(source) :]] = tree.pop(path)
        if number:
            tree[target] = int(number)
        else:  # perhaps a folder whose first name was never on the disk
            tree.setdefault(target, None)


_disk: Disk | None = None
_sync = os.fsync


def _hook(event: str, words: tuple[Any, ...]) -> None:
    if _disk is not None and _disk.on:
        _disk.heard(event, words)


def _synced(opened: int) -> None:
    if _disk is not None and _disk.on:
        path = str(Path(f"/proc/self/fd/{opened}").readlink())
        if _disk._inside(path) or path == _disk.root:
            _disk.synced_now(path)
    _sync(opened)


@contextmanager
def recorded(root: Path, cut: int | None = None) -> Iterator[Disk]:
    """Record what this process does to files below `root`; with `cut` the power goes before that event."""
    global _disk
    if _hook not in _hooked:
        sys.addaudithook(_hook)
        _hooked.append(_hook)
    _disk, os.fsync = Disk(root.resolve(), cut), _synced
    try:
        yield _disk
    except PowerLost:
        pass
    finally:
        if _disk.on:
            _disk.end()
        _disk, os.fsync = None, _sync


_hooked: list[Any] = []


def events(write: Callable[[Path], Any], root: Path) -> int:
    """Return in how many events a writer does its work in a folder."""
    with recorded(root) as disk:
        write(root)
    return len(disk.events)


def lose(write: Callable[[Path], Any], root: Path, cut: int, target: Path, rng: np.random.Generator) -> None:
    """Let a writer work in `root` until the power goes, and put together in `target` what survives."""
    with recorded(root, cut) as disk:
        write(root)
    target.mkdir(parents=True)
    for place, data in sorted(disk.survivors(rng).items()):
        path = target / place
        if data is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(data)
