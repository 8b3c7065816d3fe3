"""What labels are worth: how far they disagree where one photograph is in a data set several times.

No answer can be right for two labels of one photograph. What the best one still misses is a lower bound of the error on
such faces, whatever the method. Photographs that were collected twice are no random sample: they tend to be well known
people and pictures found by several searches, so the bound holds for them and only hints at the rest.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gralib.data import repeats
from gralib.data.faces import Faces
from gralib.data.splits import groups
from gralib.errors import UserError, from_root
from gralib.files import write_text
from gralib.metrics import absolute_errors, hits, interval
from gralib.report import figures

TABLE = "tables/label-floor.csv"
FIGURE = "figures/near-identical.svg"
DRAWS = 20_000
"""Pairs of unrelated faces in the figure."""


def label_floor(table: pd.DataFrame) -> pd.DataFrame:
    """Measure how the labels of one photograph disagree, and the best score that leaves.

    Args:
        table: the faces, with columns picture (see `gralib.data.repeats`), group, age (years) and gender.

    Returns:
        One row a quantity: quantity, value (a share, or years), low and high (95 % bootstrap interval over groups of
        faces), n (pairs or faces), photographs. No row where no photograph has several labelled files.
    """
    table = table.assign(together=groups(table), face=np.arange(len(table)))
    aged, known = (_repeated(table, label) for label in ("age", "gender"))
    pairs = aged.merge(aged, on=["picture", "together"], suffixes=("", "_other")).query("face < face_other")
    apart = absolute_errors(pairs["age"], pairs["age_other"])
    best_age = aged.groupby("picture")["age"].transform("median")
    best_gender = known.groupby("picture")["gender"].transform(lambda labels: labels.mode()[0])
    rows = [
        ("pairs whose age differs", apart > 0, pairs),
        ("difference of age in a pair, years", apart, pairs),
        ("least possible age MAE, years", absolute_errors(aged["age"], best_age), aged),
        ("best possible gender accuracy", hits(known["gender"], best_gender), known),
    ]
    found = []
    for quantity, values, of in rows:
        if of.empty:
            continue
        estimate = interval(values, of["together"])
        found.append((quantity, estimate.value, estimate.low, estimate.high, estimate.n, of["picture"].nunique()))
    return pd.DataFrame(found, columns=["quantity", "value", "low", "high", "n", "photographs"])


def _repeated(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return the faces with a label whose photograph has several of them."""
    labelled = table[table[label].notna()]
    return labelled[labelled["picture"].duplicated(keep=False)]


def distances(faces: Faces) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return bits and difference (see `repeats.Rule`) of all pairs with like hashes, and of unrelated pairs."""
    close = repeats.pairs(faces.pixels, repeats.Rule(repeats.LOOSER.bits, 256.0))
    a, b = np.random.default_rng(0).integers(0, len(faces), (2, DRAWS))
    number = groups(faces.table)
    a, b = a[number[a] != number[b]], b[number[a] != number[b]]
    codes = repeats.hashes(faces.pixels)
    bits = np.bitwise_count(codes[a] ^ codes[b])
    return close, pd.DataFrame({"bits": bits, "difference": repeats.differences(faces.pixels, a, b)})


def figure(close: pd.DataFrame, unrelated: pd.DataFrame) -> Figure:
    """Where the rule of `data.repeats` lies: pixel difference and hash distance of like and of unrelated pairs."""
    shown, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    edges = np.arange(0, 101, 2)
    strict = close["bits"] <= repeats.RULE.bits
    kinds = {f"hashes within {repeats.RULE.bits} bits": close[strict],
             f"{repeats.LOOSER.bits} bits apart": close[~strict], "unrelated pairs": unrelated}  # fmt: skip
    for (name, table), colour in zip(kinds.items(), ("#0072B2", "#E69F00", "#7F7F7F"), strict=True):
        left.hist(table["difference"], edges, histtype="step", lw=1.8, color=colour, label=f"{name}: {len(table):,}")
    for limit, line in ((repeats.RULE.difference, "-"), (repeats.LOOSER.difference, "--")):
        left.axvline(limit, color="0.2", lw=1, ls=line)
    left.set(xlabel="mean difference of pixels, of 255", ylabel="pairs", yscale="log", xlim=(0, 100), ylim=(0.7, 2e4))
    alike = close[close["difference"] < repeats.RULE.difference]
    for table, colour, name in ((alike, "#0072B2", f"under {repeats.RULE.difference:g} of 255"),
                                (unrelated, "#7F7F7F", "unrelated pairs")):  # fmt: skip
        right.hist(table["bits"], np.arange(-1, 65, 2), histtype="step", lw=1.8, color=colour, label=name)
    for limit, line in ((repeats.RULE.bits, "-"), (repeats.LOOSER.bits, "--")):
        right.axvline(limit + 1, color="0.2", lw=1, ls=line)
    right.set(xlabel="bits in which the hashes differ, of 64", yscale="log", ylim=(0.7, 2e4))
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=9, loc="upper right")
    shown.suptitle("One photograph or two? UTKFace, real faces; the rule (line) and a looser one (dashed)",
                    x=0.01, ha="left", fontsize=12, fontweight="bold")  # fmt: skip
    return shown


def write(faces: Faces, reports: str | Path = "reports") -> list[Path]:
    """Write the table of `label_floor` and the figure of the rule into `reports`; return both places.

    Raises:
        UserError: drawn faces, whose labels say nothing.
    """
    if faces.synthetic:
        raise UserError(f"{faces.dataset}: expected real faces, got drawn ones, whose labels say nothing")
    folder = from_root(reports)
    table = label_floor(faces.table).assign(data=faces.dataset)
    write_text(folder / TABLE, table.to_csv(index=False, float_format="%.6g"))
    figures.style()
    return [folder / TABLE, figures.save(figure(*distances(faces)), folder / FIGURE)]
