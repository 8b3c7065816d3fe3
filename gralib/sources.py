"""A data set's files as downloaded: a folder, or an archive that is read in place and never unpacked."""

import gzip
import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gralib.errors import UserError

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
MARKER = "SYNTHETIC.txt"
"""A file of this name says that the pictures beside it are drawn."""
DRAWN = b"synthetic face, drawn by gralib"
"""Comment inside every drawn JPEG, which says the same wherever the file goes."""


def is_archive(path: Path) -> bool:
    """Tell whether the name is that of an archive we read."""
    return path.name.lower().endswith(ARCHIVES)


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
    def reader(self):
        """Yield a function from a name to the file's bytes; not safe to call from several threads."""
        if self.path.is_dir():
            yield lambda name: (self.path / name).read_bytes()
        elif self.path.suffix.lower() == ".zip":
            with zipfile.ZipFile(self.path) as archive:
                yield archive.read
        else:
            with _plain(self.path) as file, tarfile.open(fileobj=file) as tar:
                members = {m.name: m for m in tar if m.isfile()}
                yield lambda name: tar.extractfile(members[name]).read()  # type: ignore[union-attr]


def unsafe(name: str) -> bool:
    """Tell whether a name would lead out of the folder it belongs to."""
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":"


@contextmanager
def _plain(path: Path):
    """Yield a tar file that can be read in any order: a packed one would be unpacked anew for each step back."""
    if path.suffix.lower() == ".tar":
        with path.open("rb") as file:
            yield file
    else:
        with gzip.open(path) as packed, tempfile.TemporaryFile() as file:
            shutil.copyfileobj(packed, file, 1 << 20)
            file.seek(0)
            yield file


def open_source(root: str | Path) -> Source:
    """Find the files at `root`: a folder of files, an archive, or a folder that holds one archive.

    Raises:
        UserError: nothing there, an empty folder, several archives, or one that cannot be read.
    """
    path = Path(root)
    if not path.exists():
        raise UserError(f"{path}: not found; expected a folder of pictures or one of {', '.join(ARCHIVES)}")
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.is_file() and not f.name.startswith("."))
        archives = [f for f in files if is_archive(f)]
        if not files:
            raise UserError(f"{path}: the folder is empty; expected pictures or one of {', '.join(ARCHIVES)}")
        if len(archives) > 1 or (archives and any(f.suffix.lower() in (".jpg", ".png") for f in files)):
            found = ", ".join(f.name for f in archives)
            raise UserError(f"{path}: expected pictures or a single archive, found both or several: {found}")
        if not archives:
            entries = [(f.relative_to(path).as_posix(), f.stat()) for f in files]
            lines = (f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in entries)
            return Source(path, tuple(name for name, _ in entries), _hash(lines))
        path = archives[0]
    elif not is_archive(path):
        raise UserError(f"{path}: expected a folder or one of {', '.join(ARCHIVES)}")
    stat = path.stat()
    return Source(path, tuple(sorted(_members(path))), _hash([f"{path.name} {stat.st_size} {stat.st_mtime_ns}"]))


def _members(path: Path) -> Iterator[str]:
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (i.filename for i in archive.infolist() if not i.is_dir())
        else:
            with tarfile.open(path) as tar:
                yield from (m.name for m in tar if m.isfile())
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise UserError(f"{path}: expected a whole archive, but reading its list failed: {error}") from None


def _hash(lines) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
