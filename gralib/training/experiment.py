"""One run: the same configuration on the same data is trained once, and read back when asked for again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock

from gralib import ages, backend, metrics
from gralib.config import RunConfig
from gralib.data.audit import leakage
from gralib.data.faces import Faces
from gralib.data.splits import Split, fold_count, groups, split
from gralib.errors import FailedTraining, UserError, from_root
from gralib.labels import LABEL, class_names
from gralib.training import records
from gralib.training.label_noise import flip
from gralib.training.records import Record, Run

if TYPE_CHECKING:
    import keras


def run(
    config: RunConfig,
    faces: Faces,
    store: str | Path = records.STORE,
    again: bool = False,
    threads: int | None = None,
    progress: str = "bar",
) -> Run:
    """Return the run of `config` on `faces`: read back if finished here or committed, else trained.

    Args:
        config: what to train.
        faces: on what.
        store: folder of the runs made here; an interrupted run in it goes on.
        again: train although a committed record exists (a run finished in `store` is read back if its weights are
            there too).
        threads: processor threads, see `backend.start`.
        progress: 'bar', 'lines' or 'none'.

    Raises:
        UserError: too few faces, or a training that fails.
    """
    if progress not in ("bar", "lines", "none"):
        raise UserError(f"progress: expected bar, lines or none, got {progress!r}")
    run_id = config.run_id(faces.fingerprint)
    if found := _finished(run_id, store, again):
        return found
    from_root(store).mkdir(parents=True, exist_ok=True)
    with FileLock(from_root(store) / f".{run_id}.lock"):  # asked for twice at once: the second waits, then reads back
        try:
            found = _finished(run_id, store, again)
            return found or _train(config, faces, from_root(store) / run_id, threads, progress)
        except FailedTraining as error:
            records.write_failure(from_root(store) / run_id, config, str(error))
            raise


def _finished(run_id: str, store: str | Path, again: bool) -> Run | None:
    """Return the run if it is finished, here or committed; where it is asked for `again`, only with its weights."""
    found = records.find(run_id, (store,) if again else (store, records.KEPT))
    whole = found and (found.record.config.network == "hog" or (found.folder / "weights.npz").exists())
    return found if whole or not again else None


def run_folds(
    config: RunConfig, faces: Faces, folds: int = 0, store: str | Path = records.STORE, **options
) -> list[Run]:
    """Return the runs of the first `folds` folds of the protocol (all when 0), one after another; see `run`.

    The network is compiled once; every fold only sets its weights back.
    """
    count = fold_count(config, faces.table)
    chosen = range(min(folds, count) if folds else count)
    return [run(config.model_copy(update={"fold": fold}), faces, store, **options) for fold in chosen]


def _train(config: RunConfig, faces: Faces, folder: Path, threads: int | None, progress: str) -> Run:
    """Train, predict the test faces, and write the record into `folder`."""
    backend.start(threads)
    environment = backend.environment()
    parts = split(config, faces.table)
    known = faces.table[LABEL[config.task]].notna().to_numpy()
    train, validation, test = (rows[known[rows]] for rows in (parts.train, parts.validation, parts.test))
    write_faces(folder.parent, faces)
    table = flip(config, faces.table, np.concatenate([train, validation]))
    learn = _fit_hog if config.network == "hog" else _fit_network
    learnt = learn(config, faces.pixels, table, (train, validation, test), folder, progress)
    chosen = learnt.history.filter(regex="^(epoch$|gate_)").set_index("epoch").loc[learnt.chosen_epoch].to_dict()
    record = Record(
        schema_version=3,
        run_id=folder.name,
        config=config,
        fingerprint=faces.fingerprint,
        synthetic=faces.synthetic,
        account=_rows(faces.account),
        faces={"train": len(train), "validation": len(validation), "test": len(test)},
        leakage=_rows(leakage(faces.table, faces.pairs, Split(train, validation, test))),
        constants=constants_of(config, faces.table.iloc[train]),
        chosen_epoch=learnt.chosen_epoch,
        trainable_parameters=learnt.trainable_parameters,
        parameters=learnt.parameters,
        gate_reach=learnt.gate_reach,
        gates={str(name).removeprefix("gate_"): float(gamma) for name, gamma in chosen.items()},
        seconds=round(learnt.seconds, 1),
        faces_per_second=round(learnt.faces_per_second, 1),
        environment=environment,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    finished = records.write(folder, record, test, learnt.outputs, learnt.history)
    (folder / "checkpoint.npz").unlink(missing_ok=True)
    return finished


@dataclass(frozen=True)
class _Learnt:
    """What a training leaves for the record."""

    outputs: np.ndarray
    history: pd.DataFrame
    chosen_epoch: int
    trainable_parameters: int
    parameters: int
    gate_reach: float
    seconds: float
    faces_per_second: float


def _fit_network(
    config: RunConfig, pixels: np.ndarray, table: pd.DataFrame, rows: tuple, folder: Path, progress: str
) -> _Learnt:
    from gralib.model.network import trainable_count
    from gralib.model.optimizer import reach
    from gralib.training import fit

    train, validation, test = rows
    trained = fit.train(config, pixels, table, train, validation, folder, folder.name, progress)  # type: ignore[arg-type]
    return _Learnt(
        fit.predict(trained.model, pixels, test, config.mirrored_prediction)[:, : len(class_names(config))],
        trained.history,
        trained.chosen_epoch,
        trainable_count(trained.model),
        trained.model.count_params(),
        reach(config, config.epochs * (len(train) // config.batch_size)),
        trained.seconds,
        trained.faces_per_second,
    )


def _fit_hog(
    config: RunConfig, pixels: np.ndarray, table: pd.DataFrame, rows: tuple, folder: Path, progress: str
) -> _Learnt:
    from gralib.training import hog

    train, validation, test = rows
    model, history, chosen, seconds = hog.fit(config, pixels, table, train, validation)
    outputs = hog.predict(config, model, hog.features(pixels[test]), len(class_names(config)))
    count = int(model[-1].coef_.size + model[-1].intercept_.size)
    return _Learnt(outputs, history, chosen, count, count, 0.0, seconds, len(train) / seconds)


def network(run: Run) -> "keras.Model":
    """Return the trained network of a run made on this machine.

    Raises:
        UserError: its weights are not here.
    """
    backend.start()
    from gralib.training import checkpoint, fit

    model = fit.build(run.record.config)
    checkpoint.load_weights(model, run.folder)
    return model


def masks_of(run: Run, pixels: np.ndarray) -> list[np.ndarray]:
    """Return the masks K of every attention block for some faces; nothing where the weights are not on this machine."""
    if not (run.folder / "weights.npz").exists():
        print("The weights of this run are not on this machine; gra run --again trains it here.")
        return []
    from gralib.model.network import mask_model

    return mask_model(network(run)).predict(pixels, verbose=0)


def write_faces(store: Path, faces: Faces) -> None:
    """Describe the faces in a store of runs, once for all runs on them; see `gralib.training.records.write_faces`."""
    table = faces.table.assign(group=groups(faces.table))
    records.write_faces(store, faces.dataset, faces.fingerprint, table)


def constants_of(config: RunConfig, train: pd.DataFrame) -> records.Constants:
    """Return the best constant prediction for the training faces: for each label the median or the commonest class.

    For ages also `category_means`, what the training faces of each category average in years; where a category has
    none, its middle (`ages.middles`).
    """
    if config.task in ("gender", "age_group"):
        return {LABEL[config.task]: str(metrics.constant_class(train[LABEL[config.task]]))}
    category, remainder = ages.encode(train["age"], config.age_width)
    return {
        "age": metrics.constant_age(train["age"]),
        "category": int(metrics.constant_class(category)),
        "remainder": float(np.median(remainder)),
        "category_means": ages.category_means(train["age"], config.age_width).tolist(),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict(orient="records")  # type: ignore[return-value]
