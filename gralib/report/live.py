"""Points that appear while a grid trains: one a finished run, in a picture that is drawn anew when another has."""

import io
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from gralib.evaluation import compare
from gralib.report import gridfigures
from gralib.report.text import plural
from gralib.training import grids
from gralib.training.records import Run


class Live:
    """Show the scores of a grid's runs, and show them anew whenever it is called with more of them.

    `gralib.run_grid` calls it where it is given as `each`. What is shown earns no verdict: it is what there is so far.

    Args:
        name: of the grid, a key of `gralib.training.grids.GRIDS`.
        runs: finished before.
        label: what is measured, on which faces.
        dataset: of the grid.
        preset: of the grid.
        fields: changes of the preset, as in `gralib.training.grids.configs_of`.
    """

    def __init__(
        self,
        name: str,
        runs: Sequence[Run],
        label: str,
        dataset: str = "utkface",
        preset: str = "laptop",
        **fields: Any,
    ):
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        self._name, self._label, self._asked = name, label, (dataset, preset, fields)
        self._display = display(self._shown(runs), raw=True, display_id=True) if get_ipython() else None

    def __call__(self, runs: Sequence[Run]) -> None:
        """Show these runs in place of those shown before."""
        if self._display:  # none outside a notebook
            self._display.update(self._shown(runs), raw=True)

    def _shown(self, runs: Sequence[Run]) -> dict[str, str]:
        """Return the picture, and what it shows for those who see none."""
        figure, data = self.draw(runs), io.BytesIO()
        figure.savefig(data, format="png")
        plt.close(figure)
        picture = b64encode(data.getvalue()).decode()
        return {"image/png": picture, "text/plain": f"{plural(len(runs), 'run')} finished so far"}

    def draw(self, runs: Sequence[Run]) -> Figure:
        """Return the figure of some runs; a setting of which no run is finished has an empty row."""
        dataset, preset, fields = self._asked
        grid = grids.GRIDS[self._name]
        found = compare.sides(self._name, runs, dataset, preset, **fields)
        scores: dict[str, tuple[float, ...]] = {compare.describe(setting): () for setting in grid.settings}
        scores |= {setting: tuple(side.values.mean(axis=1)) for setting, side in found.items()}
        ax = gridfigures.points(scores, grid.measure, grid.title, f"{self._label}; {plural(len(runs), 'run')} so far")
        figure = ax.get_figure()
        assert isinstance(figure, Figure)
        return figure
