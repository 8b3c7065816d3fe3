"""What the report says of claims: verdicts with every comparison behind them, and the evidence of each."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gralib import appendix, claims, figures, gridfigures
from gralib.config import TITLES
from gralib.errors import UserError
from gralib.records import Run, write_text
from gralib.study import Study

VERDICTS = ("reproduced", "partly", "not reproduced", "not testable", "not run")
KINDS = {
    "calculation": "calculations on the network’s equations, no training",
    "sanity": "sanity checks: better than the same answer for all",
    "comparison": "comparisons with other settings, methods or faces",
    "ours": "a claim of our own, not the paper’s",
}
"""What a claim's test can be, and how the first screen says it."""


def kind_of(claim: claims.Claim) -> str:
    """Return which of `KINDS` a claim is."""
    known = {"equation": "calculation", "floors": "sanity"}
    return "ours" if claim.where == "ours" else known.get(claim.test.kind, "comparison")


def claims_shown(folder: Path, runs: Sequence[Run], problems: list[str]) -> dict[str, Any]:
    """Judge the claims, write `tables/claims.csv` and `.tex`, return what the pages say: claims, counts of verdicts.

    A claim whose runs cannot be compared adds a line to `problems`, and the others go on.
    """
    stated = claims.load()
    rows = [row for claim in stated for row in _judged(claim, runs, problems)]
    verdicts = pd.DataFrame(rows, columns=claims.COLUMNS)
    write_text(folder / "tables" / "claims.csv", verdicts.to_csv(index=False, float_format="%.6g"))
    minutes = {run.record.run_id: run.record.seconds / 60 for run in runs}
    shown = [_claim(claim, verdicts[verdicts["id"] == claim.id], folder, minutes) for claim in stated]
    used = {run for c in shown for run in c["runs"]}
    columns = ("what", "data", "value", "interval", "seeds")
    flat = [{"claim": c["claim"].id, "verdict": c["verdict"], **{k: row[k] for k in columns},
             "the paper": c["claim"].paper, "difference": row["difference"]}
            for c in shown for row in c["rows"]]  # fmt: skip
    appendix.latex("claims", pd.DataFrame(flat), "Claims of the paper and what was measured.", folder)
    return {
        "claims": shown,
        "verdicts": [name for name in VERDICTS if name in {c["verdict"] for c in shown}],
        "counts": [
            {"says": says, "verdicts": {v: n for v in VERDICTS if (n := sum(c["verdict"] == v for c in mine))}}
            for kind, says in KINDS.items() if (mine := [c for c in shown if kind_of(c["claim"]) == kind])
        ],
        "trained": appendix.trained_by_set([run for run in runs if run.record.run_id in used]),
    }  # fmt: skip


def _judged(claim: claims.Claim, runs: Sequence[Run], problems: list[str]) -> list[dict[Any, Any]]:
    try:
        return claims.judge([claim], runs).to_dict(orient="records")
    except UserError as error:
        problems.append(f"{claim.id}: {error}")
        return [{"id": claim.id, "verdict": "not run", "what": "left out, its runs do not fit", "paper": claim.paper}]


def _claim(claim: claims.Claim, rows: pd.DataFrame, folder: Path, minutes: dict[str, float]) -> dict[str, Any]:
    """Return what the pages say of one claim: words, rule, verdict, every comparison as text, evidence and its cost."""
    lines = []
    for row in rows.to_dict(orient="records"):
        known = row["low"] == row["low"]
        lines.append({
            "what": row["what"],
            "data": TITLES.get(row["data set"], ""),
            "dataset": row["data set"] if row["data set"] in TITLES else "",
            "value": _number(row["value"], claim.test),
            "interval": f"{_number(row['low'], claim.test)} to {_number(row['high'], claim.test)}" if known else "",
            "seeds": "" if row["seeds"] != row["seeds"] else f"{row['seeds']:.0f}",
            "runs": row["run ids"].split() if isinstance(row["run ids"], str) else [],
            "stuck": row["stuck runs"].split() if isinstance(row["stuck runs"], str) else [],
            "finding": row["finding"] if isinstance(row["finding"], str) else "",
            "difference": _plain(row["difference"], "+") if claim.stated is not None else "",
        })  # fmt: skip
    used = sorted({run for line in lines for run in line["runs"]})
    return {"claim": claim, "verdict": rows["verdict"].iloc[0], "rows": lines, "evidence": _evidence(claim, folder),
            "datasets": sorted({line["dataset"] for line in lines} - {""}), "runs": used,
            "minutes": sum(minutes.get(run, 0) for run in used)}  # fmt: skip


def _number(value: float, test: claims.Test) -> str:
    """Return a value as a reader wants it: a count or difference of a calculation, points, or years."""
    if value != value or test.kind == "equation":
        return _plain(value)
    return f"{value:+.2f} years" if "mae" in test.measure else f"{100 * value:+.1f} points"


def _plain(value: float, sign: str = "") -> str:
    if value != value:
        return ""
    return "0" if value == 0 else f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.2g}"


def _evidence(claim: claims.Claim, folder: Path) -> dict[str, str]:
    """Return the files that show a claim, by what they are: its figure, its numbers, its notebook, run before."""
    test, real = claim.test, f"{claim.test.dataset}-laptop"
    grid = test.grid.replace("_", "-")
    name, notebook = {
        "bands": (f"{real}-s0-gender-by-age", test.dataset),
        "split": ("split-effect", test.dataset),
        "orientation": (f"{real}-orientation", "orientation"),
    }.get(test.kind, (f"{real}-{grid}", test.grid) if test.grid else ("gender-by-data-set", test.dataset))
    names = (f"figures/{name}.svg", f"tables/{name}.csv", f"executed/{notebook}.html")
    if test.kind == "equation":
        names = (f"figures/{test.figure}", "equations.json", "executed/model_tour.html")
    return {what: place for what, place in zip(("figure", "numbers", "notebook"), names, strict=True)
            if test.kind != "none" and (folder / place).is_file()}  # fmt: skip


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
    years = effect[effect["score"].str.contains("years")]
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
