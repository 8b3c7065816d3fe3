"""Makes `gralib/visitors/networks` from finished runs: packed networks, their calibration, what was measured.

Half of the faces that a run was tested on, by groups, fits the calibration; the other half checks it. Accuracies and
age errors are those of all its test faces.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib import metrics, networkfile
from gralib.errors import UserError
from gralib.evaluation.measures import outputs_of
from gralib.files import digests, write_bytes, write_sums, write_text
from gralib.labels import GENDERS
from gralib.training.records import Run
from gralib.visitors import shipped
from gralib.visitors.shipped import Calibration

TOLERANCE = 0.01
"""By which an output may change when the weights are rounded."""
SPARE = 13
"""Bits of a weight that are rounded away: those that a half float lacks."""
LARGEST = 12_000_000
"""Bytes that the folder may have."""
LEVEL = 0.9
BANDS = {"0-12": (0, 12), "13-19": (13, 19), "20-39": (20, 39), "40-59": (40, 59), "60-116": (60, 116)}
COLUMNS = ["data", "measure", "slice", "faces", "value", "low", "high"]


def rounded(data: bytes) -> bytes:
    """Return a network file with its large weights rounded to 11 significant bits, sealed anew."""
    import onnx

    proto = onnx.load_from_string(data)
    for tensor in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1000:
            bits = values.view(np.uint32).astype(np.uint64)
            half = (1 << (SPARE - 1)) - 1 + ((bits >> SPARE) & 1)  # to the nearest, ties to even
            kept = ((bits + half) >> SPARE << SPARE).astype(np.uint32).view(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(kept, tensor.name))
    card = next(entry.value for entry in proto.metadata_props if entry.key == networkfile.KEY)
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {networkfile.KEY: card})
    return networkfile.seal(proto.SerializeToString(deterministic=True))


def write(runs: list[Run], folder: Path, outside: Callable[[Path], Iterator[dict]] | None = None) -> Path:
    """Write the networks of some runs, one a task, with calibration, measures and card, and return the folder.

    Args:
        runs: of gender and age_category, and perhaps of age_regression with the same test faces.
        folder: what is there under the same names is replaced.
        outside: yields rows of measures on other data sets, read with the networks just written.

    Raises:
        UserError: other runs, a network that answers otherwise when rounded, or files that are too large together.
    """
    by_task: dict[str, Run] = {run.record.config.task: run for run in runs}
    if len(by_task) < len(runs) or not {"gender", "age_category"} <= set(by_task) <= set(shipped.TASKS):
        got = ", ".join(run.record.config.task for run in runs)
        raise UserError(f"runs: expected one of gender, one of age_category, perhaps one of age_regression; got {got}")
    names = []
    for task, run in by_task.items():
        names.append(f"{task}{shipped.ENDING}")
        write_bytes(folder / names[-1], networkfile.pack(_exported(run)))
    calibration, rows = calibrate(by_task)
    write_text(folder / shipped.CALIBRATION, calibration.model_dump_json(indent=1) + "\n")
    write_sums(folder, digests(folder, [*names, shipped.CALIBRATION]))
    shipped.open_networks.cache_clear()
    rows += list(outside(folder)) if outside else []
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_text(folder / shipped.MEASURED, table.to_csv(index=False, float_format="%.4g"))
    write_sums(folder, digests(folder, [*names, shipped.CALIBRATION, shipped.MEASURED]))
    if (size := sum(path.stat().st_size for path in shipped.checked(folder).values())) > LARGEST:
        raise UserError(f"{folder}: expected at most {LARGEST} bytes, got {size}")
    return folder


def _exported(run: Run) -> bytes:
    """Return the network of a run with its gates as inputs, rounded, and checked against what it was."""
    import tempfile

    from gralib.export import export
    from gralib.predict import Network

    with tempfile.TemporaryDirectory() as place:
        exact = export(run, Path(place) / "exact.onnx", gates=run.record.config.network == "gra_net")
        data = rounded(exact.read_bytes())
        (Path(place) / "rounded.onnx").write_bytes(data)
        faces = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype("uint8")
        apart = np.abs(Network(exact).outputs(faces) - Network(Path(place) / "rounded.onnx").outputs(faces)).max()
    if not apart <= TOLERANCE:
        raise UserError(f"{run.record.run_id}: expected outputs within {TOLERANCE} when rounded, got {apart:.2g} apart")
    return data


def calibrate(runs: dict[str, Run]) -> tuple[Calibration, list[dict]]:
    """Return the calibration of some runs, by task, and rows of what it is worth on the other half of their faces.

    Raises:
        UserError: age networks that were tested on different faces, or too few faces.
    """
    gender, category, regression = (runs.get(task) for task in shipped.TASKS)
    assert gender and category
    if regression and not category.same_faces(regression):
        raise UserError("runs: expected both age networks on the same test faces")
    means = [float(f"{mean:.6g}") for mean in category.record.constants["category_means"]]  # type: ignore[union-attr]
    outputs, remainder = _outputs(category), _outputs(regression) if regression else None
    width, people = category.record.config.age_width, category.tested
    age, spread = shipped.expected(outputs, remainder, width, means)
    fits = half(people["group"])
    off = np.abs(people["age"].to_numpy() - age)
    tested, certain, own = gender.tested, _outputs(gender), half(gender.tested["group"])
    true = tested["gender"].to_numpy()[:, None] == np.array(GENDERS)
    calibration = Calibration(
        runs={task: run.record.run_id for task, run in runs.items()},
        temperature=float(f"{fit_temperature(certain[own], true[own]):.6g}"),
        category_means=means,
        level=LEVEL,
        quantile=float(f"{conformal((off / spread)[fits], LEVEL):.6g}"),
    )
    rows = of_age("UTKFace", people, *calibration.years(outputs, remainder, width), ~fits)
    return calibration, [*of_gender("UTKFace", tested, calibration.probability(certain), ~own), *rows]


def _outputs(run: Run) -> NDArray[np.float64]:
    return outputs_of(run.record.config, run.predictions)


def half(group: pd.Series) -> NDArray[np.bool_]:
    """Return whether each face belongs to the half that fits the calibration; a group is never parted."""
    names = np.unique(group)
    return group.isin(names[np.random.default_rng(0).permutation(len(names)) < len(names) // 2]).to_numpy()


def fit_temperature(outputs: NDArray[np.floating], true: NDArray[np.bool_]) -> float:
    """Return the temperature of least cross-entropy (Guo et al. 2017), for outputs and truth (n, 2)."""
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(outputs.astype(np.float64), 1e-12, 1))

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        return float((np.logaddexp(scaled[:, 0], scaled[:, 1]) - scaled[true]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 3), method="bounded").x))


def conformal(values: NDArray[np.floating], level: float) -> float:
    """Return the split-conformal quantile of n scores: the ceil((n + 1) level)-th least (Lei et al. 2018)."""
    rank = int(np.ceil((len(values) + 1) * level))
    if rank > len(values):
        raise UserError(f"calibration: expected more than {level / (1 - level):.0f} faces, got {len(values)}")
    return float(np.sort(values)[rank - 1])


def slices(table: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield name and members of all faces, and of every age band, gender and race label that a table has."""
    yield "all", np.ones(len(table), bool)
    for name, (low, high) in BANDS.items():
        yield f"age {name}", table["age"].between(low, high).to_numpy()
    for column in ("gender", "race"):
        for name in sorted(table[column].dropna().unique()) if column in table else ():
            yield f"{column} {name}", (table[column] == name).to_numpy()


def rows_of(data: str, table: pd.DataFrame, measures: dict[str, NDArray]) -> Iterator[dict]:
    """Yield a row for every measure (n,) and slice of a table (n rows: age, gender, race, group); NaN is left out."""
    for name, members in slices(table):
        for measure, values in measures.items():
            chosen = members & ~np.isnan(values)
            if chosen.sum() >= 20:
                found = metrics.interval(values[chosen], table["group"].to_numpy()[chosen])
                yield dict(
                    zip(COLUMNS, (data, measure, name, found.n, found.value, found.low, found.high), strict=True)
                )


def of_gender(data: str, table: pd.DataFrame, probability: NDArray, judged: NDArray[np.bool_]) -> Iterator[dict]:
    """Yield accuracy and calibration of probabilities (n, 2); the latter on the faces `judged` (n,) alone."""
    right = metrics.hits(table["gender"], np.array(GENDERS)[probability.argmax(axis=1)])
    yield from rows_of(data, table, {"gender accuracy": right})
    sure = np.where(judged, probability.max(axis=1), np.nan)
    yield from rows_of(data, table, {"certainty less gender accuracy": sure - right})


def of_age(
    data: str, table: pd.DataFrame, age: NDArray, low: NDArray, high: NDArray, judged: NDArray[np.bool_]
) -> Iterator[dict]:
    """Yield the errors of ages (n,), and on the faces `judged` what their intervals hold and how wide they are."""
    true = table["age"].to_numpy()
    inside = np.where(judged, (low <= true) & (true <= high), np.nan)
    width = np.where(judged, high - low, np.nan)
    yield from rows_of(
        data,
        table,
        {"age error, years": np.abs(true - age), "interval holds the age": inside, "interval, years": width},
    )
