"""Figures of differences, of all claims or of one and its parts, and of scores. A verdict has one colour everywhere."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gralib.metrics import METRICS
from gralib.report.text import POINTS, SURE, Row, signed, spread

COLOURS = {
    "supported": "#00664d", "contradicted": "#a33b00", "inconclusive": "#5b4b9a", "not testable": "#595959",
    "not run": "#767676",
}  # fmt: skip
"""Of the verdicts, the same as in `book/_static/book.css`."""
MARKERS = {"supported": "o", "contradicted": "X", "inconclusive": "s", "not testable": "D", "not run": "|"}
MARGIN, SEEN = "#cfe3f2", "#9a9a9a"
"""The band of the margin, and the bar of what could have been seen."""
REACH = 6.0
"""An axis reaches so many margins; what lies beyond is an arrow with its number."""
ROW, HEAD, LEGEND = 0.31, 0.78, 0.7
"""Inches of a line, of what is around a panel, and of the legend above a single one."""


def scale(unit: str) -> float:
    """Return what values are multiplied with to be shown."""
    return POINTS if unit == "shares" else 1


def panel_of(row: Row) -> str:
    """Return what the axis of a row is: rows of one axis can be compared. More of some is neither good nor bad."""
    if row["unit"] == "years":
        return "better by, years of age error"
    if not METRICS[row["score"]].neutral:
        return "better by, points of accuracy"
    return "more, points of the masks’ variance" if row["unit"] == "shares" else f"more, {row['unit']}"


def forest(rows: Sequence[Row], names: Sequence[str]) -> Figure:
    """Differences: estimate, interval, zero line, margin, and what could have been seen; a panel a unit.

    Args:
        rows: of the decision table, in the order shown.
        names: what stands beside each.
    """
    kinds = list(dict.fromkeys(panel_of(row) for row in rows))
    groups = [[(r, n) for r, n in zip(rows, names, strict=True) if panel_of(r) == kind] for kind in kinds]
    heights = [len(group) * ROW + HEAD for group in groups]
    whole = sum(heights) + (LEGEND if len(groups) == 1 else 0)
    figure, axes = plt.subplots(len(groups), 1, figsize=(10.4, whole), height_ratios=heights, layout="constrained",
                                squeeze=False)  # fmt: skip
    for ax, kind, group in zip(axes[:, 0], kinds, groups, strict=True):
        _panel(ax, [row for row, _ in group], [name for _, name in group], kind)
    figure.legend(handles=_legend(rows), loc="outside upper left", ncols=4, frameon=False, fontsize=10.5)
    return figure


def _panel(ax: Axes, rows: Sequence[Row], names: Sequence[str], title: str) -> None:
    end = _end(rows)
    for y, row in zip(np.arange(len(rows))[::-1], rows, strict=True):
        _line(ax, row, float(y), end)
    ax.axvline(0, color="0.2", lw=1.2, zorder=1)
    ax.set_yticks(np.arange(len(rows))[::-1], names, fontsize=11)
    ax.set(xlim=(-end, end), ylim=(-0.7, len(rows) - 0.3))
    ax.set_xlabel(title, fontsize=11)
    ax.tick_params(axis="x", labelsize=10.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color="0.92", zorder=0)


def _end(rows: Sequence[Row]) -> float:
    """Return how far an axis reaches to both sides, in what is shown."""
    margins = [scale(row["unit"]) * row["margin"] for row in rows if row["margin"] > 0]
    ends = [scale(row["unit"]) * abs(row[key]) for row in rows for key in ("low", "high", "value", "detectable")]
    reach = max([end for end in ends if np.isfinite(end)], default=0.0)
    least = 2 * max(margins, default=0.0) or 1.0
    return max(least, 1.08 * min(reach, REACH * max(margins)) if margins else 1.08 * reach)


def _line(ax: Axes, row: Row, y: float, end: float) -> None:
    """One difference: margin, what could have been seen, both intervals, estimate, and its numbers at the right."""
    factor, colour = scale(row["unit"]), COLOURS[row["verdict"]]
    if row["margin"] > 0:
        ax.barh(y, 2 * factor * row["margin"], left=-factor * row["margin"], height=0.8, color=MARGIN, lw=0, zorder=0)
    value, low, high = (factor * row[key] for key in ("value", "low", "high"))
    words = signed(row["value"], row["unit"])
    if not np.isfinite(value):
        words = str(row["verdict"])
    elif np.isfinite(low):
        words += f" {spread(row['low'], row['high'], row['unit'])}"
    ax.text(1.01, y, words, transform=ax.get_yaxis_transform(), va="center", fontsize=10.5, color=colour)
    if not np.isfinite(value):
        return
    if np.isfinite(seen := factor * row["detectable"]):
        ax.plot([-min(seen, end), min(seen, end)], [y - 0.3] * 2, color=SEEN, lw=2.2, solid_capstyle="butt", zorder=2)
    if np.isfinite(low):
        low_90, high_90 = (factor * row[key] for key in ("low_90", "high_90"))
        for left, right, width in ((low, high, 1.8), (low_90, high_90, 4.2)):
            ax.plot(np.clip([left, right], -end, end), [y, y], color=colour, lw=width, solid_capstyle="butt", zorder=3)
    beyond = abs(value) > end
    mark = (">" if value > 0 else "<") if beyond else MARKERS[row["verdict"]]
    ax.plot(np.clip(value, -end, end), y, mark, ms=8, color=colour, mec="white", mew=0.8, zorder=4, clip_on=False)


def _legend(rows: Sequence[Row]) -> list[Any]:
    shown = [v for v in COLOURS if any(row["verdict"] == v and np.isfinite(row["value"]) for row in rows)]
    marks: list[Any] = [Line2D([], [], color=COLOURS[v], marker=MARKERS[v], ms=7, lw=1.8, label=v) for v in shown]
    if any(row["margin"] > 0 for row in rows):
        marks.append(Patch(color=MARGIN, label="margin: too small to matter"))
    if any(np.isfinite(row["value"]) for row in rows):
        marks.append(Line2D([], [], color=SEEN, lw=2.2, label="could have been seen (power "
                            + f"{POINTS * 0.8:.0f} %)"))  # fmt: skip
        marks.append(Line2D([], [], color="0.35", lw=1.8, label=f"{SURE} interval (thick: {POINTS * 0.9:.0f} %)"))
    return marks


def levels(rows: Sequence[Row], title: str, unit: str, constant: float) -> Figure:
    """Scores of several conditions on the same seeds: mean with its interval, a ring a fold, the constant predictor.

    Args:
        rows: name, value, low, high, folds (list of the folds' means), colour.
        title: of the axis.
        unit: of the score, see `gralib.metrics.METRICS`.
        constant: what the constant predictor reaches; NaN where there is none.
    """
    factor = scale(unit)
    figure, ax = plt.subplots(figsize=(9.2, len(rows) * ROW * 1.25 + 1.3), layout="constrained")
    for y, row in zip(np.arange(len(rows))[::-1], rows, strict=True):
        ax.plot(factor * np.array(row["folds"]), np.full(len(row["folds"]), y + 0.2), "o", ms=5, mfc="none", mew=1.3,
                color=row["colour"])  # fmt: skip
        if np.isfinite(row["low"]):
            ax.plot([factor * row["low"], factor * row["high"]], [y - 0.1] * 2, "|-", lw=1.8, ms=8, color=row["colour"])
        ax.plot(factor * row["value"], y - 0.1, "D", ms=6, color=row["colour"])
    ax.set_yticks(np.arange(len(rows))[::-1], [row["name"] for row in rows], fontsize=11)
    low, high = ax.get_xlim()
    near = low - (high - low) < factor * constant < high + (high - low)
    if near:
        ax.axvline(factor * constant, color="0.45", ls="--", lw=1.3)
    ax.set(ylim=(-0.7, len(rows) - 0.4))
    ax.set_xlabel(title, fontsize=11)
    ax.grid(axis="x", color="0.92")
    marks: list[Any] = [
        Line2D([], [], marker="o", ls="", mfc="none", color="0.35", label="one fold"),
        Line2D([], [], marker="D", color="0.35", label=f"mean, {SURE} interval over folds"),
    ]
    if np.isfinite(constant):
        where = "" if near else f": {factor * constant:.1f}, beyond the axis"
        marks.append(Line2D([], [], ls="--" if near else "", color="0.45", label=f"same answer for all{where}"))
    figure.legend(handles=marks, loc="outside upper left", ncols=3, frameon=False, fontsize=10.5)
    return figure
