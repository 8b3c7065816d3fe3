"""A folder of the cache: it appears whole, and is believed only as long as its bytes are those that were written."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from gralib.errors import writing
from gralib.files import NO_FILE, digest

META = "meta.json"


class Damaged(Exception):
    """What is wrong with a folder of the cache."""


def seal(folder: Path, **said: Any) -> None:
    """Write meta.json: the SHA-256 of every other file of `folder`, and what is `said` of them."""
    files = {path.name: digest(path) for path in sorted(folder.iterdir())}
    (folder / META).write_text(json.dumps({**said, "files": files}, indent=1))


def checked(folder: Path, *names: str) -> dict[str, Any]:
    """Return meta.json of `folder` once all `names` have the bytes it tells of; 40 ms for the faces of UTKFace.

    Raises:
        Damaged: meta.json or a file is missing, altered or cut short.
    """
    try:
        meta = json.loads((folder / META).read_bytes())
        files = {name: meta["files"][name] for name in names}
    except OSError:
        raise Damaged(f"{META} is missing") from None
    except (ValueError, KeyError, TypeError):
        raise Damaged(f"{META} is damaged") from None
    for name, expected in files.items():
        if (found := digest(folder / name)) != expected:
            raise Damaged(f"{name} is missing" if found == NO_FILE else f"{name} is not as it was written")
    return meta


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time make `folder`; what one that was killed left of it is removed.

    Raises:
        UserError: the folder above cannot be written.
    """
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder.parent / f".lock-{folder.name}").acquire()
    with held:
        for left in folder.parent.glob(f".{folder.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` at the end, in place of a damaged one, and goes if that fails."""
    with writing(folder.parent):
        place = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    part = place / "new"
    try:
        with writing(folder.parent):
            part.mkdir()
        yield part
        with writing(folder.parent):
            if folder.exists():
                folder.rename(place / "old")
            part.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
