"""The runs behind a claim or a run's name, and making them again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gralib.config import RunConfig
from gralib.data.faces import Faces, open_faces
from gralib.errors import UserError
from gralib.evaluation import claims
from gralib.evaluation.measures import outputs_of
from gralib.evaluation.protocol import load
from gralib.training import records
from gralib.training.experiment import run
from gralib.training.records import Run

STORE = "build/reproduced"
"""Runs made again, apart from the first ones."""


@dataclass(frozen=True)
class Asked:
    """A run to make again: its configuration, and the record to compare with, if there is one."""

    config: RunConfig
    before: Run | None


def asked(name: str) -> list[Asked]:
    """Return exactly the runs behind a claim's numbers, or those that its rule asks for where none is judged.

    Args:
        name: of a claim, or of a run.

    Raises:
        UserError: neither, or a claim without runs.
    """
    runs = records.gather()[0]
    protocol, by_name = load(), {run.record.run_id: run for run in runs}
    if name in by_name:
        return [Asked(by_name[name].record.config, by_name[name])]
    if name not in protocol.rules:
        raise UserError(f"{name}: expected a claim ({', '.join(protocol.rules)}) or the name of a recorded run")
    if protocol.rules[name].primary is None:
        raise UserError(f"{name}: expected a claim with runs; gra checks makes the calculations again")
    known = claims.known_runs(runs)
    rows = claims.judge_claim(protocol, protocol.rules[name], known)
    used = dict.fromkeys(run_id for row in rows for run_id in str(row.get("run_ids", "")).split())
    if rows[0].get("run_ids"):
        return [Asked(by_name[run_id].record.config, by_name[run_id]) for run_id in used]
    return [Asked(config, known.get(config)) for config in protocol.configs(name)]


def made_again(wanted: Sequence[Asked], root: str = "") -> Iterator[str]:
    """Train the runs into `STORE`, those there already read back, and yield a line about each; see `compared`.

    Args:
        wanted: as of `asked`.
        root: of the pictures, as for `gralib.data.faces.open_faces`; drawn faces where the run before had them.

    Raises:
        UserError: other faces than before.
    """
    for dataset in dict.fromkeys(one.config.dataset for one in wanted):
        mine = [one for one in wanted if one.config.dataset == dataset]
        drawn = all(one.before and one.before.record.synthetic for one in mine)
        place = root or (f"data/synthetic/{dataset}" if drawn else "")
        faces = open_faces(dataset, place)
        for one in mine:
            _check(one, faces)
            yield compared(one.before, run(one.config, faces, STORE, again=True, threads=1))


def _check(one: Asked, faces: Faces) -> None:
    if one.before is None and faces.synthetic:
        raise UserError(f"{faces.dataset}: expected real faces, as a claim asks for; name them with --root")
    if one.before and one.before.record.fingerprint != faces.fingerprint:
        name = one.before.record.run_id
        raise UserError(f"{name}: expected faces {one.before.record.fingerprint}, got {faces.fingerprint}; see --root")


def compared(before: Run | None, after: Run) -> str:
    """Return whether a run made again says the same of its test faces, and by how much it differs."""
    name = after.record.run_id
    if before is None:
        return f"{name}: made for the first time, nothing to compare with"
    if not before.same_faces(after):
        return f"{name}: other test faces than before"
    one, other = (outputs_of(run.record.config, run.predictions) for run in (before, after))
    off = float(np.abs(one - other).max())
    if not off:
        return f"{name}: identical"
    answers = int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
    return f"{name}: differs by at most {off:.3g} in an output, in {answers} of {len(one)} answers"


def commands(found: Iterable[Asked]) -> list[str]:
    """Return a line a run: what it is, and whether it is recorded."""
    return [
        f"{one.config.dataset} {one.config.task} seed {one.config.seed} fold {one.config.fold}: "
        + (one.before.record.run_id if one.before else "not run yet")
        for one in found
    ]
