"""What stands behind the report's numbers: every run with its provenance, the seed's figures, lists, LaTeX copies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from gralib import diagrams, figures
from gralib.config import PROTOCOLS, configure
from gralib.errors import from_root
from gralib.records import Run, write_text

TITLES = {
    "fgnet": "FG-NET", "afad": "AFAD", "wikipedia": "Wikipedia (IMDB-WIKI)", "utkface": "UTKFace", "adience": "Adience",
}  # fmt: skip
"""The data sets as the literature writes them."""


def command(runs: Sequence[Run]) -> str:
    """Return the command that makes the runs of one task again: one run, or all folds."""
    record = runs[0].record
    config = record.config
    standard = configure(config.preset, **{**PROTOCOLS[config.dataset], "dataset": config.dataset, "task": config.task})
    changed = [
        f"--set {name}={value if isinstance(value, str) else str(value).lower().replace(' ', '')}"
        for name, value in config.model_dump(mode="json").items()
        if value != standard.model_dump(mode="json")[name] and (name != "fold" or len(runs) == 1)
    ]
    words = [f"--dataset {config.dataset} --task {config.task} --preset {config.preset}", *changed]
    words += [f"--root data/synthetic/{config.dataset}"] if record.synthetic else []
    words += [f"--folds {len(runs)}"] if len(runs) > 1 else []
    return " ".join([".venv/bin/gra run", *words, "--again"])


def provenance(runs: Sequence[Run], folder: Path) -> list[dict[str, Any]]:
    """Return one row a run: what made it, on which data, with what, for how long, and how to make it again.

    Writes the rows to `tables/runs.csv` under `folder`.
    """
    rows = []
    for run in runs:
        record = run.record
        made = record.environment
        path = run.folder / "record.json"
        rows.append({
            "run": record.run_id, "data set": record.config.dataset,
            "data": "synthetic" if record.synthetic else "real",
            "preset": record.config.preset, "task": record.config.task, "seed": record.config.seed,
            "data fingerprint": record.fingerprint, "test faces": record.faces["test"],
            "trainable parameters": record.trainable_parameters, "epoch kept": record.chosen_epoch,
            "epochs": record.config.epochs, "minutes": round(record.seconds / 60, 2),
            "commit": (made.get("commit") or "unknown")[:10], "clean": made.get("clean"),
            "keras": made["packages"]["keras"], "backend": made["backend"],
            "backend version": made["packages"].get(made["backend"], ""),
            "device": made["device"], "threads": made["threads"], "finished": record.finished,
            "learnt": not run.stuck, "command": command([run]),
            "record": path.relative_to(folder).as_posix() if path.is_relative_to(folder) else "",
        })  # fmt: skip
    write_text(folder / "tables" / "runs.csv", pd.DataFrame(rows).to_csv(index=False))
    return rows


def seed_figures(folder: Path) -> list[dict[str, str]]:
    """Write our counterparts of the paper's Fig. 2 to 8 and return file and caption of each, in the paper's order."""
    found = {}
    for name, draw, caption in diagrams.FIGURES:
        figures.style()
        found[caption[:6]] = _figure(figures.save(draw(), folder / "figures" / f"{name}.svg"), caption)
    sample = "Fig. 3: sample faces. Drawn by a program, not photographs; above each its age and gender."
    found["Fig. 3"] = _figure(figures.save(_samples(), folder / "figures" / "sample-faces.svg"), sample)
    gate = "Fig. 4: what a gate does to a mask at its ends and between. Calculated from Eq. 3, not measured."
    found["Fig. 4"] = _figure(figures.save(figures.gate_effect(), folder / "figures" / "gate-effect.svg"), gate)
    return [found[key] for key in sorted(found)]


def _figure(file: Path, caption: str) -> dict[str, str]:
    return {"file": f"figures/{file.name}", "caption": caption}


def _samples() -> Figure:
    """Draw sixteen synthetic people of all ages."""
    from gralib.drawing import Subject, draw_face

    rng = np.random.default_rng(0)
    ages = np.linspace(2, 88, 16).astype(int)
    people = [Subject.draw_at_random(rng, f"s{i:05}") for i in range(len(ages))]
    pixels = np.stack([np.asarray(draw_face(who, age, rng, size=32)) for who, age in zip(people, ages, strict=True)])
    captions = [f"{age}, {who.gender}" for who, age in zip(people, ages, strict=True)]
    return figures.faces(pixels, captions, "Sample faces (Fig. 3)", "synthetic: drawn, not photographs")


def literature() -> pd.DataFrame:
    """Return `reports/literature.csv`: the paper's Fig. 1 as a table; unknown cells are empty."""
    return pd.read_csv(from_root("reports/literature.csv"), keep_default_na=False)


def literature_of(dataset: str, table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the methods measured on a data set, where the paper gives a number."""
    word = TITLES[dataset].split()[0]
    rows = table[table["database"].str.contains(word) & (table["value"] != "")]
    return rows.to_dict(orient="records")


def untested(claims: Sequence[dict[str, Any]], datasets: set[str]) -> list[dict[str, str]]:
    """Return what could not be tested and why: claims without a verdict, data sets without a run on real faces."""
    rows = [
        {"what": f"{c['claim'].id}: {c['claim'].claim}", "why": c["claim"].test.why or "its runs are missing"}
        for c in claims if c["verdict"] in ("not testable", "not run")
    ]  # fmt: skip
    why = "no run on its real pictures is recorded; loader, protocol and notebook run on synthetic ones in its layout"
    return rows + [{"what": title, "why": why} for name, title in TITLES.items() if name not in datasets]


def checklist() -> list[dict[str, Any]]:
    """Return the machine learning reproducibility checklist (Pineau et al. 2021), `reports/checklist.yaml`."""
    return yaml.safe_load(from_root("reports/checklist.yaml").read_text())


def latex(name: str, table: pd.DataFrame, caption: str, folder: Path) -> None:
    """Write a table for a paper to `tables/`, as LaTeX (booktabs)."""
    text = table.to_latex(index=False, escape=True, caption=caption, label=f"tab:{name}", na_rep="", longtable=True)
    write_text(folder / "tables" / f"{name}.tex", text)
