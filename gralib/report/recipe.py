"""The page of the recipe search: validation faces only, so none of it is a result."""

from collections.abc import Mapping, Sequence

from gralib.config import RunConfig, configure
from gralib.evaluation import search
from gralib.evaluation.compare import NETWORKS
from gralib.evaluation.measures import measures_of
from gralib.metrics import METRICS
from gralib.report import gridfigures
from gralib.report.evidence import Book
from gralib.report.text import SURE, Row, fold, in_words, link, plural, table
from gralib.training.records import Run

PAGE = "experiments/recipe.md"
UNITS = {"gender": "points of accuracy", "age_category": "years of error"}
SEEDS = 3
COLUMNS = ("mean", "sd", "constant_predictor")
SHOWN = ("dataset", "task", "preset", "recipe", "tuning", "seed", "fold", "held_out")
"""Settings that say nothing of a recipe's parts."""


def made(book: Book) -> tuple[str, str, str]:
    """Return title, text and what the index says."""
    mine = [run for run in book.runs if run.record.config.tuning and not run.record.synthetic]
    asked = set(search.configs())
    drawn = [run for run in mine if run.record.config in asked]
    rest = [run for run in mine if run.record.config not in asked]
    known = {run.record.config: run for run in mine}
    parts = [WHAT, chosen(), _drawn(book, drawn), _seeds(known), _without(known), _longer(known), _rates(known),
             _rest(book, rest)]  # fmt: skip
    said = f"{plural(len(mine), 'run')} judged by validation faces" if mine else "**not run**"
    return "A recipe somebody chose", "\n\n".join(filter(None, parts)), said


WHAT = (
    "The paper fixes optimiser, rate, loss and size of the pictures, and is silent on the rest of a training. The rest "
    "was chosen once, on **validation faces**: test faces sat out. Nothing on this page is a result of the study."
)


def chosen() -> str:
    """Return the recipe chosen beside Keras' defaults."""
    parts = search.recipes()
    said = "Recipe `tuned` beside `keras`, which is the paper’s words and Keras’ defaults."
    if parts.empty:
        return f"## What was chosen\n\n{said} At present they are the same: the choice is still to be made."
    return f"## What was chosen\n\n{said}\n\n" + table(("part", "keras", "tuned"), parts.itertuples(index=False))


def _drawn(book: Book, runs: Sequence[Run]) -> str:
    """Return what each part is worth on average over the drawn recipes."""
    if not runs:
        return "## The random search\n\n**not run**"
    found = search.table(runs)
    by_task = {str(task): search.worth(part) for task, part in found.groupby("task", sort=False)}
    worth = {task: part for task, part in by_task.items() if len(part)}
    title = f"## The random search\n\n{plural(len(runs), 'recipe')} drawn at random, at a small budget."
    if not worth:
        return title
    label = f"UTKFace, real faces, validation faces, {plural(len(runs), 'run')}"
    drawn = gridfigures.parts(worth, UNITS, "What each part of a recipe is worth", label)
    alt = "What each part of a recipe is worth on average over the others, with intervals, by task."
    rows = [
        (in_words(task), in_words(row["part"]), row["value"], row["beside"],
         *_better(row), row["runs"])
        for task, part in worth.items() for row in part.to_dict(orient="records")
    ]  # fmt: skip
    headers = ("task", "part", "value", "beside", "better by", f"{SURE} interval", "runs")
    numbers = fold("The numbers, in points of accuracy for gender and years for ages", table(headers, rows))
    return "\n\n".join((title, book.draw(PAGE, "recipe-parts", drawn, alt), numbers))


def _seeds(known: Mapping[RunConfig, Run]) -> str:
    """Return the scores of the recipe chosen over its seeds."""
    asked = [search.final(task, seed) for task in search.DRAWN for seed in range(SEEDS)]
    if not (found := [known[config] for config in asked if config in known]):
        return ""
    said = "All training faces of the fold, judged by its validation faces; the spread is over seeds."
    return f"## The recipe over seeds\n\n{said}\n\n" + _scores(found)


def _scores(runs: Sequence[Run]) -> str:
    """Return the table of scores by task and measure, with the spread over seeds where there are several."""
    rows = []
    for row in search.scores_of(runs).to_dict(orient="records"):
        levels = [_level(row[key], row["measure"], "points" if key == "sd" else "%") for key in COLUMNS]
        rows.append((in_words(row["task"]), METRICS[row["measure"]].title, *levels, row["seeds"]))
    return table(("task", "score", "mean", "standard deviation", "same answer for all", "seeds"), rows)


def _level(value: float, measure: str, shares: str) -> str:
    if value != value:
        return "one seed"
    return f"{value:.2f} years" if METRICS[measure].unit == "years" else f"{100 * value:.2f} {shares}"


def _without(known: Mapping[RunConfig, Run]) -> str:
    """Return what each part of the recipe chosen is worth in it, by leaving it out."""
    chosen = known.get(search.final("gender"))
    others = {part: known[config] for part, config in search.knock_outs("gender").items() if config in known}
    if not chosen or not others:
        return ""
    rows = [
        (in_words(row["part"]), *_better(row, "worth"))
        for row in search.knocked_out(chosen, others).to_dict(orient="records")
    ]
    said = "Points of gender accuracy that a part is worth, face by face: one seed, so seeds add to it."
    return f"## Without each part\n\n{said}\n\n" + table(("part", "worth, points", f"{SURE} interval"), rows)


def _longer(known: Mapping[RunConfig, Run]) -> str:
    """Return the scores of a longer training beside the recipe's, same seed."""
    asked = [c for task in search.DRAWN for c in (search.final(task), search.longer(task))]
    if not all(config in known for config in asked):
        return ""
    usual, longer = ([known[c] for c in asked if c.epochs == epochs] for epochs in (asked[0].epochs, search.LONGER))
    said = (
        f"The recipe for {search.LONGER} epochs in place of {asked[0].epochs}, on the same faces with the same seed: "
        "what a study that could afford it would gain."
    )
    headings = (f"{asked[0].epochs} epochs:", f"{search.LONGER} epochs:")
    tables = [f"{heading}\n\n{_scores(runs)}" for heading, runs in zip(headings, (usual, longer), strict=True)]
    return "\n\n".join(("## Would more epochs help?", said, *tables))


def _rates(known: Mapping[RunConfig, Run]) -> str:
    """Return the tries of the rate that every method gets."""
    tries = {key: known[config] for key, config in search.rate_tries().items() if config in known}
    if len(tries) < len(search.rate_tries()):
        return ""
    rows = [
        (NETWORKS[row["method"]], row["rate"], f"{row['accuracy']:.2f} %", *_better(row))
        for row in search.rates(tries).to_dict(orient="records")
    ]
    said = (
        "Every method that is compared has the recipe, and its rate out of the same values at the small budget, one "
        "seed. Another rate than the recipe’s is taken where its interval beside it leaves zero out on the better side."
    )
    headers = ("method", "rate", "gender accuracy", "beside the recipe’s rate, points", f"{SURE} interval")
    return f"## The same tries for every method\n\n{said}\n\n" + table(headers, rows)


def _better(row: Row, by: str = "difference") -> tuple[str, str]:
    """Return a difference and its interval; nothing where there is none."""
    return (f"{row[by]:+.2f}", f"[{row['low']:+.2f}, {row['high']:+.2f}]") if row[by] == row[by] else ("", "")


def _rest(book: Book, runs: Sequence[Run]) -> str:
    """Return the runs at other budgets, by what they change of the recipe chosen."""
    if not runs:
        return ""
    rows = []
    for run in runs:
        (score, unit), config = _score(run), run.record.config
        rows.append((link(run.record.run_id, book.to_run(PAGE, run.record.run_id)), in_words(config.task),
                     config.seed, changed(config), f"{score:.2f} {unit}",
                     f"{run.record.seconds / 60:.0f}"))  # fmt: skip
    rows.sort(key=lambda row: (row[1], row[2], row[3]))
    headers = ("run", "task", "seed", "beside the preset", "validation score", "minutes")
    said = "One run a line, so no interval over seeds stands in it."
    return f"## At other budgets\n\n{said}\n\n" + fold(plural(len(runs), "run"), table(headers, rows))


def _score(run: Run) -> tuple[float, str]:
    found = measures_of(run)
    if run.record.config.task == "gender":
        return 100 * float(found["accuracy"][0].mean()), "%"
    key = "category_mae_years" if "category_mae_years" in found else next(iter(found))
    return float(found[key][0].mean()), "years"


def changed(config: RunConfig) -> str:
    """Return the settings in which a run differs from its preset under its recipe, in words."""
    plain = configure(config.preset, config.recipe, dataset=config.dataset, task=config.task).model_dump()
    other = [(name, value) for name, value in config.model_dump().items() if value != plain[name] and name not in SHOWN]
    return ", ".join(f"{in_words(name)} {value}" for name, value in other) or "nothing"
