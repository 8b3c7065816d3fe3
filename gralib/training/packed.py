"""A run's tables as they are stored: CSV under bzip2, few digits, no word twice.

Faces are described once for all runs on them. A table of a run has one row a test face, in the order of the faces'
table, and says of each only how far it stands from the one before. The same content gives the same bytes everywhere:
bzip2 has one implementation and no time stamp, and beats gzip on these tables by a sixth to a third.
"""

import bz2
import io
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib.config import RunConfig
from gralib.labels import output_names

ENDING = ".csv.bz2"
LARGEST = 1 << 28
"""Bytes that a stored table may unpack to; AFAD's faces take 12 million."""
FACES = ["path", "age", "age_group", "gender", "group", "race"]
"""Columns of the faces' table; `group` numbers the faces that no split may part, `race` is UTKFace's own label."""
SKIPPED = "faces passed over"
"""Column of a run's tables: rows of the faces' table between a test face and the one before it."""
FINEST = 9
"""Decimals after which two classes count as equally likely."""


def pack(table: pd.DataFrame) -> bytes:
    """Return a table as CSV under bzip2."""
    return bz2.compress(table.to_csv(index=False, float_format=f"%.{FINEST}g").encode())


def unpack(data: bytes, dtype: dict[str, type] | None = None) -> pd.DataFrame:
    """Return the table of `pack`; only empty cells are missing.

    Raises:
        ValueError: no such table, or one that unpacks to more than `LARGEST`.
    """
    unpacker = bz2.BZ2Decompressor()
    try:
        text = unpacker.decompress(data, LARGEST)
    except OSError as error:
        raise ValueError(str(error)) from None
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("cut short, too long, or larger than any such table")
    return pd.read_csv(io.BytesIO(text), dtype=dtype, keep_default_na=False, na_values=[""])


@lru_cache(maxsize=32)
def unpack_faces(data: bytes) -> pd.DataFrame:
    """Return the faces' table, read once.

    Raises:
        ValueError: no such table.
    """
    texts = {name: str for name in FACES if name not in ("age", "group")}
    table = unpack(data, {**texts, "age": float, "group": int})
    if list(table) != FACES:
        raise ValueError(f"expected columns {FACES}, got {list(table)}")
    return table


@lru_cache(maxsize=64)
def faces_at(data: bytes, rows: bytes) -> pd.DataFrame:
    """Return some rows of a packed faces' table, read once for all runs on them; `rows` are int64.

    Raises:
        ValueError: no such table.
        IndexError: no such rows.
    """
    return unpack_faces(data).iloc[np.frombuffer(rows, np.int64)].reset_index(drop=True)


def pack_rows(rows: NDArray[np.integer], table: pd.DataFrame) -> bytes:
    """Return what is said of some faces, packed, in front of it where in the faces' table they stand.

    Args:
        rows: (n,) row numbers, ascending.
        table: n rows.
    """
    passed = np.diff(rows, prepend=-1) - 1
    if (passed < 0).any():
        raise ValueError("rows: expected ascending row numbers")
    table = table.reset_index(drop=True)
    table.insert(0, SKIPPED, passed)
    return pack(table)


def unpack_rows(data: bytes) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Return rows and table of `pack_rows`.

    Raises:
        ValueError: no such table, or rows that no table of faces can have.
    """
    table = unpack(data)
    if SKIPPED not in table or not pd.api.types.is_integer_dtype(table[SKIPPED]) or (table[SKIPPED] < 0).any():
        raise ValueError(f"expected a column {SKIPPED!r} of whole numbers")
    rows = np.cumsum(table.pop(SKIPPED).to_numpy(np.int64) + 1) - 1
    if (np.diff(rows, prepend=-1) <= 0).any():  # numbers so large that they wrap
        raise ValueError("rows that no table of faces has")
    return rows, table


def round_classes(outputs: NDArray[np.floating], decimals: int) -> NDArray[np.float64]:
    """Round probabilities so that no answer changes, none becomes a tie, and every row still adds up to 1.

    The running totals of a row are rounded, not its cells: so an expected value over ordered classes stays where it
    is (cells of two decimals move the expected age by 0.7 years, running totals by 0.09). A row whose likeliest class
    would change or meet its equal keeps a decimal more, or as many as it takes.

    Args:
        outputs: (n, classes), each row a distribution.
        decimals: to keep.

    Returns:
        (n, classes), of at most `FINEST` decimals.
    """
    exact = np.asarray(outputs, dtype=np.float64)
    totals = np.cumsum(exact / exact.sum(axis=1, keepdims=True), axis=1)
    rounded = np.empty_like(exact)
    left = np.arange(len(exact))
    for digits in range(decimals, FINEST + 1):
        rounded[left] = np.round(np.diff(np.round(totals[left], digits), axis=1, prepend=0), FINEST)
        highest = rounded[left] == rounded[left].max(axis=1, keepdims=True)
        kept = (highest.sum(axis=1) == 1) & (highest.argmax(axis=1) == exact[left].argmax(axis=1))
        left = left[~kept]
    return rounded


def pack_predictions(config: RunConfig, rows: NDArray[np.integer], outputs: NDArray[np.floating]) -> bytes:
    """Return a network's outputs for the test faces, packed.

    Probabilities are rounded by `round_classes` (four decimals of gender, two of the others) and the first class is
    left out, being what the others leave of 1. Remainders are rounded to a tenth of a year or finer.
    """
    names = output_names(config)
    if config.task == "age_regression":
        decimals = int(np.ceil(np.log10(config.age_width))) + 1
        return pack_rows(rows, pd.DataFrame(np.round(outputs.astype(np.float64), decimals), columns=names))
    rounded = round_classes(outputs, 4 if config.task == "gender" else 2)
    return pack_rows(rows, pd.DataFrame(rounded[:, 1:], columns=names[1:]))


def unpack_predictions(config: RunConfig, data: bytes) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Return row numbers (n,) of the test faces in the faces' table, and the outputs (n, outputs) by name.

    Raises:
        ValueError: no such table, or an output that is no number.
    """
    names = output_names(config)
    stored = names if config.task == "age_regression" else names[1:]
    rows, table = unpack_rows(data)
    if list(table) != stored:
        raise ValueError(f"columns {list(table)}, not {stored}")
    table = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    if wrong := int((~np.isfinite(table.to_numpy())).sum()):
        raise ValueError(f"{wrong} outputs that are no number")
    if stored != names:
        table.insert(0, names[0], np.round(1 - table.sum(axis=1), FINEST))
    return rows, table
