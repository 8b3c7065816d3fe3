"""Study roots of their own, the commands a user would type, and what two finished studies must have in common."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from gralib.evaluation.measures import outputs_of, scores_of
from gralib.predict import Network
from gralib.report.notebooks import cleaned
from gralib.surroundings import CODE
from gralib.training.records import PREDICTIONS, Run

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GRA = str(Path(sys.executable).parent / "gra")
CORES = 2
"""Processes side by side, at most."""
LATER = {"seconds", "faces_per_second", "finished"}
"""Fields of a record that tell when and how fast; all others must come out the same."""
PLACE = {"commit", "clean"}
COLUMNS = ["minutes", "commit", "finished"]
"""The same in build/report/tables/runs.csv."""


def code_commit(*more: str) -> str:
    """Return the last commit that changed what is measured: the library, notebooks, locked packages, or `more`."""
    words = ["git", "log", "-1", "--format=%H", "--", *CODE, *more]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


BUILD = ROOT / "build" / "reliability" / code_commit()[:12]
"""Where raw results and study roots of this code are kept."""


COPIED = {"equations.json", "network.json", "literature.csv", "yardsticks.csv"}
"""What the report reads of `reports/`, beside its .yaml."""


def study_root(folder: Path) -> Path:
    """Make a folder in which `gra` finds notebooks and what the report is written from, and nothing finished."""
    if not (folder / "reports").exists():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        (part / "reports").mkdir(parents=True)
        for name in ("notebooks", "gralib"):
            (part / name).symlink_to(ROOT / name)
        for path in (ROOT / "reports").iterdir():
            if path.name in COPIED or path.suffix == ".yaml":
                shutil.copy(path, part / "reports")
        folder.mkdir(exist_ok=True)
        for path in part.iterdir():
            path.rename(folder / path.name)
        part.rmdir()
    return folder


def environment(root: Path, **more: str) -> dict[str, str]:
    """Return the environment of a command that works in a study root, with this checkout's code."""
    kept = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    return {**kept, "GRA_ROOT": str(root), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **more}


def gra(root: Path, *words: object, **more: str) -> subprocess.CompletedProcess:
    """Run the command `gra` in a study root and return how it ended."""
    command = [GRA, *map(str, words)]
    return subprocess.run(command, env=environment(root, **more), cwd=root, capture_output=True, text=True)


def otherwise(root: Path, variables: dict[str, str], *words: object, **more: str) -> subprocess.CompletedProcess:
    """Run `gra` in a study root with variables that the library else holds; see otherwise.py."""
    given = [f"{name}={value}" for name, value in variables.items()]
    command = [sys.executable, str(HERE / "otherwise.py"), *given, "--", *map(str, words)]
    return subprocess.run(command, env=environment(root, **more), cwd=root, capture_output=True, text=True)


def good(done: subprocess.CompletedProcess) -> str:
    """Return what a command printed; end the program with its error where it failed."""
    if done.returncode:
        sys.exit(f"{' '.join(map(str, done.args))} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def drawn(layout: str, subjects: int) -> Path:
    """Return a folder of synthetic faces, drawn by the first call."""
    folder = BUILD / "faces" / f"{layout}-{subjects}"
    if not folder.exists():
        good(gra(BUILD, "data", "synthesize", "--layout", layout, "--subjects", subjects, "--out", folder))
    return folder


def digest(data: bytes) -> str:
    """Return a short SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def signature(run: Path) -> dict[str, str]:
    """Return hashes of what a finished run left: weights, predictions, history, and the record but for times."""
    record = {k: v for k, v in json.loads((run / "record.json").read_text()).items() if k not in LATER}
    record["environment"] = {k: v for k, v in record["environment"].items() if k not in PLACE}
    hashes = {name: digest((run / name).read_bytes()) for name in ("weights.npz", PREDICTIONS, "history.csv")}
    return {**hashes, "record.json": digest(json.dumps(record).encode())}


def signatures(root: Path) -> dict[str, dict[str, str]]:
    """Return the signature of every finished run of a study root by name."""
    return {path.parent.name: signature(path.parent) for path in sorted(root.glob("runs/*/record.json"))}


def left(root: Path) -> dict[str, str]:
    """Return a hash of all that a command left below a folder, times in records left out; parts are no results."""
    runs = {f"{name}/{file}": value for name, files in signatures(root).items() for file, value in files.items()}
    inside = [p for p in root.rglob("*") if p.is_file() and not any(x[0] == "." for x in p.relative_to(root).parts)]
    no_results = {root / "runs", root / "build/doctrees"}  # Sphinx notes there when it read what
    others = [p for p in inside if no_results.isdisjoint(p.parents) and not p.name.endswith(".part.npz")]
    return runs | {str(p.relative_to(root)): digest(_content(p)) for p in others}


def _content(path: Path) -> bytes:
    """Return a file's bytes; of an executed notebook without when and where, of a network's file what it answers.

    The converter names what is inside a network by counters of its process: a second export in one has other names.
    """
    if path.suffix == ".onnx":
        return (
            Network(path).outputs(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")).tobytes()
        )
    return cleaned(path).encode() if path.suffix == ".ipynb" else path.read_bytes()


def tables(root: Path) -> dict[str, str]:
    """Return a hash of every table of the report, when and how long left out."""
    found = {path.name: path.read_bytes() for path in sorted((root / "build" / "report" / "tables").glob("*.*"))}
    if "runs.csv" in found:
        runs = pd.read_csv(root / "build" / "report" / "tables" / "runs.csv").drop(columns=COLUMNS)
        found["runs.csv"] = runs.to_csv().encode()
    return {name: digest(data) for name, data in found.items()}


def differing(first: dict, second: dict) -> list[str]:
    """Return the names whose hashes differ, or that only one side has."""
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def distance(first: Path, second: Path) -> dict:
    """Return how far apart two runs of one configuration are, in outputs (0 to 1), answers and scores."""
    runs = [Run(folder) for folder in (first, second)]
    a, b = (outputs_of(run.record.config, run.predictions) for run in runs)
    one, two = (next(iter(scores_of(run).values())) for run in runs)
    return {
        "identical": signature(first) == signature(second),
        "predictions identical": bool((a == b).all()),
        "greatest": float(np.abs(a - b).max()),
        "median": float(np.median(np.abs(a - b))),
        "answers that differ": int((a.argmax(axis=1) != b.argmax(axis=1)).sum()),
        "faces": len(a),
        "score": [one.value, two.value],
    }
