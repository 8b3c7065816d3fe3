"""Settings against settings: per-face scores of several seeds, their differences paired by face and seed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gralib import metrics
from gralib.config import ignored
from gralib.errors import UserError
from gralib.evaluation.measures import join_ages, measures_of
from gralib.metrics import Estimate
from gralib.training import grids
from gralib.training.records import Run

NETWORKS = {
    "gra_net": "GRA_Net", "residual": "residual net", "levi_hassner": "Levi & Hassner",
    "savchenko": "MobileNet (Savchenko)", "separable": "separable CNN (as LMCNN)", "hog": "HOG",
}  # fmt: skip
GATES = {
    0: "gate 0 (naive attention)", 0.25: "gate 1/4", 0.5: "gate 1/2 (residual attention)", 0.75: "gate 3/4",
    1: "gate 1 (trunk alone)", "trainable": "trainable gate",
}  # fmt: skip
JOINED = {
    "both": "both, expected age", "hard": "both, likeliest category", "category": "category alone",
    "regression": "regression alone",
}  # fmt: skip
SPLITS = {
    "random": "random split", "grouped": "split by group", "leave_one_out": "one person left out",
    "official": "official split",
}  # fmt: skip
WORDS: dict[str, Callable[[Any], str]] = {
    "label_noise": lambda v: f"{100 * v:.0f} % wrong labels",
    "modules": lambda v: f"{v[0]} module{'s' if v[0] > 1 else ''} a stage",
    "age_width": lambda v: "one category for all ages" if v == grids.ALL_AGES else f"{v}-year categories",
    "network": lambda v: NETWORKS[v],
    "gate": lambda v: GATES.get(v, f"gate {v}"),
    "attention": lambda v: f"{v} attention",
    "join": lambda v: JOINED[v],
    "protocol": lambda v: SPLITS[v],
}
"""What the report says for a setting's value, in the order it says them."""
NO_VERDICT = "no verdict: "


@dataclass(frozen=True)
class Side:
    """What the runs of one setting say of every test face.

    Attributes:
        seeds: in order.
        values: (seeds, faces) one score a seed and face.
        floor: (seeds, faces) that of the constant predictor.
        faces: one row a face: path, group, age, gender.
        fingerprint: of the data they are from.
        run_ids: of all runs behind it.
        fixed: whether the method is deterministic: a single run, and no spread over seeds.
        synthetic: whether the faces are drawn, which earn no verdict.
    """

    seeds: tuple[int, ...]
    values: np.ndarray
    floor: np.ndarray
    faces: pd.DataFrame
    fingerprint: str
    run_ids: tuple[str, ...]
    fixed: bool = False
    synthetic: bool = False

    @property
    def estimate(self) -> Estimate:
        """The mean score with its interval over seeds and groups of faces."""
        return metrics.interval_over_seeds(self.values, self.faces["group"])


def side(runs: Sequence[Sequence[Run]], measure: str, join: str = "soft") -> Side:
    """Return the per-face scores of one setting.

    Args:
        runs: for each seed its run; for an age of both networks (`age_mae`) the category run, then the regression run.
        measure: a key of `measures.measures`, or 'age_mae': years off Eq. 7, of both networks joined, of the
            category network alone, or of regression alone where there is one category for all.
        join: how two networks are joined, see `measures.join_ages`.

    Raises:
        UserError: runs that tested different faces.
    """
    first = runs[0][0]
    for seed_runs in runs:
        if not seed_runs[0].same_faces(first):
            raise UserError(f"{seed_runs[0].record.run_id}: other test faces than {first.record.run_id}")
    found = [values_of(seed_runs, measure, join) for seed_runs in runs]
    ids = tuple(run.record.run_id for seed_runs in runs for run in seed_runs)
    faces = first.tested[["path", "group", "age", "gender"]]
    seeds = tuple(seed_runs[0].record.config.seed for seed_runs in runs)
    values, floor = (np.stack([f[i] for f in found]) for i in (0, 1))
    fixed = "seed" in ignored(first.record.config)
    return Side(seeds, values, floor, faces, first.record.fingerprint, ids, fixed, first.record.synthetic)


def values_of(runs: Sequence[Run], measure: str, join: str = "soft") -> tuple[np.ndarray, np.ndarray]:
    """Return value and constant predictor's value of every test face; arguments as of `side`, for one seed."""
    record = runs[0].record
    if measure == "age_mae" and len(runs) == 2:
        table = join_ages(runs[0], runs[1], join)
        return (
            metrics.absolute_errors(table["age"], table["predicted"]),
            metrics.absolute_errors(table["age"], record.constants["age"]),
        )
    if measure == "age_mae":
        measure = "category_mae_years" if record.config.task == "age_category" else "remainder_error_years"
    return measures_of(runs[0])[measure]


def common_seeds(first: Side, second: Side) -> list[int]:
    """Return the seeds that both have; one that is deterministic has every seed of the other."""
    if first.fixed or second.fixed:
        return sorted((second if first.fixed else first).seeds)
    return sorted(set(first.seeds) & set(second.seeds))


def gain(first: Side, second: Side, measure: str) -> Estimate:
    """Return by how much `first` is better than `second`, paired by seed and face, with its interval.

    Seeds that one of them lacks are left out; a deterministic method has one run, which stands for every seed.

    Raises:
        UserError: other faces, or no seed that both have.
    """
    both = common_seeds(first, second)
    same = first.fingerprint == second.fingerprint and first.faces["path"].equals(second.faces["path"])
    if not same or not both:
        raise UserError(f"{second.run_ids[0]}: expected the faces and a seed of {first.run_ids[0]}")
    one, other = (side.values if side.fixed else side.values[[side.seeds.index(seed) for seed in both]]
                  for side in (first, second))  # fmt: skip
    return metrics.interval_over_seeds(metrics.improvement(measure, one, other), first.faces["group"])


def sides(
    name: str, runs: Iterable[Run], dataset: str = "utkface", preset: str = "laptop", **fields: Any
) -> dict[str, Side]:
    """Return every setting of a grid that has runs, by its description; `fields` as in `grids.configs_of`."""
    runs = list(runs)
    grid = grids.GRIDS[name]
    found = {}
    for setting in grid.settings:
        by_seed = grids.by_seed(name, setting, runs, dataset, preset, **fields)
        if by_seed:
            join = "hard" if setting.get("join") == "hard" else "soft"
            found[describe(setting)] = side(list(by_seed.values()), grid.measure, join)
    return found


def summary(found: dict[str, Side]) -> pd.DataFrame:
    """Return one row a setting: value, low, high, seeds, sd of seeds, constant predictor, value of each seed."""
    rows = []
    for label, one in found.items():
        e, means = one.estimate, one.values.mean(axis=1)
        sd = float(means.std(ddof=1)) if len(means) > 1 else np.nan
        rows.append((label, e.value, e.low, e.high, len(means), sd, float(one.floor.mean()), tuple(means.round(6))))
    columns = ["setting", "value", "low", "high", "seeds", "sd of seeds", "constant predictor", "by seed"]
    return pd.DataFrame(rows, columns=columns)


def gains(found: dict[str, Side], measure: str, over: str) -> pd.DataFrame:
    """Return by how much each setting is better than the setting `over`, paired by face and the seeds of both.

    Returns:
        One row a setting: setting, gain, low, high, seeds, verdict: 'better', 'worse' or 'inside the noise'; none on
        drawn faces or of one seed, and then it says so.
    """
    rows = []
    for label, one in found.items():
        common = len(common_seeds(one, found[over]))
        if label == over or not common:
            continue
        e = gain(one, found[over], measure)
        word = NO_VERDICT + "synthetic faces" if one.synthetic else NO_VERDICT + "one seed" if common < 2 else e.word
        rows.append((label, e.value, e.low, e.high, common, word))
    return pd.DataFrame(rows, columns=["setting", "gain", "low", "high", "seeds", "verdict"])


def describe(setting: grids.Setting) -> str:
    """Return a setting in words, such as '3 modules a stage, gate 0 (naive attention)'."""
    known = [say(setting[key]) for key, say in WORDS.items() if key in setting]
    return ", ".join(known + [f"{key.replace('_', ' ')} {v}" for key, v in setting.items() if key not in WORDS])


def along(names: Iterable[str]) -> pd.DataFrame | None:
    """Split descriptions that start with a depth or share of wrong labels: step, unit, line. None if one has none."""
    pattern = r"^(?P<step>\d+) (?P<unit>% wrong labels|modules? a stage), (?P<line>.+)$"
    found = pd.Series(list(names)).str.extract(pattern)
    return None if found.isna().to_numpy().any() else found.assign(step=found["step"].astype(int))
