"""Executed notebooks as the report keeps them: no times, no paths, no faces, nothing of the tool that ran them."""

import re
from pathlib import Path
from typing import Any

from gralib.errors import ROOT, from_root
from gralib.files import write_text
from gralib.report.evidence import Book
from gralib.report.text import link, page, table

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
        if WIDGET in data or (output.output_type == "stream" and output.name == "stderr"):
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
    """Write the index of the notebooks."""
    rows = []
    for path in sorted(from_root("notebooks").glob("*.ipynb")):
        title, question, text = _told(path)
        target, done = book.notebook("notebooks/README.md", path.stem)
        named = re.findall(r"\bC\d+\b", text)
        claims = [c.id for c in book.ordered if path.stem == c.grid or c.id in named]
        linked = ", ".join(link(c, f"../claims/{c}.md") for c in claims)
        rows.append((link(title, target), question, linked, "executed" if done else "**not run** on real faces"))
    intro = "The story step by step, with code. `make lab` opens them to run and change."
    headers = ("notebook", "the question", "claims", "here")
    book.pages["notebooks/README.md"] = page("Notebooks", intro, table(headers, rows))


def _told(path: Path) -> tuple[str, str, str]:
    """Return title and question of a notebook, and all of its first cell, where they stand."""
    import json

    text = "".join(json.loads(path.read_text())["cells"][0]["source"])
    title = text.splitlines()[0].removeprefix("# ")
    question = text.partition("**The question.**")[2].strip().split("\n\n")[0]
    return title, question, text
