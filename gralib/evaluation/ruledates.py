"""Which came first, the rule or the run: the commit of every rule beside the first run that it judges."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from gralib.errors import from_root
from gralib.evaluation.contrasts import known_runs
from gralib.evaluation.protocol import PLACE, Protocol, parse
from gralib.surroundings import NO_ANSWER, git
from gralib.training.records import Run

SHARED = ("preset", "settings", "folds", "rates")
"""What the general part decides of every rule with runs."""


@dataclass(frozen=True)
class RuleDate:
    """The commit since which a rule reads as it does, and its date; `commit` is 'uncommitted' for one not in it."""

    commit: str
    date: str


def digests(text: str) -> dict[str, str]:
    """Return a hash of every rule of a protocol as written, comments and layout aside, by claim.

    Of a file that is no protocol (an older form of it) nothing.
    """
    try:
        content = parse(text)
        shared = {key: content["general"][key] for key in SHARED}
        rules: Iterable[Mapping[str, Any]] = content["claims"]
        parts = {rule["id"]: [rule, shared if "primary" in rule else None] for rule in rules}
        return {claim: sha256(json.dumps(part, sort_keys=True).encode()).hexdigest() for claim, part in parts.items()}
    except (yaml.YAMLError, KeyError, TypeError):
        return {}


def rule_dates(path: str | Path = PLACE) -> dict[str, RuleDate]:
    """Return since which commit every rule reads as it does now; nothing where no history is at hand."""
    file = from_root(path)
    now = digests(file.read_text())
    try:
        if git(file.parent, "rev-parse", "--is-shallow-repository") != "false":
            return {}
        log = git(file.parent, "log", "--format=%H %cI", "--", file.name).splitlines()
    except NO_ANSWER:
        return {}
    found: dict[str, RuleDate] = {}
    going = set(now)
    for line in log:  # the newest first
        commit, date = line.split()
        then = _rules_at(file, commit)
        going = {claim for claim in going if then.get(claim) == now[claim]}
        found |= {claim: RuleDate(commit, date) for claim in going}
    return {claim: found.get(claim, RuleDate("uncommitted", "")) for claim in now} if log else {}


@cache
def _rules_at(file: Path, commit: str) -> dict[str, str]:
    """Return the `digests` of a commit; nothing where it took the file away."""
    try:
        return digests(git(file.parent, "show", f"{commit}:./{file.name}"))
    except NO_ANSWER:
        return {}


@dataclass(frozen=True)
class Checked:
    """What is known of one claim's order of events."""

    claim: str
    line: str
    fails: bool


def check(protocol: Protocol, runs: Iterable[Run], path: str | Path = PLACE) -> list[Checked]:
    """Compare the commit of every rule with the first of its runs.

    A rule comes first where its commit is an ancestor of the commit that the run was made with, or, should that be
    unknown here, where its date is not after the run's end. A younger rule fails, unless its claim is marked as
    exploratory and an amendment names it.
    """
    dates, known = rule_dates(path), known_runs(runs)
    out = []
    for rule in protocol.claims:
        used = [known[config].record for config in protocol.configs(rule.id) if config in known] if rule.primary else []
        date = dates.get(rule.id)
        amended = [a for a in protocol.general.amendments if rule.id in a.claims]
        notes = "".join(f"; amended {a.date}" for a in amended)
        if date is None:
            out.append(Checked(rule.id, f"{rule.id}: unknown: no history of {path} here{notes}", False))
            continue
        ruled = "rule not committed" if date.commit == "uncommitted" else f"rule {date.commit[:8]} of {date.date}"
        if not used:
            out.append(Checked(rule.id, f"{rule.id}: {ruled}; no run yet{notes}", False))
            continue
        first = min(used, key=lambda record: record.finished)
        late = [r for r in used if not _before(from_root(path).parent, date, r.environment.get("commit"), r.finished)]
        allowed = rule.exploratory and bool(amended)
        order = f"after {len(late)} of its {len(used)} runs" if late else f"before its {len(used)} runs"
        order += " (exploratory)" if rule.exploratory else ""
        line = f"{rule.id}: {ruled}, {order}; the first, {first.run_id}, of {first.finished}{notes}"
        out.append(Checked(rule.id, line, bool(late) and not allowed))
    return out


def _before(folder: Path, date: RuleDate, commit: str | None, finished: str) -> bool:
    """Tell whether a rule was committed before a run."""
    if date.commit == "uncommitted":
        return False
    try:
        if commit:
            return _leads_to(folder, date.commit, commit)
    except NO_ANSWER:
        pass  # a commit that is not here: dates tell
    return _instant(date.date) <= _instant(finished)


@cache
def _leads_to(folder: Path, first: str, commit: str) -> bool:
    """Tell whether a commit is an ancestor of another, or that itself."""
    git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    return git(folder, "merge-base", first, commit) == first


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
