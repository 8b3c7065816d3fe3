"""The search for a recipe: settings of the training drawn at random, then one part left out at a time.

Only validation faces judge (`RunConfig.tuning`): the test faces of the fold sit out. Random search at a small budget
(Bergstra and Bengio 2012) says what each part is worth on average over the others; the knock-out at all faces says what
it is worth in the recipe chosen.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import ttest_ind

from gralib.config import RECIPES, RunConfig, configure, shape
from gralib.data.faces import Faces
from gralib.data.splits import split
from gralib.evaluation.measures import measures_of
from gralib.metrics import paired
from gralib.training import grids
from gralib.training.records import Run

LEVELS: dict[str, tuple[Any, ...]] = {
    "start": ("zero", "dirac", "he", "glorot"),
    "warmup": (0.0, 0.15),
    "learning_rate": (0.001, 0.002, 0.004),
    "weight_decay": (0.0, 0.05),
    "label_smoothing": (0.0, 0.1),
    "batch_norm_momentum": (0.9, 0.8),
    "averaging": (0.0, 0.99),
    "gate_rate": (1.0, 50.0),
    "mirror": ("random", "alternating"),
    "shift": (2, 4),
    "zoom": (0.0, 0.15),
    "cutout": (0, 8),
    "mixup": (0.0, 0.2),
    "batch_size": (32, 64, 128),
}
"""Values of every part of a recipe; the first ones of most are Keras' defaults or nothing."""
AGE_WIDTHS = (10, 5, 2)
"""Years in an age category, a part of the age networks' recipe alone."""
SMALL = {"preset": "laptop", "recipe": "keras", "tuning": True, "held_out": 0.0, "train_faces": 6000, "epochs": 5}
"""Budget of the random search: a tenth of what all faces of a fold would take in eighteen epochs."""
METHODS = tuple(name for name in grids.METHODS if name != "hog")
"""Networks that are compared, each with the same tries of its rate."""
LONGER = 18
"""Epochs of the longer training beside the recipe's."""
DRAWN = {"gender": 16, "age_category": 12}
"""Recipes drawn for each task."""


def drawn(task: str, seed: int = 0) -> list[dict[str, Any]]:
    """Return the drawn recipes of a task: of every part, each value as often as the others (a Latin square's margin).

    Args:
        task: 'gender' or 'age_category'.
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, list(DRAWN).index(task)])
    levels = LEVELS | ({"age_width": AGE_WIDTHS} if task == "age_category" else {})
    count = DRAWN[task]
    columns = {name: rng.permutation(np.resize(np.arange(len(values)), count)) for name, values in levels.items()}
    return [
        {**SMALL, "task": task, **{name: values[columns[name][i]] for name, values in levels.items()}}
        for i in range(count)
    ]


def configs(**changes: Any) -> list[RunConfig]:
    """Return the runs of the random search, those that one compiled network serves after one another.

    Args:
        changes: settings of every run, such as a smaller budget.
    """
    asked = (configure(**{**setting, **changes}) for task in DRAWN for setting in drawn(task))
    return sorted(asked, key=lambda config: shape(config).canonical())


def final(task: str, seed: int = 0, **changes: Any) -> RunConfig:
    """Return the recipe chosen, at all training faces of the fold, judged by its validation faces."""
    return configure("laptop", **{"tuning": True, "task": task, "seed": seed, **changes})


def knock_outs(task: str, **changes: Any) -> dict[str, RunConfig]:
    """Return by name of the part the recipe chosen without it: that part as Keras' defaults have it."""
    plain, chosen = configure("laptop", recipe="keras", task=task), configure("laptop", task=task)
    parts = [name for name in RECIPES["tuned"] if name != "held_out" and getattr(plain, name) != getattr(chosen, name)]
    return {name: final(task, **{name: getattr(plain, name), **changes}) for name in parts}


def longer(task: str, **changes: Any) -> RunConfig:
    """Return the recipe chosen for `LONGER` epochs: what a study two and a quarter times as long could reach."""
    return final(task, **{"epochs": LONGER, **changes})


def rate_tries(methods: int = 0, **changes: Any) -> dict[tuple[str, float], RunConfig]:
    """Return the tries of the rate that every method gets, at the small budget, by method and rate.

    Args:
        methods: the first so many of `METHODS`; all when 0.
        changes: settings of every run.
    """
    budget = {name: SMALL[name] for name in ("train_faces", "epochs")}
    return {
        (network, rate): final("gender", **{**budget, "network": network, "learning_rate": rate, **changes})
        for network in METHODS[: methods or None]
        for rate in LEVELS["learning_rate"]
    }


def rates(runs: Mapping[tuple[str, float], Run]) -> pd.DataFrame:
    """Return accuracy by method and rate, and where another rate is better than the recipe's beyond the noise.

    Args:
        runs: of `rate_tries`.

    Returns:
        One row a try: method, rate, accuracy (per cent), and for other rates than the recipe's the difference from it
        in points with its 95 % interval low to high over groups of faces.
    """
    rows = []
    for (network, rate), run in runs.items():
        found = 100 * measures_of(run)["accuracy"][0]
        row: dict[str, Any] = {"method": network, "rate": rate, "accuracy": found.mean()}
        if (usual := runs[network, LEVELS["learning_rate"][0]]) is not run:
            e = paired(found, 100 * measures_of(usual)["accuracy"][0], run.tested["group"])
            row |= {"difference": e.value, "low": e.low, "high": e.high}
        rows.append(row)
    return pd.DataFrame(rows)


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """Return one row a run of the search: task, the parts of its recipe, score, and its name.

    The score is on validation faces: gender accuracy in per cent, or for ages the years by which the mean absolute
    error of the category network falls below the constant predictor's.
    """
    rows = []
    for run in runs:
        config = run.record.config
        found = measures_of(run)
        if config.task == "gender":
            score = 100 * float(found["accuracy"][0].mean())
        else:
            error, constant = found["category_mae_years"]
            score = float(constant.mean() - error.mean())
        parts = {name: getattr(config, name) for name in LEVELS | {"age_width": AGE_WIDTHS}}
        rows.append({"task": config.task, **parts, "score": score, "run": run.record.run_id})
    return pd.DataFrame(rows)


def worth(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each value of a part is worth on average over the other parts, beside the part's first value.

    Args:
        runs: rows of one task from `table`.

    Returns:
        One row a value but the first of its part: part, value, beside, difference of the mean scores, its 95 %
        interval low to high (Welch's t), runs.
    """
    rows = []
    for part, levels in (LEVELS | {"age_width": AGE_WIDTHS}).items():
        base = runs.loc[runs[part] == levels[0], "score"]
        for level in levels[1:]:
            other = runs.loc[runs[part] == level, "score"]
            if len(base) < 2 or len(other) < 2:
                continue
            interval = ttest_ind(other, base, equal_var=False).confidence_interval()
            rows.append({
                "part": part, "value": str(level), "beside": str(levels[0]),
                "difference": other.mean() - base.mean(), "low": interval.low, "high": interval.high,
                "runs": len(base) + len(other),
            })  # fmt: skip
    return pd.DataFrame(rows)


def judged_by(config: RunConfig, faces: Faces) -> pd.DataFrame:
    """Return how many faces train, judge recipes, and sit out because they test the study."""
    parts = split(config, faces.table)
    used = len(parts.train) + len(parts.test)
    counts = {"train": len(parts.train), "judge recipes": len(parts.test), "sit out": len(faces) - used}
    return pd.DataFrame({"faces": counts.keys(), "count": counts.values()})


def recipes() -> pd.DataFrame:
    """Return the parts in which the recipe chosen differs from Keras' defaults: part, keras, tuned."""
    plain, tuned = (configure("laptop", recipe=name) for name in ("keras", "tuned"))
    rows = [(name, str(getattr(plain, name)), str(getattr(tuned, name))) for name in RECIPES["tuned"]]
    return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["part", "keras", "tuned"])


def knocked_out(chosen: Run, without: dict[str, Run]) -> pd.DataFrame:
    """Return by how many points of accuracy the recipe is better than without a part, face by face.

    Returns:
        One row a part: part, worth, its 95 % interval low to high over groups of faces, seconds it costs.
    """
    base = measures_of(chosen)["accuracy"][0]
    rows = []
    for part, run in without.items():
        other = measures_of(run)["accuracy"][0]
        e = paired(base, other, run.tested["group"])
        seconds = chosen.record.seconds - run.record.seconds
        rows.append(
            {"part": part, "worth": 100 * e.value, "low": 100 * e.low, "high": 100 * e.high, "seconds": seconds}
        )
    return pd.DataFrame(rows)


def scores_of(runs: Iterable[Run]) -> pd.DataFrame:
    """Return by task and measure: mean over the seeds, their standard deviation, seeds, constant predictor."""
    rows = []
    for run in runs:
        found = measures_of(run)
        rows += [
            {"task": run.record.config.task, "measure": name, "value": v.mean(), "constant predictor": c.mean()}
            for name, (v, c) in found.items()
        ]
    grouped = pd.DataFrame(rows).groupby(["task", "measure"], sort=False)
    return grouped.agg(
        mean=("value", "mean"), sd=("value", "std"), seeds=("value", "size"),
        constant_predictor=("constant predictor", "mean"),
    ).reset_index()  # fmt: skip


def gates_of(runs: Iterable[Run]) -> pd.DataFrame:
    """Return for every gate of every run: gamma at the end, and the least and greatest it could have reached."""
    rows = []
    for run in runs:
        low, high = expit([-run.record.gate_reach, run.record.gate_reach])
        for name, gamma in run.record.gates.items():
            config = run.record.config
            rows.append({"task": config.task, "seed": config.seed, "gate": name, "gamma": gamma, "least": low,
                         "greatest": high})  # fmt: skip
    return pd.DataFrame(rows)
