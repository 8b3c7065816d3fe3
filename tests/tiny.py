"""A tiny training of every task on drawn faces, each made once a session: for golden numbers, wiring and invariants.

GRA_Net takes a dozen seconds to trace, so it learns two of the four tasks, and quicker methods the other two.
"""

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from gralib import synthetic
from gralib.config import Dataset, RunConfig, configure
from gralib.data.faces import Faces, open_faces
from gralib.files import path_of
from gralib.training import experiment, records
from gralib.training.records import Run

SETTINGS = {"width": 2, "epochs": 3, "train_faces": 160, "batch_size": 32, "recipe": "keras"}
RUNS: dict[str, dict[str, Any]] = {
    "gender": {"task": "gender"},
    "gender, tuned": {"task": "gender", "recipe": "tuned"},
    "age regression": {"task": "age_regression"},
    "age category, separable": {"task": "age_category", "network": "separable"},
    "age group, separable": {"task": "age_group", "network": "separable", "dataset": "adience"},
    "gender, hog": {"task": "gender", "network": "hog"},
}


def config(name: str) -> RunConfig:
    """Return the configuration of a tiny run."""
    return configure("smoke", **{**SETTINGS, **RUNS[name]})


def draw(dataset: Dataset, folder: Path) -> Faces:
    """Draw the faces of 120 subjects in a data set's layout, flaws included, and return them decoded."""
    folder.mkdir(exist_ok=True)
    with FileLock(folder / f".{dataset}.lock"):
        if not (folder / dataset).exists():
            synthetic.write(dataset, folder / dataset, subjects=120, seed=0)
    return open_faces(dataset, folder / dataset, cache=folder / "cache", progress=False)


def train(name: str, folder: Path) -> Run:
    """Return a tiny run, its faces drawn and its store made in `folder`."""
    chosen = config(name)
    return experiment.run(chosen, draw(chosen.dataset, folder), folder / "runs", progress="none")


def copied(run: Run, store: Path) -> Run:
    """Return a copy of a run in another store, weights and faces' table with it, for a test that writes beside it."""
    faces = path_of(run.folder, records.faces_of(run.record))
    shutil.copytree(run.folder, store / run.folder.name)
    (store / records.FACES).mkdir(exist_ok=True)
    shutil.copy(faces, store / records.FACES)
    return Run(store / run.folder.name)
