"""What the whole study would cost: arithmetic counted on the networks, times faces and epochs, over measured rates.

    seconds = runs x epochs x training faces x GFLOP a face / (GFLOP/s of a device x devices kept busy)

A GFLOP of a training face is three times its forward pass (Kaplan et al. 2020): once forward, twice backward.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import pandas as pd

from gralib.config import Dataset, RunConfig, configure_tasks
from gralib.training.fit import build
from gralib.training.grids import GRIDS, configs_of

SEEDS = 5
KEPT: dict[Dataset, int] = {"fgnet": 1002, "afad": 164432, "wikipedia": 38138, "utkface": 23700, "adience": 17095}
"""Usable faces of each data set: as counted here, or as published for the two whose pictures could not be had."""
TRAIN = 0.72
"""Share that trains under 80/20 with a tenth of the 80 choosing the epoch."""


@dataclass(frozen=True)
class Machine:
    """A place to run the study: name, GFLOP/s of a device in training, devices, dollars an hour of one, and whence."""

    name: str
    gflops: float
    devices: int
    dollars: float
    source: str


def forward_gflop(model: keras.Model) -> float:
    """Return the GFLOP of one face's forward pass: two for each multiplication of a convolution or dense layer."""
    total = 0
    for layer in model._flatten_layers(include_self=False):
        for weight in layer.weights if not isinstance(layer, keras.Model) else ():
            if weight.name.endswith("kernel"):
                total += 2 * math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
    return total / 1e9


def runs_of_study(preset: str = "paper", seeds: int = SEEDS) -> list[tuple[str, RunConfig, int]]:
    """Return every training of the full study: part, configuration (seed and fold 0), how many of its kind."""
    found: list[tuple[str, RunConfig, int]] = []
    for dataset in KEPT:
        folds = {"fgnet": 82, "adience": 5}.get(dataset, 1)
        alone = {"protocol": "leave_one_out"} if dataset == "fgnet" else {}
        tasks = configure_tasks(dataset, preset, **alone)
        found += [(dataset, config, folds * seeds) for config in tasks.values()]
    own = {config.canonical() for name, config, _ in found if name == "utkface"}
    grids = {c.canonical(): c for name in GRIDS for c in configs_of(name, 1, preset=preset)}
    found += [("grids", config, seeds) for key, config in grids.items() if key not in own and config.network != "hog"]
    return found


def faces_of(config: RunConfig) -> int:
    """Return how many faces train a run of the full study."""
    share = {"leave_one_out": 0.9, "official": 0.8 * 0.9}.get(config.protocol, TRAIN)
    return round(KEPT[config.dataset] * share)


def work(study: Iterable[tuple[str, RunConfig, int]]) -> pd.DataFrame:
    """Return one row a part of the study: part, runs, exaflop (10^18), and that of its largest single run."""
    rows = []
    for part, config, count in study:
        one = 3 * forward_gflop(build(config)) * faces_of(config) * config.epochs / 1e9
        rows.append({"part": part, "runs": count, "exaflop": count * one, "largest run": one})
    table = pd.DataFrame(rows).groupby("part", sort=False)
    return table.agg({"runs": "sum", "exaflop": "sum", "largest run": "max"}).reset_index()


def cost(table: pd.DataFrame, machines: Sequence[Machine]) -> pd.DataFrame:
    """Return one row a machine: machine, devices, days, device hours, dollars, busy (share of the devices), source.

    Runs are independent, so devices share them; the study cannot end before its largest run has.
    """
    rows = []
    for m in machines:
        hours = table["exaflop"].sum() * 1e9 / m.gflops / 3600
        longest = table["largest run"].max() * 1e9 / m.gflops / 3600
        wall = max(hours / m.devices, longest)
        rows.append((m.name, m.devices, wall / 24, hours, hours * m.dollars, hours / m.devices / wall, m.source))
    columns = ["machine", "devices", "days", "device hours", "dollars", "busy", "source"]
    return pd.DataFrame(rows, columns=columns)
