"""Committed verdicts made again from committed files with pandas and NumPy alone: nothing of gralib is imported.

What the files hold is told in reports/records/README.md, what is compared in reports/protocol.yaml. The rows are those
of reports/tables/claims.csv that are decided; which runs belong to one, too, is read there and then held to the rule.
"""

import json
from functools import cache, partial
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

REPORTS = Path(__file__).resolve().parents[2] / "reports"
ROWS = pd.read_csv(REPORTS / "tables/claims.csv").query("recipe == 'tuned' and seeds == 5").set_index(["id", "what"])
SEEDS = range(5)
THREE = [3, 3, 3]


@cache
def record(name):
    return json.loads((REPORTS / "records" / name / "record.json").read_text())


@cache
def stored(path):
    """Return a table of a run: each row says how many faces lie between it and the one before."""
    table = pd.read_csv(path)
    fingerprint = record(path.parent.name)["fingerprint"]
    faces = pd.read_csv(next((REPORTS / "records/faces").glob(f"*-{fingerprint}.csv.bz2")))
    rows = (table["faces passed over"] + 1).cumsum() - 1
    return faces.iloc[rows].reset_index(drop=True).join(table)


def predictions(name):
    return stored(REPORTS / "records" / name / "predictions.csv.bz2")


def right(name):
    table = predictions(name)
    return (table["p_female"] > 0.5) == (table["gender"] == "female")


def accuracy(name):
    return right(name).mean()


def above_constant(name):
    return accuracy(name) - (predictions(name)["gender"] == record(name)["constants"]["gender"]).mean()


def between(name, first, second):
    """Return the accuracy of some faces of a run less that of others; each is a condition on the faces' table."""
    table = predictions(name).assign(right=right(name))
    return table.query(first)["right"].mean() - table.query(second)["right"].mean()


def lost(name, steps):
    """Return the accuracy that changed pictures take away, on average of changes to both sides."""
    table = stored(REPORTS / "records" / name / "orientation.csv.bz2")
    return np.mean([table["as they are"].mean() - table[[f"{s[:4]} -{s[5:]}", f"{s[:4]} +{s[5:]}"]].mean().mean()
                    for s in steps])  # fmt: skip


def blocks(name):
    return pd.read_csv(REPORTS / "records" / name / "blocks.csv.bz2")


def positions(name):
    return blocks(name)["position_share"].mean()


def growth(name):
    """Return by how many doublings features grow from the first to the third module of a stage, stages' mean."""
    size = blocks(name).set_index("block")["size_after"]
    return np.mean([np.log2(size[f"stage{i}_module3"] / size[f"stage{i}_module1"]) for i in (1, 2, 3)])


def probabilities(name):
    later = predictions(name).filter(regex="^p_").to_numpy()
    return np.column_stack([1 - later.sum(axis=1), later])


def age_error(name, expected):
    return np.abs(predictions(name)["age"] - expected).mean()


def by_category(name):
    return age_error(name, probabilities(name) @ record(name)["constants"]["category_means"])


def less_error(name):
    return -by_category(name)


def by_both(category, remainder):
    inside = predictions(remainder).filter(regex="^r_").to_numpy()
    return age_error(category, (probabilities(category) * 10 * (np.arange(12) + inside)).sum(axis=1))


def by_regression(name):
    return age_error(name, 117 * predictions(name)["r_0-116"])


@cache
def in_category(name):
    """Return the share of faces whose age category is the likeliest, and that of those in the commonest."""
    truth = np.minimum(predictions(name)["age"] // 10, 11)
    return (probabilities(name).argmax(axis=1) == truth).mean(), (truth == record(name)["constants"]["category"]).mean()


def category_accuracy(name):
    return in_category(name)[0]


def by_likeliest(category, remainder):
    k = probabilities(category).argmax(axis=1)
    inside = predictions(remainder).filter(regex="^r_").to_numpy()
    return age_error(category, 10 * (k + inside[np.arange(len(k)), k]))


def pairs(score, *conditions):
    """Return a function of the runs of a seed: by how much the first of each pair scores more, on average."""

    def value(find):
        return np.mean([score(find(first)) - score(find(second)) for first, second in conditions])

    return value


def above_constants(*conditions):
    """Return the same for age categories, of pairs of which both stand above the constant over all seeds alone."""

    def room(find, condition):
        accuracy, constant = np.mean([in_category(find.func(seed, condition)) for seed in SEEDS], axis=0)
        return accuracy - constant

    def value(find):
        kept = [pair for pair in conditions if min(room(find, condition) for condition in pair) > 0]
        return pairs(category_accuracy, *kept)(find)

    return value


def ages(*others):
    """Return a function of the runs of a seed: the years that both age networks save beside other readings."""

    def value(find):
        category, remainder = find({"task": "age_category"}), find({"task": "age_regression"})
        read = {"category": lambda: by_category(category), "hard": lambda: by_likeliest(category, remainder),
                "regression": lambda: by_regression(find({"task": "age_regression", "age_width": 117}))}  # fmt: skip
        return np.mean([read[other]() for other in others]) - by_both(category, remainder)

    return value


def within(first, second):
    return lambda find: between(find({}), first, second)


GATED, TRUNK, NAIVE = {"gate": "trainable"}, {"gate": 1.0}, {"gate": 0.0}
RESIDUAL = {"network": "residual"}
DEEP, DEEP_TRUNK, DEEP_NAIVE = ({"modules": THREE, "gate": gate} for gate in ("trainable", 1.0, 0.0))
TURN, MOVE = "turn 15", "move 3"
GROWN = "20 <= age <= 59"
EARLIER = {"residual": "the residual net", "levi_hassner": "Levi & Hassner", "savchenko": "MobileNet (Savchenko)",
           "separable": "the separable CNN (as LMCNN)", "hog": "HOG"}  # fmt: skip
WRONG = [{"task": "age_category", "label_noise": share} for share in (0.3, 0.5, 0.7)]
ATTENTION = {kind: (lambda find, kind=kind: above_constant(find({"attention": kind})))
             for kind in ("mixed", "channel", "spatial")}  # fmt: skip
VALUES = {
    ("C4", "trainable gate, against naive and residual attention"):
        pairs(accuracy, (GATED, NAIVE), (GATED, {"gate": 0.5})),
    ("C4", "against naive attention (gate 0)"): pairs(accuracy, (GATED, NAIVE)),
    ("C4", "against residual attention (gate 1/2)"): pairs(accuracy, (GATED, {"gate": 0.5})),
    ("C5", "three kinds of attention, against the constant predictor"):
        lambda find: np.mean([value(find) for value in ATTENTION.values()]),
    **{("C5", f"{kind}, against the constant"): value for kind, value in ATTENTION.items()},
    ("C6", "30, 50 and 70 % wrong labels, any label equally likely, against trunk and residual net"):
        above_constants(*((wrong, wrong | other) for other in (TRUNK, RESIDUAL) for wrong in WRONG)),
    ("C6", "no wrong labels, against the trunk"):
        pairs(category_accuracy, ({"task": "age_category"}, {"task": "age_category"} | TRUNK)),
    **{("C6", f"{100 * wrong['label_noise']:.0f} %, against the {title}"):
       pairs(category_accuracy, (wrong, wrong | other))
       for title, other in (("trunk", TRUNK), ("residual net", RESIDUAL)) for wrong in WRONG},
    ("C7", "depth helps gated networks more than naive ones"): pairs(accuracy, (DEEP, GATED), (NAIVE, DEEP_NAIVE)),
    ("C7", "gated: three modules, against one"): pairs(accuracy, (DEEP, GATED)),
    ("C7", "naive: one module, against three"): pairs(accuracy, (NAIVE, DEEP_NAIVE)),
    ("C8", "accuracy lost on turned and shifted faces, against the trunk alone"):
        pairs(partial(lost, steps=[TURN, MOVE]), (TRUNK, GATED)),
    ("C8", "turned by 15 degrees"): pairs(partial(lost, steps=[TURN]), (TRUNK, GATED)),
    ("C8", "shifted by 3 pixels"): pairs(partial(lost, steps=[MOVE]), (TRUNK, GATED)),
    ("C9", "category and regression, against either alone"): ages("category", "regression"),
    ("C9", "against the category network alone"): ages("category"),
    ("C9", "against regression alone"): ages("regression"),
    ("C9", "expected age, against the likeliest category's"): ages("hard"),
    ("C10", "UTKFace, against the constant predictor"): lambda find: above_constant(find({})),
    ("C11", "gender, against five earlier methods"): pairs(accuracy, *(({}, {"network": name}) for name in EARLIER)),
    **{("C11", f"gender, against {title}"): pairs(accuracy, ({}, {"network": name}))
       for name, title in EARLIER.items()},
    **{("C11", f"age MAE, against {title}"):
       pairs(less_error, ({"task": "age_category"}, {"task": "age_category", "network": name}))
       for name, title in EARLIER.items()},
    ("C12", "aged 20 to 59, against aged 0 to 9"): within(GROWN, "age <= 9"),
    ("C12", "aged 20 to 59, against aged 10 to 19"): within(GROWN, "10 <= age <= 19"),
    ("C12", "aged 20 to 59, against aged 60 and more"): within(GROWN, "age >= 60"),
    ("C14", "UTKFace: random split, against the split by photograph"):
        pairs(less_error, ({"task": "age_category", "protocol": "random"}, {"task": "age_category"})),
    ("C15", "trainable gate, no worse than the trunk alone"):
        pairs(accuracy, (GATED, TRUNK), (DEEP, DEEP_TRUNK)),
    ("C15", "one module a stage"): pairs(accuracy, (GATED, TRUNK)),
    ("C15", "three modules a stage"): pairs(accuracy, (DEEP, DEEP_TRUNK)),
    ("C16", "features behind the third module, gated against naive"): pairs(growth, (DEEP, DEEP_NAIVE)),
    ("C16", "trunk alone against naive"): pairs(growth, (DEEP_TRUNK, DEEP_NAIVE)),
    ("C17", "grouped units, no worse than plain ones of like cost"): pairs(accuracy, ({"groups": 4, "width": 12}, {})),
    ("C18", "the published mask branches, against none of the skips and one mask for all"):
        pairs(accuracy, ({}, {"skips": False}), ({}, {"masks": "one"})),
    ("C18", "against mask branches without skips"): pairs(accuracy, ({}, {"skips": False})),
    ("C18", "against one mask for all blocks, parameters alike"): pairs(accuracy, ({}, {"masks": "one"})),
    ("C19", "share of variance over positions, spatial against channel"):
        pairs(positions, ({"attention": "spatial"}, {"attention": "channel"})),
    ("C19", "spatial against mixed"): pairs(positions, ({"attention": "spatial"}, {"attention": "mixed"})),
    ("C21", "other than White, no worse than White"): within("race.notna() and race != 'White'", "race == 'White'"),
    **{("C21", f"{race.lower() if race == 'Others' else race}, against White"):
       within(f"race == '{race}'", "race == 'White'") for race in ("Black", "Asian", "Indian", "Others")},
}  # fmt: skip
DECIDED = [key for key in VALUES if key in ROWS.index]
TWO_LOOKS = ("C4", "C8", "C9", "C15")
"""Claims that are judged after five seeds and after ten."""
MARGIN = {
    "C8": 0.02, "C9": 0.2, "C11": 0.02, "C12": 0.02, "C14": 0.2, "C21": 0.02,
    **{("C6", f"{share} %, against the residual net"): 0.02 for share in (30, 50, 70)},
    **{("C11", f"age MAE, against {title}"): 0.2 for title in EARLIER.values()},
}  # fmt: skip
"""Of a claim, or of one row of it; a point for all others."""
NO_WORSE, WHICH_WAY = ("C15", "C17", "C21"), ("C7", "C16", "C19")
MINE = {"dataset": "utkface", "recipe": "tuned", "task": "gender", "width": 8, "epochs": 4, "held_out": 0.0,
        "folds": 5, "tuning": False, "network": "gra_net", "gate": "trainable", "attention": "mixed",
        "modules": [1, 1, 1], "age_width": 10, "protocol": "grouped", "groups": 1, "skips": True, "masks": "each",
        "label_noise": 0.0, "train_faces": None}  # fmt: skip
"""Settings of every run compared, but for what a condition changes."""


def t_of_four(tail):
    """Return Student's t of four degrees of freedom with that much above it, by halving: its distribution is closed."""
    low, high = 0.0, 1e4
    for _ in range(200):
        t = (low + high) / 2
        s = t * t / 4 / (1 + t * t / 4)
        above = 0.5 - 0.375 * t / np.sqrt(1 + t * t / 4) * (1 - s / 3)
        low, high = (t, high) if above > tail else (low, t)
    return low


def tail_of(claim):
    """Return what the interval leaves out on each side: at the first of two looks little (Lan and DeMets 1983)."""
    if claim not in TWO_LOOKS:
        return 0.025
    normal = NormalDist()
    return 2 * (1 - normal.cdf(normal.inv_cdf(1 - 0.025 / 2) / np.sqrt(0.5)))


def verdict(claim, what, low, high):
    margin = 0 if claim in WHICH_WAY else MARGIN.get((claim, what), MARGIN.get(claim, 0.01))
    if claim in NO_WORSE:
        return "supported" if low > -margin else "contradicted" if high < 0 else "inconclusive"
    if low > 0:
        return "supported"
    return "contradicted" if high < 0 or (-margin < low and high < margin) else "inconclusive"


def by_seed(names):
    """Return by seed a function that finds the run of a condition among those of a row."""
    configs = {name: record(name)["config"] for name in names}

    def find(seed, condition):
        wanted = {**MINE, **condition, "seed": seed, "fold": seed % 5}
        (name,) = [n for n, config in configs.items() if all(config[key] == value for key, value in wanted.items())]
        return name

    return [partial(find, seed) for seed in SEEDS]


def test_quantiles_are_those_of_the_tables():
    assert t_of_four(0.025) == pytest.approx(2.7764451, abs=1e-6)
    assert t_of_four(0.05) == pytest.approx(2.1318468, abs=1e-6)
    assert len(DECIDED) >= 10


@pytest.mark.parametrize("key", DECIDED, ids=": ".join)
def test_a_verdict_is_made_again_from_the_files(key):
    row, claim = ROWS.loc[key], key[0]
    names = row["run_ids"].split()
    values = np.array([VALUES[key](find) for find in by_seed(names)])
    half = t_of_four(tail_of(claim)) * values.std(ddof=1) / np.sqrt(5)
    low, high = values.mean() - half, values.mean() + half
    found = [row["value"], row["low"], row["high"]]
    np.testing.assert_allclose(found, [values.mean(), low, high], rtol=1e-6, atol=1e-9)
    assert row["verdict"] == verdict(*key, low, high)
    kinds = {json.dumps({k: v for k, v in record(n)["config"].items() if k not in ("seed", "fold")}) for n in names}
    assert len(names) == 5 * len(kinds), "five seeds of every condition, and nothing else"
