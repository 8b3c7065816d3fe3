"""Grids of runs, one an experiment of the study: what is varied, what stays, and running what is left side by side."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from signal import SIG_IGN, SIGINT, SIGTERM, signal
from threading import Thread, current_thread, main_thread
from typing import Any

import numpy as np
from tqdm import tqdm

from gralib import records
from gralib.config import PROTOCOLS, TASKS, Dataset, RunConfig, Task, configure, ignored, shape
from gralib.errors import UserError
from gralib.faces import Faces

GATES: tuple[float | str, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, "trainable")
"""Gamma of Eq. 3: naive attention, ..., residual attention up to a factor of two (1/2), ..., the trunk alone."""
ATTENTIONS = ("mixed", "channel", "spatial")
NOISE = (0.0, 0.1, 0.3, 0.5, 0.7)
DEPTHS = (1, 2, 3)
WIDTHS = (5, 10, 20)
RIVALS = ("gra_net", "residual", "levi_hassner", "savchenko", "separable", "hog")
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
    """One experiment: the settings it compares, the score it compares them by (see `gralib.compare.side`), seeds."""

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
    "rivals": Grid(
        "Beside earlier methods, on the same faces", "gender", "accuracy",
        tuple({"network": name} for name in RIVALS), 3,
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


def serves(name: str, dataset: str) -> bool:
    """Tell whether the labels of a data set allow a grid."""
    tasks = {
        task for setting in GRIDS[name].settings for task in JOINS.get(setting.get("join", ""), (GRIDS[name].task,))
    }
    return tasks <= set(TASKS[dataset])  # type: ignore[index]


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


def finished(
    configs: Iterable[RunConfig], faces: Faces, store: str | Path = records.STORE
) -> dict[RunConfig, records.Run]:
    """Return the runs of a grid that are done, here or committed, by configuration."""
    found = {config: records.find(config.run_id(faces.fingerprint), (store, records.KEPT)) for config in configs}
    return {config: run for config, run in found.items() if run}


def minutes_left(configs: Sequence[RunConfig], done: dict[RunConfig, records.Run], workers: int) -> float:
    """Return how long the runs left will take: as long as the median finished one each; NaN if nobody knows.

    Where none is finished, committed runs of the same preset, training faces and epochs tell.
    """
    left = len(configs) - len(done)
    known = list(done.values())
    if left and not known:
        alike = ("preset", "train_faces", "epochs")
        committed, _ = records.gather([records.KEPT])
        known = [r for r in committed if all(getattr(r.record.config, a) == getattr(configs[0], a) for a in alike)]
    if not left or not known:
        return 0.0 if not left else np.nan
    return float(np.median([run.record.seconds for run in known])) * left / workers / 60


def run_grid(
    configs: Sequence[RunConfig], root: str | Path, faces: Faces, workers: int = 2, store: str | Path = records.STORE
) -> tuple[list[records.Run], list[str]]:
    """Train what is left of a grid, `workers` runs at a time, each on one thread; stop it any time and call it again.

    Interrupted (Ctrl-C, SIGTERM) it ends within seconds: nothing that waits is begun, nothing is left running.

    Args:
        configs: the runs; those of one network should follow one another, a worker compiles it once.
        root: of the pictures, as for `gralib.faces.open_faces`.
        faces: the same, opened.
        workers: processes side by side.
        store: folder of the runs made here.

    Returns:
        The finished runs in the order of `configs`, and a line for each that failed.
    """
    done = finished(configs, faces, store)
    left = [config for config in configs if config not in done]
    problems: list[str] = []
    if left:
        bar = tqdm(total=len(configs), initial=len(done), desc="runs", unit="run")
        with _workers(workers) as pool:
            waiting: dict[Future, RunConfig] = {pool.submit(_one, config, root, store): config for config in left}
            for future in as_completed(waiting):
                bar.update()
                if error := future.exception():
                    problems.append(f"{waiting[future].run_id(faces.fingerprint)}: {error}")
        bar.close()
        done = finished(configs, faces, store)
    return [done[config] for config in configs if config in done], problems


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool that stops at once, what it trains and what waits, when it is interrupted (Ctrl-C or SIGTERM).

    What it trains goes on from its last whole epoch when it is asked for again.
    """
    others = active_children()
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_obey)
    main = current_thread() is main_thread()
    before = signal(SIGTERM, _interrupt) if main else None
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(active_children()) - set(others):
            worker.kill()  # files are written whole or not at all
        raise
    finally:
        pool.shutdown()
        if main:
            signal(SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _obey() -> None:
    """Leave Ctrl-C to the process that started this worker, and end when that has ended."""
    signal(SIGINT, SIG_IGN)
    Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()  # type: ignore[union-attr]


def _check(name: str) -> None:
    if name not in GRIDS:
        raise UserError(f"grid: expected one of {', '.join(GRIDS)}, got {name!r}")


def _one(config: RunConfig, root: str | Path, store: str | Path) -> str:
    """Train one run in a worker; the pixels come from the cache."""
    from gralib.experiment import run
    from gralib.faces import open_faces

    return run(config, open_faces(config.dataset, root, progress=False), store, progress="none").record.run_id
