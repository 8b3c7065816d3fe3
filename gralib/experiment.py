"""One run: the same configuration on the same data is trained once, and read back when asked for again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock

from gralib import ages, backend, records, scores
from gralib.config import RunConfig
from gralib.errors import UserError, from_root
from gralib.faces import Faces
from gralib.manifest import GENDERS
from gralib.protocols import Split, grouped_split, groups, leakage
from gralib.records import Record, Run, Score

if TYPE_CHECKING:
    import keras

SCHEMA = 1
PREFIX = {"gender": "p_", "age_category": "p_", "age_regression": "r_"}


def split(config: RunConfig, faces: Faces) -> Split:
    """Return who trains, validates and tests under `config.protocol`."""
    return grouped_split(faces.table, config.split_seed, config.train_faces)


def run(
    config: RunConfig,
    faces: Faces,
    store: str | Path = records.STORE,
    again: bool = False,
    threads: int = 1,
    progress: str = "bar",
) -> Run:
    """Return the run of `config` on `faces`: read back if finished here or committed, else trained.

    Args:
        config: what to train.
        faces: on what.
        store: folder of the runs made here; an interrupted run in it goes on.
        again: train although a committed record exists (a run finished in `store` is read back all the same).
        threads: processor threads, see `backend.start`.
        progress: 'bar', 'lines' or 'none'.

    Raises:
        UserError: too few faces, or a training that fails.
    """
    run_id = config.run_id(faces.fingerprint)
    found = records.find(run_id, (store,) if again else (store, records.KEPT))
    if found:
        return found
    from_root(store).mkdir(parents=True, exist_ok=True)
    with FileLock(from_root(store) / f".{run_id}.lock"):  # asked for twice at once: the second waits, then reads back
        return records.find(run_id, (store,)) or _train(config, faces, from_root(store) / run_id, threads, progress)


def _train(config: RunConfig, faces: Faces, folder: Path, threads: int, progress: str) -> Run:
    """Train, predict the test faces, score, and write the record into `folder`."""
    backend.start(threads)
    from gralib import training

    environment = backend.environment()
    parts = split(config, faces)
    known = faces.table["gender" if config.task == "gender" else "age"].notna().to_numpy()
    train, validation, test = (rows[known[rows]] for rows in (parts.train, parts.validation, parts.test))
    trained = training.train(
        config,
        faces.pixels,
        faces.table,
        train,
        validation,
        folder,
        folder.name,
        progress,  # type: ignore[arg-type]
    )
    outputs = training.predict(trained.model, faces.pixels, test)
    predictions = prediction_table(config, faces, test, outputs)
    record = Record(
        schema_version=SCHEMA,
        run_id=folder.name,
        config=config,
        fingerprint=faces.fingerprint,
        synthetic=faces.synthetic,
        account=_rows(faces.account),
        faces={"train": len(train), "validation": len(validation), "test": len(test)},
        leakage=_rows(leakage(faces.table, Split(train, validation, test))),
        scores=score(config, predictions, faces.table.iloc[train]),
        constant_age=scores.constant_age(faces.table["age"].iloc[train].dropna()),
        chosen_epoch=trained.chosen_epoch,
        trainable_parameters=_trainable(trained.model, config),
        parameters=_count(trained.model.weights),
        gates={k.removeprefix("gate_"): float(v) for k, v in _chosen(trained).items() if k.startswith("gate_")},
        seconds=round(trained.seconds, 1),
        faces_per_second=round(trained.faces_per_second, 1),
        environment=environment,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    finished = records.write(folder, record, predictions, trained.history)
    (folder / "checkpoint.npz").unlink(missing_ok=True)
    return finished


def network(run: Run) -> "keras.Model":
    """Return the trained network of a run made on this machine.

    Raises:
        UserError: its weights are not here.
    """
    backend.start(1)
    from gralib import training

    model = training.build(run.record.config)
    training.load_weights(model, run.folder)
    return model


def prediction_table(config: RunConfig, faces: Faces, rows: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """Return one row a test face: path, age in years, gender, group number, and the outputs by name."""
    names = GENDERS if config.task == "gender" else ages.category_names(config.age_width)
    table = pd.DataFrame(outputs, columns=[f"{PREFIX[config.task]}{name}" for name in names])
    known = faces.table[["path", "age", "gender"]].assign(group=groups(faces.table)).iloc[rows]
    return pd.concat([known.reset_index(drop=True), table], axis=1)


def outputs_of(config: RunConfig, predictions: pd.DataFrame) -> np.ndarray:
    """Return the network's outputs (n, outputs) from a table of predictions."""
    return predictions.filter(regex=f"^{PREFIX[config.task]}").to_numpy()


def score(config: RunConfig, predictions: pd.DataFrame, train: pd.DataFrame) -> dict[str, Score]:
    """Score a run by itself, beside the best constant of the training faces.

    - gender: `accuracy` (Eq. 8).
    - age_category: `category_accuracy` (Eq. 8), and `category_mae_years` (Eq. 7) of the expected age when every
      category stands for its middle.
    - age_regression: `remainder_error_years`, the error inside the category of the label; no age error. The age
      error of the paper needs both age networks: `join_ages`.
    """
    outputs = outputs_of(config, predictions)
    group = predictions["group"].to_numpy()
    if config.task == "gender":
        truth = predictions["gender"].to_numpy()
        values = scores.hits(truth, np.array(GENDERS)[outputs.argmax(axis=1)])
        floor = scores.hits(truth, scores.constant_class(train["gender"]))
        return {"accuracy": _score(values, floor, group)}
    category, remainder = ages.encode(predictions["age"], config.age_width)
    train_category, train_remainder = ages.encode(train["age"], config.age_width)
    if config.task == "age_category":
        floor = scores.hits(category, scores.constant_class(train_category))
        middle = np.full_like(outputs, 0.5)
        errors = scores.absolute_errors(predictions["age"], ages.join_soft(outputs, middle, config.age_width))
        constant = scores.absolute_errors(predictions["age"], scores.constant_age(train["age"]))
        return {
            "category_accuracy": _score(scores.hits(category, outputs.argmax(axis=1)), floor, group),
            "category_mae_years": _score(errors, constant, group),
        }
    inside = np.take_along_axis(outputs, category[:, None], axis=1)[:, 0]
    years = config.age_width * scores.absolute_errors(remainder, inside)
    constant = config.age_width * scores.absolute_errors(remainder, np.median(train_remainder))
    return {"remainder_error_years": _score(years, constant, group)}


def join_ages(category: Run, regression: Run, how: str = "soft") -> pd.DataFrame:
    """Join the two age networks into ages (7.1.2, Fig. 8).

    Args:
        category: a run of task `age_category`.
        regression: a run of task `age_regression` on the same faces.
        how: 'soft' for the expected age, 'hard' for the likeliest category.

    Returns:
        One row a test face: path, group, age, gender, predicted (ages in years).

    Raises:
        UserError: the runs do not belong together.
    """
    width = category.record.config.age_width
    left, right = category.predictions, regression.predictions
    if width != regression.record.config.age_width or list(left["path"]) != list(right["path"]):
        raise UserError(f"{regression.record.run_id}: other test faces or categories than {category.record.run_id}")
    join = {"soft": ages.join_soft, "hard": ages.join_hard}[how]
    probability, remainder = outputs_of(category.record.config, left), outputs_of(regression.record.config, right)
    return left[["path", "group", "age", "gender"]].assign(predicted=join(probability, remainder, width))


def _score(values: np.ndarray, floor: np.ndarray, group: np.ndarray) -> Score:
    estimate = scores.interval(values, group)
    return Score(**vars(estimate), floor=float(floor.mean()))


def _chosen(trained: Any) -> dict[str, float]:
    """Return the line of the history whose weights were kept."""
    return trained.history.set_index("epoch").loc[trained.chosen_epoch].to_dict()


def _count(weights: list) -> int:
    return int(sum(np.prod(w.shape) for w in weights))


def _trainable(model: Any, config: RunConfig) -> int:
    """Count what learns: a frozen gate does not, though the compiled network could train it."""
    from gralib.network import gate_layers

    return _count(model.trainable_weights) - (len(gate_layers(model)) if config.gate != "trainable" else 0)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict(orient="records")  # type: ignore[return-value]
