"""A page a data set: inventory, split, scores beside baselines and literature, by age, gender and race label."""

from collections.abc import Sequence

import pandas as pd

from gralib import metrics
from gralib.config import PROTOCOLS, TASKS, TITLES, Dataset, Task
from gralib.data.formats.utkface import RACES
from gralib.errors import from_root
from gralib.evaluation.rules import Condition, Contrast
from gralib.evaluation.study import Study
from gralib.labels import GENDERS
from gralib.registry import data_sets
from gralib.report import elsewhere, figures, text, words
from gralib.report.evidence import Book, to
from gralib.report.label_floor import FIGURE as REPEATS_FIGURE
from gralib.report.label_floor import TABLE as FLOOR
from gralib.report.levels import interval_in_words, level_of, seeds_in_words
from gralib.report.local import on_this_machine
from gralib.report.text import SURE, figure, in_words, level, link, listing, page, plural, scored, size, table, unit_of
from gralib.training.grids import METHODS
from gralib.training.records import Run

COMPARED: dict[Task, tuple[str, ...]] = {
    "gender": ("accuracy",), "age_category": ("category_accuracy", "category_mae_years"), "age_regression": (),
    "age_group": ("group_accuracy", "group_one_off_accuracy"),
}  # fmt: skip
"""Scores of a task that methods are compared by."""
INDEX = "datasets/README.md"
OTHERS = ("reports/literature.csv", "reports/yardsticks.csv")
"""What others report: as the paper quotes it, and under protocols that others state."""
SPLITS = {
    "grouped": "faces of one photograph, person or time stamp stay together, in folds",
    "official": "the folds that came with the set, of people who share no fold",
    "leave_one_out": "one person tests, all others train",
    "random": "faces drawn at random",
}


def write(book: Book) -> None:
    """Write the page of every data set and their index."""
    rows = []
    for name, title in TITLES.items():
        study = pooled(book, name)
        book.pages[f"datasets/{name}.md"] = _page(book, name, study)
        runs = sum(len(runs) for runs in study.runs.values()) if study else 0
        labels = listing([in_words(task) for task in TASKS[name]])
        done = plural(runs, "run") if runs else "**not run**"
        rows.append((link(title, f"{name}.md"), f"{data_sets()[name].pictures:,}", labels, done))
    intro = "Pictures of people are never part of this report; scores count real faces alone."
    headers = ("data set", "pictures as published", "labels allow", "GRA_Net as it is, on its real faces")
    book.pages[INDEX] = page("Data sets", intro, table(headers, rows), elsewhere.section(book, INDEX))


def protocol_of(name: Dataset) -> Condition:
    """Return GRA_Net as it is under the honest protocol of a data set, where all folds are asked for."""
    return Condition(settings={"protocol": "leave_one_out", "epochs": 8} if name == "fgnet" else {})


def pooled(book: Book, name: Dataset) -> Study | None:
    """Return the runs of GRA_Net as it is, one a fold, that are known and trained; seed s tests fold s."""
    runs = [run for run in plain_runs(book, name) if run.converged]
    by_task = {task: mine for task in TASKS[name] if (mine := [run for run in runs if run.record.config.task == task])}
    return Study(by_task) if by_task else None


def plain_runs(book: Book, name: Dataset) -> list[Run]:
    """Return the known runs of GRA_Net as it is on a data set, by task and fold."""
    seeds = range(book.protocol.general.folds.get(name, 0))
    configs = [
        book.protocol.runs_of(_plain(name, task), protocol_of(name), seed, "tuned")[0]
        for task in TASKS[name] for seed in seeds
    ]  # fmt: skip
    return [book.known[config] for config in configs if config in book.known]


def _plain(name: Dataset, task: Task, score: str = "accuracy") -> Contrast:
    """Return what names the runs of a data set and task; it compares nothing."""
    one = protocol_of(name)
    return Contrast(what="", pairs=((one, one),), dataset=name, task=task, score=score, rule="sign", margin=0.0)


def _page(book: Book, name: Dataset, study: Study | None) -> str:
    place = f"datasets/{name}.md"
    parts = [_inventory(book, name), _split(book, name, study)]
    parts += _scores(book, name, study) if study else [f"## Scores\n\n{_not_run(book, name)}"]
    parts += [_literature(book, name), _labels(book, place) if name == "utkface" else "", _failures(book, name)]
    parts += [book.story(place, name), on_this_machine(book, name)]
    return page(TITLES[name], *parts)


def _not_run(book: Book, name: Dataset) -> str:
    asked = link("asked about them", f"README.md#{elsewhere.ANCHOR}")
    more = f" Networks trained elsewhere were {asked}." if name in set(book.elsewhere["tested"]) else ""
    return f"**not run**: no network was trained on its real faces yet.{more}"


def _inventory(book: Book, name: Dataset) -> str:
    """Return how every file is accounted for, from any record on the real set."""
    mine = [run for run in book.runs if run.record.config.dataset == name and not run.record.synthetic]
    said = f"## Inventory\n\nAs published: {data_sets()[name].pictures:,} pictures."
    if not mine:
        return f"{said} No network was trained on its real faces, so no record counts its files."
    prints = sorted({run.record.fingerprint for run in mine})
    rows = [(row["status"], row["reason"], f"{row['files']:,}") for row in mine[0].record.account]
    used = f"Fingerprint of faces and labels: `{'`, `'.join(prints)}`."
    return f"{said} {used}\n\n{table(('files are', 'because', 'files'), rows)}"


def _split(book: Book, name: Dataset, study: Study | None) -> str:
    """Return who trains and who tests, and what test faces share with training."""
    protocol = protocol_of(name).settings.get("protocol") or PROTOCOLS[name].get("protocol", "grouped")
    folds = book.protocol.general.folds.get(name)
    said = f"## Split\n\n{in_words(str(protocol)).capitalize()}: {SPLITS[str(protocol)]}."
    said += f" {plural(folds, 'fold')}; seed and fold vary together." if folds else ""
    if not study:
        return said
    runs = max(study.runs.values(), key=len)
    faces = pd.DataFrame([run.record.faces for run in runs])
    by_task = listing([f"{in_words(task)} {len(mine)}" for task, mine in study.runs.items()])
    said += f" Folds that are run: {by_task}. Of {in_words(runs[0].record.config.task)} "
    said += f"{faces['test'].sum():,} faces are tested once, and "
    said += f"{faces['train'].min():,} to {faces['train'].max():,} train in each."
    shared = pd.DataFrame([row for run in runs for row in run.record.leakage])
    sums = shared.groupby("shared with training", sort=False)[["test faces concerned", "test faces"]].sum()
    rows = [(what, f"{row['test faces concerned']:,}", f"{row['test faces']:,}") for what, row in sums.iterrows()]
    near = "Near-identical are pictures whose hashes differ in so few bits, and whose grey levels by so little."
    return f"{said}\n\n{table(('shared with training', 'test faces concerned', 'of'), rows)}\n{near}"


def _scores(book: Book, name: Dataset, study: Study) -> list[str]:
    """Return everything measured on the real faces."""
    return [
        _table(book, name, study), _beside(book, name), *_figures(book, name, study),
        _by_label(study, "gender", GENDERS), _by_label(study, "race", sorted(RACES), BY_RACE),
        _calibration(book, name, study),
    ]  # fmt: skip


def _table(book: Book, name: Dataset, study: Study) -> str:
    rows = []
    for row in study.scores.to_dict(orient="records"):
        spread = size(row["sd of folds"], unit_of(row["score"])) if row["folds"] > 1 else "one fold"
        rows.append((row["score"], *scored(row), spread))
    headers = ("score", "measured", f"{SURE} interval", "same answer for all", "test faces", "sd of folds")
    said = "All folds that are run together; the interval is over groups of test faces. The paper states none of these."
    return f"## Scores\n\n{said}\n\n{table(headers, rows)}\n\n{_runs(book, name, study)}"


def _runs(book: Book, name: Dataset, study: Study) -> str:
    """Return the links to the runs of GRA_Net on a data set, by task and fold."""
    by_task = [
        f"{in_words(task)}, fold " + listing([
            link(run.record.config.fold, book.to_run(f"datasets/{name}.md", run.record.run_id)) for run in runs])
        for task, runs in study.runs.items()
    ]  # fmt: skip
    left = [link(run.record.run_id, book.to_run(f"datasets/{name}.md", run.record.run_id))
            for run in plain_runs(book, name) if not run.converged]  # fmt: skip
    said = f"Runs of GRA_Net, here and below: {'; '.join(by_task)}."
    said += f" Left out, as they did not train: {listing(left)}." if left else ""
    return said if max(map(len, study.runs.values())) <= text.MANY else text.fold("The runs", said)


def _beside(book: Book, name: Dataset) -> str:
    """Return the scores of all methods on the same seeds."""
    seeds, rows = range(book.protocol.general.folds.get(name, 0)), []
    for task in TASKS[name]:
        for score in COMPARED[task]:
            contrast = _plain(name, task, score)
            for network in METHODS:
                settings = {**protocol_of(name).settings, **({"network": network} if network != "gra_net" else {})}
                if one := level_of(book, contrast, Condition(settings=settings), seeds):
                    value, constant = (level(number, one.unit) for number in (one.value, one.constant))
                    seen = (interval_in_words(one), seeds_in_words(one), constant)
                    rows.append((words.score_name(score), one.name, f"**{value}**", *seen))
    headers = ("score", "method", "measured", f"{SURE} interval over folds", "seeds", "same answer for all")
    said = "The same faces, recipe and tuning budget; as differences, paired by face, in [C11](../claims/C11.md)."
    return f"## Beside other methods\n\n{said}\n\n{table(headers, rows)}" if rows else ""


def _figures(book: Book, name: Dataset, study: Study) -> list[str]:
    """Draw scores by age, age categories against each other, and shares within k years."""
    label, parts = f"{TITLES[name]}, real faces", []
    beside = f"with {SURE} intervals and what the same answer for all reaches"
    drawn = [
        ("by-age", "Age error by age", beside, study.by_decade("age"),
         lambda table: figures.by_decade(table, "age", label)),
        ("gender-by-age", "Gender by age", beside, study.by_decade("gender"),
         lambda table: figures.by_decade(table, "gender", label)),
        ("confusion", "Age categories against each other", "the share of each true one put into each",
         study.confusion(), lambda table: figures.confusion(table, label)),
        ("within", "Faces within some years", "of this network and of the same answer for all", study.cumulative(),
         lambda table: figures.cumulative(table, label)),
    ]  # fmt: skip
    for slug, title, shown, found, draw in drawn:
        if found is not None:
            alt = f"{title}, {label}: {shown}."
            parts.append(f"## {title}\n\n{book.draw(f'datasets/{name}.md', f'{name}-{slug}', draw(found), alt)}")
    return parts


BY_RACE = "Labels as the set’s file names have them; nobody was asked. The rule is in [C21](../claims/C21.md)."


def _by_label(study: Study, label: str, names: Sequence[str], said: str = "") -> str:
    """Return the scores of the faces of each label of one kind; nothing where none has one."""
    found = study.by_label(label, names).to_dict(orient="records")
    rows = [(row["score"], row[label], *scored(row)) for row in found]
    headers = ("score", "labelled", "measured", f"{SURE} interval", "same answer for all", "test faces")
    parts = [f"## By {label} label", said, table(headers, rows)]
    return "\n\n".join(filter(None, parts)) if rows else ""


def _calibration(book: Book, name: Dataset, study: Study) -> str:
    """Draw how often answers are right by confidence."""
    tables = {in_words(task): found for task in study.runs if (found := study.calibration(task)) is not None}
    if not tables:
        return ""
    drawn = figures.calibration(tables, f"{TITLES[name]}, real faces")
    errors = listing([f"{task} {size(metrics.calibration_error(found), 'shares')}" for task, found in tables.items()])
    said = f"Expected calibration error: {errors}. On the dashed line answers are as often right as they are sure."
    alt = f"Share of right answers by confidence, {TITLES[name]}."
    return f"## Calibration\n\n{said}\n\n{book.draw(f'datasets/{name}.md', f'{name}-calibration', drawn, alt)}"


def _literature(book: Book, name: Dataset) -> str:
    """Return what others report on the set, with what is known of their protocol: first as the paper quotes it."""
    word = TITLES[name].split()[0]
    quoted, later = (pd.read_csv(from_root(file), keep_default_na=False, dtype={"value": str}) for file in OTHERS)
    found = pd.concat([quoted, later])
    mine = found[found["database"].str.contains(word) & (found["value"] != "")].to_dict(orient="records")
    rows = [(f"{row['method']} ({row['year']})", row["quantity"], f"{row['value']} {row['unit']}",
             row["protocol"] or "not stated", row["comparable"], row["source"]) for row in mine]  # fmt: skip
    if not rows:
        return "## In the literature\n\nNo number on this set is known here."
    headers = ("method", "quantity", "value", "protocol", "comparable with ours", "source")
    return f"## In the literature\n\n{table(headers, rows)}"


def _labels(book: Book, place: str) -> str:
    """Return what repeated photographs say of the labels, see `gralib.report.label_floor`."""
    path = from_root("reports") / FLOOR
    if not path.is_file():
        return "## What labels are worth\n\n**not run**: `gra data repeats` measures it."
    rows = []
    for row in pd.read_csv(path).to_dict(orient="records"):
        unit = "years" if "years" in str(row["quantity"]) else "shares"
        low, high = level(row["low"], unit), level(row["high"], unit)
        rows.append((row["quantity"], f"**{level(row['value'], unit)}**", f"{low} to {high}", f"{row['n']:,}",
                     f"{row['photographs']:,}"))  # fmt: skip
    said = (
        "Photographs that are in the set several times, with labels that differ: no method can do better on them. "
        "Repeated photographs are no random sample, so this bounds them and only hints at the rest."
    )
    headers = ("quantity", "measured", f"{SURE} interval", "pairs or faces", "photographs")
    picture = figure("How near-identical pictures were told from others.", to(place, REPEATS_FIGURE))
    return f"## What labels are worth\n\n{said}\n\n{table(headers, rows)}\n\n{picture}"


def _failures(book: Book, name: Dataset) -> str:
    """Show the faces furthest off where they are on this machine; what is committed shows nobody."""
    shown: Sequence[str] = sorted(path.name for path in (book.folder / "faces").glob(f"*{name}-*.png"))
    if not shown:
        return (
            "## Failures\n\nThe faces furthest off show people: the notebook draws them on the machine that has the "
            "pictures, and they are never committed."
        )
    pictures = [figure(file.partition(".")[0].replace("-", " "), f"../faces/{file}") for file in shown]
    return "## Faces on this machine\n\nNever committed.\n\n" + "\n\n".join(pictures)
