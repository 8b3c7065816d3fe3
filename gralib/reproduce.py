"""The runs behind a claim or a run's name, and making them again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gralib.config import RunConfig
from gralib.data.faces import Faces, open_faces
from gralib.errors import UserError
from gralib.evaluation import claims
from gralib.evaluation.measures import measures_of, outputs_of
from gralib.evaluation.protocol import load
from gralib.training import records
from gralib.training.experiment import run
from gralib.training.records import Run

STORE = "build/reproduced"
"""Runs made again, apart from the first ones."""
BAND = 3.0
"""Standard errors of the paired difference by which a score may move on another processor, backend or thread count.

Sums are rounded otherwise there and every step of a training enlarges it, so that outputs say little: the run is as one
of another seed on the same faces. `make reliability` (part `band`) holds this against fewer instructions, two threads
and JAX.
"""


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
        instead = "gra checks makes it again" if protocol.rules[name].rule == "exact" else "its page says why"
        raise UserError(f"{name}: expected a claim with runs, this one has none; {instead}")
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
        before, got = one.before.record, "synthetic ones" if faces.synthetic else faces.fingerprint
        raise UserError(f"{before.run_id}: expected faces {before.fingerprint}, got {got}; name them with --root")


class Apart(NamedTuple):
    """A score of a run made again: before, now, and the difference in standard errors of the paired test faces."""

    before: float
    again: float
    errors: float


def apart(before: Run, after: Run) -> dict[str, Apart]:
    """Return how far the scores of a run made again are from what they were, by name; both on the same faces."""
    first, second = measures_of(before), measures_of(after)
    found = {}
    for name, (values, _) in first.items():
        off = second[name][0] - values
        error = float(off.std(ddof=1)) / len(off) ** 0.5
        found[name] = Apart(
            float(values.mean()), float(second[name][0].mean()), float(abs(off.mean()) / error) if error else 0.0
        )
    return found


def compared(before: Run | None, after: Run) -> str:
    """Return whether a run made again is identical to before, within `BAND` of it, or different, with the numbers."""
    name = after.record.run_id
    if before is None:
        return f"{name}: made for the first time, nothing to compare with"
    if not before.same_faces(after):
        return f"{name}: other test faces than before"
    one, other = (outputs_of(run.record.config, run.predictions) for run in (before, after))
    off = float(np.abs(one - other).max())
    if not off:
        return f"{name}: identical"
    scores = apart(before, after)
    said = ", ".join(f"{key} {s.before:.4g}, again {s.again:.4g} ({s.errors:.1f})" for key, s in scores.items())
    word = "within the band" if max(s.errors for s in scores.values()) <= BAND else "different"
    return (
        f"{name}: {word}: {said}; in brackets standard errors of {len(one)} faces, of which another processor may move "
        f"a score by {BAND:g}; outputs differ by at most {off:.3g}"
    )


def commands(found: Iterable[Asked]) -> list[str]:
    """Return a line a run: what it is, and whether it is recorded."""
    return [
        f"{one.config.dataset} {one.config.task} seed {one.config.seed} fold {one.config.fold}: "
        + (one.before.record.run_id if one.before else "not run yet")
        for one in found
    ]
