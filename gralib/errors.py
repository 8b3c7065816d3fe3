"""The one exception for a user's mistake, and the root folder that relative paths start from."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

ROOT = Path(os.environ.get("GRA_ROOT", Path(__file__).resolve().parents[1])).expanduser()
"""Where `data/`, `cache/`, `runs/` and `reports/` are: the checkout, or the environment's GRA_ROOT."""


class UserError(Exception):
    """Something the user can mend. One line: the file or parameter, what was expected, what came."""

    def __init__(self, text: str):
        super().__init__(" ".join(text.splitlines()))

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the one line (IPython looks for this name)."""
        return [f"{type(self).__name__}: {self}"]


class FailedTraining(UserError):
    """A training that cannot be brought to its end; its run is marked as failed."""


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder met inside into a UserError of one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: could not be written: {error.strerror or error}") from None


def expanded(path: str | Path) -> Path:
    """Return `path` with `~` as the home it stands for."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: expected a path; no such home") from None


def from_root(path: str | Path) -> Path:
    """Return `path` with `~` as the home it stands for, and a relative one taken from the project's root.

    Notebooks run in a folder of their own, so nothing is taken from the folder a process is in.
    """
    return ROOT / expanded(path)


def explain(error: "ValidationError", known: Iterable[str] = ()) -> str:
    """Return a pydantic error as one line: each field, what was expected, what came; of an unknown one those known."""
    parts = []
    for item in error.errors(include_url=False):
        name = ".".join(str(p) for p in item["loc"])
        message = item["msg"].replace("Input should be ", "expected ").removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            parts.append(f"{name}: unknown" + (f"; the fields are {', '.join(known)}" if known else ""))
        else:
            parts.append(f"{name}: {message}, got {item['input']!r}" if name else message)
    return "; ".join(parts)
