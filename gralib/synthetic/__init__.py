"""Synthetic data sets: drawn faces laid out as a real data set is published, its known flaws included.

The embedded default of the study, so that it runs with nothing downloaded. A file SYNTHETIC.txt marks them.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from gralib.errors import writing
from gralib.files import make_folder, put
from gralib.labels import MARKER
from gralib.synthetic.layouts import FEWEST_SUBJECTS, LAYOUTS

NOTE = """\
The faces in this folder are drawn, not photographed: they show nobody, and results on them say nothing about people. \
gralib.synthetic drew them in the layout '{layout}' with seed {seed}: {subjects} subjects, {files} files with this one.
"""
"""What the file that marks them says."""


def write(
    layout: str, folder: Path, subjects: int = 400, seed: int = 0, draw: Callable[[Path, int, int], None] | None = None
) -> int:
    """Write a synthetic data set as a real one is laid out; `folder` appears complete or not at all.

    Args:
        layout: whose files to imitate: 'fgnet', 'afad', 'wikipedia', 'utkface' or 'adience'.
        folder: where to; must be missing or empty.
        subjects: how many persons, at least 11, with 2 to 5 pictures each. More subjects extend a smaller set.
        seed: of all chance; the same seed gives the same bytes.
        draw: writes that many subjects under a seed into a folder; of the layouts known here, that of `layout`.

    Returns:
        The number of files written, `SYNTHETIC.txt` included.

    Raises:
        ValueError: an unknown layout, or too few subjects.
        FileExistsError: `folder` exists and is not an empty folder.
    """
    draw = draw or LAYOUTS.get(layout)
    if draw is None:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if subjects < FEWEST_SUBJECTS:
        raise ValueError(f"subjects: expected at least {FEWEST_SUBJECTS}, got {subjects}")
    folder = Path(folder).absolute()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder}: expected no such folder or an empty one, got one with something in it")
    with _appearing(folder) as part, writing(folder):
        draw(part, subjects, seed)
        files = 1 + sum(path.is_file() for path in part.rglob("*"))
        note = NOTE.format(layout=layout, seed=seed, subjects=subjects, files=files)
        (part / MARKER).write_text(note, encoding="utf-8")
    return files


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` at the end, and goes if that fails or another drew the same faces."""
    part = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        with writing(folder):
            make_folder(part.parent)
            part.mkdir()
        yield part
        try:
            put(part, folder)
        except OSError:
            note = folder / MARKER
            if not note.exists() or note.read_bytes() != (part / MARKER).read_bytes():
                raise  # else another process drew the same faces meanwhile
    finally:
        shutil.rmtree(part, ignore_errors=True)
