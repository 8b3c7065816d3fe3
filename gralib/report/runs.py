"""The list of all runs, each with its anchor: what made it, on which data, with what, and how to make it again."""

import pandas as pd

from gralib.config import TITLES, RunConfig
from gralib.files import write_text
from gralib.report.evidence import Book, run_ids
from gralib.report.recipe import changed
from gralib.report.text import SHORT, fold, in_words, link, page, plural, table
from gralib.training.records import Run

PAGE, CSV = "about/runs.md", "tables/runs.csv"
HEADERS = ("run", "seed", "fold", "what differs", "trained", "parameters", "minutes", "backend, device", "commit",
           "finished")  # fmt: skip


def write(book: Book) -> None:
    """Write the page and `tables/runs.csv`."""
    used = {name for row in book.rows() for name in run_ids(row)}
    planned = set(book.protocol.all_configs())
    groups: dict[str, list[Run]] = {}
    for run in book.runs:
        groups.setdefault(_group(run, used, planned), []).append(run)
    parts = [
        fold(f"{name}: {plural(len(mine), 'run')}", table(HEADERS, [_row(book, run) for run in mine]))
        for name, mine in sorted(groups.items())
    ]
    intro = (
        f"{plural(len(book.runs), 'run')} in all, folded by what they are for. `gra reproduce RUN` makes one again; "
        f"{link('all of them as CSV', '../' + CSV)}."
    )
    book.pages[PAGE] = page("Runs", intro, "\n".join(parts) or "**not run**: there is no finished run yet.")
    write_text(book.folder / CSV, pd.DataFrame([_flat(run, used) for run in book.runs]).to_csv(index=False))


def _group(run: Run, used: set[str], planned: set[RunConfig]) -> str:
    config = run.record.config
    kind = "synthetic faces" if run.record.synthetic else "real faces"
    if config.tuning:
        purpose = "chose the recipe, validation faces"
    else:
        asked = "behind no verdict yet" if config in planned else "not in the protocol as it is now"
        purpose = "behind a claim" if run.record.run_id in used else asked
    return f"{TITLES[config.dataset]}, {kind}, {in_words(config.task)}, {purpose}"


def _row(book: Book, run: Run) -> tuple[object, ...]:
    record = run.record
    made, config = record.environment, record.config
    name = f'<a id="{record.run_id}"></a>' + link(record.run_id, book.source(PAGE, run.folder / "record.json"))
    return (name, config.seed, config.fold, changed(run.record.config), "yes" if run.converged else "**did not train**",
            f"{record.trainable_parameters:,}", f"{record.seconds / 60:.1f}", f"{made['backend']}, {made['device']}",
            _commit(run), record.finished.partition("T")[0])  # fmt: skip


def _commit(run: Run) -> str:
    made = run.record.environment
    return f"{(made.get('commit') or 'unknown')[:SHORT]}" + ("" if made.get("clean") else " and changes")


def _flat(run: Run, used: set[str]) -> dict[str, object]:
    """Return a run as a line of the table for machines."""
    record = run.record
    made, config = record.environment, record.config
    return {
        "run": record.run_id, "data set": config.dataset, "data": "synthetic" if record.synthetic else "real",
        "role": "recipe search" if config.tuning else "claim" if record.run_id in used else "other",
        "preset": config.preset, "recipe": config.recipe, "task": config.task, "seed": config.seed,
        "fold": config.fold, "differs in": changed(run.record.config), "data fingerprint": record.fingerprint,
        "training faces": record.faces["train"], "test faces": record.faces["test"],
        "trainable parameters": record.trainable_parameters, "epoch kept": record.chosen_epoch,
        "epochs": config.epochs, "minutes": round(record.seconds / 60, 2), "commit": _commit(run),
        "keras": made["packages"]["keras"], "backend": made["backend"], "device": made["device"],
        "threads": made["threads"], "finished": record.finished, "trained": run.converged,
        "command": f"gra reproduce {record.run_id}",
    }  # fmt: skip
