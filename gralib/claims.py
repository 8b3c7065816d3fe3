"""From records to verdicts: the decision table, one row a comparison, by the rules of the protocol.

`reports/claims.yaml` has the paper's words, `reports/protocol.yaml` the rules. Only real faces count, and only the
seeds that the protocol lists. A run that did not train is counted and never averaged in: its seed is left out.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gralib.config import RunConfig, explain
from gralib.errors import UserError, from_root
from gralib.files import write_text
from gralib.outcomes import SCORES, Outcome, improvement, outcome
from gralib.protocol import Condition, Contrast, Protocol, Rule
from gralib.protocol import load as load_protocol
from gralib.records import Run
from gralib.ruledates import RuleDate, rule_dates
from gralib.verdicts import LEVEL, Interval, Verdict, fold_means, holm, interval, judge, settle

COLUMNS = [
    "id", "verdict", "role", "recipe", "width", "value", "low", "high", "margin", "seeds", "rule_commit", "first_run",
    "exploratory", "finding", "what", "dataset", "score", "unit", "low_90", "high_90", "p", "p_holm", "seeds_planned",
    "seeds_run", "not_trained", "pairs_left_out", "folds", "faces", "groups", "room", "faces_se", "detectable",
    "seeds_to_settle", "rule", "rule_date", "run_ids",
]  # fmt: skip
EQUATIONS = "reports/equations.json"
"""Written by `gra equations`: the exact checks."""
TABLE = "reports/tables/claims.csv"
Row = dict[str, Any]
Known = Mapping[RunConfig, Run]


class Claim(BaseModel):
    """One line of claims.yaml: what the paper says and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    claim: str
    where: str
    words: str
    paper: str
    stated: float | None = None
    """The paper's value as a number, where it gives one."""
    grid: str = ""
    """The experiment that shows it; of an exact check the figure of the report."""


def load(path: str | Path = "reports/claims.yaml") -> list[Claim]:
    """Read and validate the claims.

    Raises:
        UserError: no such file, no YAML, an unknown or missing field, an id given twice.
    """
    file = from_root(path)
    try:
        claims = [Claim(**entry) for entry in yaml.safe_load(file.read_text())]
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UserError(f"{file}: expected a list of claims; {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{file}: {explain(error)}") from None
    for i, claim in enumerate(claims):
        if claim.id in {c.id for c in claims[:i]}:
            raise UserError(f"{file}: {claim.id}: expected each id once")
    return claims


def write(runs: Iterable[Run], path: str | Path = TABLE) -> Path:
    """Write the decision table of these runs and return the file."""
    file = from_root(path)
    table = decide(load_protocol(), runs, rule_dates())
    write_text(file, table.to_csv(index=False, float_format="%.6g"))
    return file


@dataclass(frozen=True)
class Point:
    """One pair of conditions under one seed.

    Attributes:
        value: by how much the first is better.
        rooms: by how much each condition is better than the constant predictor; NaN where there is none.
        variance: of `value`, from the faces alone, those of a group together.
        trained: whether all runs behind it trained.
    """

    value: float
    rooms: tuple[float, float]
    variance: float
    faces: int
    groups: int
    trained: bool
    run_ids: tuple[str, ...]


def known_runs(runs: Iterable[Run]) -> dict[RunConfig, Run]:
    """Return the runs that may count, by configuration: those on real faces."""
    return {run.record.config: run for run in runs if not run.record.synthetic}


def decide(
    protocol: Protocol, runs: Iterable[Run], dates: Mapping[str, RuleDate] | None = None,
    problems: list[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return the decision table: `COLUMNS`, of every claim its primary, its parts, and the primary under `keras`.

    Args:
        protocol: the rules.
        runs: finished runs; those that no rule asks for are ignored.
        dates: when each rule was committed, see `gralib.ruledates`.
        problems: gets a line for each claim whose runs cannot be compared; without it they raise.

    A value is by how much the first condition is better than the second, in shares or years. A contrast whose seeds
    are not all there is 'not run'.
    """
    known = known_runs(runs)
    rows = [row for rule in protocol.claims for row in _judged(protocol, rule, known, problems)]
    firsts = {rule.id: first_run(protocol, rule, known) for rule in protocol.claims}
    for row in rows:
        date, rule = (dates or {}).get(row["id"]), protocol.rules[row["id"]]
        row |= {"rule_commit": date.commit if date else "unknown", "rule_date": date.date if date else "unknown",
                "first_run": firsts[rule.id], "exploratory": rule.exploratory}  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _judged(protocol: Protocol, rule: Rule, known: Known, problems: list[str] | None) -> list[Row]:
    try:
        return judge_claim(protocol, rule, known)
    except UserError as error:
        if problems is None:
            raise
        problems.append(f"{rule.id}: {error}")
        return [{"id": rule.id, "role": "primary", "verdict": "not run", "what": rule.estimand,
                 "finding": "left out, its runs do not fit"}]  # fmt: skip


def ended(protocol: Protocol, known: Known) -> dict[str, int]:
    """Return after how many seeds each claim was decided that is decided before its last look."""
    looks = {rule.id: _look(protocol, rule, known) for rule in protocol.claims if rule.primary and rule.planned}
    return {claim: look for claim, (look, row) in looks.items()
            if look < protocol.rules[claim].looks[-1] and row["verdict"] in ("supported", "contradicted")}  # fmt: skip


def first_run(protocol: Protocol, rule: Rule, known: Known) -> str:
    """Return when the first run of a claim was finished, "" where it has none."""
    return min((known[c].record.finished for c in protocol.configs(rule.id) if c in known), default="")


def judge_claim(protocol: Protocol, rule: Rule, known: Known) -> list[Row]:
    """Return the rows of one claim, the primary first."""
    role = "exploratory" if rule.exploratory else "primary"
    if rule.primary is None or not rule.planned:
        return _unrun(rule, role)
    look, primary = _look(protocol, rule, known)
    rows = [{**primary, "role": role, "seeds_planned": len(rule.seeds)}]
    shares = tuple(n / rule.looks[-1] for n in rule.looks[: rule.looks.index(look) + 1])
    parts = []
    for part in rule.parts:
        seeds = part.seeds or rule.seeds[:look]
        found = _contrast(protocol, rule, part, known, rule.recipe, seeds, (1.0,) if part.seeds else shares)
        parts.append({**found, "role": "part", "seeds_planned": len(part.seeds or rule.seeds)})
    for part, p in zip(parts, holm([part.get("p", nan) for part in parts]), strict=True):
        part["p_holm"] = p
        if part["verdict"] in ("supported", "contradicted") and p >= 1 - LEVEL and "matters" not in part["finding"]:
            part |= {"verdict": "inconclusive", "finding": "not after Holm's correction"}
    rows += parts
    if rule.keras_seeds:
        under = _contrast(protocol, rule, rule.primary, known, "keras", rule.keras_seeds, (1.0,))
        rows.append({**under, "role": "other recipe", "seeds_planned": len(rule.keras_seeds)})
    return rows


def _unrun(rule: Rule, role: str) -> list[Row]:
    """Return the rows of a claim that needs no runs, or is not planned."""
    base: Row = {"id": rule.id, "role": role, "recipe": "", "what": rule.estimand, "rule": rule.rule or "", "finding": ""}
    if rule.rule != "exact":
        why = rule.why or "nothing to compare with"
        return [{**base, "verdict": "not testable" if rule.rule == "none" else "not run", "finding": why}]
    path = from_root(EQUATIONS)
    checks = [c for c in json.loads(path.read_text())["checks"] if c["claim"] == rule.id] if path.exists() else []
    if not checks:
        return [{**base, "verdict": "not run", "finding": "gra equations writes it"}]
    verdict: Verdict = "supported" if all(check["holds"] for check in checks) else "contradicted"
    rows = [{**base, "verdict": verdict, "role": "part", "what": c["what"], "value": c["value"]} for c in checks]
    return [{**rows[0], "role": role}, *rows[1:]]


def _look(protocol: Protocol, rule: Rule, known: Known) -> tuple[int, Row]:
    """Return after how many seeds the primary is judged, and its row: the first look that decides, or the last made."""
    assert rule.primary is not None
    found, at = {}, rule.looks[0]
    for i, look in enumerate(rule.looks):
        shares = tuple(n / rule.looks[-1] for n in rule.looks[: i + 1])
        row = _contrast(protocol, rule, rule.primary, known, rule.recipe, rule.seeds[:look], shares)
        if found and row["verdict"] == "not run":
            break
        found, at = row, look
        if row["verdict"] != "inconclusive":
            break
    return at, found


def _contrast(
    protocol: Protocol, rule: Rule, contrast: Contrast, known: Known, recipe: str, seeds: Sequence[int],
    shares: tuple[float, ...],
) -> Row:  # fmt: skip
    """Return the row of one contrast, judged on these seeds."""
    config = protocol.runs_of(contrast, contrast.pairs[0][0], seeds[0], recipe)[0]
    row: Row = {"id": rule.id, "recipe": recipe, "width": config.width, "margin": contrast.margin, "rule": contrast.rule,
                "what": contrast.what, "dataset": contrast.dataset, "score": contrast.score,
                "unit": SCORES[contrast.score]}  # fmt: skip
    table = [[_point(protocol, contrast, pair, seed, recipe, known) for pair in contrast.pairs] for seed in seeds]
    whole = {seed: [p for p in line if p] for seed, line in zip(seeds, table, strict=True) if None not in line}
    row["seeds_run"] = len(whole)
    if len(whole) < len(seeds):
        return {**row, "verdict": "not run", "finding": f"{len(whole)} of {len(seeds)} seeds run"}
    kept = _pairs_kept(contrast, list(whole.values()))
    points = {seed: [line[i] for i in kept] for seed, line in whole.items()}
    good = {seed: line for seed, line in points.items() if all(point.trained for point in line)}
    row |= {"pairs_left_out": len(contrast.pairs) - len(kept), "not_trained": len(points) - len(good),
            "run_ids": " ".join(dict.fromkeys(i for line in points.values() for p in line for i in p.run_ids))}  # fmt: skip
    if not kept or not good:
        why = "no pair above the constant predictor" if not kept else "no seed whose runs trained"
        return {**row, "verdict": "not testable", "finding": why, "seeds": 0}
    return {**row, **_estimate(contrast, good, protocol.general.folds[contrast.dataset], shares)}


def _pairs_kept(contrast: Contrast, lines: Sequence[Sequence[Point]]) -> list[int]:
    """Return which pairs count: all, or those of which both conditions stand above the constant predictor."""
    every = range(len(contrast.pairs))
    if not contrast.above_constant:
        return list(every)
    return [i for i in every if min(np.mean([line[i].rooms for line in lines if line[i].trained], axis=0)) > 0]


def _estimate(contrast: Contrast, good: Mapping[int, Sequence[Point]], folds: int, shares: tuple[float, ...]) -> Row:
    """Return estimate, intervals and verdict of the seeds that count."""
    means = fold_means({seed: float(np.mean([p.value for p in line])) for seed, line in good.items()}, folds)
    null = -contrast.margin if contrast.rule == "non-inferiority" else 0.0
    found: Interval = interval(means, shares, null)
    # Of each fold the faces' variance of one seed; faces of two folds are others.
    once = {seed % folds: line for seed, line in sorted(good.items(), reverse=True)}
    faces_se = float(np.sqrt(sum(np.mean([p.variance for p in line]) for line in once.values())) / len(once))
    verdict, finding = judge(contrast.rule, found, contrast.margin)
    rooms = np.array([p.rooms for line in good.values() for p in line])
    more = settle(contrast.rule, found, contrast.margin, len(good), faces_se) if verdict == "inconclusive" else nan
    return {
        **{key: value for key, value in asdict(found).items() if key != "se"}, "verdict": verdict, "finding": finding,
        "seeds": len(good), "faces": sum(max(p.faces for p in line) for line in once.values()),
        "groups": sum(max(p.groups for p in line) for line in once.values()), "faces_se": faces_se,
        "room": float(np.nanmin(rooms.mean(axis=0))) if np.isfinite(rooms).any() else nan,
        "detectable": found.detectable, "seeds_to_settle": more,
    }  # fmt: skip


def _point(
    protocol: Protocol, contrast: Contrast, pair: tuple[Condition, Condition], seed: int, recipe: str, known: Known
) -> Point | None:
    """Return one pair under one seed; None where a run or a probe of it is missing."""
    found: list[tuple[list[Run], Outcome]] = []
    for condition in pair:
        source = pair[0] if condition.constant else condition
        configs = protocol.runs_of(contrast, source, seed, recipe)
        if not all(config in known for config in configs):
            return None
        runs = [known[config] for config in configs]
        said = outcome(runs, contrast.score, source.join, source.faces)
        if said is None:
            return None
        found.append((runs, Outcome(said.constant, said.constant, said.faces) if condition.constant else said))
    return _paired(contrast.score, *found)


def _paired(score: str, first: tuple[list[Run], Outcome], second: tuple[list[Run], Outcome]) -> Point:
    """Return the difference of two outcomes, paired by face where both tested the same faces."""
    (runs, one), (others, two) = first, second
    rooms = tuple(float(improvement(score, o.values, o.constant).mean()) for o in (one, two))
    value = float(improvement(score, np.atleast_1d(one.values.mean()), np.atleast_1d(two.values.mean()))[0])
    variance, faces, groups = nan, 0, 0
    if one.faces is not None and two.faces is not None:
        if list(one.faces["path"]) == list(two.faces["path"]):
            variance = clustered(improvement(score, one.values, two.values), one.faces["group"])
        else:
            variance = clustered(one.values, one.faces["group"]) + clustered(two.values, two.faces["group"])
        both = pd.concat([one.faces, two.faces]).drop_duplicates("path")
        faces, groups = len(both), both["group"].nunique()
    used = {run.record.run_id: run for run in (*runs, *others)}
    return Point(value, rooms, variance, faces, groups, all(r.converged for r in used.values()), tuple(used))  # type: ignore[arg-type]


def clustered(values: np.ndarray, groups: pd.Series) -> float:
    """Return the variance of the mean of per-face values, faces of one group drawn together (NaN for one group)."""
    sums = pd.Series(values - values.mean()).groupby(groups.to_numpy()).sum()
    count = len(sums)
    return float((sums**2).sum() * count / (count - 1) / len(values) ** 2) if count > 1 else nan


def said(row: Mapping[str, Any], form: Callable[[float], str]) -> str:
    """Return in words what an inconclusive row needs: how many seeds would settle it, should its estimate stay."""
    if row["verdict"] != "inconclusive":
        return str(row["finding"])
    more = row.get("seeds_to_settle", nan)
    if not isinstance(more, float | int) or more != more:
        return str(row["finding"])
    needs = f"about {more:.0f} seeds would settle it" if isfinite(more) else "no number of seeds on these faces settles it"
    return f"{row['finding']} less than {form(row['detectable'])}; {needs}"
