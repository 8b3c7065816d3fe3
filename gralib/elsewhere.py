"""The shipped networks on faces of other sets, never trained on: FG-NET's photographs, Adience's faces."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from gralib import ages, photos, scores, shipped
from gralib.datasets import load
from gralib.faces import open_faces
from gralib.predict import Reader
from gralib.shipped import Calibration
from gralib.shipping import COLUMNS, _of_age, _of_gender, rows_of


def measured(folder: Path, fgnet: Path | None, adience: Path | None) -> Iterator[dict]:
    """Yield rows of `gralib.shipping.COLUMNS` for the data sets that are given."""
    reader, calibration = shipped.open_networks(folder)
    if fgnet:
        yield from _of_fgnet(reader, calibration, fgnet)
    if adience:
        yield from _of_adience(reader, calibration, adience)


def _of_fgnet(reader: Reader, calibration: Calibration, root: Path) -> Iterator[dict]:
    """Yield age errors on FG-NET's whole photographs, through detector and crop."""
    manifest = load("fgnet", root)
    table, faces = manifest.kept.reset_index(drop=True), []
    with manifest.source.reader() as read:
        for path in table["path"]:
            photo = photos.read(read(path), "largest")
            faces.append(None if isinstance(photo, str) or not photo.faces else photo.faces[0].pixels)
    seen = np.array([face is not None for face in faces])
    yield dict(zip(COLUMNS, ("FG-NET", "face found", "all", len(seen), seen.mean(), np.nan, np.nan), strict=True))
    pixels = np.stack([face for face in faces if face is not None])
    answers = shipped.read(reader, calibration, pixels)
    seen_table = table[seen].assign(group=table["subject"])[["age", "group"]].reset_index(drop=True)
    judged = np.ones(len(pixels), bool)
    yield from _of_age("FG-NET", seen_table, answers.age, answers.low, answers.high, judged)


def _of_adience(reader: Reader, calibration: Calibration, root: Path) -> Iterator[dict]:
    """Yield accuracies of gender and age group on Adience's faces; the group is that nearest to the age answered."""
    faces = open_faces("adience", root, progress=False)
    answers = shipped.read(reader, calibration, faces.pixels)
    table = faces.table.assign(age=np.nan)
    known = table["gender"].isin(("male", "female")).to_numpy()
    probability = np.stack([1 - answers.female, answers.female], axis=1)
    yield from _of_gender("Adience", table[known], probability[known], np.ones(known.sum(), bool))
    grouped = table["age_group"].isin(ages.GROUP_NAMES).to_numpy()
    truth = pd.Categorical(table["age_group"][grouped], categories=ages.GROUP_NAMES).codes
    answer = nearest_group(answers.age[grouped])
    right = {
        "age group accuracy": scores.hits(truth, answer),
        "age group accuracy, one off": scores.one_off(truth, answer),
    }
    yield from rows_of("Adience", table[grouped], right)


def nearest_group(age: np.ndarray) -> np.ndarray:
    """Return the number of Adience's group that each age (n,) lies in, or else nearest to."""
    low, high = np.array(ages.GROUPS, dtype=float).T
    return np.maximum(np.maximum(low - age[:, None], age[:, None] - high), 0).argmin(axis=1)
