"""What the report says of grids: a table and a figure each, where learned gates settle, what turning faces costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gralib.config import TITLES, Dataset
from gralib.errors import UserError
from gralib.evaluation import orientation
from gralib.evaluation.compare import Side, along, describe, gains, sides, summary
from gralib.files import write_text
from gralib.report import figures, gridfigures, provenance
from gralib.training import grids, probed
from gralib.training.records import Run

Place = tuple[Dataset, str, bool]
OVER: dict[str, grids.Setting] = {
    "gate_ablation": {"gate": "trainable"}, "age_decomposition": {"age_width": 10, "join": "both"},
}  # fmt: skip
"""What the settings of a grid are compared with, where it is not the first."""


def grids_shown(folder: Path, runs: Sequence[Run], problems: list[str]) -> list[dict[str, Any]]:
    """Write table and figure of every grid that has runs; real faces under the largest preset first.

    A grid that cannot be compared adds a line to `problems`, and the others go on.
    """
    found = []
    for name in grids.GRIDS:
        for place in sorted({_place(run) for run in runs}, key=str):
            mine = [run for run in runs if _place(run) == place]
            if not grids.serves(name, place[0]):
                continue
            try:
                shown = (_turned if name == "orientation" else _compared)(name, mine, place, folder)
            except UserError as error:
                problems.append(f"{grids.GRIDS[name].title}, {TITLES[place[0]]}: {error}")
                continue
            found += [shown] if shown else []
    return sorted(found, key=lambda g: g["synthetic"])


def _place(run: Run) -> Place:
    return run.record.config.dataset, run.record.config.preset, run.record.synthetic


def _shown(name: str, place: Place, seeds: Sequence[int], runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    """Return what the pages say of any grid: names, links, what was trained."""
    dataset, preset, synthetic = place
    grid, page = grids.GRIDS[name], f"executed/{name}.html"
    slug = f"{'synthetic-' if synthetic else ''}{dataset}-{preset}-{name.replace('_', '-')}"
    low, high = min(seeds), max(seeds)
    count = f"{low} to {high} seeds" if low < high else f"{low} seed{'s' if low > 1 else ''}"
    kind = "synthetic" if synthetic else "real"
    return {
        "name": name, "title": grid.title, "slug": slug, "synthetic": synthetic, "kind": kind,
        "label": f"{TITLES[dataset]}, {kind} faces, {preset} preset, {count}",
        "score": grid.measure,
        "figure": f"figures/{slug}.svg", "table": f"tables/{slug}.csv", "notes": [], "rows": [],
        "changes": [], "settled": None,
        "executed": page if not synthetic and (folder / page).exists() else "",
        "command": f".venv/bin/gra grid {name} --dataset {dataset} --preset {preset}",
        "words": provenance.trained(runs),
    }  # fmt: skip


def _compared(name: str, mine: Sequence[Run], place: Place, folder: Path) -> dict[str, Any] | None:
    """Write and return the settings of a grid, each with its score and what it gains; None with fewer than two."""
    table = sides(name, mine, *place[:2])
    if len(table) < 2:
        return None
    grid, rows = grids.GRIDS[name], summary(table)
    used = {run_id for one in table.values() for run_id in one.run_ids}
    found = _shown(name, place, rows["seeds"].tolist(), [r for r in mine if r.record.run_id in used], folder)
    flat = rows.assign(**{"by seed": [" ".join(f"{v:.6g}" for v in r) for r in rows["by seed"]],
                          "runs": [" ".join(side.run_ids) for side in table.values()],
                          "data": found["kind"]})  # fmt: skip
    write_text(folder / found["table"], flat.to_csv(index=False, float_format="%.6g"))
    figures.style()
    axes = gridfigures.settings(rows, grid.measure, grid.title, found["label"])
    figures.save(axes, folder / found["figure"])
    over, better = _gains(name, table)
    fixed = [setting for setting, side in table.items() if side.fixed]
    found["notes"] = [f"{s}: nothing is drawn by chance, so this is one run without seeds." for s in fixed]
    return {**found, "rows": rows.to_dict(orient="records"), "over": over, "gains": better.to_dict(orient="records"),
            **(_settled(mine, found, folder) if name == "gate_ablation" else {})}  # fmt: skip


def _gains(name: str, table: dict[str, Side]) -> tuple[str, pd.DataFrame]:
    """Return what every setting is compared with, and its gains; at a depth or share the trainable gate there."""
    measure, steps = grids.GRIDS[name].measure, along(table)
    if steps is None:
        over = describe(OVER.get(name, {}))
        over = over if over in table else next(iter(table))
        return over, gains(table, measure, over)
    names = pd.Series(list(table))
    trainable = describe({"gate": "trainable"})
    parts = [
        gains({n: table[n] for n in names[rows.index]}, measure, names[rows.index[rows["line"] == trainable][0]])
        for _, rows in steps.groupby("step") if (rows["line"] == trainable).any()
    ]  # fmt: skip
    what = "share of wrong labels" if "wrong" in steps["unit"].iloc[0] else "depth"
    return f"{trainable}, same {what}", pd.concat(parts, ignore_index=True) if parts else gains({}, measure, "")


def _settled(mine: Sequence[Run], found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write and return where learned gates end, over all grids' runs of GRA_Net that were free to move them."""
    some = mine[0].record.config
    like = grids.configs_for("gate_ablation", {"gate": "trainable"}, 0, some.dataset, some.preset)[0]
    wanted = (like.network, like.gate, like.train_faces)
    configs = {r: r.record.config for r in mine}
    learned = [r for r, c in configs.items() if (c.network, c.gate, c.train_faces) == wanted]
    ends = pd.DataFrame([r.record.gates for r in learned])
    if ends.empty:
        return {}
    table = pd.DataFrame({"runs": ends.count(), "least": ends.min(), "mean": ends.mean(), "greatest": ends.max()})
    table = table.rename(figures.gate_name).sort_index()
    low, high = table["least"].min(), table["greatest"].max()
    so = ": a trainable gate is practically residual attention (1/2)" if low >= 0.4 and high <= 0.6 else ""
    place, figure = f"tables/{found['slug']}-settled.csv", f"figures/{found['slug']}-trajectories.svg"
    write_text(folder / place, table.rename_axis("gate").to_csv(float_format="%.6g"))
    label = found["label"].rpartition(", ")[0] + f", {len(learned)} runs"
    figures.style()
    axes = gridfigures.trajectories({r.record.run_id: r.history for r in learned}, label)
    figures.save(axes, folder / figure)
    said = f"In {len(learned)} runs every learned gate ended between {low:.2f} and {high:.2f}{so}."
    return {"settled": {"said": said, "table": place, "figure": figure,
                        "rows": table.rename_axis("gate").reset_index().to_dict(orient="records")}}  # fmt: skip


def _turned(name: str, mine: Sequence[Run], place: Place, folder: Path) -> dict[str, Any] | None:
    """Write and return what turned and moved faces cost each setting; None where not both were probed."""
    grid = grids.GRIDS[name]
    runs = {describe(s): grids.by_seed(name, s, mine, *place[:2]) for s in grid.settings}
    seen = {setting: {seed: table for seed, (run,) in found.items() if (table := probed.orientation(run)) is not None}
              for setting, found in runs.items()}  # fmt: skip
    ours, trunk = seen.values()
    seeds = sorted(set(ours) & set(trunk))
    if not seeds:
        return None
    used = [runs[setting][seed][0] for setting in runs for seed in seeds]
    found = _shown(name, place, [len(seeds)], used, folder)
    curves = {setting: orientation.curve([tables[seed] for seed in seeds]) for setting, tables in seen.items()}
    saved = orientation.saved([ours[seed] for seed in seeds], [trunk[seed] for seed in seeds])
    wide = pd.concat(
        [saved[["kind", "step"]]]
        + [c[["value", "low", "high"]].add_prefix(f"{setting}: ") for setting, c in curves.items()]
        + [saved[["saved", "low", "high", "verdict"]].add_prefix("masks: ")], axis=1,
    )  # fmt: skip
    flat = wide.assign(seeds=len(seeds), runs=" ".join(r.record.run_id for r in used), data=found["kind"])
    write_text(folder / found["table"], flat.to_csv(index=False, float_format="%.6g"))
    figures.style()
    figures.save(gridfigures.orientation(curves, found["label"]), folder / found["figure"])
    changes = [
        {"what": _change(kind, step), "sides": [c.iloc[i][["value", "low", "high"]].to_dict() for c in curves.values()],
         **saved.iloc[i].to_dict()}
        for i, (kind, step) in enumerate(zip(saved["kind"], saved["step"], strict=True)) if step
    ]  # fmt: skip
    as_is = {
        "what": "as they are",
        "verdict": "",
        "sides": [c.iloc[0][["value", "low", "high"]].to_dict() for c in curves.values()],
    }
    return {**found, "names": list(curves), "changes": [as_is, *changes]}


def _change(kind: str, step: int) -> str:
    return f"turned by {step}°" if kind == "turn" else f"moved by {step} pixel{'s' if step > 1 else ''}"
