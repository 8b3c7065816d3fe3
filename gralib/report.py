"""From records to the report: tables, figures, a Markdown page and an HTML page. Trains nothing.

The same records give the same bytes; a record that cannot be read is named and left out.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from matplotlib.axes import Axes

from gralib import appendix, figures, findings, records, scores
from gralib.config import TASKS, RunConfig
from gralib.errors import from_root
from gralib.records import Run, write_text
from gralib.study import Study, is_standard, split_effect, studies

PAGES = {"index.html": "report.html.j2", "README.md": "report.md.j2", "runs.html": "runs.html.j2"}
FORMATS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("accuracy", lambda v: f"{100 * v:.1f} %"),
    ("years", lambda v: f"{v:.2f} years"),
)


def build(out: str | Path = "reports") -> Path:
    """Write the report of all finished runs to `out` and return its HTML page.

    Args:
        out: folder; gets index.html, README.md, tables/ and figures/.
    """
    folder = from_root(out)
    runs, problems = records.gather()
    found = studies(run for run in runs if is_standard(run))
    literature = appendix.literature()
    sections = [_section(study, folder, literature) for study in found]
    effect = split_effect(found)
    write_text(folder / "tables" / "split-effect.csv", _flat(effect).to_csv(index=False, float_format="%.6g"))
    seed_figures = appendix.seed_figures(folder)
    shown_grids = findings.grids_shown(folder, runs)
    judged = findings.claims_shown(folder, runs)
    verdicts = judged["verdict_table"][["id", "verdict", "what", "data set", "value", "low", "high", "seeds"]]
    appendix.latex("claims", verdicts.round(3), "Claims of the paper and what was measured.", folder)
    if found:
        table = pd.concat([s.scores.assign(study=s.label) for s in found])[["study", "score", "value", "low", "high",
                                                                            "constant predictor"]]  # fmt: skip
        appendix.latex("scores", table.round(3), r"Scores by data set, with 95\,\% intervals.", folder)
    content = {
        **judged,
        "grids": shown_grids,
        "seed_figures": seed_figures,
        "runs": appendix.provenance(runs, folder),
        "checklist": appendix.checklist(),
        "untested": appendix.untested(
            judged["claims"], {r.record.config.dataset for r in runs if not r.record.synthetic}
        ),
        "contradictions": yaml.safe_load(from_root("reports/contradictions.yaml").read_text()),
        "literature": literature.to_dict(orient="records"),
        "sections": sections,
        "real": [s for s in sections if not s["synthetic"]],
        "checked": _checked(runs),
        "problems": problems,
        "effect": effect.to_dict(orient="records"),
        "choices": _choices(),
        "faces": _face_figures(folder),
    }
    for page, template in PAGES.items():
        write_text(folder / page, _templates().get_template(template).render(content))
    return folder / "index.html"


def _checked(runs: list[Run]) -> list[dict[str, Any]]:
    """Count the runs on real faces by data set and preset."""
    places = [(r.record.config.dataset, r.record.config.preset) for r in runs if not r.record.synthetic]
    return [{"dataset": d, "preset": p, "runs": places.count((d, p))} for d, p in sorted(set(places))]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("gralib") / "templates" / name).read_text("utf-8")),
        autoescape=lambda name: (name or "").endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["shown"] = shown
    return environment


def shown(value: float, score: str) -> str:
    """Return a score as a reader wants it: accuracies in per cent, errors in years; what is not known as such."""
    if value != value:
        return "unknown"
    return next(form for key, form in FORMATS if key in score)(value)


def _flat(effect: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `split_effect` with one number a cell."""
    flat = effect.drop(columns=["honest", "random"])
    for side in ("honest", "random"):
        for key in ("value", "low", "high"):
            flat[f"{side} {key}"] = [row[key] for row in effect[side]]
    return flat


def _section(study: Study, folder: Path, literature: pd.DataFrame) -> dict[str, Any]:
    """Write the tables and figures of one study; return what the pages say of it."""
    record = study.first.record
    tables = {
        "scores": study.scores,
        "error-by-age": study.by_decade("age"),
        "gender-by-age": study.by_decade("gender"),
        "confusion": study.confusion(),
        "cumulative-score": study.cumulative(),
        **{f"calibration-{task.replace('_', '-')}": study.calibration(task) for task in study.runs},
    }
    for name, table in tables.items():
        if table is not None:
            kind = "synthetic" if record.synthetic else "real"
            text = table.assign(data=kind).to_csv(index=name == "confusion", float_format="%.6g")
            write_text(folder / "tables" / f"{study.slug}-{name}.csv", text)
    notebook = f"executed/{record.config.dataset}.html"
    return {
        "label": study.label,
        "slug": study.slug,
        "synthetic": record.synthetic,
        "smoke": record.config.preset == "smoke",
        "dataset": record.config.dataset,
        "record": record,
        "scores": study.scores.to_dict(orient="records"),
        "settings": ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in record.config.model_dump().items()
            if name not in ("recipe", "preset", "dataset", "task")
        ),
        "missing": sorted(set(TASKS[record.config.dataset]) - set(study.runs)),
        "literature": appendix.literature_of(record.config.dataset, literature),
        "executed": notebook if not record.synthetic and (folder / notebook).exists() else "",
        "calibration": [
            {"task": task.replace("_", " "), "error": f"{100 * scores.calibration_error(table):.1f} points"}
            for task in study.runs
            if (table := tables[f"calibration-{task.replace('_', '-')}"]) is not None
        ],
        "figures": _figures(study, tables, folder),
        "tasks": [
            {
                "name": task.replace("_", " "),
                "command": appendix.command(runs),
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
        run = runs[0]
        name, record = task.replace("_", " "), run.record
        add(f"{record.config.task.replace('_', '-')}-losses",
            figures.losses(run.history, record.chosen_epoch, f"Training: {name}", study.label),
            f"Loss of the {name} network by epoch; the ring marks the epoch that validation faces chose.")  # fmt: skip
        add(f"{record.config.task.replace('_', '-')}-gates",
            figures.gates(run.history, study.label, f"Where the gates go: {name}"),
            f"Gate values of the {name} network after every epoch; all start at 1/2.")  # fmt: skip
    return found


def _provenance(run: Run, folder: Path) -> dict[str, Any]:
    """Return a run's record and the link to it, where it is kept with the report."""
    path = run.folder / "record.json"
    link = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
    return {"record": run.record, "link": link}


def _choices() -> pd.DataFrame:
    """Return every setting the paper does not state, with our choice: name, default, meaning."""
    rows = []
    for name, field in RunConfig.model_fields.items():
        text = field.description or ""
        if "not stated" in text.lower() or "our choice" in text.lower():
            rows.append({"setting": name, "default": str(field.default), "meaning": " ".join(text.split())})
    return pd.DataFrame(rows)


def _face_figures(folder: Path) -> list[dict[str, str]]:
    """Return pictures of drawn faces that the notebooks left for the report (pictures of people never are)."""
    captions = {
        "synthetic-utkface-faces.png": "Synthetic faces: drawn, not photographs. Above each its age and gender.",
        "synthetic-utkface-masks.png": "Synthetic faces and, block by block, the mask K averaged over channels.",
    }
    return [
        {"file": f"figures/{name}", "caption": caption}
        for name, caption in captions.items()
        if (folder / "figures" / name).exists()
    ]
