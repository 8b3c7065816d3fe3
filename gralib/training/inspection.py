"""What goes on inside a trained network, block by block: size of features (C16), what its masks vary over (C19).

Nothing is trained: the weights of a finished run read some of its test faces. The table is kept beside its record.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gralib.data.faces import Faces
from gralib.errors import UserError
from gralib.training.experiment import network
from gralib.training.packed import pack
from gralib.training.probed import BLOCK_COLUMNS
from gralib.training.records import BLOCKS, Run, add

COUNT = 512
"""Test faces read, spread over all of a run: they stand by name, and names begin with the age."""


def size(features: NDArray[np.floating]) -> float:
    """Return the root of the mean square of features of any shape."""
    return float(np.sqrt(np.mean(np.square(features, dtype=np.float64))))


def shares(mask: NDArray[np.floating]) -> tuple[float, float]:
    """Return which share of a mask's variance lies between positions, and which between channels (0 to 1 together).

    Of each face the variance of the mean over channels, and of the mean over positions, summed over faces, beside the
    whole variance over positions and channels. A mask that is the same everywhere has no shares: NaN.

    Args:
        mask: (n, height, width, channels).
    """
    flat = mask.reshape(len(mask), -1, mask.shape[-1]).astype(np.float64)
    whole = flat.var(axis=(1, 2)).sum()
    if whole < 1e-12:
        return np.nan, np.nan
    return float(flat.mean(axis=2).var(axis=1).sum() / whole), float(flat.mean(axis=1).var(axis=1).sum() / whole)


def probe(run: Run, faces: Faces) -> Path:
    """Measure the blocks of a run's network before and after its training, and write them beside its record.

    Returns:
        The file: one row an attention block, `BLOCK_COLUMNS`.

    Raises:
        UserError: no run of GRA_Net, its weights are not here, or other faces than it was made on.
    """
    record = run.record
    if record.config.network != "gra_net" or record.fingerprint != faces.fingerprint:
        raise UserError(f"{record.run_id}: expected a run of GRA_Net on these faces ({faces.fingerprint})")
    if BLOCKS in run.files:
        return run.folder / BLOCKS
    pixels = np.asarray(faces.pixels[spread(run.rows)])
    after = _outputs(network(run), pixels, training=False)
    from gralib.training.fit import prepare  # loads the backend, which `network` started

    # Before the first step batch norm has seen nothing: it takes the statistics of these faces, as in a first step.
    before = _outputs(prepare(record.config, 1), pixels, training=True)
    rows = [
        (name, size(before[name][0]), size(features), *shares(mask)) for name, (features, mask) in after.items()
    ]  # fmt: skip
    add(run.folder, BLOCKS, pack(pd.DataFrame(rows, columns=BLOCK_COLUMNS)))
    return run.folder / BLOCKS


def spread(rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return at most `COUNT` of some rows, evenly from the first to the last."""
    return rows[np.linspace(0, len(rows) - 1, min(COUNT, len(rows))).astype(int)]


def _outputs(model, pixels: np.ndarray, training: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return features behind every attention block and its mask, by name."""
    import keras
    from keras import ops

    names = [layer.name.removesuffix("_after_add") for layer in model.layers if layer.name.endswith("_after_add")]
    wanted = [model.get_layer(f"{name}{end}").output for name in names for end in ("_after_add", "_mask_activation")]
    found = [ops.convert_to_numpy(t) for t in keras.Model(model.input, wanted)(pixels, training=training)]
    return {name: (found[2 * i], found[2 * i + 1]) for i, name in enumerate(names)}
