"""Progress as people read it: a network by words, "-" for what nobody knows yet, and in a notebook no red stream."""

import io
import sys
from typing import Any

from tqdm import tqdm

from gralib.config import RunConfig

VARIED = ("gate", "attention", "modules", "label_noise", "age_width", "groups", "skips", "masks", "tuning")
"""Settings that are named where they are not the usual ones."""
MARK = "progress"
"""Entry in the metadata of a notebook's output that is a bar: `gralib.report.notebooks` leaves it out."""


def called(config: RunConfig) -> str:
    """Return what a run trains, such as 'gender, width 8, gate 0.25, seed 1'."""
    method = f"width {config.width}" if config.network == "gra_net" else config.network
    unusual = [
        f"{name} {getattr(config, name)}"
        for name in VARIED
        if getattr(config, name) != RunConfig.model_fields[name].default
    ]
    fold = [f"fold {config.fold}"] if config.fold else []
    return ", ".join([config.task, method, *unusual, f"seed {config.seed}", *fold]).replace("_", " ")


class Bar(tqdm):
    """A bar of tqdm's; in a notebook it is one output of the cell, replaced in place."""

    def __init__(self, *args: Any, **kwargs: Any):
        self._output = None
        if _in_notebook() and not kwargs.get("disable"):
            from IPython.display import display

            self._output = display({"text/plain": ""}, raw=True, display_id=True, metadata={MARK: True})
            kwargs |= {"file": io.StringIO(), "ascii": False}  # what is written there would be a stream, and red
        super().__init__(*args, **kwargs)

    @staticmethod
    def format_meter(*args: Any, **kwargs: Any) -> str:
        """Return the line; tqdm asks "?" where this says "-"."""
        return tqdm.format_meter(*args, **kwargs).replace("?", "-")

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show the line."""
        if self._output is None:
            super().display(msg, pos)
        else:
            said = {"text/plain": str(self) if msg is None else msg}
            self._output.update(said, raw=True, metadata={MARK: True})


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
