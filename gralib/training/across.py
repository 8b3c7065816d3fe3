"""Networks trained on one data set, asked about the faces of the others: no tuning, no new training.

The weights of a finished run read all faces of another set. What they say is kept beside its record.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib.data.faces import Faces
from gralib.errors import UserError
from gralib.files import write_bytes
from gralib.labels import groups_of
from gralib.training import packed, records
from gralib.training.experiment import network, write_faces
from gralib.training.records import Run, across_name


def probe(run: Run, faces: Faces) -> Path:
    """Read all faces of another data set with a run's network, and write its outputs beside its record.

    Args:
        run: of gender, age category or age group; its weights are here.
        faces: of another data set than it was trained on.

    Raises:
        UserError: a run of age remainders, faces of the run's own data set, none with the run's label, or weights that
            are not here.
    """
    record, name = run.record, across_name(faces.dataset, faces.fingerprint)
    if record.config.task == "age_regression" or record.config.dataset == faces.dataset:
        raise UserError(f"{record.run_id}: expected a run of classes and faces of another data set: {faces.dataset}")
    if name in run.files:
        return run.folder / name
    rows = np.flatnonzero(askable(record.config.task, faces.table))
    if not len(rows):
        raise UserError(f"{record.run_id}: expected faces labelled with {record.config.task}, {faces.dataset} has none")
    model = network(run)
    from gralib.training.fit import predict  # loads the backend, which `network` started

    outputs = predict(model, np.asarray(faces.pixels), rows, record.config.mirrored_prediction)
    write_faces(run.folder.parent, faces)
    write_bytes(run.folder / name, packed.pack_predictions(record.config, rows, outputs))
    records.vouch(run.folder, name, records.faces_name(faces.dataset, faces.fingerprint))
    return run.folder / name


def askable(task: str, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which faces have the label that a task is judged by."""
    if task == "gender":
        return table["gender"].notna().to_numpy()
    grouped = groups_of(table) >= 0
    return grouped if task == "age_group" else grouped | table["age"].notna().to_numpy()
