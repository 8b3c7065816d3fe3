"""The claims that need no data, C1 to C3 and C20: checked on the network as built, and written down for the report.

Beside them goes a list of its layers, from which the report draws it without a backend.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from gralib import backend
from gralib.ages import category_count
from gralib.errors import from_root
from gralib.files import write_text
from gralib.model.attention import GatedAttention
from gralib.model.network import gate_layers, gra_net

PARAMETERS = 33e6
"""The paper's count of trainable parameters (7.1)."""
EXACT, GRADIENT = 1e-6, 1e-5
"""Differences of float32 arithmetic that still count as none."""


def check(width: int = 8, seed: int = 0) -> list[dict[str, Any]]:
    """Check Eq. 3 and Fig. 4 (C1), the numbers of parameters (C2, C20) and Eq. 2 (C3).

    Args:
        width: channels of the network for C1; C2 and C20 always count the published width of 32.
        seed: of the random inputs.

    Returns:
        One line a check: claim, what, value (a difference, or a count), holds.
    """
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 6, 5, 8), dtype="float32")
    features, weights = rng.normal(size=(2, *mask.shape)).astype("float32")
    faces = rng.integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    found = []
    for gamma, target, name in ((0.0, mask * features, "K F"), (1.0, features, "F")):
        off = _apart(GatedAttention(gamma)([mask, features]), target)
        found.append(("C1", f"layer, gate {gamma:.0f}: greatest difference from {name}", off, off <= EXACT))
        off = _network_off(width, gamma, faces)
        what = f"network, gate {gamma:.0f}: greatest difference from {name}, all blocks"
        found.append(("C1", what, off, off <= EXACT))
    for claim, outputs, name in (("C2", 2, "two outputs"), ("C20", category_count(), "an output for every decade")):
        count = sum(int(np.prod(w.shape)) for w in gra_net(outputs).trainable_weights)
        what = f"trainable parameters at width 32, {name}"
        found.append((claim, what, count, round(count / 1e6) * 1e6 == PARAMETERS))
    naive = GatedAttention(0.0)
    gradient = backend.gradient(lambda p: ops.sum(weights * naive([mask, ops.sin(p)])), features)
    off = _apart(gradient, weights * mask * np.cos(features))  # Eq. 2, P(X, phi) = sin(phi)
    found.append(("C3", "greatest difference of the gradient from Eq. 2", off, off <= GRADIENT))
    return [dict(zip(("claim", "what", "value", "holds"), line, strict=True)) for line in found]


def _apart(first: Any, second: Any) -> float:
    return float(np.abs(np.asarray(first) - np.asarray(second)).max())


def _network_off(width: int, gamma: float, faces: np.ndarray) -> float:
    """Return the greatest difference, over all blocks of a network, of a gate's output from Eq. 3 at its ends."""
    net = gra_net(width=width, gate=gamma)
    parts = keras.Model(net.input, [t for gate in gate_layers(net) for t in (*gate.input, gate.output)])(faces)
    blocks = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return max(_apart(out, mask * features if gamma == 0 else features) for mask, features, out in blocks)


def layers() -> list[dict[str, Any]]:
    """Return the layers of the published network in order: name, inputs (names), shape of the output, parameters."""
    rows = []
    for operation in gra_net().operations:
        inputs = [tensor._keras_history.operation.name for tensor in operation._inbound_nodes[-1].input_tensors]
        count = sum(int(np.prod(w.shape)) for w in getattr(operation, "trainable_weights", ()))
        shape = [int(size) for size in operation.output.shape[1:]]
        rows.append({"name": operation.name, "inputs": inputs, "shape": shape, "parameters": count})
    return rows


def write(folder: str | Path = "reports") -> list[Path]:
    """Write the checks with where they were made (equations.json) and the layers (network.json); return both files."""
    checks, network = (from_root(folder) / name for name in ("equations.json", "network.json"))
    write_text(checks, json.dumps({"checks": check(), "environment": backend.environment()}, indent=1) + "\n")
    write_text(network, "[\n" + ",\n".join(json.dumps(layer) for layer in layers()) + "\n]\n")
    return [checks, network]
