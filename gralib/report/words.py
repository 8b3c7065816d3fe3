"""What the pages call things: rules, verdicts, conditions."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

from gralib.config import TITLES
from gralib.evaluation.compare import NETWORKS, describe
from gralib.evaluation.rules import Condition, Rule
from gralib.metrics import METRICS
from gralib.report.text import SURE, Row, estimate, listing, plural, size

RULES = {
    "superiority": "*supported* if the {sure} interval lies above zero; *contradicted* if it lies below zero, or "
                   "holds zero and lies wholly within {margin} of it (no difference that matters); *inconclusive* "
                   "otherwise",
    "non-inferiority": "*supported* if the {sure} interval lies above minus {margin}; *contradicted* if it reaches "
                       "past that and lies below zero; *inconclusive* otherwise",
    "sign": "*supported* if the {sure} interval lies above zero, *contradicted* if below, *inconclusive* if it "
            "holds zero",
    "exact": "*supported* if every check holds, *contradicted* otherwise",
    "none": "*not testable*",
}  # fmt: skip
FACES = {"age": "aged", "race": "labelled"}
SCORE_NAMES = {"category_mae_years": "age MAE of the category network", "age_mae": "age MAE"}
"""Scores that the protocol means otherwise than a study, or that say more than a heading needs."""


def score_name(score: str) -> str:
    """Return a score of the protocol as a reader wants it."""
    return SCORE_NAMES.get(score, METRICS[score].title)


def rule_in_words(rule: Rule) -> str:
    """Return what decides a claim, as a sentence's end."""
    if rule.primary is None:
        return RULES[rule.rule or "none"]
    margin = size(rule.primary.margin, METRICS[rule.primary.score].unit)
    return RULES[rule.primary.rule].format(margin=margin, sure=SURE)


def looks_in_words(rule: Rule) -> str:
    """Return the seeds of a rule and after how many of them it is judged."""
    looks = listing([str(look) for look in rule.looks])
    seeds = f"{plural(len(rule.seeds), 'seed')} ({rule.seeds[0]} to {rule.seeds[-1]})"
    return f"{seeds}, judged after {looks}; the first look that decides ends it" if len(rule.looks) > 1 else seeds


def condition(given: Condition) -> str:
    """Return one side of a comparison in words."""
    if given.constant:
        return "the same answer for all"
    settings = {**given.settings, **({"join": given.join} if given.join else {})}
    faces = [f"{FACES.get(name, name)} {_span(values)}" for name, values in given.faces.items()]
    return ", ".join(filter(None, [describe(settings) if settings else NETWORKS["gra_net"], *faces]))


def _span(values: tuple[Any, ...]) -> str:
    numbers = all(isinstance(value, int | float) for value in values)
    return f"{values[0]} to {values[-1]}" if numbers else listing([str(value) for value in values])


def unit(row: Row) -> str:
    """Return what the difference of a row is counted in; nothing of a calculation."""
    return row["unit"] if isinstance(row.get("unit"), str) else ""


def estimated(row: Row) -> str:
    """Return the difference of a row with its interval; nothing where none is known."""
    return estimate(row["value"], row["low"], row["high"], unit(row)) if isfinite(row["value"]) else ""


def finding(row: Row) -> str:
    """Return what a verdict stands on, and where it is open how many seeds would settle it, should its value stay."""
    more = row.get("seeds_to_settle", nan)
    if row["verdict"] != "inconclusive" or not isinstance(more, float | int) or more != more:
        return f"{row['finding']}{slight(row)}"
    needs = f"at least about {more:.0f} seeds" if isfinite(more) else "no number of seeds"
    seen = size(row["detectable"], unit(row))
    return f"{row['finding']}: less than {seen} cannot be seen yet; {needs} would settle it"


def slight(row: Row) -> str:
    """Return what is added to a decided difference that is smaller than the margin for sure; nothing to any other."""
    if row.get("rule") != "superiority" or row["verdict"] not in ("supported", "contradicted"):
        return ""
    low, high = row["low"], row["high"]
    inside = low * high > 0 and max(abs(low), abs(high)) < row["margin"]
    return ", by too little to matter" if inside else ""


def opposed(rows: Sequence[Row]) -> list[Row]:
    """Return the parts of a claim that are decided the other way than its first row, which decides."""
    decided = {"supported", "contradicted"}
    return [row for row in rows if row["role"] == "part" and {row["verdict"], rows[0]["verdict"]} == decided]


def short(row: Row) -> str:
    """Return what stands beside a difference of one claim."""
    return row["what"] if row["role"] != "other recipe" else f"the first, under recipe {row['recipe']}"


def dataset(row: Row) -> str:
    """Return the title of the data set of a row, if it has one."""
    return next((title for name, title in TITLES.items() if name == row.get("dataset")), "")
