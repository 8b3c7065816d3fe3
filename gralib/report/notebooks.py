"""The route through the notebooks; and executed ones as the report keeps them: no times, no paths, no faces."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gralib.config import TASKS
from gralib.errors import ROOT, from_root
from gralib.evaluation import search
from gralib.evaluation.claims import Claim
from gralib.files import write_text
from gralib.progress import MARK
from gralib.report import words
from gralib.report.answers import committed, kept
from gralib.report.evidence import Book, Row
from gralib.report.text import link, page, plural, table
from gralib.training.grids import GRIDS, configs_of

ROUTE = (
    "start", "model_tour", "play", "utkface", "gate_ablation", "attention_types", "depth", "label_noise", "orientation",
    "age_decomposition", "earlier_methods", "fgnet", "afad", "wikipedia", "adience", "recipe",
)  # fmt: skip
"""The notebooks in the order they are best read."""
HEADERS = ("notebook", "the question", "trains", "what the study found")
SHOWS_FACES = ("keep_faces(", "figures.faces(", "figures.masks(")
"""Calls that draw faces: what such a cell puts out is left out."""
INJECTED = "injected-parameters"
"""Tag of the cell that papermill puts in."""
LEFT_OUT = "Shows faces: left out here.\n"
ADDRESS = re.compile(r"\bat 0x[0-9a-f]+")
WIDGET = "application/vnd.jupyter.widget-view+json"


def clean(notebook: Any) -> Any:
    """Return an executed notebook without what differs from one machine or minute to the next.

    Parameters given on the command stand in the parameters cell itself. Outputs of cells that draw faces are left out;
    every picture gets the sentence above it as alternative text.

    Args:
        notebook: as `nbformat` reads it, executed by papermill or by hand; changed in place.
    """
    import nbformat

    given = [c for c in notebook.cells if INJECTED in c.metadata.get("tags", [])]
    cells = [c for c in notebook.cells if c not in given]
    for cell in cells:
        if "parameters" in cell.metadata.get("tags", []):
            for injected in given:
                cell.source = put_in(cell.source, injected.source)
    said = ""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        cell.metadata = {"tags": cell.metadata.get("tags", [])} if cell.metadata.get("tags") else {}
        if cell.cell_type == "markdown":
            said = _first_sentence(cell.source) or said
            continue
        shows = any(call in cell.source for call in SHOWS_FACES) and cell.outputs
        cell.outputs = [nbformat.v4.new_output("stream", text=LEFT_OUT)] if shows else _plain(cell.outputs)
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            cell.metadata["mystnb"] = {"image": {"alt": said or "a figure"}}
    notebook.cells = cells
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def put_in(source: str, injected: str) -> str:
    """Return a parameters cell with the values of papermill's cell, comments kept."""
    for line in injected.splitlines():
        name, _, value = line.partition(" = ")
        if value:
            pattern = rf"^({re.escape(name)}(?:: \w+)?) = .*?((?:  #.*)?)$"
            keep = value.replace("\\", r"\\")
            source = re.sub(pattern, rf"\g<1> = {keep}\g<2>", source, flags=re.MULTILINE)
    return source


def _first_sentence(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "|", "-"))]
    return lines[0].replace("*", "").replace("`", "") if lines else ""


def _plain(outputs: list[Any]) -> list[Any]:
    """Return outputs without progress bars, warnings, addresses and this machine's paths."""
    kept = []
    for output in outputs:
        data = output.get("data", {})
        bar = MARK in output.get("metadata", {})
        if bar or WIDGET in data or (output.output_type == "stream" and output.name == "stderr"):
            continue
        output.metadata = {} if "metadata" in output else None
        for holder, key in [(output, "text")] + [(data, key) for key in data if key.startswith("text/")]:
            if isinstance(holder.get(key), str):
                holder[key] = ADDRESS.sub("", holder[key].replace(f"{ROOT}/", "").replace(str(Path.home()), "~"))
        if output.get("metadata") is None:
            output.pop("metadata", None)
        kept.append(output)
    return kept


def cleaned(executed: str | Path) -> str:
    """Return the text of an executed notebook, cleaned."""
    import nbformat

    return nbformat.writes(clean(nbformat.read(from_root(executed), as_version=4))) + "\n"


def publish(executed: str | Path, out: str | Path) -> Path:
    """Write an executed notebook, cleaned, to `out`; return it."""
    write_text(from_root(out), cleaned(executed))
    return from_root(out)


def write(book: Book) -> None:
    """Write the index of the notebooks: the route, and which of them were executed on real faces."""
    here = "notebooks/README.md"
    placed = {name: book.notebook(here, name) for name in ROUTE}
    lines = route(
        book.ordered, book.first, lambda name: placed[name][0], lambda claim: link(claim, f"../claims/{claim}.md")
    )
    rows = [
        (*line, "executed" if done else "not executed") for line, (_, done) in zip(lines, placed.values(), strict=True)
    ]
    intro = (
        "The story step by step, with code, in the order in which it is best read. `make lab` opens the first of them. "
        "None needs a download: without a data set a notebook draws its faces." + _minutes(book)
    )
    book.pages[here] = page("Notebooks", intro, table((*HEADERS, "here"), rows))


def route(
    stated: Sequence[Claim], first: Callable[[str], Row], place: Callable[[str], str], named: Callable[[str], str]
) -> list[tuple[str, ...]]:
    """Return the route through the notebooks, a line each under `HEADERS`: what it found is what the report says.

    Args:
        stated: the claims.
        first: gives the row of the decision table that decides a claim.
        place: gives where the link to a notebook leads.
        named: gives how a claim is called.
    """
    lines: list[tuple[str, ...]] = []
    for name in ROUTE:
        title, question, text = _told(kept(f"notebooks/{name}.ipynb"))
        mine = [c.id for c in stated if name == c.grid or re.search(rf"\b{c.id}\b", text)]
        found = "; ".join(f"{named(claim)} {_found(first(claim))}" for claim in mine)
        lines.append((link(title, place(name)), question, _trains(name), found))
    return lines


def _trains(name: str) -> str:
    """Return how many networks a notebook trains: none, or those of its grid, data set or search."""
    if name in GRIDS:
        return f"{plural(len(configs_of(name, 1)), 'network')} a seed"
    if name in TASKS:
        return f"{plural(len(TASKS[name]), 'network')} a fold"
    return f"{len(search.configs())} networks, then the recipe chosen" if name == "recipe" else "nothing"


def _minutes(book: Book) -> str:
    """Return how long the recorded networks on real faces took; nothing where there is none."""
    took = [run.record.seconds / 60 for run in book.runs if not run.record.synthetic]
    if not took:
        return ""
    low, middle, high = np.percentile(took, (5, 50, 95))
    return (
        f" The {plural(len(took), 'network')} recorded on real faces took {middle:.0f} minutes in the middle, nine in "
        f"ten of them {low:.0f} to {high:.0f}; a notebook says at its top what is left to train."
    )


def committed_route() -> str:
    """Return the route as a notebook beside the others shows it, with what is committed of the claims."""
    known = committed()
    lines = route(list(known.claims.values()), known.first, lambda name: f"{name}.ipynb", str)
    return table(HEADERS, lines)


def _found(row: Row) -> str:
    said, where = words.estimated(row), words.dataset(row)
    return ", ".join(filter(None, (f"**{row['verdict']}**", f"{said} on {where}" if said and where else said)))


def _told(path: Path) -> tuple[str, str, str]:
    """Return title of a notebook, its question in a sentence, and all of its first cell, where they stand."""
    import json

    text = "".join(json.loads(path.read_text())["cells"][0]["source"])
    title = text.splitlines()[0].removeprefix("# ")
    said = text.partition("**The question.**")[2].strip().split("\n\n")[0]
    sentences = re.split(r"(?<=[.?])\s+", said)
    asked = [sentence for sentence in (*sentences, title) if sentence.endswith("?")]
    return title, (asked or sentences)[0], text
