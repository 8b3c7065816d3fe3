"""What the book infers from plain Markdown: badges of verdicts, tables that sort and filter, a sidebar from folders,
links to files of the checkout, equations as MathML, and names for what the theme leaves without."""

import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx

VERDICTS = ("supported", "contradicted", "inconclusive", "not testable", "not run")
SORTED = ("claim", "run", "condition", "comparison", "experiment", "method", "score")
"""First headers of tables that a reader may want in another order."""
SECTIONS = ("claims", "experiments", "datasets", "notebooks", "about")
UNITS = re.compile(r"(?<=\d) (?=%|points?\b|years?\b|doublings?\b)")
INTERVAL = re.compile(r"\[[+−]?[\d.]+, [+−]?[\d.]+\]")
FILES = "_files"
"""Where files of the checkout that pages link to stand in the book."""


def sidebar(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add to an index page the pages of its folder, in the order of its links; to the first page the index pages."""
    folder, _, name = docname.rpartition("/")
    if name != "README" or docname.endswith(".ipynb"):
        return
    linked = re.findall(r"\]\(([\w./-]+)\.(?:md|ipynb)\)", source[0])
    if folder:
        others = sorted(d.rpartition("/")[2] for d in app.env.found_docs if d.rpartition("/")[0] == folder)
        pages = [page for page in dict.fromkeys([*linked, *others]) if page in others and page != "README"]
    else:
        pages = [f"{section}/README" for section in SECTIONS]
    tree = "\n".join(["```{toctree}", ":hidden:", "", *pages, "```"])
    source[0] += f"\n\n{tree}\n"


def badges(app: Sphinx, doctree: nodes.document) -> None:
    """Give bold verdicts the look of their word, and tables of claims and runs what the script looks for."""
    for strong in doctree.findall(nodes.strong):
        if (word := strong.astext().lower()) in VERDICTS:
            strong["classes"] += ["verdict", f"verdict-{word.replace(' ', '-')}"]
    for table in doctree.findall(nodes.table):
        headers = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        if headers and headers[0] in SORTED:
            table["classes"].append("sortable")


def leaving(app: Sphinx, doctree: nodes.document) -> None:
    """Copy the files of the checkout that a page links to into the book, and link to them there."""
    docname = app.env.current_document.docname
    for link in [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]:
        file = _target(app, link)
        if file is None:
            continue
        roots = (Path(app.srcdir), Path(app.confdir).parent)
        inside = next((file.relative_to(root) for root in roots if file.is_relative_to(root)), Path(file.name))
        copy = Path(app.outdir) / FILES / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        uri = f"{'../' * docname.count('/')}{FILES}/{inside.as_posix()}"
        link.replace_self(nodes.reference("", "", *link.children, refuri=uri, internal=True))


def _target(app: Sphinx, link: nodes.Element) -> Path | None:
    """Return the file that a link leads to, unless it is a page of the book."""
    target = str(link.get("reftarget", "")).partition("#")[0]
    if link.get("refdomain") == "doc":  # without its ending
        files = [Path(app.srcdir, target + ending) for ending in (".md", ".ipynb")]
        outside = [file for file in files if file.is_file() and target not in app.env.found_docs]
        return _plain(outside[0]) if outside else None
    file = Path(app.env.doc2path(app.env.current_document.docname)).parent / target
    return _plain(file) if target and file.is_file() else None


def _plain(file: Path) -> Path:
    """Return a path without dots, its links not followed."""
    return Path(os.path.normpath(file))


def together(app: Sphinx, doctree: nodes.document) -> None:
    """Keep a number and its unit, and the ends of an interval, on one line."""
    for words in list(doctree.findall(nodes.Text)):
        kept = UNITS.sub("\u00a0", INTERVAL.sub(lambda found: found[0].replace(" ", "\u00a0"), str(words)))
        if kept != words:
            words.parent.replace(words, nodes.Text(kept))


def mathml(self, node: nodes.math | nodes.math_block) -> None:
    """Write an equation as MathML, which browsers draw themselves."""
    block = isinstance(node, nodes.math_block)
    self.body.append(f'<span class="equation{" display" if block else ""}">')
    self.body.append(tex2mathml(node.astext(), as_block=block) + "</span>")
    raise nodes.SkipNode


def front(app: Sphinx, error: Exception | None) -> None:
    """Make the first page the folder's index."""
    first = Path(app.outdir) / "README.html"
    if error is None and first.is_file():
        shutil.copyfile(first, Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all of it."""
    app.connect("source-read", sidebar)
    app.connect("doctree-read", badges)
    app.connect("doctree-read", together)
    app.connect("doctree-read", leaving, priority=100)  # before Sphinx takes these links for downloads of its own
    app.connect("build-finished", front)
    app.add_html_math_renderer("native", (mathml, None), (mathml, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
