"""From a laptop to a cluster: several devices in one training, the study as Slurm jobs, the cost of the paper's study.

python benchmarks/scaling.py (or: make scaling). Measures steps on one and on two devices of this processor, takes what
`make test-cluster` left in build/cluster.json, and writes reports/scaling.json and .md.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jinja2

from gralib.backend import commit
from gralib.records import write_text

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


def steps(nudge: float) -> dict:
    """Train some steps of the laptop's network on GRA_DEVICES devices and return faces/s and losses.

    Args:
        nudge: by which share all weights are changed before the first step.
    """
    from gralib import backend

    backend.start(1)
    import numpy as np

    from gralib.batches import Batches
    from gralib.config import configure
    from gralib.datasets import find_root
    from gralib.faces import open_faces
    from gralib.tasks import targets
    from gralib.training import prepare

    config = configure("laptop")
    faces = open_faces("utkface", find_root("utkface", "data/synthetic/utkface"), progress=False)
    rows = np.flatnonzero(faces.table["gender"].notna())[: config.batch_size * STEPS]
    steps = len(rows) // config.batch_size
    model = prepare(config, steps)
    for weight in model.trainable_weights:
        weight.assign(np.asarray(weight) * np.float32(1 + nudge))
    batches = Batches(config, 1, faces.pixels, rows, targets(config, faces.table.iloc[rows]))
    losses = [float(model.train_on_batch(*batches[i])) for i in range(steps)]
    begin = time.perf_counter()
    for i in range(steps):
        model.train_on_batch(*batches[i])
    rate = steps * config.batch_size / (time.perf_counter() - begin)
    return {"devices": backend.devices(), "nudge": nudge, "faces_per_s": rate, "losses": losses}


def measured(devices: int, nudge: float = 0) -> dict:
    """Return `steps` of a process of its own, on JAX with so many devices of this processor."""
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "GRA_DEVICES": str(devices),
           "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}  # fmt: skip
    env.pop("GRA_THREADS", None)
    words = [sys.executable, __file__, "steps", str(nudge)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def costs() -> dict:
    """Return the work of the full study by part, and what it costs by machine."""
    from gralib import backend

    backend.start(1)
    from gralib.costs import Machine, cost, runs_of_study, work

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
    if sys.argv[1:2] == ["steps"]:
        print(json.dumps(steps(float(sys.argv[2]))))
        return
    held = ROOT / "build" / "cluster.json"
    before = ROOT / "reports" / "scaling.json"
    kept = json.loads(before.read_text())["cluster"] if before.exists() else None
    found = {
        "commit": commit()["commit"],
        "devices": [measured(1), measured(2), measured(1, NUDGE)],
        "cluster": json.loads(held.read_text()) if held.exists() else kept,
        "costs": costs(),
    }
    write_text(before, json.dumps(found, indent=1) + "\n")
    write_text(before.with_suffix(".md"), page(found))
    print(page(found))


if __name__ == "__main__":
    main()
