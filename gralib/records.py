"""Runs on disk: `record.json`, `predictions.csv`, `history.csv` in a folder named after the run.

Plain enough to read in ten years: JSON and CSV, no pickle. A record appears last and whole. `SHA256SUMS` beside them
(for `sha256sum --check`) tells whether a file is as it was written.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from gralib.config import RunConfig, explain
from gralib.errors import UserError, from_root, writing

KEPT = "reports/records"
"""Records that are committed with the project."""
STORE = "runs"
"""Runs made here, with their weights; not committed."""
SUMS = "SHA256SUMS"


Constants = dict[str, float | str | list[float]]
"""What the training faces say on their own, by name; see `gralib.experiment.constants_of`."""


class Score(BaseModel):
    """A score with its 95 % interval over `n` faces, and what the constant predictor reaches on the same faces.

    No interval where a single group was tested, as when one person is left out.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    value: float
    low: float | None
    high: float | None
    n: int
    floor: float


class Record(BaseModel):
    """What is known of a finished run. Unknown fields, missing ones and NaN fail."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    schema_version: Literal[2]
    """Raised when the fields change."""
    run_id: str
    config: RunConfig
    fingerprint: str
    synthetic: bool
    account: list[dict[str, Any]]
    faces: dict[str, int]
    leakage: list[dict[str, Any]]
    scores: dict[str, Score]
    constants: Constants
    """What the constant predictor says of everybody: of the training faces the median age in years and remainder, or
    the most frequent class, by name of the label; `category_means` is what they average in each age category."""
    chosen_epoch: int
    trainable_parameters: int
    parameters: int
    gates: dict[str, float]
    seconds: float
    faces_per_second: float
    environment: dict[str, Any]
    finished: str


class Run:
    """A finished run read back from its folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.record = _read_record(folder / "record.json")
        expected = self.record.config.run_id(self.record.fingerprint)
        if not expected == self.record.run_id == folder.name:
            names = f"folder {folder.name}, run_id {self.record.run_id}"
            raise UserError(f"{folder}/record.json: expected {expected} for its settings and data, got {names}")
        check(folder)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row a test face: path, group, the truth, and the network's outputs."""
        table = _read_table(self.folder / "predictions.csv", {"path": str, "group": str})
        outputs = table.filter(regex="^[pr]_").apply(pd.to_numeric, errors="coerce")
        if len(table) != self.record.faces["test"] or outputs.empty or not np.isfinite(outputs.to_numpy()).all():
            expected = f"expected {self.record.faces['test']} rows of numbers, one a test face"
            found = f"{len(table)} rows, {int((~np.isfinite(outputs.to_numpy())).sum())} outputs that are no number"
            raise UserError(f"{self.folder}/predictions.csv: {expected}; got {found}")
        return table

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch: losses, and gamma of every gate after it."""
        return _read_table(self.folder / "history.csv", {})

    @property
    def stuck(self) -> bool:
        """Whether training never got anywhere: no training loss is more than 5 % below that of the first epoch."""
        losses = self.history.get("train_loss", pd.Series(dtype=float))
        return len(losses) > 2 and bool(losses.min() > 0.95 * losses.iloc[0])


def find(run_id: str, stores: Iterable[str | Path] = (STORE, KEPT)) -> Run | None:
    """Return the finished run of that name from the first store that has it, or None."""
    for store in stores:
        folder = from_root(store) / run_id
        if (folder / "record.json").exists():
            return Run(folder)
    return None


def gather(stores: Iterable[str | Path] = (KEPT, STORE)) -> tuple[list[Run], list[str]]:
    """Return all finished runs of the stores, each once, by name; and a line for each that failed or is damaged."""
    runs: dict[str, Run] = {}
    problems = []
    for store in stores:
        for path in sorted(from_root(store).glob("*/record.json")):
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
        if not (folder / "record.json").exists():
            problems.append(f"{folder}/record.json: not found; expected the record of this run")
    return [runs[name] for name in sorted(runs)], problems


def write(folder: Path, record: Record, predictions: pd.DataFrame, history: pd.DataFrame) -> Run:
    """Write a finished run; the record comes last, so a run without one is not finished."""
    texts = {
        "predictions.csv": predictions.to_csv(index=False, float_format="%.6g"),
        "history.csv": history.to_csv(index=False, float_format="%.6g"),
        "record.json": json.dumps(record.model_dump(mode="json"), indent=1) + "\n",
    }
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in texts.items())
    for name, text in ({SUMS: sums} | texts).items():
        write_text(folder / name, text)
    (folder / "failed.json").unlink(missing_ok=True)
    return Run(folder)


def check(folder: Path) -> None:
    """Compare the files of a run with the checksums written with them.

    Raises:
        UserError: a file is missing or not as it was written, or there are no checksums.
    """
    try:
        lines = {name: digest for digest, name in (t.split("  ") for t in (folder / SUMS).read_text().splitlines())}
    except (OSError, ValueError):
        raise UserError(f"{folder / SUMS}: expected the checksums written with the run") from None
    for name in sorted({"record.json", "predictions.csv", "history.csv"} | set(lines)):
        path = folder / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != lines.get(name):
            raise UserError(f"{path}: changed since it was written; expected SHA-256 {lines.get(name)}, got {found}")


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


def add(folder: Path, name: str, text: str) -> None:
    """Write one more file beside a finished run, and its checksum among the others."""
    write_text(folder / name, text)
    others = [line for line in (folder / SUMS).read_text().splitlines() if not line.endswith(f"  {name}")]
    write_text(folder / SUMS, "\n".join([*others, f"{hashlib.sha256(text.encode()).hexdigest()}  {name}"]) + "\n")


def keep(run: Run, store: str | Path = KEPT) -> Path:
    """Copy a run's tables and record to the committed store and return the folder.

    Raises:
        UserError: the store has a run of that name with other content.
    """
    target = from_root(store) / run.folder.name
    names = [line.split("  ", 1)[1] for line in (run.folder / SUMS).read_text().splitlines()]
    for name in (SUMS, *names):
        text = (run.folder / name).read_text()
        if name != SUMS and (target / name).exists() and (target / name).read_text() != text:
            raise UserError(f"{target / name}: differs from {run.folder / name}; expected the same run, remove one")
        write_text(target / name, text)
    return target


def merge(folder: str | Path, store: str | Path = KEPT) -> tuple[list[str], list[str]]:
    """Bring the runs of another machine into `store`: all of them, or none where one is in conflict or damaged.

    A run that both have must have the same predictions and history; it stays as it is here, time stamps included.

    Returns:
        Names of the runs that came, and of those that were here already.

    Raises:
        UserError: no run in `folder`, a damaged one, or one that came out otherwise here; all are named.
    """
    runs, problems = gather([Path(folder).resolve()])
    if not runs and not problems:
        raise UserError(f"{folder}: expected a folder of runs, such as runs/ or reports/records/; found none")
    here = {run.folder.name: found for run in runs if (found := find(run.folder.name, (store,)))}
    for run in runs:
        for name in ("predictions.csv", "history.csv") if run.folder.name in here else ():
            if (run.folder / name).read_bytes() != (here[run.folder.name].folder / name).read_bytes():
                problems.append(f"{run.folder / name}: conflict: differs from {here[run.folder.name].folder / name}")
    if problems:
        raise UserError("; ".join(problems))
    new = [run for run in runs if run.folder.name not in here]
    for run in new:
        keep(run, store)
    return [run.folder.name for run in new], sorted(here)


def write_text(path: Path, text: str) -> None:
    """Write a file of text whole or not at all, its folder too if missing."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, its folder too if missing."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False)  # noqa: SIM115
        try:
            with part:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _read_record(path: Path) -> Record:
    try:
        return Record.model_validate_json(path.read_text())
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error)}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _read_table(path: Path, dtype: dict[str, type]) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dtype)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a table written with the run; {error}") from None
