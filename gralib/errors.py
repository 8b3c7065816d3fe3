"""The one exception for a user's mistake, and the root folder that relative paths start from."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("GRA_ROOT", Path(__file__).resolve().parents[1]))
"""Where `data/`, `cache/`, `runs/` and `reports/` are: the checkout, or the environment's GRA_ROOT."""


class UserError(Exception):
    """Something the user can mend. One line: the file or parameter, what was expected, what came."""


def from_root(path: str | Path) -> Path:
    """Return `path`, a relative one taken from the project's root (notebooks run in a folder of their own)."""
    return ROOT / path
