"""Files written whole or not at all, whether a process is killed or the power is lost."""

import errno
import os
import tempfile
from pathlib import Path

from gralib.errors import writing


def write_text(path: Path, text: str) -> None:
    """Write a file of text whole or not at all, its folder too if missing."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, its folder too if missing."""
    with writing(path):
        make_folder(path.parent)
        part = tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False)  # noqa: SIM115
        try:
            with part:
                part.write(data)
            Path(part.name).chmod(0o644)
            put(Path(part.name), path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, so that they survive a loss of power."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def put(part: Path, path: Path) -> None:
    """Give a written file, or a folder of such, its name: `path` is as it was or as `part` is, and now the latter."""
    for inside in part.rglob("*") if part.is_dir() else ():
        _sync(inside)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Return once the disk holds what is in a file, or the names in a folder; some file systems sync no folders."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(opened)
