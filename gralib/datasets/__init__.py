"""One module a data set as published. Each has `load(root) -> Manifest`."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from gralib.config import TASKS
from gralib.errors import UserError, from_root
from gralib.manifest import COPY, Manifest
from gralib.sources import open_source

DATASETS = tuple(TASKS)
PUBLISHED = {"fgnet": 1_002, "afad": 164_432, "wikipedia": 62_328, "utkface": 23_708, "adience": 19_370}
"""Pictures of each set as published; AFAD-Lite has 59,344."""


def find_root(dataset: str, root: str | Path = "") -> Path:
    """Return where the pictures of a data set are.

    That is `root` if given; else `data/<dataset>` if anything is there; else `data/synthetic/<dataset>`, where
    drawn faces stand in for them (and are drawn first if need be).

    Raises:
        UserError: an unknown data set.
    """
    _check(dataset)
    if str(root):
        return from_root(root)
    if holds_files(dataset):
        return from_root(f"data/{dataset}")
    drawn = from_root(f"data/synthetic/{dataset}")
    if not drawn.exists():
        from gralib.datasets import synthetic

        try:
            synthetic.write(dataset, drawn)
        except OSError:
            if not drawn.exists():  # else another process was quicker
                raise
    return drawn


def holds_files(dataset: str) -> bool:
    """Tell whether anything is in `data/<dataset>`; half a download, whose name starts with a dot, is nothing."""
    folder = from_root(f"data/{dataset}")
    return folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())


def load(dataset: str, root: str | Path) -> Manifest:
    """Read the names and labels of a data set at `root`, a folder or an archive.

    Raises:
        UserError: an unknown data set, nothing at `root`, or files that cannot be those of the data set.
    """
    _check(dataset)
    loader: Callable[..., Manifest] = import_module(f"gralib.datasets.{dataset}").load
    return loader(open_source(root))


def missing(manifest: Manifest) -> int:
    """Return how many pictures fewer than published are here, copies not counted; 0 for drawn faces."""
    reasons = manifest.rows["reason"]
    here = ~(reasons.str.startswith(COPY) | reasons.str.contains("not here"))
    return 0 if manifest.source.synthetic else max(0, PUBLISHED[manifest.dataset] - int(here.sum()))


def _check(dataset: str) -> None:
    if dataset not in DATASETS:
        raise UserError(f"dataset: expected one of {', '.join(DATASETS)}, got {dataset!r}")
