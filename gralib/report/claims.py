"""What the report says of claims: verdicts with every comparison behind them, and the evidence of each."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gralib.config import TITLES
from gralib.evaluation import claims
from gralib.evaluation.protocol import load
from gralib.evaluation.ruledates import rule_dates
from gralib.evaluation.rules import Rule
from gralib.evaluation.study import Study
from gralib.evaluation.verdicts import VERDICTS
from gralib.files import write_text
from gralib.metrics import KEYS, METRICS
from gralib.report import figures, gridfigures, provenance
from gralib.training.records import Run

KINDS = {
    "calculation": "calculations on the network’s equations, no training",
    "sanity": "sanity checks: better than the same answer for all",
    "comparison": "comparisons with other settings, methods or faces",
    "ours": "a claim of our own, not the paper’s",
}
"""What a claim's test can be, and how the first screen says it."""
RULES = {
    "superiority": "supported if the 95 % interval lies above 0; contradicted if it lies below 0, or wholly within "
                   "{margin} of it; inconclusive otherwise",
    "non-inferiority": "supported if the 95 % interval lies above minus {margin}; contradicted if it reaches past that "
                       "and lies below 0; inconclusive otherwise",
    "sign": "supported if the 95 % interval lies above 0, contradicted if below, inconclusive if it holds 0",
    "exact": "supported if every check holds, else contradicted",
    "none": "not testable",
}  # fmt: skip


def kind_of(claim: claims.Claim, rule: Rule) -> str:
    """Return which of `KINDS` a claim is."""
    if claim.where == "ours":
        return "ours"
    if rule.primary is None:
        return "calculation" if rule.rule == "exact" else "comparison"
    return "sanity" if all(second.constant for _, second in rule.primary.pairs) else "comparison"


def rule_in_words(rule: Rule) -> str:
    """Return the rule of a claim's primary as a sentence's end, with its seeds."""
    if rule.primary is None:
        return RULES[rule.rule or "none"]
    unit = METRICS[rule.primary.score].unit
    words = RULES[rule.primary.rule].format(margin=number(rule.primary.margin, unit).lstrip("+"))
    looks = " and ".join(str(look) for look in rule.looks)
    return f"{words}; {len(rule.seeds)} seeds, judged after {looks}"


def claims_shown(folder: Path, runs: Sequence[Run], problems: list[str]) -> dict[str, Any]:
    """Judge the claims, write `tables/claims.csv` and `.tex`, return what the pages say: claims, counts of verdicts.

    A claim whose runs cannot be compared adds a line to `problems`, and the others go on.
    """
    protocol, stated = load(), claims.load()
    table = claims.decide(protocol, runs, rule_dates(), problems)
    write_text(folder / "tables" / "claims.csv", table.to_csv(index=False, float_format="%.6g"))
    minutes = {run.record.run_id: run.record.seconds / 60 for run in runs}
    shown = [
        _claim(claim, protocol.rules[claim.id], table[table["id"] == claim.id], folder, minutes) for claim in stated
    ]
    used = {run for c in shown for run in c["runs"]}
    columns = ("what", "data", "value", "interval", "seeds")
    flat = [{"claim": c["claim"].id, "verdict": row["verdict"], **{k: row[k] for k in columns},
             "the paper": c["claim"].paper, "difference": row["difference"]}
            for c in shown for row in c["rows"]]  # fmt: skip
    provenance.latex("claims", pd.DataFrame(flat), "Claims of the paper and what was measured.", folder)
    return {
        "claims": shown,
        "verdicts": [name for name in VERDICTS if name in {c["verdict"] for c in shown}],
        "counts": [
            {"says": says, "verdicts": {v: n for v in VERDICTS if (n := sum(c["verdict"] == v for c in mine))}}
            for kind, says in KINDS.items() if (mine := [c for c in shown if c["kind"] == kind])
        ],
        "trained": provenance.trained_by_set([run for run in runs if run.record.run_id in used]),
    }  # fmt: skip


def _claim(
    claim: claims.Claim, rule: Rule, rows: pd.DataFrame, folder: Path, minutes: dict[str, float]
) -> dict[str, Any]:
    """Return what the pages say of one claim: words, rule, verdict, every comparison as text, evidence and its cost."""
    lines = [_line(row, claim) for row in rows.to_dict(orient="records")]
    used = sorted({run for line in lines for run in line["runs"]})
    first = rows.iloc[0]
    return {"claim": claim, "kind": kind_of(claim, rule), "verdict": first["verdict"], "rows": lines,
            "measured": rule.estimand.rstrip("."), "rule": rule_in_words(rule), "why": first["finding"],
            "dates": f"Rule: commit {first['rule_commit'][:10]}, {first['rule_date']}"
                     + (f"; first run: {first['first_run']}" if first["first_run"] else "")
                     + ("; exploratory" if rule.exploratory else ""),
            "evidence": _evidence(claim, rule, folder),
            "datasets": sorted({line["dataset"] for line in lines} - {""}), "runs": used,
            "minutes": sum(minutes.get(run, 0) for run in used)}  # fmt: skip


def _line(row: Mapping[Any, Any], claim: claims.Claim) -> dict[str, Any]:
    """Return one comparison as text."""
    unit = row["unit"] if isinstance(row["unit"], str) else ""
    known, left_out = row["low"] == row["low"], row["not_trained"] if row["not_trained"] == row["not_trained"] else 0
    under = f" (recipe {row['recipe']})" if row["role"] == "other recipe" else ""
    more = f"; {left_out:.0f} seeds left out, as a run did not train" if left_out else ""
    return {
        "what": row["what"] + under + more,
        "verdict": row["verdict"],
        "data": TITLES.get(row["dataset"], ""),
        "dataset": row["dataset"] if row["dataset"] in TITLES else "",
        "value": number(row["value"], unit),
        "interval": f"{number(row['low'], unit)} to {number(row['high'], unit)}" if known else "",
        "seeds": "" if row["seeds"] != row["seeds"] else f"{row['seeds']:.0f}",
        "runs": row["run_ids"].split() if isinstance(row["run_ids"], str) else [],
        "finding": claims.said(row, lambda value: number(value, unit).lstrip("+")),
        "difference": _plain(row["value"] - claim.stated, "+") if claim.stated is not None else "",
    }


def number(value: float, unit: str) -> str:
    """Return a difference as a reader wants it: points, years, doublings, or the plain number of a calculation."""
    if value != value or not unit:
        return _plain(value)
    return f"{100 * value:+.1f} points" if unit == "shares" else f"{value:+.2f} {unit}"


def _plain(value: float, sign: str = "") -> str:
    if value != value:
        return ""
    return "0" if value == 0 else f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.2g}"


def _evidence(claim: claims.Claim, rule: Rule, folder: Path) -> dict[str, str]:
    """Return the files that show a claim, by what they are: its figure, its numbers, its notebook."""
    if rule.rule == "exact":
        names = (f"figures/{claim.grid}", "equations.json", "executed/model_tour.html")
    else:
        slug = f"figures/utkface-laptop-{claim.grid.replace('_', '-')}.svg"
        names = (slug, "tables/claims.csv", f"executed/{claim.grid}.html")
    return {what: place for what, place in zip(("figure", "numbers", "notebook"), names, strict=True)
            if claim.grid and (folder / place).is_file()}  # fmt: skip


def across(folder: Path, found: Iterable[Study], effect: pd.DataFrame) -> None:
    """Write table and figure of what spans data sets: gender accuracy of each (C10), honest against random (C14)."""
    rows = []
    for study in found:
        record = study.first.record
        if not record.synthetic and record.config.protocol != "random" and study.genders is not None:
            row = study.scores.set_index("score").loc["gender accuracy"]
            rows.append((f"{TITLES[record.config.dataset]}\n{record.config.preset} preset", row["value"], row["low"],
                         row["high"], row["constant predictor"], row["faces"], row["runs"]))  # fmt: skip
    if rows:
        ends = [f"GRA_Net {key}" for key in ("value", "low", "high")]
        table = pd.DataFrame(rows, columns=["name", *ends, "same gender for all value", "faces", "runs"])
        flat = table.assign(name=table["name"].str.replace("\n", ", "))
        write_text(folder / "tables" / "gender-by-data-set.csv", flat.to_csv(index=False, float_format="%.6g"))
        table[[*ends, "same gender for all value"]] *= 100
        table[["same gender for all low", "same gender for all high"]] = float("nan")
        _draw(table, ("GRA_Net", "same gender for all"), "accuracy, %", "Gender on each data set", "real faces",
              folder / "figures" / "gender-by-data-set.svg")  # fmt: skip
    write_text(folder / "tables" / "split-effect.csv", flat_effect(effect).to_csv(index=False, float_format="%.6g"))
    years = effect[[METRICS[KEYS[score]].unit == "years" for score in effect["score"]]]
    if len(years):
        table = flat_effect(years)
        table["name"] = [f"{s.split(',')[0]}\n{score.replace(' (years)', '')}"
                         for s, score in zip(table["study"], table["score"], strict=True)]  # fmt: skip
        _draw(table, ("honest", "random"), "mean absolute error, years",
              "What a random split does", years["study"].iloc[0], folder / "figures" / "split-effect.svg")  # fmt: skip


def _draw(table: pd.DataFrame, sides: tuple[str, str], unit: str, title: str, label: str, path: Path) -> None:
    figures.style()
    figures.save(gridfigures.side_by_side(table, sides, unit, title, label), path)


def flat_effect(effect: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `split_effect` with one number a cell."""
    flat = effect.drop(columns=["honest", "random"])
    for side in ("honest", "random"):
        for key in ("value", "low", "high"):
            flat[f"{side} {key}"] = [row[key] for row in effect[side]]
    return flat
