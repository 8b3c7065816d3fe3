"""One module a data set as published, registered by being here.

Each has `DATA` (see `gralib.registry`) and `load(source) -> Manifest`; and `draw(folder, subjects, seed)`, which writes
drawn faces as the set is published, where `gralib.synthetic.layouts` does not.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from gralib import synthetic
from gralib.data.manifest import COPY, Manifest
from gralib.data.sources import open_source
from gralib.errors import UserError, from_root
from gralib.registry import data_sets
from gralib.synthetic.layouts import LAYOUTS


def find_root(dataset: str, root: str | Path = "") -> Path:
    """Return where the pictures of a data set are.

    That is `root` if given; else `data/<dataset>` if anything is there; else `data/synthetic/<dataset>`, where
    drawn faces stand in for them (and are drawn first if need be).

    Raises:
        UserError: an unknown data set, or one without files here that nothing draws.
    """
    module = _module(dataset)
    if str(root):
        return from_root(root)
    if holds_files(dataset):
        return from_root(f"data/{dataset}")
    drawn = from_root(f"data/synthetic/{dataset}")
    if not drawn.exists():
        if dataset not in LAYOUTS and not hasattr(module, "draw"):
            raise UserError(f"data/{dataset}: expected its files, and nothing draws faces like them; "
                            f"gra data how-to {dataset} says how to get them")  # fmt: skip
        try:
            draw(dataset, drawn)
        except OSError:
            if not drawn.exists():  # else another process was quicker
                raise
    return drawn


def draw(dataset: str, folder: Path, subjects: int = 400, seed: int = 0) -> int:
    """Write drawn faces into `folder` as a data set is published, and return the number of files.

    Raises:
        UserError: an unknown data set.
        ValueError, FileExistsError: as `gralib.synthetic.write`.
    """
    return synthetic.write(dataset, folder, subjects, seed, getattr(_module(dataset), "draw", None))


def holds_files(dataset: str) -> bool:
    """Tell whether anything is in `data/<dataset>`; half a download, whose name starts with a dot, is nothing."""
    folder = from_root(f"data/{dataset}")
    return folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())


def load(dataset: str, root: str | Path) -> Manifest:
    """Read the names and labels of a data set at `root`, a folder or an archive.

    Raises:
        UserError: an unknown data set, nothing at `root`, or files that cannot be those of the data set.
    """
    return _module(dataset).load(open_source(root))


def missing(manifest: Manifest) -> int:
    """Return how many pictures fewer than published are here, copies not counted; 0 for drawn faces."""
    reasons, published = manifest.rows["reason"], data_sets()[manifest.dataset].pictures or 0
    here = ~(reasons.str.startswith(COPY) | reasons.str.contains("not here"))
    return 0 if manifest.source.synthetic else max(0, published - int(here.sum()))


def _module(dataset: str) -> ModuleType:
    if dataset not in data_sets():
        raise UserError(f"dataset: expected one of {', '.join(data_sets())}, got {dataset!r}")
    return import_module(f"gralib.data.formats.{dataset}")
