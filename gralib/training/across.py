"""Networks trained on one data set, asked about the faces of the others: no tuning, no new training.

The weights of a finished run read all faces of another set. What they say is kept beside its record.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import ages
from gralib.data.faces import Faces
from gralib.errors import UserError
from gralib.files import write_bytes
from gralib.training import packed, records
from gralib.training.experiment import network, write_faces
from gralib.training.records import Run, across_name


def probe(run: Run, faces: Faces) -> Path:
    """Read all faces of another data set with a run's network, and write its outputs beside its record.

    Args:
        run: of gender, age category or age group; its weights are here.
        faces: of another data set than it was trained on.

    Raises:
        UserError: a run of age remainders, faces of the run's own data set, or weights that are not here.
    """
    record, name = run.record, across_name(faces.dataset, faces.fingerprint)
    if record.config.task == "age_regression" or record.config.dataset == faces.dataset:
        raise UserError(f"{record.run_id}: expected a run of classes and faces of another data set: {faces.dataset}")
    if name in run.files:
        return run.folder / name
    from gralib.training.fit import predict

    rows = np.flatnonzero(_askable(record.config.task, faces.table))
    outputs = predict(network(run), np.asarray(faces.pixels), rows, record.config.mirrored_prediction)
    write_faces(run.folder.parent, faces)
    write_bytes(run.folder / name, packed.pack_predictions(record.config, rows, outputs))
    records.vouch(run.folder, name, records.faces_name(faces.dataset, faces.fingerprint))
    return run.folder / name


def read(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield for every other data set that `probe` read its name, and one row a face: its labels and the outputs.

    Raises:
        UserError: a table that is none of these faces.
    """
    for name in run.files:
        if not (parts := records.ACROSS.fullmatch(name)):
            continue
        try:
            rows, outputs = packed.unpack_predictions(run.record.config, (run.folder / name).read_bytes())
            path = records.path_of(run.folder, records.faces_name(*parts.groups()))
            tested = packed.faces_at(path.read_bytes(), rows.tobytes())
        except (OSError, ValueError, IndexError) as error:
            raise UserError(f"{run.folder / name}: expected outputs for faces of {parts[1]}; {error}") from None
        yield parts[1], pd.concat([tested, outputs], axis=1)


def groups_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the number of each face's age group, -1 where its age lies between two."""
    named = pd.Categorical(table["age_group"], categories=ages.GROUP_NAMES).codes.astype(np.int64)
    return np.where(named >= 0, named, ages.group_of(table["age"].fillna(-1).to_numpy(dtype=float)))


def _askable(task: str, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which faces have the label that a task is judged by."""
    if task == "gender":
        return table["gender"].notna().to_numpy()
    grouped = groups_of(table) >= 0
    return grouped if task == "age_group" else grouped | table["age"].notna().to_numpy()
