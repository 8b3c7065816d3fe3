"""What the report says of claims and grids: verdicts with their comparisons, a table and a figure for each grid."""

from pathlib import Path
from typing import Any

import pandas as pd

from gralib import claims, figures, grids
from gralib.compare import gains, sides, summary
from gralib.records import Run, write_text

VERDICTS = ("reproduced", "partly", "not reproduced", "not testable", "not run")


def claims_shown(folder: Path, runs: list[Run]) -> dict[str, Any]:
    """Judge the claims, write `tables/claims.csv`, and return what the pages say: claims, counts of verdicts."""
    stated = claims.load()
    verdicts = claims.judge(stated, runs)
    write_text(folder / "tables" / "claims.csv", verdicts.to_csv(index=False, float_format="%.6g"))
    counts = verdicts.drop_duplicates("id")["verdict"].value_counts()
    minutes = {run.record.run_id: run.record.seconds / 60 for run in runs}
    return {
        "claims": [_claim(claim, verdicts[verdicts["id"] == claim.id], folder, minutes) for claim in stated],
        "verdict_table": verdicts,
        "verdicts": {name: int(counts.get(name, 0)) for name in VERDICTS if counts.get(name, 0)},
    }


def _claim(claim: claims.Claim, rows: pd.DataFrame, folder: Path, minutes: dict[str, float]) -> dict[str, Any]:
    """Return what the pages say of one claim: words, rule, verdict, every comparison as text, evidence and its cost."""
    form = {"accuracy": lambda v: f"{100 * v:+.1f} points", "years": lambda v: f"{v:+.2f} years"}
    kind = "years" if "mae" in claim.test.measure else "accuracy"
    lines = []
    for row in rows.to_dict(orient="records"):
        value = row["value"]
        plain = claim.test.kind == "equation"
        lines.append({
            "what": row["what"],
            "data": "" if row["data set"] != row["data set"] or row["data set"] == "none" else row["data set"],
            "value": "" if value != value else f"{value:,.3g}" if plain and value < 1000 else f"{value:,.0f}" if plain
                     else form[kind](value),
            "interval": "" if row["low"] != row["low"] else f"{form[kind](row['low'])} to {form[kind](row['high'])}",
            "seeds": "" if row["seeds"] != row["seeds"] else f"{row['seeds']:.0f}",
            "runs": row["run ids"].split() if isinstance(row["run ids"], str) else [],
            "stuck": row["stuck runs"].split() if isinstance(row["stuck runs"], str) else [],
            "finding": row["finding"] if isinstance(row["finding"], str) else "",
            "difference": "" if row["difference"] != row["difference"] else f"{row['difference']:+,.0f}",
        })  # fmt: skip
    used = sorted({run for line in lines for run in line["runs"]})
    return {"claim": claim, "verdict": rows["verdict"].iloc[0], "rows": lines, "evidence": _evidence(claim, folder),
            "datasets": sorted({line["data"] for line in lines} - {""}), "runs": used,
            "minutes": sum(minutes.get(run, 0) for run in used)}  # fmt: skip


def _evidence(claim: claims.Claim, folder: Path) -> dict[str, str]:
    """Return the files that show a claim, by what they are: its figure, its numbers, its notebook, run before."""
    test, real = claim.test, f"{claim.test.dataset}-laptop"
    grid = test.grid.replace("_", "-")
    names = {
        "equation": ("gate-effect.svg", "", "model_tour"),
        "bands": (f"{real}-s0-gender-by-age.svg", f"{real}-s0-gender-by-age.csv", test.dataset),
        "split": ("", "split-effect.csv", test.dataset),
        "orientation": (f"{real}-orientation.svg", f"{real}-orientation.csv", "orientation"),
    }.get(test.kind, (f"{real}-{grid}.svg", f"{real}-{grid}.csv", test.grid))
    places = (f"figures/{names[0]}", f"tables/{names[1]}", f"executed/{names[2]}.html")
    found = {what: place for what, place in zip(("figure", "numbers", "notebook"), places, strict=True)
             if (folder / place).is_file()}  # fmt: skip
    return {**found, **({"numbers": "equations.json"} if test.kind == "equation" else {})}


def grids_shown(folder: Path, runs: list[Run]) -> list[dict[str, Any]]:
    """Write table and figure of every grid that has runs; real faces under the largest preset first."""
    found = []
    for name, grid in grids.GRIDS.items():
        for dataset, preset, synthetic in sorted({_place(run) for run in runs}, key=str):
            mine = [run for run in runs if _place(run) == (dataset, preset, synthetic)]
            table = sides(name, mine, dataset, preset) if grids.serves(name, dataset) else {}
            if len(table) < 2:
                continue
            kind = "synthetic faces" if synthetic else "real faces"
            rows = summary(table)
            counts = sorted(set(rows["seeds"]))
            seeds = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seeds"
            label = f"{dataset}, {kind}, {preset} preset, {seeds}"
            slug = f"{'synthetic-' if synthetic else ''}{dataset}-{preset}-{name.replace('_', '-')}"
            flat = rows.assign(**{"by seed": [" ".join(f"{v:.6g}" for v in r) for r in rows["by seed"]],
                                  "runs": [" ".join(side.run_ids) for side in table.values()],
                                  "data": kind.split()[0]})  # fmt: skip
            write_text(folder / "tables" / f"{slug}.csv", flat.to_csv(index=False, float_format="%.6g"))
            figures.style()
            file = figures.save(
                figures.settings(rows, grid.measure, grid.title, label), folder / "figures" / f"{slug}.svg"
            )
            over = next(reversed(table)) if name == "gate_ablation" else next(iter(table))
            page = f"executed/{name}.html"
            unit = "years" if "mae" in grid.measure else "accuracy"
            found.append({
                "name": name, "title": grid.title, "label": label, "slug": slug, "synthetic": synthetic, "unit": unit,
                "figure": f"figures/{file.name}", "table": f"tables/{slug}.csv", "over": over,
                "executed": page if not synthetic and (folder / page).exists() else "",
                "command": f".venv/bin/gra grid {name} --dataset {dataset} --preset {preset}",
                "rows": rows.to_dict(orient="records"),
                "gains": gains(table, grid.measure, over).to_dict(orient="records"),
            })  # fmt: skip
    return sorted(found, key=lambda g: g["synthetic"])


def _place(run: Run) -> tuple[str, str, bool]:
    return run.record.config.dataset, run.record.config.preset, run.record.synthetic
