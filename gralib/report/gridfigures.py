"""Figures that set one network against another: the settings of a grid, turned faces, gates, two protocols."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from gralib.evaluation.compare import along
from gralib.metrics import METRICS
from gralib.report.figures import COLOURS, canvas, gate_axis

MARKERS = "osD^v"
UNITS = ("accuracy, %", "mean absolute error of the age, years")
"""What an axis of shares is called, and one of years."""
ARROW = {"arrowstyle": "->", "color": "0.35"}


def settings(table: pd.DataFrame, measure: str, title: str, label: str) -> Axes:
    """The settings of a grid: the score of every run, the mean with its 95 % interval, the constant predictor.

    Settings of a depth or a share of wrong labels are lines along it, others a row each. `table` is that of
    `gralib.evaluation.compare.summary`; accuracies are shown in per cent, errors in years.
    """
    years = METRICS[measure].unit == "years"
    scaled = table[["value", "low", "high", "constant predictor"]] * (1 if years else 100)
    runs = [np.array(r) * (1 if years else 100) for r in table["by seed"]]
    scaled = scaled.assign(setting=table["setting"], runs=pd.Series(runs, dtype=object).to_numpy()).reset_index(
        drop=True
    )
    unit = UNITS[years]
    steps = along(table["setting"])
    return _rows(scaled, unit, title, label) if steps is None else _lines(scaled.join(steps), unit, title, label)


def points(scores: Mapping[str, Sequence[float]], measure: str, title: str, label: str) -> Axes:
    """The scores of the runs finished so far, a row a setting, a point a seed: no mean, no interval, no verdict.

    `scores` are in the unit of `measure`, a key of `gralib.metrics.METRICS`; a setting without a run has an empty row.
    """
    years = METRICS[measure].unit == "years"
    ax = canvas(title, label, 7.6, 1.5 + 0.34 * len(scores))
    for y, (name, found) in zip(np.arange(len(scores))[::-1], scores.items(), strict=True):
        values = np.asarray(found) * (1 if years else 100)
        ax.plot(values, np.full(len(values), y), "o", ms=7, mfc="none", mew=1.6, color=COLOURS.get(name, "0.35"))
    ax.set_yticks(np.arange(len(scores))[::-1], list(scores), fontsize=11)
    ax.set(xlabel=UNITS[years], ylim=(-0.7, len(scores) - 0.3))
    ax.grid(axis="both", color="0.92")
    return ax


def _rows(table: pd.DataFrame, unit: str, title: str, label: str) -> Axes:
    ax = canvas(title, label, 7.6, 1.8 + 0.5 * len(table))
    plain = COLOURS["measured"] if not set(table["setting"]) & set(COLOURS) else "0.35"
    for y, row in zip(np.arange(len(table))[::-1], table.to_dict(orient="records"), strict=True):
        colour = COLOURS.get(row["setting"], plain)
        ax.plot(row["runs"], np.full(len(row["runs"]), y + 0.2), "o", ms=5.5, mfc="none", mew=1.4, color=colour)
        ax.plot([row["low"], row["high"]], [y - 0.08] * 2, "|-", lw=1.8, ms=8, color=colour)
        ax.plot(row["value"], y - 0.08, "D", ms=6, color=colour)
    for marker, name in (("o", "one run"), ("D", "mean, 95 % interval")):
        ax.plot([], [], marker, ms=6, mfc="none" if marker == "o" else plain, color=plain, label=name)
    low, high = _ends(table)
    for y, row in zip(np.arange(len(table))[::-1], table.to_dict(orient="records"), strict=True):
        colour = COLOURS.get(row["setting"], plain)
        for end, off, mark in ((low, row["low"] < low, "<"), (high, row["high"] > high, ">")):
            if off:  # the interval goes on
                ax.plot(end, y - 0.08, mark, ms=7, color=colour, clip_on=False)
        for end, side, away in ((low, "left", lambda r: r < low), (high, "right", lambda r: r > high)):
            if outside := [f"{run:.1f}" for run in row["runs"] if away(run)]:
                ax.text(end, y + 0.12, "beyond: " + ", ".join(outside), color=colour, fontsize=10, ha=side)
    ax.set_yticks(np.arange(len(table))[::-1], table["setting"])
    ax.set(xlabel=unit, xlim=(low, high), ylim=(-0.8, len(table) - 0.4))
    ax.grid(axis="x", color="0.9")
    floor = table["constant predictor"].mean()
    if low <= floor <= high:
        ax.axvline(floor, color=COLOURS["constant"], ls="--", lw=1.2, label="same answer for all")
    else:
        end, text, side = (low, 0.05, "left") if floor < low else (high, 0.95, "right")
        ax.annotate(f"same answer for all: {floor:.1f}", (end, -0.58), (low + text * (high - low), -0.58), ha=side,
                    va="center", color="0.35", fontsize=10.5, arrowprops=ARROW)  # fmt: skip
    ax.legend(frameon=False, fontsize=10.5, loc="upper left", bbox_to_anchor=(0, -0.14 - 0.5 / len(table)), ncols=3)
    return ax


def _lines(table: pd.DataFrame, unit: str, title: str, label: str) -> Axes:
    ax = canvas(title, label, 7.6, 4.9)
    steps = sorted(table["step"].unique())
    apart = 0.014 * max(float(np.ptp(steps)), 1.0)
    groups = list(table.groupby("line", sort=False))
    for i, (name, part) in enumerate(groups):
        colour, shift = COLOURS.get(str(name), "0.35"), apart * (i - (len(groups) - 1) / 2)
        x = part["step"] + shift
        ax.plot(x, part["value"], MARKERS[i % 5], ls="-", lw=2, ms=6.5, color=colour, label=name)
        ax.vlines(x, part["low"], part["high"], color=colour, lw=1.6, alpha=0.4)
        for where, runs in zip(x, part["runs"], strict=True):
            ax.plot(np.full(len(runs), where), runs, MARKERS[i % 5], ms=4, mfc="white", mew=1.1, color=colour)
    low, high = _ends(table)
    floor = table["constant predictor"].mean()
    if low <= floor <= high:
        ax.axhline(floor, color=COLOURS["constant"], ls="--", lw=1.2, label="same answer for all")
    else:
        ax.annotate(f"same answer for all: {floor:.1f}", (0.02, 0.0), (0.02, 0.09), xycoords="axes fraction",
                    color="0.35", fontsize=10.5, arrowprops=ARROW)  # fmt: skip
    wrong = "wrong" in table["unit"].iloc[0]
    ax.set(
        xlabel="wrong labels in training, %" if wrong else "attention modules a stage", ylabel=unit, ylim=(low, high)
    )
    ax.xaxis.set_major_locator(FixedLocator(steps))
    ax.grid(axis="y", color="0.9")
    ax.legend(frameon=False, fontsize=10.5, loc="upper left", bbox_to_anchor=(-0.02, -0.15), ncols=2)
    return ax


def _ends(table: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of an axis around the runs; intervals much wider, and a run far from all others, go past them."""
    runs = np.concatenate(list(table["runs"]))
    off = np.abs(runs - np.median(runs))
    runs = runs[off <= 25 * max(float(np.median(off)), 0.1)]
    reach = max(np.ptp(runs), 1.0)
    low, high = (max(table["low"].min(), runs.min() - 0.5 * reach), min(table["high"].max(), runs.max() + 0.5 * reach))
    floor, pad = table["constant predictor"].mean(), 0.05 * (high - low)
    near = (high - low) / 3
    low, high = (min(low, floor) if low - floor < near else low), (max(high, floor) if floor - high < near else high)
    return low - pad, high + pad


def orientation(curves: dict[str, pd.DataFrame], label: str) -> Figure:
    """Accuracy by degrees of turning and pixels of moving, a line a setting with its 95 % band."""
    fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained", sharey=True)
    for ax, kind, unit in zip(axes, ("turn", "move"), ("degrees turned", "pixels moved, of 32"), strict=True):
        for marker, (name, table) in zip(MARKERS, curves.items(), strict=False):
            part, colour = table[table["kind"] == kind], COLOURS.get(name, "0.35")
            ax.plot(part["step"], 100 * part["value"], f"{marker}-", ms=5.5, color=colour, label=name)
            ax.fill_between(part["step"], 100 * part["low"], 100 * part["high"], color=colour, alpha=0.15, lw=0)
        ax.set(xlabel=f"{unit}, to either side")
    axes[0].set_ylabel("gender accuracy, %")
    axes[0].legend(frameon=False, loc="lower left")
    fig.suptitle("What turning and moving the test faces costs", x=0.01, ha="left", fontsize=13.5, fontweight="bold")
    axes[0].set_title(label, loc="left", fontsize=10.5, color="0.35")
    return fig


def trajectories(histories: dict[str, pd.DataFrame], label: str) -> Axes:
    """Gamma of every gate by epoch, a line a run and gate: where training takes the gates from one half."""
    ax = canvas("Where training takes the gates", label)
    stages = set()
    for history in histories.values():
        for column in history.filter(like="gate_"):
            stage = str(column).removeprefix("gate_")[:6]
            ax.plot([0, *history["epoch"]], [0.5, *history[column]], color=COLOURS.get(stage), lw=1.2, alpha=0.8)
            stages.add(stage)
    for stage in sorted(stages):
        ax.plot([], [], color=COLOURS.get(stage), label=stage.replace("stage", "gates of stage "))
    return gate_axis(ax)


def parts(tables: dict[str, pd.DataFrame], units: dict[str, str], title: str, label: str) -> Figure:
    """What each part of a recipe is worth: difference and 95 % interval a row, one panel a task, the same rows.

    Args:
        tables: by task, as of `gralib.evaluation.search.worth`.
        units: by task, of the difference.
        title: what to see.
        label: what was measured, on which faces.
    """
    names = list(dict.fromkeys(_part(r)
                               for t in tables.values() for r in t.to_dict(orient="records")))  # fmt: skip
    figure, axes = plt.subplots(
        1, len(tables), figsize=(4.2 + 3.2 * len(tables), 1.6 + 0.34 * len(names)), sharey=True, layout="constrained"
    )
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontweight="bold", fontsize=13.5)
    figure.text(0.01, 1 - 0.5 / figure.get_figheight(), label, fontsize=10.5, color="0.35")
    for ax, (task, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        for row in table.to_dict(orient="records"):
            y = -names.index(_part(row))
            sure = row["low"] > 0 or row["high"] < 0
            ax.plot([row["low"], row["high"]], [y, y], lw=2, color=COLOURS["measured"] if sure else "0.6")
            ax.plot(row["difference"], y, "o", ms=6, color=COLOURS["measured"] if sure else "0.6")
        ax.axvline(0, color="0.3", lw=1)
        ax.set(yticks=[-i for i in range(len(names))], yticklabels=names, title=task.replace("_", " "))
        ax.set_xlabel(f"better by, {units[task]}")
        ax.grid(axis="x", color="0.9")
    return figure


def _part(row: Mapping[Any, Any]) -> str:
    return f"{row['part'].replace('_', ' ')}: {row['value']} (not {row['beside']})"
