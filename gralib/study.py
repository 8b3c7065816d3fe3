"""Finished runs put together: the three networks of one configuration on one data set, and the tables they give.

Notebooks and report take their numbers from here, so that both show the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from gralib import ages, scores
from gralib.config import Task
from gralib.experiment import join_ages, outputs_of
from gralib.manifest import GENDERS
from gralib.records import Run

DECADE = 10
SCORE_COLUMNS = ["score", "value", "low", "high", "faces", "constant predictor", "data", "runs"]
SCORES: tuple[tuple[Task, str, str], ...] = (
    ("gender", "accuracy", "gender accuracy"),
    ("age_category", "category_accuracy", "age category accuracy"),
    ("age_category", "category_mae_years", "age MAE, category network alone (years)"),
    ("age_regression", "remainder_error_years", "error inside the true category (years)"),
)
AGE_TASKS: tuple[Task, Task] = ("age_category", "age_regression")


@dataclass(frozen=True)
class Study:
    """Runs that share everything but the task, by task; at least one."""

    runs: dict[Task, Run]

    @property
    def first(self) -> Run:
        """Any one of the runs, for what they share."""
        return next(iter(self.runs.values()))

    @property
    def label(self) -> str:
        """What to write on everything that shows a number of this study."""
        record = self.first.record
        kind = "synthetic faces" if record.synthetic else "real faces"
        return f"{record.config.dataset}, {kind}, {record.config.preset} preset, seed {record.config.seed}"

    @property
    def slug(self) -> str:
        """The label as part of a file name."""
        record = self.first.record
        kind = "synthetic-" if record.synthetic else ""
        return f"{kind}{record.config.dataset}-{record.config.preset}-s{record.config.seed}"

    @cached_property
    def ages(self) -> pd.DataFrame | None:
        """One row a test face: path, group, age, gender, and the joined age as `predicted` (expected age) and `hard`.

        None until both age networks are there.
        """
        if not set(AGE_TASKS) <= set(self.runs):
            return None
        category, regression = (self.runs[task] for task in AGE_TASKS)
        hard = join_ages(category, regression, "hard")["predicted"]
        return join_ages(category, regression, "soft").assign(hard=hard)

    @cached_property
    def genders(self) -> pd.DataFrame | None:
        """One row a test face: path, group, age, gender, `predicted` gender; None without a gender network."""
        if "gender" not in self.runs:
            return None
        run = self.runs["gender"]
        table = run.predictions
        outputs = outputs_of(run.record.config, table)
        return table[["path", "group", "age", "gender"]].assign(predicted=np.array(GENDERS)[outputs.argmax(axis=1)])

    @property
    def constant_gender(self) -> str:
        """The gender that the constant predictor of the record's floor says of everybody."""
        record, truth = self.runs["gender"].record, self.runs["gender"].predictions["gender"]
        return min(GENDERS, key=lambda gender: abs((truth == gender).mean() - record.scores["accuracy"].floor))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a score: value with 95 % interval, faces, what a constant predictor reaches, the runs behind it."""
        rows = []
        kind = "synthetic" if self.first.record.synthetic else "real"
        for task, key, name in SCORES:
            if task in self.runs:
                record = self.runs[task].record
                s = record.scores[key]
                rows.append((name, s.value, s.low, s.high, s.n, s.floor, kind, record.run_id))
        if self.ages is not None:
            floor = self.runs["age_category"].record.scores["category_mae_years"].floor
            both = " ".join(self.runs[t].record.run_id for t in AGE_TASKS)
            for column, how in (("predicted", "expected age"), ("hard", "likeliest category")):
                errors = scores.absolute_errors(self.ages["age"], self.ages[column])
                e = scores.interval(errors, self.ages["group"])
                rows.append((f"age MAE, both networks, {how} (years)", e.value, e.low, e.high, e.n, floor, kind, both))
        return pd.DataFrame(rows, columns=SCORE_COLUMNS)

    def by_decade(self, what: str) -> pd.DataFrame | None:
        """Score each decade of true age: `what` is 'age' (MAE in years) or 'gender' (accuracy).

        Returns:
            One row a decade with faces: decade, value, low, high, constant (what the constant predictor reaches on
            these faces), faces; None where the runs are missing.
        """
        table = self.ages if what == "age" else self.genders
        if table is None:
            return None
        table = table[table["age"].notna()]
        truth = table["age" if what == "age" else "gender"]
        measure = scores.absolute_errors if what == "age" else scores.hits
        values = measure(truth, table["predicted"])
        constants = measure(truth, self.first.record.constant_age if what == "age" else self.constant_gender)
        decades = (table["age"] // DECADE).to_numpy(dtype=int)
        rows = []
        for decade in np.unique(decades):
            mine = decades == decade
            e = scores.interval(values[mine], table["group"][mine])
            name = f"{decade * DECADE}-{decade * DECADE + DECADE - 1}"
            rows.append((name, e.value, e.low, e.high, constants[mine].mean(), e.n))
        return pd.DataFrame(rows, columns=["decade", "value", "low", "high", "constant", "faces"])

    def confusion(self) -> pd.DataFrame | None:
        """Return the share of each true age category that is put into each category (rows add up to 1)."""
        if "age_category" not in self.runs:
            return None
        run = self.runs["age_category"]
        config, table = run.record.config, run.predictions
        names = ages.category_names(config.age_width)
        truth, _ = ages.encode(table["age"], config.age_width)
        predicted = outputs_of(config, table).argmax(axis=1)
        counts = pd.crosstab(truth, predicted).reindex(index=range(len(names)), columns=range(len(names)), fill_value=0)
        counts.index, counts.columns = pd.Index(names, name="true"), pd.Index(names, name="predicted")
        return counts.div(counts.sum(axis=1).where(lambda total: total > 0), axis=0)

    def cumulative(self, years: Sequence[int] = range(21)) -> pd.DataFrame | None:
        """Return CS(k), the share of faces with an error of at most k years, here and for the constant predictor."""
        if self.ages is None:
            return None
        truth = self.ages["age"].to_numpy()
        middle = self.runs["age_category"].record.constant_age
        return pd.DataFrame(
            {
                "years": years,
                "measured": scores.cumulative_score(scores.absolute_errors(truth, self.ages["predicted"]), years),
                "constant": scores.cumulative_score(scores.absolute_errors(truth, middle), years),
            }
        )


def studies(runs: Iterable[Run]) -> list[Study]:
    """Group runs that differ in nothing but their task; real faces first, then by name."""
    groups: dict[str, dict[Task, Run]] = {}
    for run in runs:
        record = run.record
        key = record.config.model_copy(update={"task": "gender"}).run_id(record.fingerprint)
        groups.setdefault(key, {})[record.config.task] = run
    found = [Study(dict(sorted(members.items()))) for members in groups.values()]
    return sorted(found, key=lambda s: (s.first.record.synthetic, s.first.record.config.preset == "smoke", s.slug))
