"""The paper's figures made anew, drawn from the network as built: `gra checks` writes them, the pages show them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gralib.errors import from_root
from gralib.report import drawings, figures

FOLDER = "reports/figures"
PEOPLE, YOUNGEST, OLDEST = 16, 2, 88
"""Drawn people of the sample, and their ages in years."""


def write() -> list[Path]:
    """Draw our counterparts of the paper's figures and return the files; its table is a page of its own."""
    drawn: dict[str, Callable[[], Axes | Figure]] = {**drawings.FIGURES, "sample-faces": samples}
    places = []
    for name, draw in drawn.items():
        figures.style()
        places.append(figures.save(draw(), from_root(FOLDER) / f"{name}.svg"))
    return places


def samples() -> Figure:
    """Draw synthetic people of all ages."""
    from gralib.synthetic.drawing import draw_face
    from gralib.synthetic.person import Subject

    rng = np.random.default_rng(0)
    ages = np.linspace(YOUNGEST, OLDEST, PEOPLE).astype(int)
    people = [Subject.draw_at_random(rng, f"s{i:05}") for i in range(len(ages))]
    pixels = np.stack([np.asarray(draw_face(who, age, rng, size=32)) for who, age in zip(people, ages, strict=True)])
    captions = [f"{age}, {who.gender}" for who, age in zip(people, ages, strict=True)]
    return figures.faces(pixels, captions, "Sample faces (Fig. 3)", "synthetic: drawn, not photographs")
