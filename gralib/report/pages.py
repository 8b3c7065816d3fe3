"""From records to the report: tables, figures, a Markdown page and an HTML page. Trains nothing.

The same records give the same bytes; a record that cannot be read is named and left out.
"""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from gralib.config import PRESETS, TASKS, TITLES, RunConfig
from gralib.errors import UserError, from_root
from gralib.evaluation.studies import is_standard, split_effect, studies
from gralib.files import write_text
from gralib.report import claims, experiments, provenance
from gralib.report.dataset import gained, section, shown
from gralib.training import records
from gralib.training.records import Run

PAGES = {"index.html": "report.html.j2", "README.md": "report.md.j2", "runs.html": "runs.html.j2"}
OWN = re.compile(rf"(synthetic-)?({'|'.join(TASKS)})-({'|'.join(PRESETS)})-.+\.(svg|csv)")
"""Names of tables and figures that a data set or grid gets here, and nobody else writes."""


def build(out: str | Path = "reports") -> Path:
    """Write the report of all finished runs to `out` and return its HTML page.

    Args:
        out: folder; gets index.html, README.md, tables/ and figures/; what an earlier report left there and this one
            does not show is removed.
    """
    folder = from_root(out)
    runs, problems = records.gather()
    found = studies(run for run in runs if is_standard(run))
    literature = provenance.literature()
    sections = [s for study in found if (s := _or_line(problems, study.label, section, study, folder, literature))]
    effect = _or_line(problems, "honest against random split", split_effect, found)
    effect = split_effect([]) if effect is None else effect
    _or_line(problems, "across data sets", claims.across, folder, found, effect)
    _scores_for_papers(sections, folder)
    seed_figures = provenance.seed_figures(folder)
    shown_grids = experiments.grids_shown(folder, runs, problems)
    judged = claims.claims_shown(folder, runs, problems)
    content = {
        **judged,
        "grids": shown_grids,
        "seed_figures": seed_figures,
        "runs": provenance.provenance(runs, folder),
        "checklist": provenance.checklist(),
        "untested": provenance.untested(
            judged["claims"], {r.record.config.dataset for r in runs if not r.record.synthetic}
        ),
        "changes": yaml.safe_load(from_root("reports/changes.yaml").read_text()),
        "contradictions": yaml.safe_load(from_root("reports/contradictions.yaml").read_text()),
        "methods": provenance.methods(literature),
        "sections": sections,
        "real": [s for s in sections if not s["synthetic"]],
        "checked": _checked(runs),
        "problems": list(dict.fromkeys(problems)),
        "effect": effect.to_dict(orient="records"),
        "choices": _choices(),
        "faces": provenance.face_figures(folder),
        "titles": TITLES,
    }
    for page, template in PAGES.items():
        write_text(folder / page, _templates().get_template(template).render(content))
    _remove_left_over(folder)
    return folder / "index.html"


def _or_line(problems: list[str], what: str, make: Callable, *given: Any) -> Any:
    """Return what `make` makes of `given`; where its records do not fit, None and a line in `problems`."""
    try:
        return make(*given)
    except UserError as error:
        problems.append(f"{what}: {error}")
        return None


def _remove_left_over(folder: Path) -> None:
    """Remove own tables and figures that the page just written does not show."""
    page = (folder / "index.html").read_text()
    for place in ("tables", "figures"):
        for path in sorted((folder / place).iterdir()):
            if OWN.fullmatch(path.name) and f'"{place}/{path.name}"' not in page:
                path.unlink()


def _scores_for_papers(sections: list[dict[str, Any]], folder: Path) -> None:
    """Write the scores of all data sets as LaTeX."""
    rows = [
        {"study": s["label"], "score": row["score"], "value": shown(row["value"], row["score"]),
         "interval": f"{shown(row['low'], row['score'])} to {shown(row['high'], row['score'])}",
         "constant predictor": shown(row["constant predictor"], row["score"]), "the paper": "not stated"}
        for s in sections for row in s["scores"]
    ]  # fmt: skip
    if rows:
        provenance.latex("scores", pd.DataFrame(rows), r"Scores by data set, with 95\,\% intervals.", folder)


def _checked(runs: list[Run]) -> list[dict[str, Any]]:
    """Count the runs on real faces by data set and preset."""
    places = [(r.record.config.dataset, r.record.config.preset) for r in runs if not r.record.synthetic]
    return [{"dataset": TITLES[d], "preset": p, "runs": places.count((d, p))} for d, p in sorted(set(places))]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("gralib.report") / "templates" / name).read_text("utf-8")),
        autoescape=lambda name: (name or "").endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(shown=shown, gained=gained)
    return environment


def _choices() -> pd.DataFrame:
    """Return every setting the paper does not state, with our choice: name, default, meaning."""
    rows = []
    for name, field in RunConfig.model_fields.items():
        text = field.description or ""
        if "not stated" in text.lower() or "our choice" in text.lower():
            rows.append({"setting": name, "default": str(field.default), "meaning": " ".join(text.split())})
    return pd.DataFrame(rows)
