"""The paper's drawings, made anew: Fig. 5 to 7 from the list of the network's layers, Fig. 2 and 8 from the labels."""

import json
from collections.abc import Callable
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from gralib.ages import category_names, encode
from gralib.equations import gated
from gralib.errors import UserError, from_root
from gralib.report.figures import COLOURS, canvas

Edges = list[tuple[str, str]]
NETWORK = "reports/network.json"
"""The layers, as `gra checks` wrote them."""
KINDS = {"gate": COLOURS["validation"], "mask": COLOURS["measured"], "trunk": COLOURS["gate 1 (trunk alone)"]}
"""What a box belongs to, by a word of its name, and its colour."""

PARTS = {
    "before": "residual unit before", "after": "residual unit after", "trunk": "trunk F, residual unit",
    "mask": "mask K", "gate": "gate of Eq. 3", "pool": "max-pooling", "down": "residual unit, down",
    "up": "residual unit, up", "skip": "skip, residual unit", "upsample": "upsampling", "join": "sum",
    "conv": "1×1 convolution", "activation": "activation, Eq. 4: mask K",
}  # fmt: skip
"""Words of layer names, and what the boxes say."""


def architecture() -> Axes:
    """Fig. 7: the blocks of the network in order, with output shapes and trainable parameters at width 32."""
    edges, sizes = _blocks(_stage)
    return _draw(edges, sizes, "GRA_Net from the picture to the answer (Fig. 7)", columns=5)


def attention_block() -> Axes:
    """Fig. 5: one gated attention block, trunk and mask side by side."""
    prefix = "stage1_module1_"
    edges, sizes = _blocks(lambda name: _part(name, prefix))
    return _draw(edges, sizes, "A gated attention block (Fig. 5)")


def soft_mask_branch() -> Axes:
    """Fig. 6: the mask branch of the first stage, down, up and the skip connection."""
    prefix = "stage1_module1_mask_"
    edges, sizes = _blocks(lambda name: _part(name, prefix))
    return _draw(edges, sizes, "The soft mask branch of stage 1 (Fig. 6)")


def flow() -> Axes:
    """Fig. 2: how a picture becomes a gender and an age."""
    edges = [
        ("picture\ncropped by the data set's means", "32×32 face"),
        ("32×32 face", "gender\nGRA_Net, softmax"),
        ("32×32 face", "age category\nGRA_Net, softmax"),
        ("32×32 face", "remainder in each category\nGRA_Net, sigmoid"),
        ("gender\nGRA_Net, softmax", "male or female"),
        ("age category\nGRA_Net, softmax", "expected age, years"),
        ("remainder in each category\nGRA_Net, sigmoid", "expected age, years"),
    ]
    return _draw(edges, {}, "From a picture to gender and age (Fig. 2)", box=3.0)


def label_division(age: float = 37, width: int = 10) -> Axes:
    """Fig. 8: how an age is divided into a category and a remainder inside it."""
    category, remainder = encode(age, width)
    names = category_names(width)
    _, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
    for i, name in enumerate(names):
        mine = i == category
        ax.barh(0, width, left=i * width, height=0.5, color=COLOURS["training" if mine else "constant"],
                alpha=1 if mine else 0.25, edgecolor="white")  # fmt: skip
        ax.text((i + 0.5) * width, 0, f"{i}\n{name}", ha="center", va="center", fontsize=8)
    ax.plot([age, age], [-0.32, 0.42], color=COLOURS["validation"], lw=2)
    ax.text(age, 0.48, f"{age:g} years  =  category {int(category)}  +  remainder {float(remainder):.1f}",
            ha="center", color=COLOURS["validation"], fontsize=11)  # fmt: skip
    ax.set(xlabel="age, years", xlim=(0, width * len(names)), ylim=(-0.4, 0.75), yticks=[])
    ax.set_xticks(range(0, width * len(names) + 1, width))
    ax.spines["left"].set_visible(False)
    ax.set_title("An age as category and remainder (Fig. 8)", loc="left", fontweight="bold", fontsize=12)
    return ax


def gate_effect() -> Axes:
    """Fig. 4 as a plot: O of Eq. 3 by mask value, for several gates."""
    ax = canvas("What a gate does to a mask", "Eq. 3 for features F = 1; Fig. 4 has the two ends")
    mask = np.linspace(0, 1, 51)
    notes = {0: "γ = 0: the mask in full", 1: "γ = 1: no mask"}
    for gamma, colour in zip((0, 0.25, 0.5, 0.75, 1), sns.color_palette("viridis", 6), strict=False):
        ax.plot(mask, gated(mask, gamma), color=colour, lw=2)
        ax.text(
            0.02, float(gated(0.02, gamma)) + 0.02, notes.get(int(gamma), "") if gamma in notes else f"γ = {gamma:g}",
            color=colour, fontsize=10, rotation=np.degrees(np.arctan(1 - gamma)), transform_rotates_text=True,
            rotation_mode="anchor",
        )  # fmt: skip
    ax.set(xlabel="mask value K", ylabel="output O for features F = 1", xlim=(0, 1), ylim=(-0.02, 1.1))
    return ax


@cache
def _layers() -> list[tuple[str, list[str], list[int], int]]:
    """Return the layers of the published network: name, names of its inputs, output shape, trainable parameters."""
    file = from_root(NETWORK)
    try:
        return [(row["name"], row["inputs"], row["shape"], row["parameters"]) for row in json.loads(file.read_text())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: expected the network's layers as gra checks writes them, got {error}") from None


def _stage(name: str) -> str | None:
    """Name the box of Fig. 7 a layer belongs to."""
    words = name.split("_")
    if words[0].startswith("stage"):
        return f"{words[0].replace('stage', 'stage ')}\n" + ("attention block" if "module1" in words else "unit")
    if words[0].startswith("tail"):
        return f"residual unit {words[0][4:]}"
    return {"stem": "stem", "logits": "answer", "output": "answer", "pool": "average"}.get(words[0], "picture")


def _part(name: str, prefix: str) -> str | None:
    """Name the box of Fig. 5 or 6 a layer belongs to: the word after the prefix, as a reader would say it."""
    if not name.startswith(prefix):
        return None
    word = name.removeprefix(prefix).split("_")[0]
    plain = word.rstrip("0123456789")
    return f"{PARTS[plain]}{word.removeprefix(plain) and ' ' + word.removeprefix(plain)}"


def _blocks(box_of: Callable[[str], str | None]) -> tuple[Edges, dict[str, str]]:
    """Collapse layers into boxes: the edges between them, and a line for each on its output and parameters."""
    shapes: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    edges: dict[tuple[str, str], None] = {}
    for name, inputs, shape, count in _layers():
        box = box_of(name)
        if box is None:
            continue
        shapes[box], counts[box] = shape, counts.get(box, 0) + count
        for source in inputs:
            other = box_of(source)
            if other is not None and other != box:
                edges[other, box] = None
    sizes = {box: f"{'×'.join(map(str, shape))}" + (f", {counts[box]:,}" if counts[box] else "")
             for box, shape in shapes.items()}  # fmt: skip
    return list(edges), sizes


def _ranks(edges: Edges) -> dict[str, int]:
    """Return the length of the longest way to each box; boxes come in the order of the edges."""
    rank = {box: 0 for edge in edges for box in edge}
    for _ in rank:
        for source, target in edges:
            rank[target] = max(rank[target], rank[source] + 1)
    return rank


def _lanes(edges: Edges, rank: dict[str, int]) -> dict[str, int]:
    """Put the boxes of a longest way below each other; the others beside it, in the order they come."""
    box = max(rank, key=lambda b: rank[b])
    way = [box]
    while sources := [s for s, t in edges if t == way[-1] and rank[s] == rank[t] - 1]:
        way.append(sources[0])
    lane = dict.fromkeys(way, 0)
    for box in rank:
        if box not in lane:
            lane[box] = sum(rank[other] == rank[box] for other in lane)
    return lane


def _draw(edges: Edges, sizes: dict[str, str], title: str, columns: int = 0, box: float = 2.6) -> Axes:
    """Draw boxes and arrows from top to bottom; with `columns`, a chain in rows of so many."""
    rank = _ranks(edges)
    if columns:
        place = {b: (float(r % columns) * (box + 0.7), -float(r // columns) * 1.7) for b, r in rank.items()}
    else:
        lane = _lanes(edges, rank)
        place = {b: (lane[b] * (box + 0.4), -1.25 * r) for b, r in rank.items()}
    xs, ys = zip(*place.values(), strict=True)
    size = (max(xs) - min(xs) + box + 0.4, max(ys) - min(ys) + 1.6)
    _, ax = plt.subplots(figsize=(0.72 * size[0], 0.72 * size[1]), layout="constrained")
    for source, target in edges:
        _arrow(ax, place[source], place[target], box)
    for name, (x, y) in place.items():
        colour = next((c for word, c in KINDS.items() if word in name), "0.25")
        ax.add_patch(plt.Rectangle((x - box / 2, y - 0.4), box, 0.8, fc="white", ec=colour, lw=1.6, zorder=2))
        shown = "\n".join(filter(None, [name, sizes.get(name, "")]))
        ax.text(x, y, shown, ha="center", va="center", fontsize=8.5, zorder=3)
    ax.set(xlim=(min(xs) - box / 2 - 0.2, max(xs) + box / 2 + 0.2), ylim=(min(ys) - 0.5, max(ys) + 0.6), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontweight="bold", fontsize=12)
    return ax


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], box: float) -> None:
    """Draw an arrow between two boxes: sideways, down, or down and then sideways past what lies between."""
    (x0, y0), (x1, y1) = start, end
    style = {"arrowstyle": "-|>", "color": "0.35", "lw": 1.2, "shrinkA": 0, "shrinkB": 0}
    if y0 == y1:
        ax.annotate("", (x1 - box / 2, y1), (x0 + box / 2, y0), arrowprops=style)
    elif y0 - y1 > 2 and x0 > x1:
        elbow = {**style, "connectionstyle": "angle,angleA=-90,angleB=0,rad=0"}
        ax.annotate("", (x1 + box / 2, y1), (x0, y0 - 0.4), arrowprops=elbow)
    else:
        ax.annotate("", (x1, y1 + 0.4), (x0, y0 - 0.4), arrowprops=style)


FIGURES: dict[str, Callable[[], Axes]] = {
    "flow": flow, "gate-effect": gate_effect, "attention-block": attention_block, "soft-mask-branch": soft_mask_branch,
    "architecture": architecture, "label-division": label_division,
}  # fmt: skip
"""By file name; `gralib.report.about.FIGURES` has the captions."""
