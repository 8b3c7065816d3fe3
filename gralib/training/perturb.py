"""Test faces turned and moved by steps, and what a trained network still makes of them (section 4; claim C8).

Nothing is trained: the weights of a finished gender run read changed test faces. The hits are kept beside its record.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import rotate

from gralib import metrics
from gralib.data.faces import Faces
from gralib.errors import UserError
from gralib.labels import GENDERS
from gralib.progress import Bar, called
from gralib.training.experiment import network
from gralib.training.packed import pack_rows
from gralib.training.probed import changes
from gralib.training.records import ORIENTATION, Run, add


def change(pixels: NDArray[np.uint8], kind: str, step: int) -> NDArray[np.uint8]:
    """Turn faces by `step` degrees or move them right by `step` pixels; edges are repeated.

    Args:
        pixels: (n, height, width, 3).
        kind: 'turn' or 'move'.
        step: degrees or pixels; 0 changes nothing.
    """
    if not step:
        return pixels
    if kind == "turn":
        return rotate(pixels, step, axes=(2, 1), reshape=False, order=1, mode="nearest")
    width = pixels.shape[2]
    return pixels[:, :, np.clip(np.arange(width) - step, 0, width - 1)]


def probe(run: Run, faces: Faces) -> Path:
    """Read the changed test faces with the network of a gender run, and write the hits beside its record.

    Returns:
        The file: one row a test face: 1 or 0 for each of `changes`; `probed.orientation` reads it.

    Raises:
        UserError: no gender run, its weights are not here, or other faces than it was made on.
    """
    record = run.record
    if record.config.task != "gender" or record.fingerprint != faces.fingerprint:
        raise UserError(f"{record.run_id}: expected a gender run on these faces ({faces.fingerprint})")
    target = run.folder / ORIENTATION
    if ORIENTATION in run.files:
        return target
    model, table = network(run), run.tested
    from gralib.training.fit import predict  # loads the backend, which `network` started

    rows = run.rows
    hits = pd.DataFrame(index=range(len(rows)))
    for name, (kind, step) in Bar(changes().items(), desc=f"changed faces, {called(record.config)}", unit="change"):
        outputs = predict(model, change(np.asarray(faces.pixels[rows]), kind, step), np.arange(len(rows)))
        hits[name] = metrics.hits(table["gender"], np.array(GENDERS)[outputs.argmax(axis=1)]).astype(int)
    add(run.folder, ORIENTATION, pack_rows(rows, hits))
    return target
