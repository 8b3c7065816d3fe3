"""Files written whole or not at all, whether a process is killed or the power is lost; checksums that tell whether they
are as they were written."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from gralib.errors import UserError, writing

SUMS = "SHA256SUMS"
"""In a folder: the checksums of its files, as `sha256sum --check` reads them."""
NO_FILE = "no file"


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


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, `NO_FILE` where none can be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return NO_FILE


def path_of(folder: Path, name: str) -> Path:
    """Return where a file is that a folder's checksums name; what lies beside the folder is not sought through it."""
    return Path(os.path.normpath(folder / name))


def sums_of(folder: Path, expected: str) -> dict[str, str]:
    """Return the checksums of a folder by name.

    Raises:
        UserError: there are none; `expected` says what should be there.
    """
    try:
        lines = (folder / SUMS).read_text().splitlines()
        return {name: found for found, name in (line.split("  ") for line in lines)}
    except (OSError, ValueError):
        raise UserError(f"{folder / SUMS}: expected {expected}") from None


def check_sums(folder: Path, sums: Mapping[str, str | None]) -> None:
    """Hold files against their checksums.

    Raises:
        UserError: a file is missing or was changed.
    """
    for name, expected in sorted(sums.items()):
        if (found := digest(path := path_of(folder, name))) != expected:
            raise UserError(f"{path}: changed since it was written; expected SHA-256 {expected}, got {found}")


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write the checksums of a folder, by name."""
    write_text(folder / SUMS, "".join(f"{found}  {name}\n" for name, found in sums.items()))


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the checksums of some files as they are now, by name."""
    return {name: digest(path_of(folder, name)) for name in names}
