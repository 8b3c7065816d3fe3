"""From records to pages: `build` writes them all, and removes what an earlier report left. Trains nothing."""

import shutil
from pathlib import Path

from gralib.errors import UserError, from_root
from gralib.files import write_bytes, write_text
from gralib.report import about, claims, datasets, experiments, figures, first, machine, notebooks, runs
from gralib.report.evidence import Book, open_book

PUBLISHED, LOCAL = "reports", "build/report"
"""What is committed; what this machine's runs add to it is rendered beside it."""
FIGURES = (*(name for name, _ in about.FIGURES.values()), "near-identical", "benchmarks-growth")
TABLES = ("label-floor.csv", "protocol-simulation.csv")
OWN = (*first.SECTIONS, "figures", "tables")
"""Folders that hold nothing but the report."""


def build(publish: bool = False) -> Path:
    """Write the report and return its first page.

    Args:
        publish: write what is committed, `reports/`, from committed records alone; else `build/report`, with the runs
            and notebooks of this machine.
    """
    folder = from_root(PUBLISHED if publish else LOCAL)
    kept = _kept(folder, publish)
    book = open_book(folder, publish)
    figures.style()
    for part in (datasets, experiments, claims, notebooks, runs, machine, about):  # the last lists what is there
        try:
            part.write(book)
        except UserError as error:  # its records do not fit: the other pages are written
            book.problems.append(f"{part.__name__.rpartition('.')[2]}: {error}")
    book.problems[:] = dict.fromkeys(book.problems)
    first.write(book)
    for place, text in book.pages.items():
        write_text(folder / place, text)
    _remove_left_over(book, kept)
    return folder / first.PAGE


def _kept(folder: Path, publish: bool) -> set[str]:
    """Return what others write and the report shows, by place; brought to `folder` where it is not the published."""
    places = [f"figures/{name}.svg" for name in FIGURES] + [f"tables/{name}" for name in TABLES]
    places += [f"about/{name}.md" for name in about.KEPT] + ["licences.csv"]
    places += [f"notebooks/{path.name}" for path in sorted(from_root(PUBLISHED).glob("notebooks/*.ipynb"))]
    places = [place for place in places if (from_root(PUBLISHED) / place).is_file()]
    if not publish:
        for place in places:
            write_bytes(folder / place, (from_root(PUBLISHED) / place).read_bytes())
        places += _of_this_machine(folder)
    return set(places)


def _of_this_machine(folder: Path) -> list[str]:
    """Bring notebooks executed here, and pictures of faces, to `folder`; return their places."""
    places = []
    for path in sorted(from_root("build/notebooks").glob("*.ipynb")):
        text, committed = notebooks.cleaned(path), from_root(PUBLISHED) / f"notebooks/{path.name}"
        if committed.is_file() and committed.read_text() == text:
            continue
        places.append(f"notebooks/{path.stem}{'-here' if committed.is_file() else ''}.ipynb")
        write_text(folder / places[-1], text)
    for path in sorted(from_root("build/faces").glob("*.png")):
        places.append(f"faces/{path.name}")
        (folder / "faces").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / places[-1])
    return places


def _remove_left_over(book: Book, kept: set[str]) -> None:
    """Remove pages, figures and tables that this report does not show."""
    text = "\n".join(book.pages.values())
    for path in sorted(p for name in OWN for p in (book.folder / name).rglob("*") if p.is_file()):
        place = path.relative_to(book.folder).as_posix()
        shown = place in kept or place in book.pages or f"{place})" in text
        if not shown:
            path.unlink()
