"""How the cost of a training face grows with the number of faces, the width and the depth of the network.

python benchmarks/growth.py FACES WIDTH MODULES: microseconds a face and resident memory of one setting, as JSON, in
a process of its own. `benchmarks/run.py` calls it for `SETTINGS` and draws the figure with `draw`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BASE = {"faces": 1000, "width": 8, "modules": 1}
POINTS = {"faces": (1000, 5000, 20_000, 80_000, 160_000), "width": (4, 8, 16, 32), "modules": (1, 2, 3)}
SETTINGS = [dict(t) for t in dict.fromkeys(tuple({**BASE, k: v}.items()) for k, vs in POINTS.items() for v in vs)]
LABELS = {"faces": "training faces", "width": "width (channels of the stem)", "modules": "attention modules a stage"}


def resident_mib() -> float:
    """Return this process's resident memory now."""
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(faces: int, width: int, modules: int) -> dict:
    """Train some steps over shuffled rows of a memory map, every row of which is read once."""
    from gralib import backend

    backend.start(1)
    from gralib.config import configure
    from gralib.training.augmentation import Batches
    from gralib.training.fit import prepare

    steps = max(3, 200 // (width * width // 16 * modules + 1))
    config = configure("laptop", width=width, modules=(modules,) * 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        pixels = np.lib.format.open_memmap(path, mode="w+", dtype="uint8", shape=(faces, 32, 32, 3))
        rng = np.random.default_rng(0)
        for start in range(0, faces, 1000):
            pixels[start : start + 1000] = rng.integers(0, 256, (1000, 32, 32, 3))
        del pixels
        pixels = np.load(path, mmap_mode="r")
        truth = np.eye(2, dtype="float32")[rng.integers(0, 2, faces)]
        model = prepare(config, steps)
        model.fit(Batches(config, 0, pixels, np.arange(64), truth[:64]), verbose=0)
        before = resident_mib()
        order = Batches(config, 0, pixels, np.arange(faces), truth)
        for step in range(len(order)):
            order[step]
        rows = rng.permutation(faces)[: 64 * steps]
        batches = Batches(config, 1, pixels, rows, truth[rows])
        begin = time.perf_counter()
        model.fit(batches, verbose=0)
        seconds = time.perf_counter() - begin
    us = 1e6 * seconds / (64 * len(batches))
    return {"faces": faces, "width": width, "modules": modules, "us_per_face": us,
            "rss_mib": resident_mib(), "faces_mib": resident_mib() - before}  # fmt: skip


def draw(raw: list[dict], path: Path) -> dict[str, float]:
    """Draw time a face (and memory) against each of the three; return the slopes fitted on logarithms."""
    import matplotlib.pyplot as plt

    from gralib.report import figures

    figures.style()
    slopes = {}
    fig, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
    panels = [("faces", "us_per_face"), ("faces", "faces_mib"), ("width", "us_per_face"), ("modules", "us_per_face")]
    for ax, (x, y) in zip(axes, panels, strict=True):
        rows = sorted((r for r in raw if all(r[k] == v for k, v in BASE.items() if k != x)), key=lambda r: r[x])
        xs, ys = np.array([r[x] for r in rows], float), np.array([r[y] for r in rows])
        slope, offset = np.polyfit(np.log(xs), np.log(np.maximum(ys, 0.1)), 1)
        slopes[f"{y} by {x}"] = float(slope)
        scale = 1000 if y == "us_per_face" else 1
        ax.loglog(xs, ys / scale, "o", label="measured")
        ax.loglog(xs, np.exp(offset) * xs**slope / scale, "-", alpha=0.6, label=f"slope {slope:.2f}")
        unit = "milliseconds a training face" if scale == 1000 else "memory for the faces, MiB"
        ax.set(xlabel=LABELS[x], ylabel=unit, xticks=xs, xticklabels=[f"{v:,.0f}" for v in xs])
        ax.minorticks_off()
        ax.tick_params(axis="x", labelrotation=30 if x == "faces" else 0)
        ax.legend(frameon=False)
        ax.set_ylim(min(ys) / scale / 2, max(ys) / scale * 2)
    fig.suptitle(
        "What a training face costs: one thread, random faces; elsewhere width 8, one module, 1,000 faces", fontsize=12
    )
    figures.save(axes[0], path)
    return slopes


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))
