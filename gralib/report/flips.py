"""Where a verdict would flip: another margin, another recipe, another level, a fold less."""

from dataclasses import dataclass, replace
from itertools import product
from math import inf, isfinite, nextafter

from gralib.evaluation.contrasts import evaluate
from gralib.evaluation.rules import Rule
from gralib.evaluation.verdicts import Interval, judge
from gralib.report import words
from gralib.report.evidence import Book
from gralib.report.text import POINTS, SURE, Row, estimate, size, table

FACTORS = (0.5, 2.0)
"""Other margins, as multiples of the rule's."""


@dataclass(frozen=True)
class Case:
    """The verdict under one change."""

    change: str
    found: str
    verdict: str


def section(book: Book, claim: str) -> str:
    """Return the part of a claim's page; nothing where there is no interval."""
    row = book.first(claim)
    if not isfinite(row["low"]):
        return ""
    cases = [*_margins(row), *_level(row), *_folds(book, book.rule(claim), row), *_recipe(book, claim)]
    turned = [case for case in cases if case.verdict != row["verdict"]]
    said = f"{_distance(row)} Of {len(cases)} changes tried, {len(turned) or 'none'} "
    said += "turn" + ("s" if len(turned) == 1 else "") + " the verdict."
    said += " With a fold less, folds that differ as much make a wider interval."
    lines = [(c.change, c.found, f"**{c.verdict}**", "flips" if c in turned else "stays") for c in cases]
    return f"## Where it would flip\n\n{said}\n\n" + table(("change", "difference", "verdict", "so it"), lines)


def _distance(row: Row) -> str:
    """Return how far the interval's nearest end is from where the verdict changes, the other end staying."""
    found, ways = _interval(row), []
    for line, end, side in product({-row["margin"], 0.0, row["margin"]}, ("low", "high"), (-inf, inf)):
        past = nextafter(line, side)
        moved = replace(found, low=past) if end == "low" else replace(found, high=past)
        if moved.low <= moved.high and judge(row["rule"], moved, row["margin"])[0] != row["verdict"]:
            ways.append(abs(getattr(found, end) - line))
    return f"An end of the interval is {size(min(ways), row['unit'])} from where the verdict changes." if ways else ""


def _interval(row: Row, low: str = "low", high: str = "high") -> Interval:
    return Interval(row["value"], row[low], row[high], row["low_90"], row["high_90"], 0.0, row["p"], int(row["folds"]))


def _margins(row: Row) -> list[Case]:
    if not row["margin"]:
        return []
    found, unit = _interval(row), row["unit"]
    return [
        Case(f"a margin of {size(factor * row['margin'], unit)}, not {size(row['margin'], unit)}", words.estimated(row),
             judge(row["rule"], found, factor * row["margin"])[0])
        for factor in FACTORS
    ]  # fmt: skip


def _level(row: Row) -> list[Case]:
    verdict = judge(row["rule"], _interval(row, "low_90", "high_90"), row["margin"])[0]
    found = estimate(row["value"], row["low_90"], row["high_90"], row["unit"])
    return [Case(f"an interval at {POINTS * 0.9:.0f} %, not {SURE}", found, verdict)]


def _folds(book: Book, rule: Rule, row: Row) -> list[Case]:
    """Return the verdict without each of the folds, by the bounds of the look that the verdict is of."""
    assert rule.primary is not None
    count = book.protocol.general.folds[rule.primary.dataset]
    seeds, shares = rule.seeds[: int(row["seeds_run"])], rule.shares(int(row["seeds_run"]))
    cases = []
    for fold in sorted({seed % count for seed in seeds}):
        rest = [seed for seed in seeds if seed % count != fold]
        found = evaluate(book.protocol, rule.primary, book.known, rule.recipe, rest, shares) if len(rest) > 1 else {}
        if isfinite(found.get("low", float("nan"))):
            cases.append(Case(f"without the test faces of fold {fold}", words.estimated(found), found["verdict"]))
    return cases


def _recipe(book: Book, claim: str) -> list[Case]:
    return [
        Case(f"recipe `{row['recipe']}`, {row['seeds']:.0f} seeds", words.estimated(row), row["verdict"])
        for row in book.rows(claim) if row["role"] == "other recipe" and isfinite(row["value"])
    ]  # fmt: skip
