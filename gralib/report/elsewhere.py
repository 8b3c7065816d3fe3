"""Networks asked about the faces of other data sets, without tuning: the matrix of all that were asked."""

from typing import cast

import numpy as np

from gralib.config import TITLES, Dataset
from gralib.files import write_text
from gralib.metrics import METRICS
from gralib.report import words
from gralib.report.evidence import Book
from gralib.report.text import SURE, Row, level, link, listing, table

CSV = "tables/across.csv"
TITLE = "Trained on one, asked about another"
ANCHOR = TITLE.lower().replace(" ", "-").replace(",", "")


def section(book: Book, page: str) -> str:
    """Return the matrix for a page and write it as CSV; nothing where no network was asked."""
    found = book.elsewhere
    if found.empty:
        return ""
    write_text(book.folder / CSV, found.to_csv(index=False, float_format="%.6g"))
    said = (
        "Networks trained on one data set answer for the faces of another that have the label; nothing is trained or "
        "tuned for it. Where one side has ages and the other Adience’s groups, an answer counts as the group nearest "
        "to it, and only faces whose age lies in a group are asked about. The interval is over runs and groups of "
        "faces, of a single run over groups alone. The same answer for all is the one best for the faces that trained, "
        f"so of two genders it may be right for fewer than half. {link('As CSV', f'../{CSV}')}."
    )
    headers = ("trained on", "asked about", "score", f"measured, {SURE} interval", "same answer for all",
               "on their own test faces", "faces", "runs")  # fmt: skip
    rows = [_row(book, page, row) for row in found.to_dict(orient="records")]
    return f"## {TITLE}\n\n{said}\n\n{table(headers, rows)}"


def _row(book: Book, page: str, row: Row) -> tuple[str, ...]:
    """Return a line of the matrix; what the same runs reach at home stands beside where it is the same score."""
    unit, runs = METRICS[row["score"]].unit, [book.by_name[name] for name in row["run_ids"].split()]
    value, low, high, constant = (level(row[key], unit) for key in ("value", "low", "high", "constant"))
    home = [book.scores(run).get(row["score"], np.nan) for run in runs]
    there = "another question" if np.isnan(home).any() else level(float(np.mean(home)), unit)
    named = [link(run.record.config.seed, book.to_run(page, run.record.run_id)) for run in runs]
    trained, tested = (TITLES[cast(Dataset, row[key])] for key in ("trained", "tested"))
    return (trained, tested, words.score_name(row["score"]), f"**{value}**, {low} to {high}",
            f"{constant}: {_against(row)}", there, f"{row['faces']:,}", f"seed {listing(named)}")  # fmt: skip


def _against(row: Row) -> str:
    """Return whether the interval lies on one side of what the same answer for all reaches."""
    sign = -1 if METRICS[row["score"]].less_is_better else 1
    low, high = sorted((sign * (row["low"] - row["constant"]), sign * (row["high"] - row["constant"])))
    return "better" if low > 0 else "worse" if high < 0 else "not told apart"
