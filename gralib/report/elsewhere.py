"""Networks asked about the faces of other data sets, without tuning: the matrix of all that were asked."""

from typing import cast

import numpy as np

from gralib.config import TITLES, Dataset
from gralib.evaluation import across
from gralib.files import write_text
from gralib.metrics import METRICS
from gralib.report import words
from gralib.report.evidence import Book
from gralib.report.text import NOTHING, SURE, Row, level, link, listing, table

CSV = "tables/across.csv"


def section(book: Book, page: str) -> str:
    """Return the matrix for a page and write it as CSV; nothing where no network was asked."""
    found = across.matrix(book.runs)
    if found.empty:
        return ""
    write_text(book.folder / CSV, found.to_csv(index=False, float_format="%.6g"))
    said = (
        "Networks trained on one data set answer for all faces of another that have the label: nothing is trained or "
        "tuned for it. Ages count as the group of Adience that they lie in or next to. The interval is over runs and "
        "over groups of faces; the same answer for all is the one best for the faces that trained. "
        f"{link('As CSV', f'../{CSV}')}."
    )
    headers = ("trained on", "asked about", "score", "measured", f"{SURE} interval", "same answer for all",
               "on their own test faces", "faces", "runs")  # fmt: skip
    rows = [_row(book, page, row) for row in found.to_dict(orient="records")]
    return f"## Trained on one, asked about another\n\n{said}\n\n{table(headers, rows)}"


def _row(book: Book, page: str, row: Row) -> tuple[str, ...]:
    """Return a line of the matrix; what the same runs reach at home stands beside where it is the same score."""
    unit, runs = METRICS[row["score"]].unit, [book.by_name[name] for name in row["run_ids"].split()]
    value, low, high, constant = (level(row[key], unit) for key in ("value", "low", "high", "constant"))
    home = [book.scores(run).get(row["score"], np.nan) for run in runs]
    named = [link(run.record.config.seed, book.to_run(page, run.record.run_id)) for run in runs]
    trained, tested = (TITLES[cast(Dataset, row[key])] for key in ("trained", "tested"))
    return (trained, tested, words.score_name(row["score"]), f"**{value}**", f"{low} to {high}", constant,
            NOTHING if np.isnan(home).any() else level(float(np.mean(home)), unit), f"{row['faces']:,}",
            f"seed {listing(named)}")  # fmt: skip
