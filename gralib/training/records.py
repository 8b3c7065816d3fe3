"""Runs on disk: `record.json`, `predictions.csv.bz2`, `history.csv` in a folder named after the run.

Plain enough to read in ten years: JSON and CSV, no pickle; see `packed`. The faces that the runs of a store
were tested on are described once, in its folder `faces`. A record appears last and whole. `SHA256SUMS` beside it (for
`sha256sum --check`) tells whether a file is as it was written, the faces' table among them: so predictions of one
data set are never joined to the faces of another.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from gralib.config import RunConfig
from gralib.errors import UserError, explain, from_root
from gralib.files import SUMS, check_sums, digests, path_of, sums_of, write_bytes, write_sums, write_text
from gralib.training import packed

KEPT = "reports/records"
"""Records that are committed with the project."""
STORE = "runs"
"""Runs made here, with their weights; not committed."""
FACES = "faces"
"""Folder of a store for the faces' tables."""
CHECKSUMS = "the checksums written with the run"


Constants = dict[str, float | str | list[float]]
"""What the training faces say on their own, by name; see `gralib.training.experiment.constants_of`."""
RECORD, PREDICTIONS, HISTORY = "record.json", f"predictions{packed.ENDING}", "history.csv"
ORIENTATION = f"orientation{packed.ENDING}"
BLOCKS = f"blocks{packed.ENDING}"
"""Beside the records of some runs, see `gralib.training.probed`."""
ACROSS = re.compile(rf"across-([a-z]+)-([0-9a-f]{{16}}){re.escape(packed.ENDING)}")
"""Likewise, with the faces' table of the other data set; see `gralib.training.across`."""
SAME = 0.01
"""A network whose every output has less than this standard deviation over its test faces says the same of all."""


class Record(BaseModel):
    """What is known of a finished run. Unknown fields, missing ones and NaN fail."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    schema_version: Literal[3]
    """Raised when the fields change."""
    run_id: str
    config: RunConfig
    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]
    synthetic: bool
    account: list[dict[str, Any]]
    faces: dict[str, int]
    leakage: list[dict[str, Any]]
    constants: Constants
    """What the constant predictor says of everybody: of the training faces the median age in years and remainder, or
    the most frequent class, by name of the label; `category_means` is what they average in each age category."""
    chosen_epoch: int
    trainable_parameters: int
    parameters: int
    gates: dict[str, float]
    """Gamma of every gate, by name, as the network answers with it."""
    gate_reach: float
    """How far a gate's scalar could have moved from 0, see `gralib.model.optimizer.reach`."""
    seconds: float
    faces_per_second: float
    environment: dict[str, Any]
    finished: str


class Run:
    """A finished run read back from its folder; its tables are read when asked for, once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.record = _read_record(folder / RECORD)
        expected = self.record.config.run_id(self.record.fingerprint)
        if not expected == self.record.run_id == folder.name:
            names = f"folder {folder.name}, run_id {self.record.run_id}"
            raise UserError(f"{folder / RECORD}: expected {expected} for its settings and data, got {names}")
        _ = self.files

    @property
    def files(self) -> list[str]:
        """Names of its files, seen from its folder, each as it was written.

        Raises:
            UserError: a file is missing or was changed, a name is none of a run's, or there are no checksums.
        """
        sums = sums_of(self.folder, CHECKSUMS)
        wanted = {RECORD, PREDICTIONS, HISTORY, faces_of(self.record)}
        others = {name: faces_name(*parts.groups()) for name in sums if (parts := ACROSS.fullmatch(name))}
        wanted |= set(others.values())
        if strange := sorted(set(sums) - wanted - set(others) - {ORIENTATION, BLOCKS}):
            raise UserError(f"{self.folder / SUMS}: expected names of a run's files, got {strange[0]!r}")
        check_sums(self.folder, {**dict.fromkeys(wanted), **sums})
        return list(sums)

    @cached_property
    def _stored(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Row numbers of the test faces in the faces' table, and the outputs by name."""
        path, count = self.folder / PREDICTIONS, self.record.faces["test"]
        try:
            rows, outputs = packed.unpack_predictions(self.record.config, path.read_bytes())
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: expected {count} rows of numbers, one a test face; got {error}") from None
        if len(rows) != count:
            raise UserError(f"{path}: expected {count} rows of numbers, one a test face; got {len(rows)} rows")
        return rows, outputs

    @property
    def rows(self) -> np.ndarray:
        """Row numbers of the test faces in the faces' table, (n,), ascending."""
        return self._stored[0]

    @cached_property
    def _faces(self) -> pd.DataFrame:
        path = path_of(self.folder, faces_of(self.record))
        try:
            return packed.faces_at(path.read_bytes(), self.rows.tobytes())
        except (OSError, ValueError, IndexError) as error:
            raise UserError(f"{path}: expected the faces of {self.record.run_id}; {error}") from None

    @property
    def tested(self) -> pd.DataFrame:
        """The test faces, one a row: path, age in years, age_group, gender, group (number), race."""
        return self._faces.copy(deep=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row a test face: path, age in years, age_group, gender, group, and the network's outputs by name."""
        return pd.concat([self.tested.drop(columns="race"), self._stored[1]], axis=1)

    def same_faces(self, other: "Run") -> bool:
        """Tell whether another run was tested on the same faces of the same data."""
        return self.record.fingerprint == other.record.fingerprint and np.array_equal(self.rows, other.rows)

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: losses, and gamma of every gate after it."""
        path = self.folder / HISTORY
        try:
            return pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: expected a table written with the run; {error}") from None

    @property
    def converged(self) -> bool:
        """Whether the run trained at all: it does not say the same of all its test faces (`SAME`).

        The rule looks at no label, so it favours no side of a comparison.
        """
        return bool(self._stored[1].std(ddof=0).max() >= SAME)


def find(run_id: str, stores: Iterable[str | Path] = (STORE, KEPT)) -> Run | None:
    """Return the finished run of that name from the first store that has it, or None."""
    for store in stores:
        folder = from_root(store) / run_id
        if (folder / RECORD).exists():
            return Run(folder)
    return None


def made_here(run_id: str) -> Run:
    """Return the finished run of that name made on this machine.

    Raises:
        UserError: there is none.
    """
    if not (found := find(run_id, (STORE,))):
        raise UserError(f"{run_id}: no finished run of that name in {STORE}/")
    return found


def gather(stores: Iterable[str | Path] = (KEPT, STORE)) -> tuple[list[Run], list[str]]:
    """Return all finished runs of the stores, each once, by name; and a line for each that failed or is damaged."""
    runs: dict[str, Run] = {}
    problems = []
    for store in stores:
        for path in sorted(from_root(store).glob(f"*/{RECORD}")):
            if path.parent.name in runs:
                continue
            try:
                run = Run(path.parent)
                _ = run.predictions, run.history
                runs[path.parent.name] = run
            except UserError as error:
                problems.append(str(error))
        problems += [_failure(path) for path in sorted(from_root(store).glob("*/failed.json"))]
    for folder in sorted(from_root(KEPT).glob("*/")) if KEPT in stores else ():
        if folder.name != FACES and not (folder / RECORD).exists():
            problems.append(f"{folder / RECORD}: not found; expected the record of this run")
    return [runs[name] for name in sorted(runs)], list(dict.fromkeys(problems))


def write_faces(store: Path, dataset: str, fingerprint: str, table: pd.DataFrame) -> None:
    """Write the faces that the runs of a store were made on, unless they are there.

    Args:
        store: folder of the runs.
        dataset: name of the loader.
        fingerprint: of pixels and labels.
        table: one row a face, with the columns `gralib.training.packed.FACES`; those it lacks stay empty.

    Raises:
        UserError: the store describes these faces otherwise.
    """
    path, data = (
        path_of(store / dataset, faces_name(dataset, fingerprint)),
        packed.pack(table.reindex(columns=packed.FACES)),
    )
    if path.exists() and path.read_bytes() != data:
        raise UserError(f"{path}: differs from these faces as they are now; expected the same, remove one")
    if not path.exists():
        write_bytes(path, data)


def faces_name(dataset: str, fingerprint: str) -> str:
    """Return where a faces' table is, seen from the folder of a run."""
    return f"../{FACES}/{dataset}-{fingerprint}{packed.ENDING}"


def across_name(dataset: str, fingerprint: str) -> str:
    """Return the name of what a run says of the faces of another data set."""
    return f"across-{dataset}-{fingerprint}{packed.ENDING}"


def faces_of(record: Record) -> str:
    """Return where the faces' table of a run is, seen from its folder."""
    return faces_name(record.config.dataset, record.fingerprint)


def write(folder: Path, record: Record, rows: np.ndarray, outputs: np.ndarray, history: pd.DataFrame) -> Run:
    """Write a finished run; the record comes last, so a run without one is not finished.

    Args:
        folder: named after the run, in a store that has the faces' table (`write_faces`).
        record: what is known of it.
        rows: (n,) row numbers of the test faces in the faces' table, ascending.
        outputs: (n, outputs) of the network.
        history: one row an epoch.
    """
    files = {
        PREDICTIONS: packed.pack_predictions(record.config, rows, outputs),
        HISTORY: history.to_csv(index=False, float_format="%.6g").encode(),
        RECORD: (json.dumps(record.model_dump(mode="json"), indent=1) + "\n").encode(),
    }
    sums = digests(folder, [faces_of(record)]) | {name: sha256(data).hexdigest() for name, data in files.items()}
    write_sums(folder, sums)
    for name, data in files.items():
        write_bytes(folder / name, data)
    (folder / "failed.json").unlink(missing_ok=True)
    return Run(folder)


def write_failure(folder: Path, config: RunConfig, reason: str) -> None:
    """Mark a run as failed; asked for again it is tried again, and a record takes the mark's place."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    failure = {"run_id": folder.name, "reason": reason, "when": when, "config": config.model_dump(mode="json")}
    write_text(folder / "failed.json", json.dumps(failure, indent=1) + "\n")


def _failure(path: Path) -> str:
    """Return the line about a failed run."""
    try:
        return f"{path}: failed: {json.loads(path.read_text())['reason']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{path}: expected why a run failed, got something else"


def add(folder: Path, name: str, data: bytes) -> None:
    """Write one more file beside a finished run, and its checksum among the others."""
    write_bytes(folder / name, data)
    vouch(folder, name)


def vouch(folder: Path, *names: str) -> None:
    """Put the checksums of files, as they are now, among those of a finished run."""
    kept = {name: found for name, found in sums_of(folder, CHECKSUMS).items() if name not in names}
    write_sums(folder, kept | digests(folder, names))


def _read_record(path: Path) -> Record:
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error)}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
