"""One comparison of the protocol on the runs at hand: a row of the decision table, estimate, intervals and verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from gralib.config import RunConfig
from gralib.errors import UserError
from gralib.evaluation.outcomes import Outcome, outcome
from gralib.evaluation.protocol import Protocol
from gralib.evaluation.rules import Condition, Contrast
from gralib.evaluation.verdicts import fold_means, interval, judge, settle
from gralib.metrics import METRICS, improvement
from gralib.training.records import Run

Row = dict[str, Any]


class Known(dict[RunConfig, Run]):
    """Runs that may count, by configuration, and what they said before: an outcome or a point is worked out once."""

    def __init__(self, *given: Any):
        super().__init__(*given)
        self.said: dict[Any, Any] = {}


def known_runs(runs: Iterable[Run] | Known) -> Known:
    """Return the runs that may count: those on real faces."""
    if isinstance(runs, Known):
        return runs
    return Known({run.record.config: run for run in runs if not run.record.synthetic})


def said(
    protocol: Protocol, contrast: Contrast, condition: Condition, seed: int, recipe: str, known: Known
) -> tuple[list[Run], Outcome] | None:
    """Return the runs of one condition and seed and what they say; None where a run or a probe of it is missing."""
    configs = protocol.runs_of(contrast, condition, seed, recipe)
    if not all(config in known for config in configs):
        return None
    runs = [known[config] for config in configs]
    key = (*(run.record.run_id for run in runs), contrast.score, condition.join, str(condition.faces))
    if key not in known.said:
        known.said[key] = outcome(runs, contrast.score, condition.join, condition.faces)
    return (runs, known.said[key]) if known.said[key] else None


@dataclass(frozen=True)
class Point:
    """One pair of conditions under one seed.

    Attributes:
        value: by how much the first is better.
        rooms: by how much each condition is better than the constant predictor; NaN where there is none.
        faces: that both conditions tested.
        groups: of those faces.
        apart: where they tested others, the faces of both, path and group.
        trained: whether all runs behind it trained.
        data: fingerprints of the data behind it.
    """

    value: float
    rooms: tuple[float, float]
    faces: int
    groups: int
    apart: pd.DataFrame | None
    trained: bool
    data: set[str]
    run_ids: tuple[str, ...]


def evaluate(
    protocol: Protocol, contrast: Contrast, known: Known, recipe: str, seeds: Sequence[int],
    shares: tuple[float, ...],
) -> Row:  # fmt: skip
    """Return the row of one contrast, judged on these seeds."""
    config = protocol.runs_of(contrast, contrast.pairs[0][0], seeds[0], recipe)[0]
    row: Row = {"recipe": recipe, "width": config.width, "unit": METRICS[contrast.score].unit,
                **contrast.model_dump(include={"what", "dataset", "score", "rule", "margin"})}  # fmt: skip
    table = [[_point(protocol, contrast, pair, seed, recipe, known) for pair in contrast.pairs] for seed in seeds]
    whole = {seed: [p for p in line if p] for seed, line in zip(seeds, table, strict=True) if None not in line}
    row["seeds_run"] = len(whole)
    if len(whole) < len(seeds):
        return {**row, "verdict": "not run", "finding": f"{len(whole)} of {len(seeds)} seeds complete"}
    kept = _pairs_kept(contrast, list(whole.values()))
    points = {seed: [line[i] for i in kept] for seed, line in whole.items()}
    good = {seed: line for seed, line in points.items() if all(point.trained for point in line)}
    if len(set().union(*(point.data for line in points.values() for point in line))) > 1:
        raise UserError(f"{contrast.what}: expected runs on the same data, got those of several copies")
    used = dict.fromkeys(i for line in points.values() for point in line for i in point.run_ids)
    row |= {"pairs_left_out": len(contrast.pairs) - len(kept), "not_trained": len(points) - len(good),
            "run_ids": " ".join(used)}  # fmt: skip
    if not kept or not good:
        why = "no pair above the constant predictor" if not kept else "no seed whose runs trained"
        return {**row, "verdict": "not testable", "finding": why, "seeds": 0}
    return {**row, **_estimate(contrast, good, protocol.general.folds[contrast.dataset], shares)}


def _pairs_kept(contrast: Contrast, lines: Sequence[Sequence[Point]]) -> list[int]:
    """Return which pairs count: all, or those of which both conditions stand above the constant predictor."""
    every = range(len(contrast.pairs))
    if not contrast.above_constant:
        return list(every)
    rooms = {i: [line[i].rooms for line in lines if line[i].trained] for i in every}
    return [i for i in every if rooms[i] and min(np.mean(rooms[i], axis=0)) > 0]


def _estimate(contrast: Contrast, good: Mapping[int, Sequence[Point]], folds: int, shares: tuple[float, ...]) -> Row:
    """Return estimate, intervals and verdict of the seeds that count."""
    means = fold_means({seed: float(np.mean([p.value for p in line])) for seed, line in good.items()}, folds)
    found = interval(means, shares)
    verdict, finding = judge(contrast.rule, found, contrast.margin)
    if METRICS[contrast.score].neutral:
        finding = {"better": "more", "worse": "less"}.get(finding, finding)
    if contrast.rule == "non-inferiority" and verdict != "contradicted":  # worse is a word against zero
        found = interval(means, shares, -contrast.margin)
    rooms = np.array([p.rooms for line in good.values() for p in line]).mean(axis=0)
    if (rooms <= 0).all() and not any(condition.constant for pair in contrast.pairs for condition in pair):
        verdict, finding = "not testable", "neither side better than the same answer for all"
    more = settle(contrast.rule, found, contrast.margin, len(good)) if verdict == "inconclusive" else nan
    once = {seed % folds: line for seed, line in sorted(good.items(), reverse=True)}
    faces, groups = _counted(list(once.values()))
    return {
        **{key: value for key, value in asdict(found).items() if key != "se"}, "verdict": verdict, "finding": finding,
        "seeds": len(good), "faces": faces, "groups": groups,
        "room": float(np.nanmin(rooms)) if np.isfinite(rooms).any() else nan,
        "detectable": found.detectable, "seeds_to_settle": more,
    }  # fmt: skip


def _counted(lines: Sequence[Sequence[Point]]) -> tuple[int, int]:
    """Return how many faces and groups stand behind the points of some folds, a line a fold."""
    apart = [point.apart for line in lines for point in line if point.apart is not None]
    if apart:  # a face that one side tests in a fold the other may test in another
        once = pd.concat(apart).drop_duplicates("path")
        return len(once), once["group"].nunique()
    return sum(max(p.faces for p in line) for line in lines), sum(max(p.groups for p in line) for line in lines)


def _point(
    protocol: Protocol, contrast: Contrast, pair: tuple[Condition, Condition], seed: int, recipe: str, known: Known
) -> Point | None:
    """Return one pair under one seed; None where a run or a probe of it is missing."""
    key = (contrast.score, contrast.dataset, contrast.task, str(pair), seed, recipe)
    if key in known.said:
        return known.said[key]
    found: list[tuple[list[Run], Outcome]] = []
    for condition in pair:
        both = said(protocol, contrast, pair[0] if condition.constant else condition, seed, recipe, known)
        if both is None:
            return None
        runs, one = both
        found.append((runs, Outcome(one.constant, one.constant, one.faces) if condition.constant else one))
    known.said[key] = _paired(contrast.score, *found)
    return known.said[key]


def _paired(score: str, first: tuple[list[Run], Outcome], second: tuple[list[Run], Outcome]) -> Point:
    """Return the difference of two outcomes, paired by face where both tested the same faces."""
    (runs, one), (others, two) = first, second
    rooms = tuple(float(improvement(score, o.values, o.constant).mean()) for o in (one, two))
    value = float(improvement(score, np.atleast_1d(one.values.mean()), np.atleast_1d(two.values.mean()))[0])
    apart, faces, groups = None, 0, 0
    if one.faces is not None and two.faces is not None:
        faces, groups = len(one.faces), one.faces["group"].nunique()
        if not np.array_equal(one.faces["path"].to_numpy(), two.faces["path"].to_numpy()):
            apart = pd.concat([one.faces, two.faces])
    used = {run.record.run_id: run for run in (*runs, *others)}
    data = {run.record.fingerprint for run in used.values()}
    return Point(value, rooms, faces, groups, apart, all(r.converged for r in used.values()), data, tuple(used))  # type: ignore[arg-type]
