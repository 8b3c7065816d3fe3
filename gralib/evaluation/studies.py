"""Which finished runs belong to one study, and studies beside each other: honest against random split."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from gralib import metrics
from gralib.config import TASKS, Task, configure
from gralib.evaluation.study import Study
from gralib.metrics import KEYS
from gralib.training.records import Run

STANDARD = (
    "network",
    "gate",
    "attention",
    "upsampling",
    "groups",
    "modules",
    "mask_depths",
    "age_width",
    "label_noise",
)


def is_standard(run: Run) -> bool:
    """Tell whether a run is of the network as it is, trained on all faces its preset gives: no run of a grid."""
    config = run.record.config
    plain = configure(config.preset)
    return all(getattr(config, name) == getattr(plain, name) for name in (*STANDARD, "train_faces"))


def studies(runs: Iterable[Run]) -> list[Study]:
    """Group runs that differ in nothing but task and fold; real faces first, then by name."""
    groups: dict[str, dict[Task, list[Run]]] = {}
    for run in sorted(runs, key=lambda run: (run.record.config.task, run.record.config.fold)):
        record = run.record
        config = record.config.model_copy(update={"fold": 0, "task": TASKS[record.config.dataset][0]})
        groups.setdefault(config.run_id(record.fingerprint), {}).setdefault(record.config.task, []).append(run)
    found = [Study({t: members[t] for t in TASKS[_dataset(members)] if t in members}) for members in groups.values()]
    return sorted(found, key=lambda s: (s.first.record.synthetic, s.first.record.config.preset == "smoke", s.slug))


def _dataset(members: dict[Task, list[Run]]) -> str:
    return next(iter(members.values()))[0].record.config.dataset


def split_effect(found: Iterable[Study]) -> pd.DataFrame:
    """Compare studies that differ only in the protocol, `random` against the honest one (claim C14).

    Returns:
        One row a data set and score: data set, score, honest, random (value with interval), difference (random minus
        honest) with `low` and `high`: paired by face where both tested the same faces, else missing; faces, and runs.
    """
    twins: dict[str, dict[bool, Study]] = {}
    for study in found:
        record = study.first.record
        same = {"fold": 0, "task": TASKS[record.config.dataset][0], "protocol": "grouped"}
        key = record.config.model_copy(update=same).run_id(record.fingerprint)
        twins.setdefault(key, {})[record.config.protocol == "random"] = study
    rows = []
    for pair in twins.values():
        if len(pair) < 2:
            continue
        honest, random = pair[False], pair[True]
        for name in honest.scores["score"]:
            first, second = (s.scores.set_index("score").T.to_dict().get(name) for s in (honest, random))
            if first is None or second is None:
                continue
            low = high = np.nan
            a, b = honest.faces(name), random.faces(name)
            if a is not None and b is not None and set(a.index) == set(b.index):
                e = metrics.paired(b["value"], a["value"].loc[b.index], a["group"].loc[b.index])
                low, high = e.low, e.high
            key = KEYS[name]
            ids = f"{first['runs']} {second['runs']}"
            difference = second["value"] - first["value"]
            rows.append((honest.label, name, key, first, second, difference, low, high, int(second["faces"]), ids))
    columns = ["study", "score", "measure", "honest", "random", "difference", "low", "high", "faces", "runs"]
    return pd.DataFrame(rows, columns=columns)
