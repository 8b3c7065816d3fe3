"""Grids of runs, one an experiment of the study: what is varied, what stays, and running what is left side by side."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from gralib import records
from gralib.config import PROTOCOLS, Dataset, RunConfig, configure
from gralib.errors import UserError
from gralib.faces import Faces

GATES: tuple[float | str, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, "trainable")
"""Gamma of Eq. 3: naive attention, ..., residual attention up to a factor of two (1/2), ..., the trunk alone."""
ATTENTIONS = ("mixed", "channel", "spatial")
NOISE = (0.0, 0.1, 0.3, 0.5, 0.7)
DEPTHS = (1, 2, 3)
WIDTHS = (5, 10, 20)
ALL_AGES = 117
"""One age category that holds everybody: regression alone."""
SUBSET: dict[str, dict[str, Any]] = {"smoke": {}, "laptop": {"train_faces": 4000, "epochs": 12}, "paper": {}}
"""What a grid changes of a preset, so that a laptop has it overnight. The test set stays whole."""

Setting = dict[str, Any]
GRIDS: dict[str, Sequence[Setting]] = {
    "gate_ablation": [{"task": "gender", "gate": gate} for gate in GATES],
    "attention_types": [{"task": "gender", "attention": attention} for attention in ATTENTIONS],
    "label_noise": [
        {"task": "age_category", "label_noise": noise, "gate": gate} for noise in NOISE for gate in ("trainable", 1.0)
    ],
    "depth": [
        {"task": "gender", "gate": gate, "modules": (depth,) * 3}
        for depth in DEPTHS
        for gate in (0.0, 0.5, 1.0, "trainable")
    ],
    "age_decomposition": [
        *({"task": task, "age_width": width} for width in WIDTHS for task in ("age_category", "age_regression")),
        {"task": "age_regression", "age_width": ALL_AGES},
    ],
}
"""The settings of each grid; every one is run with every seed. A setting asked for by two grids is one run."""


def configs_of(
    name: str, seeds: int, dataset: Dataset = "utkface", preset: str = "laptop", **fields: Any
) -> list[RunConfig]:
    """Return the configurations of a grid: every setting with seeds 0, 1, …; those of one network follow one another.

    Raises:
        UserError: an unknown grid, no seed, or a setting that the data set has no labels for.
    """
    if name not in GRIDS:
        raise UserError(f"grid: expected one of {', '.join(GRIDS)}, got {name!r}")
    if seeds < 1:
        raise UserError(f"seeds: expected at least 1, got {seeds}")
    common = {**PROTOCOLS[dataset], **SUBSET.get(preset, {}), **fields, "dataset": dataset}
    return [
        configure(preset, **{**common, **setting, "seed": seed}) for setting in GRIDS[name] for seed in range(seeds)
    ]


def config_of(name: str, dataset: Dataset, preset: str, seed: int, **setting: Any) -> RunConfig:
    """Return the configuration of one run of a grid."""
    common = {**PROTOCOLS[dataset], **SUBSET.get(preset, {}), "task": GRIDS[name][0]["task"], "dataset": dataset}
    return configure(preset, **{**common, **setting, "seed": seed})


def finished(
    configs: Iterable[RunConfig], faces: Faces, store: str | Path = records.STORE
) -> dict[RunConfig, records.Run]:
    """Return the runs of a grid that are done, here or committed, by configuration."""
    found = {config: records.find(config.run_id(faces.fingerprint), (store, records.KEPT)) for config in configs}
    return {config: run for config, run in found.items() if run}


def minutes_left(configs: Sequence[RunConfig], done: dict[RunConfig, records.Run], workers: int) -> float:
    """Return how long the runs left will take: as long as the median finished one each; NaN if none is finished."""
    left = len(configs) - len(done)
    return float(np.median([run.record.seconds for run in done.values()])) * left / workers / 60 if done else np.nan


def run_grid(
    configs: Sequence[RunConfig], root: str | Path, faces: Faces, workers: int = 2, store: str | Path = records.STORE
) -> tuple[list[records.Run], list[str]]:
    """Train what is left of a grid, `workers` runs at a time, each on one thread; stop it any time and call it again.

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
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            waiting: dict[Future, RunConfig] = {pool.submit(_one, config, root, store): config for config in left}
            for future in as_completed(waiting):
                bar.update()
                if error := future.exception():
                    problems.append(f"{waiting[future].run_id(faces.fingerprint)}: {error}")
        bar.close()
        done = finished(configs, faces, store)
    return [done[config] for config in configs if config in done], problems


def _one(config: RunConfig, root: str | Path, store: str | Path) -> str:
    """Train one run in a worker; the pixels come from the cache."""
    from gralib.experiment import run
    from gralib.faces import open_faces

    return run(config, open_faces(config.dataset, root, progress=False), store, progress="none").record.run_id
