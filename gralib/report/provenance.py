"""What stands behind the report's numbers: every run with its provenance, the seed's figures, lists, LaTeX copies."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gralib.config import PROTOCOLS, TITLES, Dataset, configure
from gralib.errors import from_root
from gralib.files import write_text
from gralib.report import drawings, figures
from gralib.training.records import Run


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
            "learnt": run.converged, "command": command([run]),
            "record": path.relative_to(folder).as_posix() if path.is_relative_to(folder) else "",
        })  # fmt: skip
    write_text(folder / "tables" / "runs.csv", pd.DataFrame(rows).to_csv(index=False))
    return rows


PAPER_FIGURES = {
    "Fig. 1": ("3", "Comparative study of some Gender and Age classification methods proposed in past few years."),
    "Fig. 2": ("4", "Schematic diagram depicting the flowchart of the proposed model."),
    "Fig. 3": ("5.2", "Sample facial images taken from FG-NET dataset"),
    "Fig. 4": ("6.2", "Effect of Gates at extreme values on the output of Gated Attention Network."),
    "Fig. 5": ("6.2", "Schematic diagram representing Gated Attention block."),
    "Fig. 6": ("6.3", "Illustration of Soft Mask Branch."),
    "Fig. 7": ("6.3", "Overall architecture used in the present work for classification of age and gender from facial "
                      "images"),
    "Fig. 8": ("6.6", "Decomposition of original age label into labels for different models"),
}  # fmt: skip
"""Where the paper has its figures, and their captions in its words."""


def seed_figures(folder: Path) -> list[dict[str, str]]:
    """Write our counterparts of the paper's Fig. 2 to 8; return each beside the paper's caption, in its order.

    Fig. 1 is the table of `methods`: its file is empty.
    """
    others = (
        ("sample-faces", _samples, "Fig. 3: sample faces. Drawn by a program, not photographs; above each its age and "
         "gender."),
        ("gate-effect", drawings.gate_effect, "Fig. 4: what a gate does to a mask at its ends and between. Calculated "
         "from Eq. 3, not measured."),
    )  # fmt: skip
    ours = {"Fig. 1": ("", "the table of methods below, with the advantages and limitations that the paper names.")}
    every: list[tuple[str, Callable[[], Axes | Figure], str]] = [*drawings.FIGURES, *others]
    for name, draw, caption in every:
        figures.style()
        file = figures.save(draw(), folder / "figures" / f"{name}.svg")
        ours[caption[:6]] = (f"figures/{file.name}", caption[8:])
    return [{"number": number, "section": section, "words": words, "file": ours[number][0], "caption": ours[number][1]}
            for number, (section, words) in PAPER_FIGURES.items()]  # fmt: skip


def trained(runs: Sequence[Run]) -> str:
    """Return in words what the networks of some runs were: size, training faces, epochs, test faces."""
    configs = [run.record.config for run in runs]
    widths = sorted({c.width for c in configs if c.network in ("gra_net", "residual")})
    at = " and ".join(str(width) for width in widths)
    width = f"width {at} (the paper’s 33 million parameters need 32)" if widths and widths != [32] else f"width {at}"
    counts = [run.record.trainable_parameters for run in runs]
    subset = {f"{c.train_faces:,} faces drawn once (split seed {c.split_seed})" if c.train_faces
              else "the whole training set" for c in configs}  # fmt: skip
    words = [
        f"{' and '.join(sorted({c.preset for c in configs}))} preset", *([width] if widths else []),
        f"{in_words(counts)} trainable parameters", " or ".join(sorted(subset)) + " to train and to choose the epoch",
        f"{in_words([c.epochs for c in configs])} epochs",
        f"{in_words([r.record.faces['test'] for r in runs])} test faces",
    ]  # fmt: skip
    several = " a fold" if len({c.fold for c in configs}) > 1 else ""
    return ", ".join(words) + several


def trained_by_set(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Return `trained` for each data set and size of training set: title, runs, words."""
    groups: dict[tuple[str, bool], list[Run]] = {}
    for run in runs:
        config = run.record.config
        groups.setdefault((TITLES[config.dataset], config.train_faces is None), []).append(run)
    return [{"title": title, "runs": str(len(some)), "words": trained(some)}
            for (title, _), some in sorted(groups.items())]  # fmt: skip


def in_words(counts: Sequence[int]) -> str:
    """Return a count, or the least and the greatest of several."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _samples() -> Figure:
    """Draw sixteen synthetic people of all ages."""
    from gralib.synthetic.drawing import draw_face
    from gralib.synthetic.person import Subject

    rng = np.random.default_rng(0)
    ages = np.linspace(2, 88, 16).astype(int)
    people = [Subject.draw_at_random(rng, f"s{i:05}") for i in range(len(ages))]
    pixels = np.stack([np.asarray(draw_face(who, age, rng, size=32)) for who, age in zip(people, ages, strict=True)])
    captions = [f"{age}, {who.gender}" for who, age in zip(people, ages, strict=True)]
    return figures.faces(pixels, captions, "Sample faces (Fig. 3)", "synthetic: drawn, not photographs")


def literature() -> pd.DataFrame:
    """Return `reports/literature.csv`: the paper's Fig. 1 as a table; unknown cells are empty."""
    return pd.read_csv(from_root("reports/literature.csv"), keep_default_na=False)


def methods(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the literature one row a method: its databases and values together, advantages and limitations."""
    rows = []
    for (method, year), mine in table.groupby(["method", "year"], sort=False):
        values = [f"{r['quantity']} {r['value']} {r['unit']} ({r['database']})" for r in
                  mine[mine["value"] != ""].to_dict(orient="records")]  # fmt: skip
        rows.append({
            "method": method, "year": year, "values": values, "databases": "; ".join(dict.fromkeys(mine["database"])),
            **{key: "; ".join(dict.fromkeys(filter(None, mine[key])))
               for key in ("advantages", "limitations", "protocol", "source")},
        })  # fmt: skip
    return rows


def literature_of(dataset: Dataset, table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the methods measured on a data set, where the paper gives a number."""
    word = TITLES[dataset].split()[0]
    rows = table[table["database"].str.contains(word) & (table["value"] != "")]
    return rows.to_dict(orient="records")


def untested(claims: Sequence[dict[str, Any]], datasets: set[str]) -> list[dict[str, str]]:
    """Return what could not be tested and why: claims without a verdict, data sets without a run on real faces."""
    rows = [
        {"what": f"{c['claim'].id}: {c['claim'].claim}", "why": c["why"]}
        for c in claims if c["verdict"] in ("not testable", "not run")
    ]  # fmt: skip
    why = "no run on its real pictures is recorded; loader, protocol and notebook run on synthetic ones in its layout"
    return rows + [{"what": title, "why": why} for name, title in TITLES.items() if name not in datasets]


def checklist() -> list[dict[str, Any]]:
    """Return the machine learning reproducibility checklist (Pineau et al. 2021), `reports/checklist.yaml`."""
    return yaml.safe_load(from_root("reports/checklist.yaml").read_text())


def label_floor(folder: Path) -> list[dict[Any, Any]]:
    """Return what `gra data repeats` measured of the labels of repeated photographs, one row a quantity, if it did.

    Shares as per cent, ages in years.
    """
    path = folder / "tables/label-floor.csv"
    rows = pd.read_csv(path).to_dict(orient="records") if path.exists() else []
    for row in rows:
        factor, form = (1, "{:.2f}") if "years" in row["quantity"] else (100, "{:.1f} %")
        row |= {name: form.format(factor * row[name]) for name in ("value", "low", "high")}
    return rows


def face_figures(folder: Path) -> list[dict[str, str]]:
    """Return pictures of drawn faces that the notebooks left for the report (pictures of people never are)."""
    captions = {
        "synthetic-utkface-faces.png": "Synthetic faces: drawn, not photographs. Above each its age and gender.",
        "synthetic-utkface-masks.png": "Synthetic faces and, block by block, the mask K averaged over channels.",
    }
    return [{"file": f"figures/{name}", "caption": caption} for name, caption in captions.items()
            if (folder / "figures" / name).exists()]  # fmt: skip


def latex(name: str, table: pd.DataFrame, caption: str, folder: Path) -> None:
    """Write a table of texts for a paper to `tables/`, as LaTeX (booktabs)."""
    columns = "".join({"what": "p{5cm}", "score": "p{5cm}"}.get(str(name), "l") for name in table)
    text = table.to_latex(
        index=False, column_format=columns, escape=True, caption=caption, label=f"tab:{name}", na_rep="", longtable=True
    )
    write_text(folder / "tables" / f"{name}.tex", text)
