"""Grids of runs, one an experiment of the study: what is varied, what stays."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gralib.config import PROTOCOLS, Dataset, RunConfig, Task, configure, ignored, shape
from gralib.errors import UserError
from gralib.training import records

GATES: tuple[float | str, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, "trainable")
"""Gamma of Eq. 3: naive attention, ..., residual attention up to a factor of two (1/2), ..., the trunk alone."""
ATTENTIONS = ("mixed", "channel", "spatial")
NOISE = (0.0, 0.1, 0.3, 0.5, 0.7)
DEPTHS = (1, 2, 3)
WIDTHS = (5, 10, 20)
METHODS = ("gra_net", "residual", "levi_hassner", "savchenko", "separable", "hog")
ALL_AGES = 117
"""One age category that holds everybody: regression alone."""
RUNS_A_JOB = 6
"""Runs that one compilation serves in a part of the grids: more would leave too few parts to run side by side."""
SUBSET: dict[str, dict[str, Any]] = {"smoke": {}, "laptop": {"train_faces": 4000, "epochs": 12}, "paper": {}}
"""What a grid changes of a preset, so that a laptop has it overnight. The test set stays whole."""
JOINS: dict[str, tuple[Task, ...]] = {
    "both": ("age_category", "age_regression"),
    "hard": ("age_category", "age_regression"),
    "category": ("age_category",),
    "regression": ("age_regression",),
}
"""The networks behind an age: `join` of a setting. 'both' is the expected age, 'hard' the likeliest category's."""
Setting = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """One experiment: the settings it compares, the score it compares them by (see `compare.side`), seeds."""

    title: str
    task: Task
    measure: str
    settings: tuple[Setting, ...]
    seeds: int = 2


GRIDS: dict[str, Grid] = {
    "gate_ablation": Grid("What the gate does", "gender", "accuracy", tuple({"gate": gate} for gate in GATES), 3),
    "attention_types": Grid(
        "Mixed, channel or spatial attention", "gender", "accuracy",
        tuple({"attention": kind} for kind in ATTENTIONS), 3,
    ),
    "orientation": Grid(
        "Turned and moved faces", "gender", "accuracy", ({"gate": "trainable"}, {"gate": 1.0}), 3,
    ),
    "label_noise": Grid(
        "Training with wrong labels", "age_category", "category_accuracy",
        tuple({"label_noise": noise, **net} for net in ({"gate": "trainable"}, {"gate": 1.0}, {"network": "residual"})
              for noise in NOISE),
    ),
    "depth": Grid(
        "More attention modules a stage", "gender", "accuracy",
        tuple({"gate": gate, "modules": (depth,) * 3} for depth in DEPTHS for gate in (0.0, 0.5, 1.0, "trainable")),
    ),
    "earlier_methods": Grid(
        "Beside earlier methods, on the same faces", "gender", "accuracy",
        tuple({"network": name} for name in METHODS), 3,
    ),
    "age_decomposition": Grid(
        "Category, regression, or both", "age_category", "age_mae",
        (*({"age_width": width, "join": join} for width in WIDTHS for join in ("category", "both", "hard")),
         {"age_width": ALL_AGES, "join": "regression"}),
    ),
}  # fmt: skip
"""A setting asked for by two grids is one run."""


def configs_for(
    name: str, setting: Setting, seed: int, dataset: Dataset = "utkface", preset: str = "laptop", **fields: Any
) -> list[RunConfig]:
    """Return the runs behind one setting of a grid and one seed: one, or both age networks where they are joined."""
    grid = GRIDS[name]
    rest = {key: value for key, value in setting.items() if key != "join"}
    tasks = JOINS[setting["join"]] if "join" in setting else (grid.task,)
    common = {**PROTOCOLS.get(dataset, {}), **SUBSET.get(preset, {}), **fields, "dataset": dataset, "seed": seed}
    return [configure(preset, **{**common, **rest, "task": task}) for task in tasks]


def seeds_of(name: str, asked: int = 0) -> int:
    """Return how many seeds a grid is run with: as many as asked, or as it says itself where that is 0.

    Raises:
        UserError: an unknown grid.
    """
    _check(name)
    return asked or GRIDS[name].seeds


def configs_of(
    name: str, seeds: int, dataset: Dataset = "utkface", preset: str = "laptop", **fields: Any
) -> list[RunConfig]:
    """Return the runs of a grid: every setting with seeds 0, 1, …; those of one network follow one another.

    Raises:
        UserError: an unknown grid, no seed, or a setting that the data set has no labels for.
    """
    _check(name)
    if seeds < 1:
        raise UserError(f"seeds: expected at least 1, got {seeds}")
    asked = [
        config
        for setting in GRIDS[name].settings
        for seed in range(seeds)
        for config in configs_for(name, setting, seed, dataset, preset, **fields)
    ]
    return list(dict.fromkeys(asked))


def parts_of(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """Split runs into parts, each the work of one job: few enough runs, all of one compiled network."""
    shapes: dict[RunConfig, list[RunConfig]] = {}
    for config in dict.fromkeys(configs):
        shapes.setdefault(shape(config), []).append(config)
    return [runs[i : i + RUNS_A_JOB] for runs in shapes.values() for i in range(0, len(runs), RUNS_A_JOB)]


def by_seed(
    name: str, setting: Setting, runs: Iterable[records.Run], dataset: Dataset = "utkface", preset: str = "laptop",
    **fields: Any,
) -> dict[int, list[records.Run]]:  # fmt: skip
    """Return the finished runs of a setting by seed, those seeds left out that lack one.

    A method that ignores the seed has one run, under its first seed.
    """
    known = {run.record.config: run for run in runs}
    found = {}
    for seed in sorted({config.seed for config in known}):
        wanted = configs_for(name, setting, seed, dataset, preset, **fields)
        if all(config in known for config in wanted):
            found[seed] = [known[config] for config in wanted]
            if all("seed" in ignored(config) for config in wanted):
                break
    return found


def _check(name: str) -> None:
    if name not in GRIDS:
        raise UserError(f"grid: expected one of {', '.join(GRIDS)}, got {name!r}")
