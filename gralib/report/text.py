"""Words and numbers as the pages write them: plain GitHub Markdown, and nothing that knows of runs."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from gralib.evaluation.verdicts import LEVEL
from gralib.metrics import METRICS

POINTS = 100
"""Points or per cent in a share."""
SURE = f"{LEVEL * POINTS:.0f} %"
"""The level of intervals in words."""
SHORT = 10
"""Digits of a commit that are shown."""
MANY = 10
"""More links to runs than these are folded away."""
NOTHING = "–"
Row = Mapping[Any, Any]
"""Of a table, by column."""
SCORED = ("value", "low", "high", "constant predictor")
"""Columns of a score in the tables of `gralib.evaluation.study`."""


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; cells are Markdown of one line."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines) + "\n"


def cell(value: object) -> str:
    """Return what a cell of a table says: one line, its bars escaped; a dash where nothing is known."""
    if value is None or value == "" or (isinstance(value, float) and not isfinite(value)):
        return NOTHING
    return " ".join(str(value).split()).replace("|", "\\|")


def fold(summary: str, body: str) -> str:
    """Return a part that opens on a click."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body.strip()}\n\n</details>\n"


def cell_of(links: Sequence[str]) -> str:
    """Return links to runs for a cell of a table; many of them open on a click."""
    some = " ".join(links)
    return some if len(links) <= MANY else f"<details><summary>{len(links)} runs</summary> {some}</details>"


def page(title: str, *parts: str) -> str:
    """Return a page: its title, then its parts with a line between them; empty ones are left out."""
    return "\n\n".join([f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"


def figure(alt: str, place: str) -> str:
    """Return a picture with what it shows in words."""
    return f"![{' '.join(alt.split())}]({place})"


def link(words: object, place: str) -> str:
    """Return a link."""
    return f"[{words}]({place})"


def code(text: str) -> str:
    """Return commands as a block."""
    return f"```sh\n{text.strip()}\n```"


def listing(words: Sequence[str]) -> str:
    """Return 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def in_words(name: str) -> str:
    """Return a name of the code as a reader writes it: 'age_category' as 'age category'."""
    return name.replace("_", " ")


def plural(count: int, word: str) -> str:
    """Return a count with its word."""
    return f"{count:,} {word if count == 1 else word + 's'}"


def between(counts: Sequence[int]) -> str:
    """Return a count, or the least and the greatest of several."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def signed(value: float, unit: str, more: int = 0) -> str:
    """Return a difference without its unit: signed, shares as points; of a calculation the plain number.

    Points have one decimal, others two; and so many `more`.
    """
    if not unit:
        return plain(value)
    if not isfinite(value):
        return NOTHING
    return _minus(f"{POINTS * value:+.{1 + more}f}" if unit == "shares" else f"{value:+.{2 + more}f}")


def difference(value: float, unit: str) -> str:
    """Return a difference with sign and unit."""
    return f"{signed(value, unit)} {'points' if unit == 'shares' else unit}".strip() if isfinite(value) else NOTHING


def size(value: float, unit: str) -> str:
    """Return a difference without sign, with its unit: a margin, or what could have been seen."""
    return difference(abs(value), unit).lstrip("+")


def spread(low: float, high: float, unit: str) -> str:
    """Return an interval of a difference; an end that rounds to zero has more decimals, as its side decides."""
    if not isfinite(low):
        return "no interval"
    tried = ([signed(end, unit, more) for more in range(4)] for end in (low, high))
    return f"[{', '.join(next((text for text in end if text.strip('+−0.')), end[0]) for end in tried)}]"


def estimate(value: float, low: float, high: float, unit: str) -> str:
    """Return a difference with sign, unit and interval; of a calculation its number alone."""
    if not unit:
        return plain(value)
    return f"{difference(value, unit)} {spread(low, high, unit)}" if isfinite(value) else NOTHING


def level(value: float, unit: str) -> str:
    """Return a score: shares as per cent, errors in years, others in their unit."""
    if not isfinite(value):
        return NOTHING
    return _minus(f"{POINTS * value:.1f} %" if unit == "shares" else f"{value:.2f} {unit}")


def scored(row: Row) -> tuple[str, str, str, str]:
    """Return the cells of a score of a study: level, interval, what the same answer for all reaches, and faces."""
    value, low, high, constant = (level(row[key], unit_of(row["score"])) for key in SCORED)
    return f"**{value}**", f"{low} to {high}", constant, f"{row['faces']:,}"


def plain(value: float) -> str:
    """Return the number of a calculation."""
    if not isfinite(value):
        return NOTHING
    return "0" if value == 0 else f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.2g}"


def unit_of(title: str) -> str:
    """Return what the metric of that title is counted in."""
    return next(metric.unit for metric in METRICS.values() if metric.title == title)


def _minus(text: str) -> str:
    return text.replace("-", "−")
