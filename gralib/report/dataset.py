"""What the report says of one data set: its tables and figures, split, leakage, literature and runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from gralib import metrics
from gralib.config import TASKS, TITLES
from gralib.evaluation.compare import NETWORKS
from gralib.evaluation.study import Study
from gralib.files import write_text
from gralib.metrics import KEYS, METRICS
from gralib.report import figures, provenance
from gralib.training.records import Run


def unit_of(score: str) -> str:
    """Return the unit of a score, named by its key or by its title."""
    return METRICS[KEYS.get(score, score)].unit


def shown(value: float, score: str) -> str:
    """Return a score as a reader wants it: shares in per cent, errors in years; what is not known as such."""
    if value != value:
        return "unknown"
    return f"{value:.2f} years" if unit_of(score) == "years" else f"{100 * value:.1f} %"


def gained(value: float, score: str) -> str:
    """Return a difference of scores, signed: of shares in points, of errors in years."""
    if value != value:
        return "unknown"
    return f"{value:+.2f} years" if unit_of(score) == "years" else f"{100 * value:+.1f} points"


def split_in_words(runs: Sequence[Run]) -> str:
    """Return who trains and who tests, summed over the folds of one task, and what test faces share with training."""
    records = [run.record for run in runs]
    train, validation = (provenance.in_words([r.faces[part] for r in records]) for part in ("train", "validation"))
    each = " in each fold" if len(records) > 1 else ""
    tested = f"{sum(r.faces['test'] for r in records):,} test" + (
        f", all {len(records)} folds together" if each else ""
    )
    shared = pd.DataFrame([row for r in records for row in r.leakage])
    sums = shared.groupby("shared with training", sort=False)["test faces concerned"].sum() if len(shared) else shared
    words = " ".join(f"Test faces that share with training: {what}, {count:,}." for what, count in sums.items())
    return f"{train} faces train and {validation} choose the epoch{each}; {tested}. {words}".strip()


def section(study: Study, folder: Path, literature: pd.DataFrame) -> dict[str, Any]:
    """Write the tables and figures of one study; return what the pages say of it."""
    record = study.first.record
    tables = {
        "scores": study.scores,
        "error-by-age": study.by_decade("age"),
        "gender-by-age": study.by_decade("gender"),
        "by-gender": study.by_gender(),
        "confusion": study.confusion(),
        "cumulative-score": study.cumulative(),
        **{f"calibration-{task.replace('_', '-')}": study.calibration(task) for task in study.runs},
    }
    written = {}
    for name, table in tables.items():
        if table is not None:
            written[name] = f"tables/{study.slug}-{name}.csv"
            kind = "synthetic" if record.synthetic else "real"
            text = table.assign(data=kind).to_csv(index=name == "confusion", float_format="%.6g")
            write_text(folder / written[name], text)
    notebook = f"executed/{record.config.dataset}.html"
    return {
        "label": study.label,
        "title": TITLES[record.config.dataset] + (", random split" if record.config.protocol == "random" else ""),
        "words": provenance.trained([run for runs in study.runs.values() for run in runs]),
        "split": split_in_words(max(study.runs.values(), key=len)),
        "tables": written,
        "by_gender": [] if (table := tables["by-gender"]) is None else table.to_dict(orient="records"),
        "slug": study.slug,
        "synthetic": record.synthetic,
        "smoke": record.config.preset == "smoke",
        "dataset": record.config.dataset,
        "record": record,
        "scores": study.scores.to_dict(orient="records"),
        "settings": ", ".join(
            f"{name.replace('_', ' ')} {NETWORKS[value] if name == 'network' else value}"
            for name, value in record.config.model_dump().items()
            if name not in ("recipe", "preset", "dataset", "task")
        ),
        "missing": sorted(set(TASKS[record.config.dataset]) - set(study.runs)),
        "literature": provenance.literature_of(record.config.dataset, literature),
        "executed": notebook if not record.synthetic and (folder / notebook).exists() else "",
        "calibration": [
            {"task": task.replace("_", " "), "error": f"{100 * metrics.calibration_error(table):.1f} points"}
            for task in study.runs
            if (table := tables[f"calibration-{task.replace('_', '-')}"]) is not None
        ],
        "labels": provenance.label_floor(folder) if record.config.dataset == "utkface" and not record.synthetic else [],
        "figures": _figures(study, tables, folder),
        "tasks": [
            {
                "name": task.replace("_", " "),
                "command": provenance.command(runs),
                "runs": [_provenance(r, folder) for r in runs],
            }
            for task, runs in study.runs.items()
        ],
    }


def _figures(study: Study, tables: dict[str, Any], folder: Path) -> list[dict[str, str]]:
    """Draw the figures of one study; return file, alternative text and caption of each."""
    figures.style()
    found = []

    def add(name: str, axes: Axes, caption: str) -> None:
        file = figures.save(axes, folder / "figures" / f"{study.slug}-{name}.svg")
        found.append({"file": f"figures/{file.name}", "caption": caption})

    if study.ages is not None:
        add("error-by-age", figures.by_decade(tables["error-by-age"], "age", study.label),
            "Mean absolute error of the joined age (Eq. 7) by decade of true age, with 95 % intervals.")  # fmt: skip
        add("cumulative-score", figures.cumulative(tables["cumulative-score"], study.label),
            "Cumulative score: the share of test faces whose age is at most k years off.")  # fmt: skip
    if tables["confusion"] is not None:
        add("confusion", figures.confusion(tables["confusion"], study.label),
            "Age categories: each row shows where the faces of one true category were put, in per cent.")  # fmt: skip
    if study.genders is not None:
        add("gender-by-age",
            figures.by_decade(tables["gender-by-age"], "gender", study.label),
            "Accuracy of gender (Eq. 8) by decade of true age, with 95 % intervals.")  # fmt: skip
    calibrated = {task.replace("_", " "): table for task in study.runs
                  if (table := tables[f"calibration-{task.replace('_', '-')}"]) is not None}  # fmt: skip
    if calibrated:
        add("calibration", figures.calibration(calibrated, study.label),
            "Calibration: the share of right answers by confidence; on the dashed line both are equal.")  # fmt: skip
    for task, runs in study.runs.items():
        run, fold = runs[0], f" First of {len(runs)} folds." if len(runs) > 1 else ""
        name, record = task.replace("_", " "), run.record
        add(f"{record.config.task.replace('_', '-')}-losses",
            figures.losses(run.history, record.chosen_epoch, f"Training: {name}", study.label),
            f"Loss of the {name} network by epoch; the ring marks the epoch validation faces chose.{fold}")  # fmt: skip
        add(f"{record.config.task.replace('_', '-')}-gates",
            figures.gates(run.history, study.label, f"Where the gates go: {name}"),
            f"Gate values of the {name} network after every epoch; all start at 1/2.{fold}")  # fmt: skip
    return found


def _provenance(run: Run, folder: Path) -> dict[str, Any]:
    """Return a run's record and the link to it, where it is kept with the report."""
    path = run.folder / "record.json"
    link = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
    return {"record": run.record, "link": link}
