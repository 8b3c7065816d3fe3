"""The decision table for machines and papers: `claims.json` with its schema, CSV, LaTeX."""

import json
from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict

from gralib.evaluation.claims import Claim
from gralib.evaluation.verdicts import LEVEL, Verdict
from gralib.files import write_text
from gralib.report import words
from gralib.report.evidence import Book, run_ids
from gralib.report.text import SURE, Row, difference, plain, spread

JSON, SCHEMA = "claims.json", "claims.schema.json"
HEADERS = ("", "Comparison", "Data", "Difference", f"{SURE} interval", "Seeds", "Verdict")
DIGITS = ".9g"
"""How numbers are written: the digits after these depend on the processor's order of summing."""
COLUMNS, LINES = "lp{6.2cm}lllrl", 36
"""Of a LaTeX table: how its columns are set, and how many lines a page holds."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Comparison(_Strict):
    """One row of the decision table: by how much the first condition is better; null where nothing is known."""

    role: str
    what: str
    verdict: Verdict
    finding: str
    dataset: str
    score: str
    unit: str
    recipe: str
    value: float | None
    low: float | None
    high: float | None
    margin: float | None
    p: float | None
    p_holm: float | None
    detectable: float | None
    seeds: int | None
    seeds_planned: int | None
    not_trained: int | None
    faces: int | None
    groups: int | None
    runs: list[str]


class Judged(_Strict):
    """A claim, its verdict, and every comparison, the deciding one first."""

    id: str
    claim: str
    where: str
    verdict: Verdict
    exploratory: bool
    rule: str
    rule_commit: str
    rule_date: str
    first_run: str
    comparisons: list[Comparison]


class Claims(_Strict):
    """All claims."""

    level: float
    claims: list[Judged]


def of(book: Book) -> Claims:
    """Return the decision table as checked data."""
    return Claims(level=LEVEL, claims=[_judged(book, claim) for claim in book.stated])


def _judged(book: Book, claim: Claim) -> Judged:
    first, rule = book.first(claim.id), book.rule(claim.id)
    return Judged(
        id=claim.id, claim=claim.claim, where=claim.where, verdict=first["verdict"],
        exploratory=bool(first["exploratory"]), rule=rule.rule or (rule.primary.rule if rule.primary else ""),
        rule_commit=first["rule_commit"], rule_date=first["rule_date"], first_run=first["first_run"],
        comparisons=[_comparison(row) for row in book.rows(claim.id)],
    )  # fmt: skip


def _comparison(row: Row) -> Comparison:
    texts = {key: row[key] if isinstance(row[key], str) else "" for key in
             ("role", "what", "finding", "dataset", "score", "unit", "recipe")}  # fmt: skip
    numbers = {key: float(f"{row[key]:{DIGITS}}") if _known(row[key]) else None for key in
               ("value", "low", "high", "margin", "p", "p_holm", "detectable")}  # fmt: skip
    counts = {key: int(row[key]) if _known(row[key]) else None for key in
              ("seeds", "seeds_planned", "not_trained", "faces", "groups")}  # fmt: skip
    return Comparison(**texts, **numbers, **counts, verdict=row["verdict"], runs=run_ids(row))  # type: ignore[arg-type]


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def write(book: Book) -> None:
    """Write `claims.json`, its schema, `tables/claims.csv` and `tables/claims.tex`."""
    write_text(book.folder / JSON, of(book).model_dump_json(indent=1) + "\n")
    write_text(book.folder / SCHEMA, json.dumps(Claims.model_json_schema(), indent=1) + "\n")
    write_text(book.folder / "tables/claims.csv", book.table.to_csv(index=False, float_format=f"%{DIGITS}"))
    first = [(c.id, *_cells(book.first(c.id))) for c in book.ordered]
    caption = "Claims, and the comparison that decides each."
    write_text(book.folder / "tables/claims.tex", latex("claims", first, caption))
    rest = [(c.id, *_cells(row)) for c in book.ordered for row in book.rows(c.id)[1:]]
    tables = [
        latex(f"parts-{start // LINES + 1}", rest[start : start + LINES], "What stands beside the verdicts of claims.")
        for start in range(0, len(rest), LINES)
    ]
    write_text(book.folder / "tables/claim-parts.tex", "\n".join(tables))


def _cells(row: Row) -> tuple[str, ...]:
    unit, known = words.unit(row), _known(row["value"])
    value = (difference(row["value"], unit) if unit else plain(row["value"])) if known else ""
    interval = spread(row["low"], row["high"], unit) if known and unit and isfinite(row["low"]) else ""
    what = row["what"] + (f" (recipe {row['recipe']})" if row["role"] == "other recipe" else "")
    seeds = f"{row['seeds']:.0f}" if _known(row["seeds"]) else ""
    return what, words.dataset(row), value, interval, seeds, row["verdict"]


def latex(name: str, rows: list[tuple[str, ...]], caption: str) -> str:
    """Return comparisons for a two-column paper: `table*` with booktabs, some room where the first cell changes."""
    lines: list[str] = []
    before = rows[0][0] if rows else ""
    for row in rows:
        shown = row if row[0] != before or not lines else ("", *row[1:])
        lines += [r"\addlinespace"] if lines and shown[0] else []
        lines.append(" & ".join(escape(value) for value in shown) + r" \\")
        before = row[0]
    head = " & ".join(escape(value) for value in HEADERS) + r" \\"
    return "\n".join([
        r"\begin{table*}", r"\centering", r"\scriptsize", rf"\caption{{{escape(caption)}}}", rf"\label{{tab:{name}}}",
        rf"\begin{{tabular}}{{{COLUMNS}}}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}",
        r"\end{table*}", "",
    ])  # fmt: skip


def escape(text: str) -> str:
    """Return a text that LaTeX sets as it is."""
    special = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
               "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--", "’": "'",
               "<": "$<$", ">": "$>$"}  # fmt: skip
    return "".join(special.get(letter, letter) for letter in text)
