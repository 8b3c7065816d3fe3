"""A data set's files as downloaded: a folder, or an archive that is read in place and never unpacked."""

import gzip
import hashlib
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gralib.errors import UserError

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
HEAVIEST = 64 << 20
"""Bytes of the largest file that is read; no picture or table of the five data sets comes near it."""
RATIO = 1000
"""A .tar.gz may unpack to so many times its size (zlib's own limit is 1032); files of zeros only do more."""
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, NotImplementedError, OSError,
    OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What the standard library raises on damaged archives."""
MARKER = "SYNTHETIC.txt"
"""A file of this name says that the pictures beside it are drawn."""
DRAWN = b"synthetic face, drawn by gralib"
"""Comment inside every drawn JPEG, which says the same wherever the file goes."""


def is_archive(name: str) -> bool:
    """Tell whether the name is that of an archive we read."""
    return name.lower().endswith(ARCHIVES)


@dataclass(frozen=True)
class Source:
    """Files of a data set by name. `names` are relative, with forward slashes, sorted."""

    path: Path
    names: tuple[str, ...]
    stamp: str
    """Hash of every name, size and time of change: differs as soon as the files do."""

    @property
    def synthetic(self) -> bool:
        """Whether the pictures are drawn (a file SYNTHETIC.txt is among them)."""
        return any(name.rsplit("/", 1)[-1] == MARKER for name in self.names)

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """Yield a function from a name to the file's bytes; not safe to call from several threads.

        Opening raises UserError for a damaged archive, and so does the function for a file that cannot be read or is
        larger than HEAVIEST.
        """
        with ExitStack() as stack:
            try:
                read = self._open(stack)
            except DAMAGED as error:
                raise UserError(f"{self.path}: expected a whole archive, got {error}") from None
            yield read

    def _open(self, stack: ExitStack) -> Callable[[str], bytes]:
        if self.path.is_dir():
            return self._careful(lambda name: _sized(open(f"{self.path}/{name}", "rb", buffering=0)))  # noqa: PTH123
        if self.path.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            return self._careful(lambda name: (archive.getinfo(name).file_size, archive.open(name)))
        tar = stack.enter_context(_tar(self.path))
        members = {m.name: m for m in tar if m.isfile()}
        return self._careful(lambda name: (members[name].size, tar.extractfile(members[name])))  # type: ignore[arg-type,return-value]

    def _careful(self, opened: Callable[[str], tuple[int, IO[bytes]]]) -> Callable[[str], bytes]:
        """Return a reader of files, given by size and content, with a bound on the size and one kind of error."""

        def careful(name: str) -> bytes:
            try:
                size, file = opened(name)
                with file:
                    if size > HEAVIEST:
                        raise ValueError(f"larger than {HEAVIEST >> 20} MiB")
                    return file.read()
            except DAMAGED as error:
                raise UserError(f"{self.path}: {name}: expected a readable file, got {error}") from None

        return careful


def _sized(file: IO[bytes]) -> tuple[int, IO[bytes]]:
    return os.fstat(file.fileno()).st_size, file


def unsafe(name: str) -> bool:
    """Tell whether a name would lead out of the folder it belongs to."""
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":"


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Yield a tar that can be read in any order: a packed one is unpacked first, or each step back would do it anew."""
    if path.suffix.lower() == ".tar":
        with tarfile.open(path) as tar:
            yield tar
        return
    most = RATIO * path.stat().st_size
    with gzip.open(path) as packed, tempfile.TemporaryFile() as file:
        while block := packed.read(1 << 20):
            file.write(block)
            if file.tell() > most:
                raise ValueError(f"more than {RATIO} times its size when unpacked")
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            yield tar


def open_source(root: str | Path) -> Source:
    """Find the files at `root`: a folder of files, an archive, or a folder that holds one archive.

    Raises:
        UserError: nothing there, an empty folder, several archives, or one that cannot be read.
    """
    path = Path(root)
    if not path.exists():
        raise UserError(f"{path}: not found; expected a folder of pictures or one of {', '.join(ARCHIVES)}")
    if path.is_dir():
        files = dict(sorted(_files(path), key=lambda file: file[0].split("/")))
        archives = [name for name in files if is_archive(name)]
        if not files:
            raise UserError(f"{path}: the folder is empty; expected pictures or one of {', '.join(ARCHIVES)}")
        if len(archives) > 1 or (archives and any(name.lower().endswith((".jpg", ".png")) for name in files)):
            found = ", ".join(name.rsplit("/", 1)[-1] for name in archives)
            raise UserError(f"{path}: expected pictures or a single archive, found both or several: {found}")
        if not archives:
            lines = (f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in files.items())
            return Source(path, tuple(files), _hash(lines))
        path /= archives[0]
    elif not is_archive(path.name):
        raise UserError(f"{path}: expected a folder or one of {', '.join(ARCHIVES)}")
    state = path.stat()
    return Source(path, tuple(sorted(_members(path))), _hash([f"{path.name} {state.st_size} {state.st_mtime_ns}"]))


def _files(folder: Path, before: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below a folder that is not hidden: its name from there, and its state from a single look."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder / entry.name, f"{before}{entry.name}/")
            elif not entry.name.startswith("."):
                with suppress(OSError):  # a link that leads nowhere
                    state = entry.stat()
                    if stat.S_ISREG(state.st_mode):
                        yield before + entry.name, state


def _members(path: Path) -> Iterator[str]:
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (i.filename for i in archive.infolist() if not i.is_dir())
        else:
            with _tar(path) as tar:
                yield from (m.name for m in tar if m.isfile())
    except DAMAGED as error:
        raise UserError(f"{path}: expected a whole archive, but reading its list failed: {error}") from None


def _hash(lines) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
