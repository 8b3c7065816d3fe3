"""Synthetic data sets: drawn faces laid out as a real data set is published, its known flaws included.

The embedded default of the study, so that it runs with nothing downloaded. A file SYNTHETIC.txt marks them.
"""

import io
import os
import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gralib.drawing import MAX_AGE, Subject, draw_face
from gralib.sources import DRAWN

_DECADE_SHARES = (0.13, 0.08, 0.30, 0.19, 0.095, 0.09, 0.055, 0.033, 0.02, 0.005, 0.002)  # 0-9, 10-19, ...


def sample_ages(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Return (n,) ages in whole years, 0 to 116, spread like UTKFace's: most 20 to 40, many small children."""
    decade = rng.choice(len(_DECADE_SHARES), size=n, p=_DECADE_SHARES)
    within = rng.random(n)
    within = np.where(decade == 0, within**1.6, within)  # more babies than children of nine
    return np.minimum(decade * 10 + (within * 10).astype(np.int64), MAX_AGE)


def _utkface(folder: Path, subjects: int, seed: int) -> None:
    """Write UTKFace's layout into `folder`: one folder of pictures with their labels in the names.

    The flaws of the published set sit at fixed subjects, so that more subjects add files and change none.
    """
    home = folder / "UTKFace"
    home.mkdir()
    stamp = ""
    for number in range(subjects):
        rng = np.random.default_rng([seed, number])
        subject = Subject.draw_at_random(rng, f"s{number:05}")
        for place, age in enumerate(_distinct_ages(rng, int(rng.integers(2, 6)))):
            picture = _jpeg(draw_face(subject, age, rng))
            first = place == 0
            if not (first and number % 80 == 9):  # a few share the time stamp of the picture before
                stamp = _time_stamp(rng)
            name = _utkface_name(subject, age, stamp)
            while (home / name).exists():
                name = _utkface_name(subject, age, stamp := _time_stamp(rng))
            if first:
                if number % 28 == 10:  # copies under another name, about one file in a hundred
                    other = _copy_name(subject, age, number // 28, rng)
                    (home / other).write_bytes(picture)
                name = _FLAWED_NAMES.get(number, str)(name)
                picture = _FLAWED_FILES.get(number, bytes)(picture)
            (home / name).write_bytes(picture)


def _utkface_name(subject: Subject, age: int, stamp: str, flip_gender: bool = False) -> str:
    gender = int((subject.gender == "female") != flip_gender)
    return f"{age}_{gender}_{subject.race}_{stamp}.jpg.chip.jpg"


def _copy_name(subject: Subject, age: int, number: int, rng: np.random.Generator) -> str:
    """Return the name of copy `number`: the first disagrees on gender, every second one on age."""
    years = int(rng.integers(3, 9)) if number % 2 else 0
    other = age + years if age + years <= MAX_AGE else age - years
    return _utkface_name(subject, other, _time_stamp(rng), flip_gender=number == 0)


_FLAWED_NAMES: dict[int, Callable[[str], str]] = {  # of the first picture of these subjects
    0: lambda name: re.sub(r"_\d(_\d{17})", r"\1", name),  # no race
    1: lambda name: re.sub(r"_\d(_\d{17})", r"\1", name),
    2: lambda name: re.sub(r"(\d{16})\d\.", r"\1.", name),  # a date of 16 digits
    3: lambda name: re.sub(r"(\d{17})\.", r"\g<1>0.", name),  # a date of 18 digits
    4: lambda name: name.replace(".jpg.chip", " .jpg.chip"),
    5: lambda name: name.replace(".jpg.chip", "jpg.chip"),
}
_FLAWED_FILES: dict[int, Callable[[bytes], bytes]] = {
    6: lambda picture: picture[: len(picture) // 2],
    7: lambda picture: b"404: picture not found\n",
}
_FEWEST_SUBJECTS = 11  # so that every kind of flaw is there


def _distinct_ages(rng: np.random.Generator, n: int) -> list[int]:
    ages: set[int] = set()
    while len(ages) < n:
        ages.update(sample_ages(rng, n - len(ages)).tolist())
    return sorted(ages)


def _time_stamp(rng: np.random.Generator) -> str:
    """Return 17 digits, yyyymmddHHMMSSmmm, from the weeks in which UTKFace was put together."""
    moment = datetime(2017, 1, 3) + timedelta(milliseconds=int(rng.integers(0, 18 * 24 * 3600 * 1000)))
    return moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03}"


def _jpeg(picture: Image.Image) -> bytes:
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=92, comment=DRAWN)
    return held.getvalue()


_LAYOUTS: dict[str, Callable[[Path, int, int], None]] = {"utkface": _utkface}


def write(layout: str, folder: Path, subjects: int = 400, seed: int = 0) -> int:
    """Write a synthetic data set as a real one is laid out; `folder` appears complete or not at all.

    Args:
        layout: whose files to imitate: 'utkface'.
        folder: where to; must be missing or empty.
        subjects: how many persons, at least 11, with 2 to 5 pictures each. More subjects extend a smaller set.
        seed: of all chance; the same seed gives the same bytes.

    Returns:
        The number of files written, `SYNTHETIC.txt` included.

    Raises:
        ValueError: an unknown layout, or too few subjects.
        FileExistsError: `folder` exists and is not an empty folder.
    """
    if layout not in _LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(_LAYOUTS)}, got {layout!r}")
    if subjects < _FEWEST_SUBJECTS:
        raise ValueError(f"subjects: expected at least {_FEWEST_SUBJECTS}, got {subjects}")
    folder = Path(folder).absolute()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder}: expected no such folder or an empty one, got one with something in it")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        _LAYOUTS[layout](part, subjects, seed)
        files = 1 + sum(path.is_file() for path in part.rglob("*"))
        (part / "SYNTHETIC.txt").write_text(
            "The faces in this folder are drawn, not photographed: they show nobody, and results on them say "
            f"nothing about people. gralib.datasets.synthetic drew them in the layout '{layout}' with seed {seed}: "
            f"{subjects} subjects, {files} files with this one.\n",
            encoding="utf-8",
        )
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return files
