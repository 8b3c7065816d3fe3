"""Comparisons that no rule asked for, made after the verdicts were seen: marked as exploratory, deciding nothing."""

from gralib.errors import UserError, from_root
from gralib.evaluation.contrasts import evaluate
from gralib.evaluation.protocol import parse
from gralib.evaluation.rules import Contrast, Rule
from gralib.report import words
from gralib.report.evidence import Book
from gralib.report.text import SURE, Row, table

PLACE = "reports/exploratory.yaml"


def section(book: Book, claim: str) -> str:
    """Return the part of a claim's page; nothing where nobody looked or the runs are not there."""
    entry, rule = parse(from_root(PLACE).read_text()).get(claim), book.rule(claim)
    if not entry:
        return ""
    try:
        found = [_row(book, rule, Contrast(rule="sign", **asked)) for asked in entry["contrasts"]]
    except UserError as error:
        book.problems.append(f"{claim}: {error}")
        return ""
    rows = [(row["what"], words.estimated(row), f"{row['seeds']}", f"{row['faces']:,}") for row in found
            if "value" in row]  # fmt: skip
    if not rows:
        return ""
    said = f"**Exploratory**: no rule asked for it, and the verdicts were known. {entry['why']} No *p*, no verdict."
    return f"## Looked at afterwards\n\n{said}\n\n" + table(
        ("comparison", f"difference, {SURE} interval", "seeds", "faces"), rows
    )


def _row(book: Book, rule: Rule, contrast: Contrast) -> Row:
    return evaluate(book.protocol, contrast, book.known, rule.recipe, rule.seeds[: rule.looks[0]], (1.0,))
