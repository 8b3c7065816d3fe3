"""From a laptop to a cluster: several devices in one training, the study as Slurm jobs, the cost of the paper's study.

python benchmarks/scaling.py (or: make scaling). Measures steps on one and on two devices of this processor, takes what
`make test-cluster` left in build/cluster.json, and writes reports/scaling.json and reports/about/scaling.md.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jinja2

from gralib.files import write_text
from gralib.surroundings import commit

ROOT = Path(__file__).resolve().parents[1]
STEPS = 20
NUDGE = 1e-7
"""A change of the weights as small as float32 can hold."""
H100 = 989_000 / 2
"""GFLOP/s of an H100 in dense TF32 matrix products, by its data sheet."""
SHARE = 0.05
"""Share of that which training is assumed to reach on 16x16 pixels and fewer; not measured here."""
DOLLARS = 3.0
"""An hour of such a GPU, assumed; a laptop costs nothing more."""


def begin(nudge: float) -> tuple:
    """Return the laptop's network before its first step on GRA_DEVICES devices, and the batches of one epoch.

    Args:
        nudge: by which share all weights are changed.
    """
    from gralib import backend

    backend.start(1)
    import numpy as np

    from gralib.config import configure
    from gralib.data.faces import open_faces
    from gralib.data.formats import find_root
    from gralib.labels import targets
    from gralib.training.augmentation import Batches
    from gralib.training.fit import prepare

    config = configure("laptop")
    faces = open_faces("utkface", find_root("utkface", "data/synthetic/utkface"), progress=False)
    rows = np.flatnonzero(faces.table["gender"].notna())[: config.batch_size * STEPS]
    batches = Batches(config, 1, faces.pixels, rows, targets(config, faces.table.iloc[rows]))
    model = prepare(config, len(batches))
    for weight in model.trainable_weights:
        weight.assign(np.asarray(weight) * np.float32(1 + nudge))
    return model, batches


def steps(nudge: float) -> dict:
    """Train the batches twice and return faces/s of the second time and losses of the first."""
    from gralib import backend

    model, batches = begin(nudge)
    losses = [float(model.train_on_batch(*batches[i])) for i in range(len(batches))]
    start = time.perf_counter()
    for i in range(len(batches)):
        model.train_on_batch(*batches[i])
    rate = len(batches) * batches.config.batch_size / (time.perf_counter() - start)
    return {"devices": backend.devices(), "nudge": nudge, "faces_per_s": rate, "losses": losses}


def gradient(nudge: float, path: str) -> dict:
    """Write the gradient of the first batch to a .npy file, all weights' parts end to end."""
    model, batches = begin(nudge)
    import keras
    import numpy as np

    model.compile(keras.optimizers.SGD(1.0), model.loss, jit_compile=True)  # takes the gradient itself as its step
    before = [np.array(weight) for weight in model.trainable_weights]
    model.train_on_batch(*batches[0])
    after = [np.asarray(weight) for weight in model.trainable_weights]
    np.save(path, np.concatenate([(a - b).ravel() for a, b in zip(before, after, strict=True)]))
    return {}


def measured(what: str, devices: int, nudge: float, *words: str) -> dict:
    """Return `steps` or `gradient` of a process of its own, on JAX with so many devices of this processor."""
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "GRA_DEVICES": str(devices),
           "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}  # fmt: skip
    command = [sys.executable, __file__, what, str(nudge), *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def devices() -> list[dict]:
    """Return losses, speed and how far the first gradient is from one device's: one, two, and one with a nudge."""
    import numpy as np

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for count, nudge in ((1, 0), (2, 0), (1, NUDGE)):
            path = f"{folder}/{len(found)}.npy"
            measured("gradient", count, nudge, path)
            first, here = (np.load(p, allow_pickle=False) for p in (f"{folder}/0.npy", path))
            apart = float(np.linalg.norm(here - first) / np.linalg.norm(first))
            found.append({**measured("steps", count, nudge), "gradient apart": apart})
    return found


def costs() -> dict:
    """Return the work of the full study by part, and what it costs by machine."""
    from gralib import backend

    backend.start(1)
    from costs import Machine, cost, runs_of_study, work

    bench = json.loads((ROOT / "reports" / "benchmarks.json").read_text())
    laptop = bench["raw"]["gralib-32"]["faces_per_s"] * bench["figures"]["training_gflop_per_face"]["32"]
    guess = f"assumed: {SHARE:.0%} of the {H100 / 1000:.0f} TFLOP/s of an H100's data sheet (TF32)"
    machines = [
        Machine("this machine, two cores", laptop, 1, 0, "measured: reports/benchmarks.json, width 32"),
        Machine("one modern GPU", SHARE * H100, 1, DOLLARS, guess),
        Machine("eight of them", SHARE * H100, 8, DOLLARS, guess),
        Machine("a cluster of 64", SHARE * H100, 64, DOLLARS, guess),
        Machine("a cluster of 1024", SHARE * H100, 1024, DOLLARS, guess),
    ]
    table = work(runs_of_study())
    return {"work": table.to_dict(orient="records"), "cost": cost(table, machines).to_dict(orient="records")}


def page(found: dict) -> str:
    """Return the figures as Markdown."""
    first = found["devices"][0]["losses"]
    apart = [[abs(a - b) / abs(a) for a, b in zip(first, run["losses"], strict=True)] for run in found["devices"]]
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((Path(__file__).parent / "scaling.md.j2").read_text())
    return template.render(**found, apart=apart, dollars=f"{DOLLARS:.0f}")


def main() -> None:
    """Measure, gather, write."""
    if what := {"steps": steps, "gradient": gradient}.get("".join(sys.argv[1:2])):
        print(json.dumps(what(float(sys.argv[2]), *sys.argv[3:])))
        return
    held = ROOT / "build" / "cluster.json"
    before = ROOT / "reports" / "scaling.json"
    kept = json.loads(before.read_text())["cluster"] if before.exists() else None
    found = {
        "commit": commit()["commit"],
        "devices": devices(),
        "cluster": json.loads(held.read_text()) if held.exists() else kept,
        "costs": costs(),
    }
    write_text(before, json.dumps(found, indent=1) + "\n")
    write_text(before.parent / "about" / "scaling.md", page(found))
    print(page(found))


if __name__ == "__main__":
    main()
