"""Runs from one store to another, with the faces they were tested on: whole, or not at all."""

from pathlib import Path

from gralib.errors import UserError, expanded, from_root
from gralib.files import SUMS, path_of, write_bytes
from gralib.training.records import HISTORY, KEPT, PREDICTIONS, RECORD, Run, faces_of, find, gather, vouch


def keep(run: Run, store: str | Path = KEPT) -> Path:
    """Copy a run's tables, its record and the faces' table to the committed store and return the run's folder there.

    Raises:
        UserError: the store has a run or faces of that name with other content.
    """
    target = from_root(store) / run.folder.name
    here, there = ({name: path_of(folder, name) for name in run.files} for folder in (run.folder, target))
    for name in here:
        if there[name].is_file() and there[name].read_bytes() != here[name].read_bytes():
            raise UserError(f"{there[name]}: differs from {here[name]}; expected the same run, remove one")
    write_bytes(target / SUMS, (run.folder / SUMS).read_bytes())
    for name in sorted(here, key=lambda name: name == RECORD):  # the record last
        write_bytes(there[name], here[name].read_bytes())
    return target


def merge(folder: str | Path, store: str | Path = KEPT) -> tuple[list[str], list[str]]:
    """Bring the runs of another machine into `store`: all of them, or none where one is in conflict or damaged.

    A run that both have must have the same predictions and history; it stays as it is here, time stamps included, and
    gets what was measured of its network there alone.

    Returns:
        Names of the runs that came, and of those that were here already.

    Raises:
        UserError: no run in `folder`, a damaged one, or one that came out otherwise here; all are named.
    """
    runs, problems = gather([expanded(folder).resolve()])
    if not runs and not problems:
        raise UserError(f"{folder}: expected a folder of runs, such as runs/ or reports/records/; found none")
    here = {run.folder.name: found for run in runs if (found := find(run.folder.name, (store,)))}
    for run in runs:
        faces = faces_of(run.record)
        for name in (faces, PREDICTIONS, HISTORY) if run.folder.name in here else (faces,):
            theirs, ours = (path_of(folder, name) for folder in (run.folder, from_root(store) / run.folder.name))
            if ours.is_file() and theirs.read_bytes() != ours.read_bytes():
                problems.append(f"{theirs}: conflict: differs from {ours}")
    if problems:
        raise UserError("; ".join(dict.fromkeys(problems)))
    new = [run for run in runs if run.folder.name not in here]
    for run in new:
        keep(run, store)
    for run in runs:
        if run.folder.name in here:
            _complete(here[run.folder.name], run)
    return [run.folder.name for run in new], sorted(here)


def _complete(here: Run, other: Run) -> None:
    """Add to a run what another copy of it has beside the record, such as what its network says of turned faces."""
    missing = [name for name in other.files if name not in here.files]
    for name in missing:
        write_bytes(path_of(here.folder, name), path_of(other.folder, name).read_bytes())
    if missing:
        vouch(here.folder, *missing)
