"""The small trained networks in `gralib/visitors/networks`: read after their checksums, with the calibration they have.

A file is an ONNX network under xz: `unxz` gives what any ONNX reader takes. Its kernels are rounded to the precision of
half floats, whose spare bits compress to nothing; the reader sees 32 bits.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gralib import ages
from gralib.errors import UserError, expanded, explain
from gralib.files import SUMS, check_sums, sums_of
from gralib.predict import Network, Reader

FOLDER = expanded(os.environ.get("GRA_NETWORKS", Path(__file__).parent / "networks"))
"""The networks that come with the project, or a folder of others in GRA_NETWORKS."""
CALIBRATION = "calibration.json"
MEASURED = "measured.csv"
CARD = "README.md"
ENDING = ".onnx.xz"
TASKS = ("gender", "age_category", "age_regression")
"""Networks that are read where they are there; the last is not needed."""


class Calibration(BaseModel):
    """What turns outputs into probabilities and intervals, fitted on half of the faces that the runs were tested on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    runs: dict[str, str]
    """Run of each network, by task."""
    temperature: float = Field(gt=0)
    """What the logarithm of the gender network's odds is divided by (Guo et al. 2017)."""
    category_means: list[float]
    """Years that the training faces of each age category average."""
    level: float = Field(gt=0, lt=1)
    """Share of faces whose age the interval shall hold."""
    quantile: float = Field(gt=0)
    """Half the interval, in units of `spread`."""

    def probability(self, gender: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the calibrated probabilities (n, 2) of the gender network's outputs (n, 2)."""
        logits = np.log(np.clip(gender.astype(np.float64), 1e-12, 1)) / self.temperature
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def years(
        self, category: NDArray[np.floating], remainder: NDArray[np.floating] | None, width: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the expected age (n,) and the ends of its interval, from the age networks' outputs (n, categories)."""
        age, half = expected(category, remainder, width, self.category_means)
        half = half * self.quantile
        return age, np.maximum(age - half, 0), np.minimum(age + half, ages.MAX_AGE)


def expected(
    category: NDArray[np.floating], remainder: NDArray[np.floating] | None, width: int, means: list[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the expected age (n,) and its spread: the networks' own standard deviation over categories, and a year.

    Args:
        category: (n, categories) probabilities.
        remainder: (n, categories) of the regression network; None where the category's mean age stands for it.
        width: years in a category.
        means: years that the training faces of each category average.
    """
    share = category.astype(np.float64)
    inside = np.asarray(means) if remainder is None else ages.decode(np.arange(share.shape[1]), remainder, width)
    age = (share * inside).sum(axis=1)
    variance = (share * (inside - age[:, None]) ** 2).sum(axis=1)
    return age, np.sqrt(variance + width**2 / 12) + 1  # ages inside a category differ too


def checked(folder: Path) -> dict[str, Path]:
    """Return the files of a folder of networks by name, each as it was written.

    Raises:
        UserError: no such folder, or a file that is missing or changed.
    """
    sums = sums_of(folder, "the checksums of trained networks; make them: gra networks")
    if strange := next((name for name in sums if Path(name).name != name), None):
        raise UserError(f"{folder / SUMS}: expected names of files in this folder, got {strange!r}")
    check_sums(folder, sums)
    return {name: folder / name for name in sums}


@cache
def open_networks(folder: Path | None = None) -> tuple[Reader, Calibration]:
    """Return the networks of a folder, the shipped ones without it, and their calibration.

    Raises:
        UserError: as `checked` and `gralib.predict.Reader`; a calibration that belongs to other networks.
    """
    folder = folder or FOLDER
    reader = Reader([path for name, path in checked(folder).items() if name.endswith(ENDING)])
    try:
        calibration = Calibration.model_validate_json((folder / CALIBRATION).read_text())
    except (OSError, ValidationError) as error:
        said = explain(error) if isinstance(error, ValidationError) else error.strerror
        raise UserError(f"{folder / CALIBRATION}: {said}") from None
    runs = {task: network.card.run_id for task, network in reader.networks.items()}
    if runs != calibration.runs:
        raise UserError(f"{folder / CALIBRATION}: expected the runs {runs}, got {calibration.runs}")
    return reader, calibration


@dataclass(frozen=True)
class Answers:
    """What the networks say of n faces; a guess each."""

    female: NDArray[np.float64]
    """(n,) calibrated probability that the gender label is female."""
    age: NDArray[np.float64]
    """(n,) years."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """(n,) ends of the age's interval."""


def read(
    reader: Reader, calibration: Calibration, faces: np.ndarray, gates: Mapping[str, float] | None = None
) -> Answers:
    """Return what the networks say of faces (n, 32, 32, 3) uint8, with other gates than learned where asked."""
    gender = reader.networks["gender"]

    def outputs(network: Network) -> np.ndarray:
        return network.outputs(faces, gates if network.adjustable else None)

    category, remainder = (reader.networks.get(task) for task in TASKS[1:])
    assert category is not None  # open_networks has seen to that
    female = calibration.probability(outputs(gender))[:, gender.card.classes.index("female")]
    inside = outputs(remainder) if remainder else None
    age, low, high = calibration.years(outputs(category), inside, category.card.age_width)
    return Answers(female, age, low, high)
