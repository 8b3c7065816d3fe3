"""Figures: a table or an array in, matplotlib axes out. One thing has one colour everywhere (Okabe and Ito)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gralib.errors import from_root
from gralib.files import write_bytes
from gralib.report.text import in_words

COLOURS = {
    "measured": "#0072B2",
    "constant": "#7F7F7F",
    "training": "#56B4E9",
    "validation": "#D55E00",
    "male": "#56B4E9",
    "female": "#D55E00",
    "GRA_Net": "#0072B2",
    "trainable gate": "#0072B2",
    "gate 0 (naive attention)": "#D55E00",
    "gate 1/2 (residual attention)": "#009E73",
    "gate 1 (trunk alone)": "#CC79A7",
    "residual net": "#E69F00",
    "stage1": "#332288",
    "stage2": "#44AA99",
    "stage3": "#AA4499",
}
ATTENTION_COLOURS = {"mixed": "#0072B2", "channel": "#D55E00", "spatial": "#009E73"}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "gralib",
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
}


def style() -> None:
    """Set the look of all figures from here on."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind", font_scale=1.15, rc=STYLE)


def save(axes: Axes | Figure, path: Path) -> Path:
    """Write the figure of `axes` to `path` (by its ending; the same bytes for the same figure) and close it."""
    figure = axes if isinstance(axes, Figure) else axes.get_figure()
    assert isinstance(figure, Figure)
    with mpl.rc_context(STYLE):
        _write(figure, path)
    plt.close(figure)
    return path


def keep_faces(figure: Figure, dataset: str, name: str, synthetic: bool) -> Path:
    """Write a figure that shows faces where git ignores it and the book of this machine finds it."""
    path = from_root("build/faces") / f"{'synthetic-' if synthetic else ''}{dataset}-{name}.png"
    _write(figure, path)
    return path


def _write(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all, without the day and the program that drew it."""
    held = io.BytesIO()
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(held, format=path.suffix[1:], metadata=metadata)
    write_bytes(path, held.getvalue())


def canvas(title: str, label: str, width: float = 6.4, height: float = 4.0) -> Axes:
    """Return empty axes with a title that says what to see, and below it what was measured on which faces."""
    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    ax.set_title(f"{title}\n", loc="left", fontweight="bold", fontsize=13.5)
    ax.text(0, 1.02, label, transform=ax.transAxes, fontsize=10.5, color="0.35")
    return ax


def losses(history: pd.DataFrame, chosen: int, task: str, label: str) -> Axes:
    """Training and validation loss of a task by epoch, and the epoch whose weights were kept."""
    ax = canvas(f"Training: {in_words(task)}", label)
    drawn = {"train_loss": "training", "validation_loss": "validation"}
    for column in history.columns.intersection(list(drawn)):  # the last is that which chose the epoch, where one did
        name = drawn[column]
        ax.plot(history["epoch"], history[column], color=COLOURS[name], label=name, marker="o", ms=3.5)
    kept = history.set_index("epoch")[column].loc[chosen]
    ax.plot(chosen, kept, "o", ms=11, mfc="none", color=COLOURS[name], label=f"kept: epoch {chosen}")
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    return ax


def gates(history: pd.DataFrame, task: str, label: str) -> Axes:
    """Gamma of every gate (Eq. 3) of a task's network by epoch, from its start at 1/2."""
    ax = canvas(f"Where the gates go: {in_words(task)}", label)
    for column in history.filter(like="gate_"):
        name = str(column).removeprefix("gate_")
        values = [0.5, *history[column]]
        ax.plot([0, *history["epoch"]], values, color=COLOURS.get(name[:6]), marker="o", ms=3.5,
                label=f"{gate_name(name)}: ends at {values[-1]:.2f}")  # fmt: skip
    return gate_axis(ax)


def gate_name(name: str) -> str:
    """Return 'stage1_module2' as 'stage 1, module 2'."""
    return name.replace("stage", "stage ").replace("_module", ", module ")


def gate_axis(ax: Axes) -> Axes:
    """Finish an axes of gates by epoch: the whole range of gamma, its start at one half, a legend."""
    ax.axhline(0.5, color=COLOURS["constant"], lw=1, ls="--", zorder=0)
    ax.set(xlabel="epoch", ylabel="γ   (0: mask in full,  1: no mask)", ylim=(0, 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, loc="upper left")
    return ax


def calibration(tables: dict[str, pd.DataFrame], label: str) -> Axes:
    """Share of right answers by confidence; on the diagonal a network knows what it knows. By name of the task."""
    ax = canvas("Does the network know when it is right?", label)
    ax.plot([0, 100], [0, 100], color=COLOURS["constant"], ls="--", lw=1.2, label="as sure as right")
    for (name, table), colour in zip(tables.items(), (COLOURS["measured"], COLOURS["validation"]), strict=False):
        ax.plot(100 * table["confidence"], 100 * table["accuracy"], "o-", ms=5, color=colour, label=name)
    ax.set(xlabel="confidence of the answer, %", ylabel="right answers, %", xlim=(0, 102), ylim=(0, 102))
    ax.legend(frameon=False, loc="upper left")
    return ax


def cumulative(table: pd.DataFrame, label: str) -> Axes:
    """Cumulative score CS(k): share of faces whose age error is at most k years."""
    ax = canvas("How many faces are within k years?", label)
    for column, name in (("measured", "GRA_Net"), ("constant", "same age for all")):
        ax.plot(table["years"], 100 * table[column], color=COLOURS[column], marker="o", ms=3.5, label=name)
    ax.set(xlabel="k, years", ylabel="faces within k years, %", ylim=(0, 100))
    ax.legend(frameon=False, loc="lower right")
    return ax


def by_decade(table: pd.DataFrame, what: str, label: str) -> Axes:
    """Score of each decade of true age with its 95 % interval, and that of the constant predictor beside it.

    `what` is 'age' (MAE) or 'gender' (accuracy); the table is that of `Study.by_decade`.
    """
    age = what == "age"
    ax = canvas("How far off, by true age" if age else "How often the gender is right, by true age", label)
    factor = 1 if age else 100
    x = np.arange(len(table))
    value, low, high = (factor * table[c].to_numpy() for c in ("value", "low", "high"))
    ax.errorbar(x, value, (value - low, high - value), fmt="o", color=COLOURS["measured"], capsize=3, label="GRA_Net")
    name = "same age for all" if age else "same gender for all"
    ax.plot(x, factor * table["constant"], "_", ms=16, mew=2, color=COLOURS["constant"], label=name)
    decades = all(d.endswith("9") for d in table["decade"])
    bands = [f"{d.split('-')[0]}s" if decades else d for d in table["decade"]]
    names = [f"{band}\n{n}" for band, n in zip(bands, table["faces"], strict=True)]
    ax.set_xticks(x, names, fontsize=9)
    ax.set(
        xlabel=f"{'decade of true age' if decades else 'true age group, years'}, and its test faces",
        ylabel="mean absolute error, years" if age else "accuracy, %",
    )
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=10)
    return ax


def confusion(table: pd.DataFrame, label: str) -> Axes:
    """Age categories: each row says where the faces of one true category were put, in per cent."""
    ax = canvas("Which age category is taken for which?", label, 7.2, 6.0)
    table = table.dropna(how="all")
    bar = ax.inset_axes((1.03, 0, 0.035, 1))
    shown = (100 * table).round().astype(int)
    sns.heatmap(
        100 * table, annot=shown.where(shown > 0, 0), fmt="d", annot_kws={"size": 8}, ax=ax, cmap="Blues", vmin=0,
        vmax=100, square=True, cbar_ax=bar, cbar_kws={"label": "% of the true category"}, linewidths=0.5,
    )  # fmt: skip
    ax.set(xlabel="predicted, years", ylabel="true, years")
    ax.tick_params(axis="x", rotation=45)
    ax.tick_params(axis="y", rotation=0)
    return ax


def ages_by_gender(table: pd.DataFrame, label: str) -> Axes:
    """Number of faces by decade of age (or age group), by gender where that is published."""
    ax = canvas("Who is in it", label)
    aged = table["age"].notna().any()
    known = table.dropna(subset=["age" if aged else "age_group"])
    bands = (known["age"] // 10 * 10).astype(int) if aged else known["age_group"]
    order = sorted(bands.unique(), key=lambda band: int(str(band).split("-")[0]))
    genders = [g for g in ("male", "female") if (known["gender"] == g).any()]
    for i, gender in enumerate(genders or ["gender not published"]):
        chosen = bands[known["gender"] == gender] if genders else bands
        counts = chosen.value_counts().reindex(order, fill_value=0)
        width = 0.4 if len(genders) > 1 else 0.8
        ax.bar(np.arange(len(order)) + i * width, counts, width=width, align="edge", label=gender,
               color=COLOURS[gender if genders else "measured"])  # fmt: skip
    names = [f"{band}-{band + 9}" if aged else band for band in order]
    ax.set_xticks(np.arange(len(order)) + 0.4, names, fontsize=9, rotation=45 if len(order) > 8 else 0)
    ax.set(xlabel="age, years", ylabel="faces")
    ax.legend(frameon=False)
    return ax


def leakage(audits: dict[str, pd.DataFrame], label: str) -> Axes:
    """Share of the test faces that share something with training, under each split (table of `gralib.data.audit`)."""
    ax = canvas("What do test faces share with training?", label)
    checks = list(dict.fromkeys(check for table in audits.values() for check in table["shared with training"]))
    height = 0.8 / len(audits)
    for i, (name, table) in enumerate(audits.items()):
        share = 100 * (table["test faces concerned"] / table["test faces"]).to_numpy()
        y = [checks.index(check) + i * height for check in table["shared with training"]]
        colour = COLOURS["constant"] if name == "random split" else COLOURS["measured"]
        ax.barh(y, share, height=height * 0.9, color=colour, label=name, align="edge")
        for where, value in zip(y, share, strict=True):
            ax.text(value + 1, where + height / 2, f"{value:.1f} %", va="center", fontsize=9)
    ax.set_yticks(np.arange(len(checks)) + 0.4, [check.replace(" (", "\n(") for check in checks])
    ax.invert_yaxis()
    ax.set(xlabel="share of the test faces, %", xlim=(0, 115), xticks=range(0, 101, 25))
    ax.legend(frameon=False, loc="lower right")
    return ax


def mask_values(masks: dict[str, np.ndarray], label: str) -> Axes:
    """How the values of a mask K spread under each attention activation (Eq. 4 to 6)."""
    ax = canvas("What values a mask takes", label)
    frame = pd.concat([pd.DataFrame({"attention": name, "K": values.ravel()}) for name, values in masks.items()])
    sns.violinplot(frame, x="K", y="attention", hue="attention", palette=ATTENTION_COLOURS, ax=ax, cut=0, inner="quart")
    for end in (0, 1):
        ax.axvline(end, color=COLOURS["constant"], ls="--", lw=1)
    ax.set(xlabel="mask value K   (dashed: the range [0, 1] that section 6.2 gives it)", ylabel="")
    return ax


def captions(table: pd.DataFrame) -> list[str]:
    """Return what to write above each face: age or age group, gender; or the age and what was read."""
    if "predicted" in table:
        return [f"{age:.0f}, read {read:.0f}" for age, read in zip(table["age"], table["predicted"], strict=True)]
    ages = table["age"].map("{:.0f}".format).where(table["age"].notna(), table["age_group"])
    genders = (", " + table["gender"].astype("string")).fillna("")
    return (ages.astype("string").fillna("age unknown") + genders).tolist()


def faces(pixels: np.ndarray, captions: Sequence[str], title: str, label: str, columns: int = 8) -> Figure:
    """Pictures in rows with a caption each; `pixels` (n, h, w, 3) uint8."""
    rows = -(-len(pixels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.15 * columns, 1.4 * rows + 0.6), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture, caption in zip(axes.flat, pixels, captions, strict=False):
        ax.imshow(picture, interpolation="nearest")
        ax.set_title(caption, fontsize=8, pad=3)
    figure.suptitle(f"{title}  ({label})", fontsize=11, x=0.01, ha="left")
    return figure


def masks(pixels: np.ndarray, stages: Sequence[np.ndarray], label: str) -> Figure:
    """Faces above their soft masks K, one row a stage, averaged over channels; bright is let through, on one scale.

    Args:
        pixels: (n, h, w, 3) uint8.
        stages: for each attention block (n, height, width, channels).
        label: what was measured on which faces.
    """
    figure, axes = plt.subplots(
        1 + len(stages), len(pixels), figsize=(1.2 * len(pixels) + 0.9, 1.25 * (1 + len(stages)) + 0.5),
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    means = [stage.mean(axis=-1) for stage in stages]
    low, high = (
        min(0.0, *(m.min() for m in means)),
        max(1.0, *(m.max() for m in means)),
    )  # noise must not look like sight
    names = ["face", *(f"mask {i + 1}" for i in range(len(stages)))]
    for row, (name, pictures) in enumerate(zip(names, [pixels, *means], strict=True)):
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, picture in zip(axes[row], pictures, strict=True):
            image = ax.imshow(picture, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
    bar = figure.colorbar(image, ax=axes[1:].ravel().tolist(), shrink=0.85, pad=0.01, label="mask K")
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(f"Where the masks let features through  ({label})", fontsize=11, x=0.01, ha="left")
    return figure
