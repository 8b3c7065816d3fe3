"""A page an experiment: what was compared, every score on the seeds of its differences, where gates end."""

from collections.abc import Sequence
from math import nan
from typing import Any

import pandas as pd

from gralib.config import TITLES, Task, configure
from gralib.evaluation import outcomes, search
from gralib.evaluation.rules import Condition, Contrast
from gralib.report import figures, gridfigures, plots, recipe, words
from gralib.report.evidence import Book, run_ids, to
from gralib.report.levels import level_of, levels_table
from gralib.report.text import link, listing, page, plural, table
from gralib.training import probed
from gralib.training.records import Run

EXPERIMENTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "gates": ("What the gate does", ("C4", "C15"), "gate_ablation"),
    "orientation": ("Turned and shifted faces", ("C8",), "orientation"),
    "attention": ("Mixed, channel or spatial attention", ("C5", "C19"), "attention_types"),
    "wrong-labels": ("Training with wrong labels", ("C6",), "label_noise"),
    "depth": ("More attention modules a stage", ("C7", "C16"), "depth"),
    "ages": ("Category, regression, or both", ("C9",), "age_decomposition"),
    "earlier-methods": ("Beside earlier methods, on the same faces", ("C11", "C10"), "earlier_methods"),
    "units-and-masks": ("Grouped units, skip connections, one mask", ("C17", "C18"), ""),
    "people": ("Children, and race labels", ("C12", "C21"), "utkface"),
    "splits": ("Honest and random splits", ("C14",), "fgnet"),
}
"""By file name: title, the claims it serves, its notebook."""
LADDER = "Does this width stand for the whole?"
JUDGED: dict[Task, str] = {"gender": "accuracy", "age_category": "category_mae_years"}
"""Scores of the ladder of widths, by task."""


def write(book: Book) -> None:
    """Write the page of every experiment, that of the recipe, and their index."""
    rows = []
    for name, (title, ids, _) in EXPERIMENTS.items():
        place = f"experiments/{name}.md"
        book.pages[place] = _page(book, name, place)
        rows.append((link(title, f"{name}.md"), listing([link(c, f"../claims/{c}.md") for c in ids]),
                     ", ".join(f"{c} **{book.first(c)['verdict']}**" for c in ids)))  # fmt: skip
    book.pages["experiments/widths.md"] = _ladder(book, "experiments/widths.md")
    rows.append(
        (link(LADDER, "widths.md"), "none: it says how far all others reach", "one seed, no interval over folds")
    )
    title, text, said = recipe.made(book)
    book.pages[recipe.PAGE] = page(title, text)
    rows.append((link(title, "recipe.md"), "none: it was chosen on validation faces", said))
    intro = "What was varied, what stayed, and every score. The claims say what follows from it."
    book.pages["experiments/README.md"] = page(
        "Experiments", intro, table(("experiment", "serves", "what came out"), rows)
    )


def _page(book: Book, name: str, place: str) -> str:
    title, ids, notebook = EXPERIMENTS[name]
    parts = [_claims(book, place, ids), book.story(place, notebook)]
    groups = [(c, contrasts) for c in ids for contrasts in _by_score(book.rule(c).contrasts)]
    for number, (claim, contrasts) in enumerate(groups):
        parts.append(_levels(book, place, f"{name}-{number + 1}", claim, contrasts))
    if name == "gates":
        parts.append(_gates(book, place))
    if name == "orientation":
        parts.append(_curves(book, place))
    return page(title, *parts)


def _ladder(book: Book, place: str) -> str:
    """Return the page of GRA_Net at several widths, the paper's among them; what is not run is named."""
    extra = next(e for e in book.protocol.others if any("width" in c.settings for c in e.conditions))
    said = "GRA_Net as it is at several widths, the paper’s among them: one seed on one fold, so nothing is judged."
    parts = [said]
    for task in extra.tasks:
        contrast = Contrast(what="", pairs=tuple((c, c) for c in extra.conditions), dataset=extra.dataset, task=task,
                            score=JUDGED[task], rule="sign", margin=0.0)  # fmt: skip
        found = {words.condition(c): level_of(book, contrast, c, extra.seeds) for c in extra.conditions}
        missing = [name for name, one in found.items() if one is None]
        name = words.score_name(JUDGED[task])
        parts.append(f"## {name[0].upper()}{name[1:]}")
        parts.append(levels_table(book, place, [one for one in found.values() if one]))
        parts.append(f"**not run**: {listing(missing)}." if missing else "")
    return page(LADDER, *parts)


def _claims(book: Book, place: str, ids: Sequence[str]) -> str:
    lines = []
    for claim in ids:
        row, rule = book.first(claim), book.rule(claim)
        lines.append((link(claim, to(place, f"claims/{claim}.md")), rule.estimand, f"**{row['verdict']}**",
                      words.estimated(row), words.finding(row)))  # fmt: skip
    return table(("claim", "what is estimated", "verdict", "difference", "because"), lines)


def _by_score(contrasts: Sequence[Contrast]) -> list[list[Contrast]]:
    """Return contrasts of one data set, task and score together."""
    groups: dict[Any, list[Contrast]] = {}
    for contrast in contrasts:
        groups.setdefault((contrast.dataset, contrast.task, contrast.score, contrast.seeds), []).append(contrast)
    return list(groups.values())


def _levels(book: Book, place: str, slug: str, claim: str, contrasts: Sequence[Contrast]) -> str:
    """Return figure and table of every condition of some contrasts, on the seeds of the claim's verdict."""
    first = contrasts[0]
    name = words.score_name(first.score)
    title = f"## {claim}, {TITLES[first.dataset]}: {name}"
    seeds = first.seeds or book.seeds(claim)
    asked = [c for contrast in contrasts for pair in contrast.pairs for c in pair]
    if any("protocol" in c.settings for c in asked):  # then the usual split is a condition too, and has a name
        asked = [c.model_copy(update={"settings": {"protocol": "grouped", **c.settings}}) for c in asked]
    conditions = {words.condition(c): c for c in asked}
    found = [one for c in conditions.values() if not c.constant
             and (one := level_of(book, first, c, seeds, book.rule(claim).recipe))] if seeds else []  # fmt: skip
    once = {(one.run_ids, one.value, one.constant): one for one in reversed(found)}  # test faces chosen differ too
    found = list(once.values())[::-1]
    if not found:
        wanted = plural(len([c for c in conditions.values() if not c.constant]), "condition")
        return f"{title}\n\n**not run**: {wanted}, whose seeds are not all run."
    constants = [one.constant for one in found]
    same = constants[0] if max(constants) - min(constants) < 1e-9 else nan
    rows = [
        {"name": one.name, "value": one.value, "low": one.low, "high": one.high, "folds": one.folds,
         "colour": figures.COLOURS.get(one.name, "0.35")}
        for one in found
    ]  # fmt: skip
    unit = {"shares": "%"}.get(found[0].unit, found[0].unit)
    drawn = plots.levels(rows, f"{name}, {unit}", found[0].unit, same)
    alt = f"{name} of {plural(len(found), 'condition')} with intervals over folds; the numbers are in the table below."
    return "\n\n".join((title, book.draw(place, slug, drawn, alt), levels_table(book, place, found)))


def _gates(book: Book, place: str) -> str:
    """Return where learned gates end, how far they could have gone, and their way there."""
    used = {name for claim in EXPERIMENTS["gates"][1] for row in book.rows(claim) for name in run_ids(row)}
    learned = [run for name in sorted(used) if (run := book.by_name[name]).record.gates and _free(run)]
    if not learned:
        return ""
    ends = search.gates_of(learned)
    rows = [
        (figures.gate_name(str(gate)), len(mine), f"{mine['gamma'].min():.2f} to {mine['gamma'].max():.2f}",
         f"{mine['gamma'].mean():.2f}", f"{mine['least'].min():.2f} to {mine['greatest'].max():.2f}")
        for gate, mine in ends.groupby("gate")
    ]  # fmt: skip
    label = f"{plural(len(learned), 'run')}, real faces"
    axes = gridfigures.trajectories({run.record.run_id: run.history for run in learned}, label)
    picture = book.draw(place, "gates-ways", axes, "Gamma of every learned gate by epoch, a line a run and gate.")
    said = "A gate at zero lets the mask act in full, at one not at all. The reach is what its rate and steps allow."
    headers = ("gate", "runs", "ends", "mean", "could have gone")
    return f"## Where learned gates end\n\n{said}\n\n{table(headers, rows)}\n\n{picture}"


def _free(run: Run) -> bool:
    """Tell whether a run is of the network as it is: its gates learn at the recipe's rate, one module a stage."""
    config, plain = run.record.config, configure("laptop", "tuned")
    alike = all(getattr(config, name) == getattr(plain, name) for name in ("gate", "gate_rate", "modules", "network"))
    return alike and config.recipe == "tuned"


def _curves(book: Book, place: str) -> str:
    """Draw accuracy by degrees and pixels, where trained networks were probed."""
    (claim,) = EXPERIMENTS["orientation"][1]
    contrast, seeds = book.rule(claim).contrasts[0], book.seeds(claim)
    curves: dict[str, list[pd.DataFrame]] = {}
    for condition in contrast.pairs[0]:
        curves[words.condition(condition)] = _by_fold(book, contrast, condition, seeds, book.rule(claim).recipe)
    if not seeds or not all(curves.values()):
        return ""
    shown = {name: _mean(tables) for name, tables in curves.items()}
    drawn = gridfigures.orientation(shown, f"UTKFace, real faces, {plural(len(seeds), 'seed')}")
    picture = book.draw(place, "orientation-curves", drawn, "Gender accuracy by degrees turned and pixels shifted.")
    said = "The band is the spread of seeds, each on a fold of its own, and no interval."
    return f"## By degrees and pixels\n\n{said}\n\n{picture}"


def _by_fold(
    book: Book, contrast: Contrast, condition: Condition, seeds: Sequence[int], recipe: str
) -> list[pd.DataFrame]:
    """Return the curve of every seed whose run trained: kind, step, value."""
    tables = []
    for seed in seeds:
        found = book.say(contrast, condition, seed, recipe)
        table_of = probed.orientation(found[0][0]) if found and found[0][0].converged else None
        if table_of is not None:
            tables.append(outcomes.curve([table_of]))
    return tables


def _mean(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    together = pd.concat(tables).groupby(["kind", "step"], sort=False)["value"]
    return together.agg(value="mean", low="min", high="max").reset_index()
