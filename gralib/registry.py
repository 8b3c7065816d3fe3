"""The data sets by name, each as it describes itself: `DATA` in its module in `gralib/data/formats/`.

A data set is registered by being there. The ground imports no loader: it reads the descriptions as text, as a build
reads a version.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

Task = Literal["gender", "age_category", "age_regression", "age_group"]
"""What a network can learn. `age_regression` is the remainder inside an age category; the word is part of addresses."""
FORMATS = Path(__file__).parent / "data" / "formats"


class DataSet(BaseModel):
    """What is known of a data set before its files are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    """As the literature writes it."""
    tasks: tuple[Task, ...]
    """What its labels allow."""
    protocol: dict[str, Any] = {}
    """Its honest protocol, as a change of `RunConfig`'s defaults."""
    pictures: int = 0
    """How many are published; 0 where nobody says."""
    address: str = ""
    """Where they can be had without a form. No hashes are published."""
    get: str = ""
    """How to get it, where data/README.md has no section on it."""


def described(path: Path) -> DataSet:
    """Return what a module of a data set says in `DATA`, a dictionary of plain values.

    Raises:
        ValueError: no such dictionary, or one with other entries than `DataSet` has.
    """
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATA":
            try:
                return DataSet(**ast.literal_eval(node.value))
            except (ValidationError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: DATA: {' '.join(str(error).split())}") from None
    raise ValueError(f"{path}: expected DATA, a description of the data set")


@cache
def data_sets() -> dict[str, DataSet]:
    """Return all data sets by name, in alphabetical order."""
    files = sorted(path for path in FORMATS.glob("*.py") if not path.name.startswith("_"))
    return {path.stem: described(path) for path in files}
