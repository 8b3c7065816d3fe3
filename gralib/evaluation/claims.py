"""From records to verdicts: the decision table, one row a comparison, by the rules of the protocol.

`reports/claims.yaml` has the paper's words, `reports/protocol.yaml` the rules. Only real faces count, and only the
seeds that the protocol lists. A run that did not train is counted and never averaged in: its seed is left out.
"""

import json
from collections.abc import Iterable, Mapping
from math import nan
from pathlib import Path

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gralib.errors import UserError, explain, from_root
from gralib.evaluation.contrasts import Known, Row, evaluate, known_runs
from gralib.evaluation.protocol import Protocol, parse
from gralib.evaluation.ruledates import RuleDate
from gralib.evaluation.rules import Rule
from gralib.evaluation.verdicts import LEVEL, Verdict, holm
from gralib.training.records import Run

COLUMNS = [
    "id", "verdict", "role", "recipe", "width", "value", "low", "high", "margin", "seeds", "rule_commit", "first_run",
    "exploratory", "finding", "what", "dataset", "score", "unit", "low_90", "high_90", "p", "p_holm", "seeds_planned",
    "seeds_run", "not_trained", "pairs_left_out", "folds", "faces", "groups", "room", "detectable",
    "seeds_to_settle", "rule", "rule_date", "run_ids",
]  # fmt: skip
PLACE = "reports/claims.yaml"
EQUATIONS = "reports/equations.json"
"""Written by `gra checks`: the exact checks."""
TABLE = "reports/tables/claims.csv"
"""The decision table."""


class Claim(BaseModel):
    """One line of claims.yaml: what the paper says and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    short: str
    """Two or three words, for lists and figures."""
    claim: str
    where: str
    words: str
    paper: str
    stated: float | None = None
    """The paper's value as a number, where it gives one."""
    grid: str = ""
    """The experiment that shows it; of an exact check the figure of the report."""


def load(path: str | Path = PLACE) -> list[Claim]:
    """Read and validate the claims.

    Raises:
        UserError: no such file, no YAML, an unknown or missing field, an id given twice.
    """
    file = from_root(path)
    try:
        claims = [Claim(**entry) for entry in parse(file.read_text())]
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UserError(f"{file}: expected a list of claims; {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{file}: {explain(error)}") from None
    for i, claim in enumerate(claims):
        if claim.id in {c.id for c in claims[:i]}:
            raise UserError(f"{file}: {claim.id}: expected each id once")
    return claims


def decide(
    protocol: Protocol, runs: Iterable[Run] | Known, dates: Mapping[str, RuleDate] | None = None,
    problems: list[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return the decision table: `COLUMNS`, of every claim its primary, its parts, and the primary under `keras`.

    Args:
        protocol: the rules.
        runs: finished runs; those that no rule asks for are ignored.
        dates: when each rule was committed, see `gralib.evaluation.ruledates`.
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
    parts = []
    for part in rule.parts:
        seeds = part.seeds or rule.seeds[:look]
        found = evaluate(protocol, part, known, rule.recipe, seeds, (1.0,) if part.seeds else rule.shares(look))
        parts.append({**found, "role": "part", "seeds_planned": len(part.seeds or rule.seeds)})
    for row, p in zip(parts, holm([row.get("p", nan) for row in parts]), strict=True):
        row["p_holm"] = p
        if row["verdict"] in ("supported", "contradicted") and p >= 1 - LEVEL and "matters" not in row["finding"]:
            row |= {"verdict": "inconclusive", "finding": "not after Holm's correction"}
    rows += parts
    if rule.keras_seeds:
        under = evaluate(protocol, rule.primary, known, "keras", rule.keras_seeds, (1.0,))
        rows.append({**under, "role": "other recipe", "seeds_planned": len(rule.keras_seeds)})
    return [{"id": rule.id, **row} for row in rows]


def _unrun(rule: Rule, role: str) -> list[Row]:
    """Return the rows of a claim that needs no runs, or is not planned."""
    base: Row = {
        "id": rule.id,
        "role": role,
        "recipe": "",
        "what": rule.estimand,
        "rule": rule.rule or "",
    }
    if rule.rule != "exact":
        why = rule.why or "nothing to compare with"
        return [{**base, "verdict": "not testable" if rule.rule == "none" else "not run", "finding": why}]
    path = from_root(EQUATIONS)
    checks = [c for c in json.loads(path.read_text())["checks"] if c["claim"] == rule.id] if path.exists() else []
    if not checks:
        return [{**base, "verdict": "not run", "finding": "gra checks writes it"}]
    verdict: Verdict = "supported" if all(check["holds"] for check in checks) else "contradicted"
    base |= {"verdict": verdict, "finding": "", "role": "part"}
    rows = [{**base, "what": c["what"], "value": c["value"]} for c in checks]
    return [{**rows[0], "role": role}, *rows[1:]]


def _look(protocol: Protocol, rule: Rule, known: Known) -> tuple[int, Row]:
    """Return after how many seeds the primary is judged, and its row: the first look that decides, or the last made."""
    assert rule.primary is not None
    found: Row = {}
    at = rule.looks[0]
    for look in rule.looks:
        row = evaluate(protocol, rule.primary, known, rule.recipe, rule.seeds[:look], rule.shares(look))
        if found and row["verdict"] == "not run":
            break
        found, at = row, look
        if row["verdict"] in ("supported", "contradicted"):
            break
    return at, found
