"""One module a data set as published. Each has `load(root) -> Manifest`."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from gralib.errors import UserError
from gralib.manifest import Manifest
from gralib.sources import open_source

DATASETS = ("utkface",)


def load(dataset: str, root: str | Path) -> Manifest:
    """Read the names and labels of a data set at `root`, a folder or an archive.

    Raises:
        UserError: an unknown data set, or nothing usable at `root`.
    """
    if dataset not in DATASETS:
        raise UserError(f"dataset: expected one of {', '.join(DATASETS)}, got {dataset!r}")
    loader: Callable[..., Manifest] = import_module(f"gralib.datasets.{dataset}").load
    manifest = loader(open_source(root))
    if manifest.kept.empty:
        raise UserError(f"{manifest.source.path}: {len(manifest.rows)} files, none of them a picture of {dataset}")
    return manifest
