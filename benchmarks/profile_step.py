"""Where the time of a training step goes, operation by operation, from TensorFlow's profiler on one thread.

python benchmarks/profile_step.py WIDTH STEPS
"""

import collections
import json
import sys
import tempfile
import time
from pathlib import Path

KINDS = {
    "convolutions": ("Conv2D",),
    "batch norm": ("BatchNorm",),
    "ReLU": ("Relu",),
    "pooling, upsampling": ("MaxPool", "Resize"),
    "optimizer: laying weights end to end": ("SplitV", "ConcatV2"),
    "sums, products, gates, optimizer arithmetic": (
        "Mul", "Add", "Sub", "Div", "Sum", "Mean", "Square", "Sqrt", "Sigmoid", "Broadcast", "Assign", "MatMul",
    ),
}  # fmt: skip


def main() -> None:
    """Profile some steps and print the share of every kind of operation."""
    width, steps = map(int, sys.argv[1:3])
    from gralib import backend

    backend.start(1)
    import numpy as np
    import tensorflow as tf
    from train_one import data

    from gralib.config import configure
    from gralib.training.augmentation import Batches
    from gralib.training.fit import prepare

    config = configure("laptop", width=width)
    pixels, truth = data(64 * steps)
    batches = Batches(config, 1, pixels, np.arange(len(pixels)), truth)
    model = prepare(config, steps)
    model.fit(batches, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            begin = time.perf_counter()
            model.fit(batches, verbose=0)
            seconds = time.perf_counter() - begin
        found = operations(next(Path(folder).rglob("*.xplane.pb")))
    shares = {kind: 0.0 for kind in KINDS} | {"other operations": 0.0}
    for name, spent in found.items():
        kind = next((k for k, words in KINDS.items() if any(w in name for w in words)), "other operations")
        shares[kind] += spent / seconds
    shares["between operations (scheduling, Keras, input)"] = 1 - sum(shares.values())
    rate = 64 * steps / seconds
    print(json.dumps({"profile": "one thread", "width": width, "faces_per_s": rate, "shares": shares}))


def operations(path: Path) -> dict[str, float]:
    """Return the seconds spent in each kind of operation on the compute threads."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    spent: dict[str, float] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events if line.name.startswith("tf_Compute") else ():
                name = plane.event_metadata[event.metadata_id].name.split(":")[-1].split("#")[0]
                if name[:1] == "_" or (name[:1].isupper() and name not in ("Process", "ParallelFor", "Start")):
                    spent[name] += event.duration_ps / 1e12
    return spent


if __name__ == "__main__":
    main()
