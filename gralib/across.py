"""Trained on one data set, asked about the faces of the others: no tuning, no new training.

The weights of a finished run read all faces of another set. What they say is kept beside its record; the matrix is
made from that alone. Where one side has ages and the other Adience's groups, an age counts as the group it lies in or
next to, and only faces whose age lies in a group are asked about.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import ages, packed, records, scores
from gralib.errors import UserError
from gralib.experiment import measures, network, outputs_of, write_faces
from gralib.faces import Faces
from gralib.files import write_bytes
from gralib.records import Constants, Run, across_name

COLUMNS = ["trained", "tested", "score", "value", "low", "high", "constant", "runs", "faces", "run_ids"]


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
    from gralib.training import predict

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


def measured(run: Run, table: pd.DataFrame) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """Return the score that a run has on faces of another set, its value of each face, and the constant's.

    The constant predictor says the best of what the run's own training faces say (`gralib.experiment.constants_of`).

    Args:
        run: trained elsewhere.
        table: n rows of `read`.
    """
    config, constants = run.record.config, run.record.constants
    if config.task == "gender":
        return "accuracy", *measures(config, table, constants)["accuracy"]
    if config.task == "age_category" and table["age"].notna().all():
        return "category_mae_years", *measures(config, table, constants)["category_mae_years"]
    truth = _groups_of(table)
    answer, same = _answered(run, table, constants)
    return "group_accuracy", scores.hits(truth, answer), scores.hits(truth, same)


def _answered(run: Run, table: pd.DataFrame, constants: Constants) -> tuple[NDArray[np.int64], int]:
    """Return the group that each face is said to be in, and the one that the constant predictor says of all."""
    outputs = outputs_of(run.record.config, table)
    if run.record.config.task == "age_group":
        return outputs.argmax(axis=1), ages.GROUP_NAMES.index(str(constants["age_group"]))
    means = np.asarray(constants["category_means"], dtype=np.float64)
    return ages.nearest_group(outputs @ means), int(ages.nearest_group(np.array([constants["age"]], dtype=float))[0])


def _groups_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the number of each face's age group, -1 where its age lies between two."""
    named = pd.Categorical(table["age_group"], categories=ages.GROUP_NAMES).codes.astype(np.int64)
    return np.where(named >= 0, named, ages.group_of(table["age"].fillna(-1).to_numpy(dtype=float)))


def _askable(task: str, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which faces have the label that a task is judged by."""
    if task == "gender":
        return table["gender"].notna().to_numpy()
    grouped = _groups_of(table) >= 0
    return grouped if task == "age_group" else grouped | table["age"].notna().to_numpy()


def matrix(runs: Iterable[Run]) -> pd.DataFrame:
    """Return how networks trained on each data set do on the others, `COLUMNS`, one row a pair of sets and score.

    Runs that differ in nothing but fold and seed are averaged; the interval is over them and over groups of faces
    (`scores.interval_over_seeds`).
    """
    found: dict[tuple[str, str, str, str], list[tuple[Run, pd.DataFrame, NDArray, NDArray]]] = {}
    for run in runs:
        alike = run.record.config.model_copy(update={"fold": 0, "seed": 0}).canonical()
        for tested, table in read(run):
            score, values, constant = measured(run, table)
            found.setdefault((alike, run.record.config.dataset, tested, score), []).append(
                (run, table, values, constant)
            )
    rows = []
    for (_, trained, tested, score), parts in found.items():
        every, tables, values, constants = zip(*parts, strict=True)
        e = scores.interval_over_seeds(np.stack(values), tables[0]["group"])
        ids = " ".join(run.record.run_id for run in every)
        rows.append((trained, tested, score, e.value, e.low, e.high, np.mean(constants), len(every), e.n, ids))
    return pd.DataFrame(rows, columns=COLUMNS)
