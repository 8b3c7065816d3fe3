"""The shipped networks on faces of other sets, never trained on: FG-NET's photographs, Adience's faces.

Both go through the detector and are cut out as a visitor's are.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from gralib import ages, metrics
from gralib.data.formats import load
from gralib.predict import Reader
from gralib.visitors import photos, shipped
from gralib.visitors.shipped import Calibration
from gralib.visitors.shipping import COLUMNS, of_age, of_gender, rows_of

EVERY = 4
"""Of Adience's faces one in so many is read: its intervals are then a point wide, and it takes minutes."""


def measured(folder: Path, fgnet: Path | None, adience: Path | None) -> Iterator[dict]:
    """Yield rows of `gralib.visitors.shipping.COLUMNS` for the data sets that are given."""
    reader, calibration = shipped.open_networks(folder)
    if fgnet:
        yield from _of_fgnet(reader, calibration, fgnet)
    if adience:
        yield from _of_adience(reader, calibration, adience)


def _seen(dataset: str, root: Path, every: int = 1) -> tuple[pd.DataFrame, np.ndarray, dict]:
    """Return the rows of a data set in whose picture a face was found, the faces (n, 32, 32, 3), and how many were."""
    manifest = load(dataset, root)
    table, faces = manifest.kept.iloc[::every].reset_index(drop=True), []
    with manifest.source.reader() as read:
        for path in table["path"]:
            photo = photos.read(read(path), "largest")
            faces.append(None if isinstance(photo, str) or not photo.faces else photo.faces[0].pixels)
    found = np.array([face is not None for face in faces])
    share = (len(found), found.mean(), np.nan, np.nan)
    pixels = np.stack([face for face in faces if face is not None])
    return (
        table[found].reset_index(drop=True),
        pixels,
        dict(zip(COLUMNS[1:], ("face found", "all", *share), strict=True)),
    )


def _of_fgnet(reader: Reader, calibration: Calibration, root: Path) -> Iterator[dict]:
    """Yield age errors on FG-NET's photographs; a person's are drawn together."""
    table, pixels, found = _seen("fgnet", root)
    yield {"data": "FG-NET", **found}
    answers = shipped.read(reader, calibration, pixels)
    people = table.assign(group=table["subject"])[["age", "group"]]
    yield from of_age("FG-NET", people, answers.age, answers.low, answers.high, np.ones(len(people), bool))


def _of_adience(reader: Reader, calibration: Calibration, root: Path) -> Iterator[dict]:
    """Yield accuracies of gender and age group on Adience's faces; the group is that nearest to the age answered."""
    table, pixels, found = _seen("adience", root, EVERY)
    yield {"data": "Adience", **found}
    answers = shipped.read(reader, calibration, pixels)
    table = table.assign(age=np.nan)
    known = table["gender"].isin(("male", "female")).to_numpy()
    probability = np.stack([1 - answers.female, answers.female], axis=1)
    yield from of_gender("Adience", table[known], probability[known], np.ones(known.sum(), bool))
    grouped = table["age_group"].isin(ages.GROUP_NAMES).to_numpy()
    truth = pd.Categorical(table["age_group"][grouped], categories=ages.GROUP_NAMES).codes
    answer = ages.nearest_group(answers.age[grouped])
    right = {
        "age group accuracy": metrics.hits(truth, answer),
        "age group accuracy, one off": metrics.one_off(truth, answer),
    }
    yield from rows_of("Adience", table[grouped], right)
