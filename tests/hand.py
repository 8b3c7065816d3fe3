"""Runs written by hand: the faces, answers and constants a test names, and nothing trained or read from a disk."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from gralib.labels import GENDERS, output_names
from gralib.training import grids
from gralib.training.experiment import constants_of


def people(ages, genders="mf", groups=None, names=None):
    """Return the labels of test faces: ages in years, genders by first letter (repeated), group of each face."""
    ages = np.asarray(ages, dtype=float)
    word = dict(zip("mf", GENDERS, strict=True))
    return pd.DataFrame({
        "path": names or [f"face{i:04d}.jpg" for i in range(len(ages))],
        "age": ages,
        "age_group": None,
        "gender": [word[g] for g in np.resize(list(genders), len(ages))],
        "group": [str(g) for g in (groups if groups is not None else range(len(ages)))],
    })  # fmt: skip


def answers(right, genders):
    """Return gender outputs (n, 2) that are right where `right` says so, with 0.9 for the answer."""
    male = (np.asarray(genders) == GENDERS[0]) == np.asarray(right, dtype=bool)
    return np.where(male[:, None], [0.9, 0.1], [0.1, 0.9])


def certain(classes, count):
    """Return outputs (n, count) of a network that is sure of a class."""
    return np.eye(count)[np.asarray(classes)]


def middles(width):
    """Return a number of years in the middle of each category, 5, 15, 25 and so on for decades."""
    return [width * (number + 0.5) for number in range(116 // width + 1)]


def run(config, faces, outputs, constants=None, fingerprint="by-hand", **record):
    """Return a run as `gralib.training.records.Run` shows it: made of `outputs` for `faces`.

    Constants are of these faces if none are given, but for what a category stands for: half its width above its start.
    """
    means = {"category_means": middles(config.age_width)} if config.task == "age_category" else {}
    table = pd.DataFrame(np.asarray(outputs, dtype=float), columns=output_names(config))
    made = SimpleNamespace(
        record=SimpleNamespace(
            config=config,
            run_id=config.run_id(fingerprint),
            fingerprint=fingerprint,
            constants={**means, **constants} if constants else {**constants_of(config, faces), **means},
            **{"synthetic": False, "finished": "2026-01-01T00:00:00+00:00", **record},
        ),
        folder=Path("made by hand, not on a disk"),
        predictions=faces.reset_index(drop=True).drop(columns="race", errors="ignore").join(table),
        tested=pd.DataFrame({"race": None}, faces.index).assign(**faces).reset_index(drop=True),
        converged=True,
    )
    made.same_faces = lambda other: (
        other.record.fingerprint == fingerprint and other.predictions["path"].equals(made.predictions["path"])
    )
    return made


def gender_run(config, faces, right, **options):
    """Return a gender run that is right about the faces `right` says."""
    return run(config, faces, answers(right, faces["gender"]), **options)


def in_grid(name, setting, seed, **fields):
    """Return the configurations of a setting of a grid as the laptop's grids have them."""
    return grids.configs_for(name, setting, seed, "utkface", "laptop", **fields)
