"""Pictures of a question before anything is trained: calculated from an equation or quoted, nothing measured here."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gralib.ages import category_names
from gralib.equations import gated, masks_of
from gralib.report.answers import kept
from gralib.report.figures import COLOURS, canvas

CALCULATED = "calculated, nothing is trained or measured"
LITERATURE = "reports/literature.csv"


def attentions() -> Figure:
    """Three channels of features and the masks that each kind of attention makes of them, all on one scale.

    Each channel has a blob of its own height at a place of its own, over a little noise.
    """
    channels, rng, side = 3, np.random.default_rng(0), np.arange(8)
    x = rng.normal(0, 0.4, (8, 8, channels))
    for c in range(channels):
        row, column = rng.integers(1, 7, 2)
        x[..., c] += (1 + 2 * c) * np.exp(-((side[:, None] - row) ** 2 + (side - column) ** 2) / 4) - c / 2
    figure, axes = plt.subplots(channels, 4, figsize=(8, 1.75 * channels + 0.7), layout="constrained", squeeze=False)
    columns = {"features F": x, **{f"{name}: K": mask for name, mask in masks_of(x).items()}}
    for column, (name, values) in zip(axes.T, columns.items(), strict=True):
        ends = (x.min(), x.max()) if name == "features F" else (-1, 1)
        image = [ax.imshow(values[..., c], cmap="viridis", vmin=ends[0], vmax=ends[1]) for c, ax in enumerate(column)]
        column[0].set_title(name, fontsize=11)
        if name in ("features F", "spatial: K"):
            figure.colorbar(image[0], ax=column.tolist(), shrink=0.8, location="left" if name[0] == "f" else "right")
    for c, ax in enumerate(axes[:, 0]):
        ax.set_ylabel(f"channel {c + 1}")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    return _headed(figure, "What Eq. 4, 5 and 6 make of the same features")


def stacked(mask: float = 0.5) -> Axes:
    """What is left of a feature after several gated blocks whose masks all have one value, by gamma (Eq. 3)."""
    ax = canvas("What stacked masks leave of a feature", f"mask K = {mask:g} in every block; {CALCULATED}")
    blocks = np.arange(10)
    for gamma, colour in zip((1.0, 0.75, 0.5, 0.25, 0.0), sns.color_palette("viridis", 6)[::-1], strict=False):
        left = 100 * gated(mask, gamma) ** blocks
        notes = {1.0: " (no mask)", 0.0: " (naive: the mask in full)"}
        ax.plot(blocks, left, "o-", ms=4, color=colour, label=f"γ = {gamma:g}{notes.get(gamma, '')}")
    ax.set(xlabel="attention blocks passed", ylabel="of the feature left, %", ylim=(-3, 104))
    ax.legend(frameon=False, fontsize=10, loc="upper right", bbox_to_anchor=(1, 0.93))
    return ax


def confused(share: float, classes: int) -> NDArray[np.float64]:
    """Return which label (column) the faces of each class (row) carry, where a share has a wrong one, any alike."""
    wrong = np.full((classes, classes), share / (classes - 1))
    np.fill_diagonal(wrong, 1 - share)
    return wrong


def wrong_labels() -> Figure:
    """Which labels the faces of each age category carry in training, at several shares of wrong ones."""
    names, shares = category_names(), (0.1, 0.3, 0.5, 0.7)
    figure, axes = plt.subplots(1, len(shares), figsize=(2.7 * len(shares), 3.5), layout="constrained", sharey=True)
    for ax, share in zip(axes, shares, strict=True):
        image = ax.imshow(100 * confused(share, len(names)), cmap="Blues", vmin=0, vmax=100)
        ax.set_title(f"{100 * share:.0f} % wrong", fontsize=11)
        ax.set(xticks=range(0, len(names), 2), xlabel="label given")
        ax.set_xticklabels(names[::2], rotation=60, fontsize=8)
    axes[0].set(yticks=range(len(names)), ylabel="true category")
    axes[0].set_yticklabels(names, fontsize=8)
    figure.colorbar(image, ax=axes.tolist(), shrink=0.8, label="of a category's faces, %")
    return _headed(figure, "What wrong labels do to the training set")


def reported() -> Axes:
    """Gender accuracy that earlier methods report, each on its own faces and split: numbers that cannot be ranked."""
    table = pd.read_csv(kept(LITERATURE))
    table = table[(table["quantity"] == "gender accuracy") & table["value"].notna()].sort_values(["database", "value"])
    ax = canvas("Gender accuracy as earlier methods report it", "quoted, not measured: other faces, other splits", 7.6,
                0.36 * len(table) + 1.6)  # fmt: skip
    sets = list(dict.fromkeys(table["database"]))
    colours = dict(zip(sets, sns.color_palette("colorblind", len(sets)), strict=True))
    for y, row in enumerate(table.to_dict(orient="records")):
        ax.plot(row["value"], y, "o", ms=7, color=colours[row["database"]])
        ax.text(100.6, y, row["database"], va="center", fontsize=10, color=colours[row["database"]])
    ax.set_yticks(range(len(table)), [f"{method}, {year}" for method, year in zip(table["method"], table["year"],
                                      strict=True)])  # fmt: skip
    ax.set(xlabel="accuracy, %", xlim=(80, 100.4), ylim=(-0.7, len(table) - 0.3))
    ax.grid(axis="x", color="0.9")
    return ax


def schedule(warmup: float = 0.1, steps: int = 1000) -> Axes:
    """The learning rate over a training: the paper's constant one, and the rise and fall of the recipe chosen."""
    ax = canvas("How the learning rate moves", CALCULATED)
    done = np.linspace(0, 1, steps)
    rate = np.minimum(done / warmup, 1) * (1 + np.cos(np.pi * np.clip((done - warmup) / (1 - warmup), 0, 1))) / 2
    ax.plot(100 * done, np.ones(steps), color=COLOURS["constant"], label="one rate all the time (the paper's words)")
    ax.plot(100 * done, rate, color=COLOURS["measured"], lw=2, label="warm-up, then half a cosine (recipe tuned)")
    ax.set(xlabel="of the training done, %", ylabel="share of the greatest rate", ylim=(0, 1.32))
    ax.legend(frameon=False, fontsize=10.5, loc="upper left")
    return ax


def filtered(mask: NDArray, without: NDArray, through: NDArray) -> Figure:
    """Eq. 2 as a picture: a mask K, the gradient of one channel without it, and what reaches the trunk through it.

    Args:
        mask: (height, width), of one face and channel.
        without: (height, width) gradient with no mask in the way.
        through: (height, width) gradient with it.
    """
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.3), layout="constrained")
    most = np.abs(without).max()
    panels = (("mask K", mask, "viridis", 0, 1), ("gradient without the mask", without, "RdBu_r", -most, most),
              ("gradient through the mask", through, "RdBu_r", -most, most))  # fmt: skip
    for ax, (name, values, colours, low, high) in zip(axes, panels, strict=True):
        image = ax.imshow(values, cmap=colours, vmin=low, vmax=high)
        ax.set_title(name, fontsize=11)
        ax.set(xticks=[], yticks=[])
        figure.colorbar(image, ax=ax, shrink=0.75)
    return _headed(figure, "The mask as a filter of gradients (Eq. 2)")


def _headed(figure: Figure, title: str) -> Figure:
    figure.suptitle(f"{title}  ({CALCULATED})", x=0.01, ha="left", fontsize=11)
    return figure
