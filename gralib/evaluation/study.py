"""Finished runs put together: the networks of one configuration on one data set, and the tables they give.

Notebooks and report take their numbers from here, so that both show the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
import pandas as pd

from gralib import metrics
from gralib.config import TASKS, TITLES, Task, configure
from gralib.evaluation.measures import join_ages, measures_of, outputs_of, scored
from gralib.labels import GENDERS, LABEL, class_names, targets
from gralib.metrics import METRICS, Score
from gralib.training.records import Run

DECADE = 10
SCORE_COLUMNS = ["score", "value", "low", "high", "faces", "constant predictor", "folds", "sd of folds", "data", "runs"]
AGE_TASKS: tuple[Task, Task] = ("age_category", "age_regression")
JOINED = {"age_mae": "predicted", "age_mae_hard": "hard"}
"""Metrics of the two age networks joined, and the column of `Study.ages` they are of."""

STANDARD = (
    "network", "gate", "attention", "upsampling", "groups", "modules", "mask_depths", "age_width", "label_noise",
    "train_faces",
)  # fmt: skip
"""Settings that every run of the network as it is shares with its preset."""


@dataclass(frozen=True)
class Study:
    """Runs that share everything but task and fold; by task, the folds in order. Scores pool the faces of all folds."""

    runs: dict[Task, list[Run]]

    @property
    def first(self) -> Run:
        """Any one of the runs, for what they share."""
        return next(iter(self.runs.values()))[0]

    @property
    def folds(self) -> int:
        """How many folds are pooled."""
        return max(len(runs) for runs in self.runs.values())

    @property
    def label(self) -> str:
        """What to write on everything that shows a number of this study."""
        record = self.first.record
        kind = "synthetic faces" if record.synthetic else "real faces"
        config = record.config
        folds = f", {self.folds} folds" if self.folds > 1 else ""
        protocol = "" if config.protocol in ("grouped", "official") else f", {config.protocol.replace('_', ' ')} split"
        ages = f", ages {config.age_range[0]}-{config.age_range[1]}" if config.age_range else ""
        return f"{TITLES[config.dataset]}, {kind}, {config.preset} preset, seed {config.seed}{protocol}{ages}{folds}"

    @cached_property
    def ages(self) -> pd.DataFrame | None:
        """One row a test face: path, group, age, gender, and the joined age as `predicted` (expected age) and `hard`.

        None until both age networks are there.
        """
        if not set(AGE_TASKS) <= set(self.runs):
            return None
        pairs = self._pairs
        soft = pd.concat([join_ages(c, r, "soft") for c, r in pairs], ignore_index=True)
        return soft.assign(
            hard=np.concatenate([join_ages(c, r, "hard")["predicted"] for c, r in pairs]),
            constant=np.repeat([c.record.constants["age"] for c, _ in pairs], [len(c.predictions) for c, _ in pairs]),
        )

    @property
    def _pairs(self) -> list[tuple[Run, Run]]:
        """The two age networks of every fold that has both."""
        other = {run.record.config.fold: run for run in self.runs["age_regression"]}
        return [(c, other[c.record.config.fold]) for c in self.runs["age_category"] if c.record.config.fold in other]

    def predictions(self, task: Task) -> pd.DataFrame:
        """One row a test face of a task's folds: its labels, `answer` (number of the likeliest class), `constant`."""
        tables = []
        for run in self.runs[task]:
            record, table = run.record, run.predictions
            answer = outputs_of(record.config, table).argmax(axis=1)
            tables.append(table.assign(answer=answer, constant=record.constants[LABEL[task]]))
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def genders(self) -> pd.DataFrame | None:
        """One row a test face: its labels, `predicted` gender, `constant`; None without a gender network."""
        if "gender" not in self.runs:
            return None
        table = self.predictions("gender")
        table["predicted"] = np.array(GENDERS)[table["answer"]]
        return table[["path", "group", "age", "age_group", "gender", "predicted", "constant"]]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a score: value with 95 % interval, faces, what a constant predictor reaches, the runs behind it.

        With several folds the value is the mean over the faces of all; `sd of folds` is over their own means.
        """
        rows = []
        kind = "synthetic" if self.first.record.synthetic else "real"
        for runs in self.runs.values():
            ids = " ".join(run.record.run_id for run in runs)
            found, group = [measures_of(run) for run in runs], pd.concat([run.tested["group"] for run in runs])
            for key in found[0]:
                values, floor = (np.concatenate([f[key][i] for f in found]) for i in (0, 1))
                pooled = scored(values, floor, group)
                rows.append(self._row(METRICS[key].title, pooled, [f[key][0].mean() for f in found], kind, ids))
        if self.ages is not None:
            ids = " ".join(run.record.run_id for pair in self._pairs for run in pair)
            fold = np.repeat(np.arange(len(self._pairs)), [len(c.predictions) for c, _ in self._pairs])
            floor = metrics.absolute_errors(self.ages["age"], self.ages["constant"])
            for key, column in JOINED.items():
                errors = metrics.absolute_errors(self.ages["age"], self.ages[column])
                pooled = scored(errors, floor, self.ages["group"])
                means = [errors[fold == f].mean() for f in np.unique(fold)]
                rows.append(self._row(METRICS[key].title, pooled, means, kind, ids))
        return pd.DataFrame(rows, columns=SCORE_COLUMNS)

    @staticmethod
    def _row(name: str, s: Score, folds: list[float], kind: str, ids: str) -> tuple:
        sd = float(np.std(folds, ddof=1)) if len(folds) > 1 else np.nan
        return (name, s.value, s.low, s.high, s.n, s.floor, len(folds), sd, kind, ids)

    def by_decade(self, what: str) -> pd.DataFrame | None:
        """Score each decade of true age, or each age group where a set has no ages.

        Args:
            what: 'age' (MAE in years) or 'gender' (accuracy).

        Returns:
            One row a decade with faces: decade, value, low, high, constant (what the constant predictor reaches on
            these faces), faces; None where the runs are missing.
        """
        table = self.ages if what == "age" else self.genders
        if table is None:
            return None
        table = table[table["age"].notna() | table["age_group"].notna()]
        decade = (table["age"] // DECADE * DECADE).fillna(0).astype(int)
        bands = table["age_group"].where(table["age"].isna(), decade.map(lambda d: f"{d}-{d + DECADE - 1}"))
        names = sorted(bands.unique(), key=lambda band: int(band.split("-")[0]))
        rows = _each(names, bands.to_numpy(), table, what)
        return pd.DataFrame(rows, columns=["decade", "value", "low", "high", "constant", "faces"])

    def by_label(self, label: str, names: Sequence[str]) -> pd.DataFrame:
        """Score the faces of each label of one kind: joined age (MAE in years), and gender (accuracy).

        Args:
            label: a column of `Run.tested`, such as 'gender' or 'race'.
            names: its labels, in the order of the rows.

        Returns:
            One row a score and label with faces: score, `label`, value, low, high, constant predictor (what it reaches
            on these faces), faces.
        """
        tested = pd.concat([run.tested for runs in self.runs.values() for run in runs]).drop_duplicates("path")
        labels, rows = tested.set_index("path")[label], []
        for key, what, table in (("age_mae", "age", self.ages), ("accuracy", "gender", self.genders)):
            if table is not None:
                own = labels.reindex(table["path"]).to_numpy()
                rows += [(METRICS[key].title, *row) for row in _each(names, own, table, what)]
        return pd.DataFrame(rows, columns=["score", label, "value", "low", "high", "constant predictor", "faces"])

    def confusion(self) -> pd.DataFrame | None:
        """Return the share of each true age category (or group) put into each one (rows add up to 1)."""
        task = next((t for t in ("age_category", "age_group") if t in self.runs), None)
        if task is None:
            return None
        config, table = self.runs[task][0].record.config, self.predictions(task)
        names = class_names(config)
        truth = targets(config, table).argmax(axis=1)
        counts = pd.crosstab(truth, table["answer"])
        counts = counts.reindex(index=range(len(names)), columns=range(len(names)), fill_value=0)
        counts.index, counts.columns = pd.Index(names, name="true"), pd.Index(names, name="predicted")
        return counts.div(counts.sum(axis=1).where(lambda total: total > 0), axis=0)

    def calibration(self, task: Task) -> pd.DataFrame | None:
        """Return how often the answers of a task of classes are right, by confidence; None for regression."""
        if task not in self.runs or task == "age_regression":
            return None
        config = self.runs[task][0].record.config
        table = pd.concat([run.predictions for run in self.runs[task]], ignore_index=True)
        outputs = outputs_of(config, table)
        truth = targets(config, table).argmax(axis=1)
        return metrics.calibration(outputs.max(axis=1), metrics.hits(truth, outputs.argmax(axis=1)))

    def cumulative(self, years: Sequence[int] = range(21)) -> pd.DataFrame | None:
        """Return CS(k), the share of faces with an error of at most k years, here and for the constant predictor."""
        if self.ages is None:
            return None
        truth = self.ages["age"].to_numpy()
        return pd.DataFrame(
            {
                "years": years,
                "measured": metrics.cumulative_score(metrics.absolute_errors(truth, self.ages["predicted"]), years),
                "constant": metrics.cumulative_score(metrics.absolute_errors(truth, self.ages["constant"]), years),
            }
        )


def _each(names: Sequence[str], labels: np.ndarray, table: pd.DataFrame, what: str) -> list[tuple]:
    """Return the score of the faces of each label: its name, value, low, high, the constant's value, faces.

    Args:
        names: of labels, in the order of the rows; those of no face are left out.
        labels: (n,) of each face.
        table: n rows, `Study.ages` or `Study.genders`.
        what: 'age' (MAE in years) or 'gender' (accuracy).
    """
    measure = metrics.absolute_errors if what == "age" else metrics.hits
    values, constants = (measure(table[what], table[column]) for column in ("predicted", "constant"))
    rows = []
    for name in names:
        if (mine := labels == name).any():
            e = metrics.interval(values[mine], table["group"][mine])
            rows.append((name, e.value, e.low, e.high, constants[mine].mean(), e.n))
    return rows


def is_standard(run: Run) -> bool:
    """Tell whether a run is of the network as it is, trained on all faces its preset gives: no run of a grid."""
    config = run.record.config
    plain = configure(config.preset)
    return all(getattr(config, name) == getattr(plain, name) for name in STANDARD)


def studies(runs: Iterable[Run]) -> list[Study]:
    """Group runs that differ in nothing but task and fold; real faces first, then by name."""
    groups: dict[str, dict[Task, list[Run]]] = {}
    for run in sorted(runs, key=lambda run: (run.record.config.task, run.record.config.fold)):
        record = run.record
        config = record.config.model_copy(update={"fold": 0, "task": TASKS[record.config.dataset][0]})
        groups.setdefault(config.run_id(record.fingerprint), {}).setdefault(record.config.task, []).append(run)
    found = [Study({task: members[task] for task in get_args(Task) if task in members}) for members in groups.values()]
    return sorted(found, key=lambda s: (s.first.record.synthetic, s.first.record.config.preset == "smoke", s.label))
