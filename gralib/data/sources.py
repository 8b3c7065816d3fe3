"""A data set's files as downloaded: a folder, an archive that is read in place, or a folder with one archive in it.

Whatever the file system or the archive lists is either a name that can be read or one with the reason why not: nothing
is left unsaid, and the Manifest checks that.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gralib.data.archives import ARCHIVES, DAMAGED, NO_FILE, READ_ALREADY, Listing, is_archive, open_archive
from gralib.errors import UserError
from gralib.labels import MARKER

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
"""Endings of the pictures that are read; which of the kinds one is, its content says."""
OTHER_PICTURES = (".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jfif", ".ppm", ".pgm")
HALF = (".part", ".partial", ".crdownload", ".download")
OTHER_PACKERS = (".7z", ".rar", ".zst", ".gz", ".xz", ".bz2", ".lz4", ".iso")
PART = re.compile(
    r".*(\.(tar|tgz|zip|7z|rar)(\.?(gz|xz|bz2|zst))?[._-]?(part)?\.?([a-z]{2}|\d{2,3})|\.[zr]\d\d|\.part\d+\.rar)"
)
SIDE_FOLDERS = ("__MACOSX", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that a Mac, a file server or a bin puts among other people's files."""
HEAVIEST = 64 << 20
"""Bytes of the largest file that is read; no picture or table of the five data sets comes near it."""


class Unreadable(UserError):
    """A file that cannot be read; `reason` says why in a few words."""

    def __init__(self, path: Path, name: str, error: object):
        super().__init__(f"{path}: {name}: expected a readable file, got {error}")
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.reason = "file cannot be read: " + ("damaged in the archive" if base(name) in why else why)


@dataclass(frozen=True)
class Source:
    """Files of a data set by name. `names` are relative, with forward slashes, sorted folder by folder."""

    path: Path
    names: tuple[str, ...]
    stamp: str
    """Hash of every name, size and time of change: differs as soon as the files do."""
    others: dict[str, str] = field(default_factory=dict)
    """What is listed too, by name, and why it is not read."""
    archive: Path | None = None
    """Where the pictures are packed."""

    @property
    def synthetic(self) -> bool:
        """Whether the pictures are drawn (a file SYNTHETIC.txt is among them)."""
        return any(name.rsplit("/", 1)[-1] == MARKER for name in self.names)

    @property
    def hint(self) -> str:
        """What a message about missing tables should add: the first file that is packed in a way not read."""
        packed = (f"; {name}: {why}" for name in self.names if "arch" in (why := no_picture(name)) or "packed" in why)
        return next(packed, "")

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """Yield a function from a name to the file's bytes; not safe to call from several threads.

        Opening raises UserError for a damaged archive; the function raises Unreadable for a file that cannot be read
        or is larger than HEAVIEST.
        """
        with ExitStack() as stack:
            files = _opened(self.archive, stack).files if self.archive else {}

            def read(name: str) -> bytes:
                try:
                    size, file = files[name]() if name in files else _sized(f"{self.path}/{name}")
                    with file:
                        if size > HEAVIEST:
                            raise ValueError(f"larger than {HEAVIEST >> 20} MiB")
                        return file.read()
                except DAMAGED as error:
                    raise Unreadable(self.path, name, error) from None

            yield read


def _sized(path: str) -> tuple[int, IO[bytes]]:
    file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115
    return os.fstat(file.fileno()).st_size, file


def _opened(path: Path, stack: ExitStack) -> Listing:
    try:
        return open_archive(path, stack)
    except DAMAGED as error:
        raise UserError(f"{path}: expected a whole archive, got {error}") from None


def unsafe(name: str) -> bool:
    """Tell whether a name would lead out of the folder it belongs to."""
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":"


def base(name: str) -> str:
    """Return the last part of a name; a backslash parts too, as some tools leave it when they unpack."""
    return name.replace("\\", "/").rpartition("/")[2]


def no_picture(name: str) -> str:
    """Return why a file of this name is no picture that is read, or nothing if it may be one."""
    low = base(name).lower()
    if low.endswith(PICTURES):
        return ""
    if low.endswith(HALF):
        return "half a download: get it again"
    if low.endswith(OTHER_PICTURES):
        return f"picture of a kind that is not read ({low.rsplit('.', 1)[1]}): convert it to JPEG or PNG"
    if is_archive(low):
        return "archive inside: unpack it, or give it by itself as --root"
    if PART.fullmatch(low):
        return "part of an archive: join the parts (cat) into one file and give that"
    if low.endswith(OTHER_PACKERS):
        return f"packed in a way that is not read: repack it as one of {', '.join(ARCHIVES)}"
    return "Thumbs.db, left by Windows" if low == "thumbs.db" else "not a picture"


def _beside(name: str) -> str:
    """Return why what lies at a name is no part of the set, though it can be read; or nothing."""
    *folders, last = name.split("/")
    kept = next((f for f in folders if (f.startswith(".") and f.strip(".")) or f in SIDE_FOLDERS), None)
    if kept:
        return f"in {kept}, a hidden folder or bin"
    return "hidden file" if last.startswith(".") else ""


def open_source(root: str | Path) -> Source:
    """Find the files at `root`: a folder of files, an archive, or a folder that holds one archive.

    Raises:
        UserError: nothing there, an empty folder, several archives, or one that cannot be read.
    """
    path = Path(root)
    if not path.exists():
        raise UserError(f"{path}: not found; expected a folder of pictures or one of {', '.join(ARCHIVES)}")
    if not path.is_dir():
        if not is_archive(path.name):
            raise UserError(f"{path}: expected a folder or one of {', '.join(ARCHIVES)}")
        state = path.stat()
        return _source(path, {}, {}, path, [f"{path.name} {state.st_size} {state.st_mtime_ns}"])
    files, others = _walk(path)
    if not files and not others:
        raise UserError(f"{path}: the folder is empty; expected pictures or one of {', '.join(ARCHIVES)}")
    wanted = {name: state for name, state in files.items() if not _beside(name)}
    archives = [name for name in wanted if is_archive(name)]
    if len(archives) > 1 or (archives and any(name.lower().endswith(PICTURES) for name in wanted)):
        found = ", ".join(base(name) for name in archives)
        raise UserError(f"{path}: expected pictures or a single archive, found both or several: {found}; "
                        "give one as --root, or move the others away")  # fmt: skip
    lines = [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in sorted(wanted.items())]
    if not archives:
        return _source(path, dict.fromkeys(files), others, None, lines)
    files.pop(archives[0])
    return _source(path, dict.fromkeys(files), others, path / archives[0], lines)


def _source(path: Path, files: dict, others: dict[str, str], archive: Path | None, lines: list[str]) -> Source:
    """Put together what a folder lists and what the archive in it does; `lines` make the stamp."""
    names, others = set(files), dict(others)
    if archive:
        with ExitStack() as stack:
            packed = _opened(archive, stack)
        taken = packed.files.keys() | packed.others.keys()
        names = {f"./{name}" if name in taken else name for name in names} | packed.files.keys()
        others = {f"./{name}" if name in taken else name: why for name, why in others.items()} | packed.others
    aside = {name: why for name in names if (why := _beside(name))}
    order = sorted(names - aside.keys(), key=lambda name: name.split("/"))
    others = {name: _beside(name) or why for name, why in (others | aside).items()}
    stamp = hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
    place = archive if archive and not files else path
    return Source(place, tuple(order), stamp, dict(sorted(others.items())), archive)


def _walk(root: Path) -> tuple[dict[str, os.stat_result], dict[str, str]]:
    """Return every file below a folder with its state from a single look, and why other things there are none.

    A link to a folder is read like a folder, after the folders themselves; each is read once, so no circle goes round.
    """
    files: dict[str, os.stat_result] = {}
    others: dict[str, str] = {}
    real: list[tuple[str, str]] = [("", str(root))]
    linked: list[tuple[str, str]] = []
    read: set[tuple[int, int]] = set()
    while real or linked:
        before, folder = real.pop() if real else linked.pop(0)
        try:
            state = os.stat(folder)  # noqa: PTH116
            if (state.st_dev, state.st_ino) in read:
                others[before[:-1]] = READ_ALREADY
                continue
            read.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    _look(entry, before + entry.name, files, others, linked if entry.is_symlink() else real)
        except OSError as error:
            if not before:
                raise
            others[before[:-1]] = f"folder that cannot be read: {error.strerror}"
    return files, others


def _look(entry: os.DirEntry, name: str, files: dict, others: dict[str, str], folders: list[tuple[str, str]]) -> None:
    """Sort one entry of a folder under the files, the others, or the folders to be read."""
    try:
        state = entry.stat()
    except OSError:
        others[name] = "link to nothing" if entry.is_symlink() else "file that cannot be looked at"
        return
    if stat.S_ISDIR(state.st_mode):
        folders.append((f"{name}/", entry.path))
    elif stat.S_ISREG(state.st_mode):
        files[name] = state
    else:
        others[name] = NO_FILE
