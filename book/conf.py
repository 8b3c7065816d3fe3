"""Sphinx: makes a book of the report's Markdown, the same bytes from the same pages wherever it is built."""

import gc
import sys
from pathlib import Path

gc.disable()  # a short process that keeps nearly all it makes: looking for what to drop was a fifth of its time
sys.path.insert(0, str(Path(__file__).parent))

project = "GRA_Net, reproduced"
author = "the authors of GRA_Net, reproduced"
copyright = f"{author}; MIT licence"
language = "en"
root_doc = "README"
extensions = ["myst_nb", "plain"]
exclude_patterns = ["records", "tables"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "myst.header", "mystnb.unknown_mime_type"]  # links are tested on built pages
nb_execution_mode = "off"
nb_output_stderr = "remove"

smartquotes = False  # words as GitHub shows them

html_theme = "sphinx_book_theme"
html_title = project
html_math_renderer = "native"
templates_path = ["_templates"]
html_sidebars = {"**": ["home.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_last_updated_fmt = None
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "collapse_navbar": True,
}
