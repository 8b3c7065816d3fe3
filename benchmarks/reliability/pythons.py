"""The same numbers with every Python that the lock is for: an environment each, the same runs, a part of the tests."""

import json
import re
import subprocess
import sys
from pathlib import Path

from common import BUILD, ROOT, differing, digest, distance, environment, good

from gralib.files import write_text

PLACE = ROOT / "build" / "reliability" / "pythons"
"""Environments (2.5 GB each) by version; one that is there is used."""
ROOTS = BUILD / "pythons"
VERSIONS = ("3.11", "3.12", "3.13")
RUNS = ("gender", "age category, separable", "gender, hog")
"""Of `tests/tiny.py`: a network, one whose layers are Keras' own, one of scikit-image and scikit-learn."""
CHILD = """
import json, sys
from pathlib import Path
folder, names, packages = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
from gralib import backend
backend.start(1)
import importlib.metadata, platform, tiny
faces = tiny.draw("utkface", folder)
runs = {name: tiny.train(name, folder).folder.name for name in names}
print(json.dumps({"python": platform.python_version(), "fingerprint": faces.fingerprint, "runs": runs,
                  "packages": {name: importlib.metadata.version(name) for name in packages}}))
"""
FILES = ("weights.npz", "predictions.csv.bz2", "history.csv")
TESTS = ("ages", "faces", "known_scores", "packed", "repeats", "scores")
PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "keras", "tensorflow", "jax")


def python_of(version: str) -> Path | None:
    """Return the interpreter of an environment made from the lock with Python `version`; None if it cannot be had."""
    program = PLACE / version / "bin" / "python"
    if not program.exists():
        try:
            subprocess.run([f"python{version}", "-m", "venv", str(program.parents[1])], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        words = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", "requirements.lock"]
        good(subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True))
    return program


def made(version: str, program: Path) -> dict:
    """Draw, decode, train and test with an interpreter; return what came of it."""
    folder = ROOTS / version
    folder.mkdir(parents=True, exist_ok=True)
    words = [program, "-c", CHILD, folder, json.dumps(RUNS), json.dumps(PACKAGES)]
    paths = f"{ROOT}:{ROOT / 'tests'}"
    done = subprocess.run(words, env=environment(folder, PYTHONPATH=paths), capture_output=True, text=True)
    drawn = digest(b"".join(path.read_bytes() for path in sorted((folder / "utkface").rglob("*.jpg"))))
    return {**json.loads(good(done)), "drawn": drawn, "tests": tested(program)}


def hashes(run: Path) -> dict[str, str]:
    """Return the hashes of what a run left; a classical method has no weights."""
    return {name: digest((run / name).read_bytes()) for name in FILES if (run / name).exists()}


def tested(program: Path) -> str:
    """Return the last line of a part of the tests under an interpreter."""
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/test_{name}.py" for name in TESTS)]
    env = environment(ROOT, KERAS_BACKEND="none")
    done = subprocess.run([program, *words], cwd=ROOT, env=env, capture_output=True, text=True)
    return re.sub(r" in [\d.]+s.*", "", done.stdout.strip().splitlines()[-1])


def measure() -> dict:
    """Return what every Python that can be had makes of the same, and how far it is from what the first makes."""
    found: dict[str, dict] = {}
    apart: dict[str, dict] = {}
    for version in VERSIONS:
        print(f"reliability: pythons: {version}", file=sys.stderr, flush=True)
        if not (program := python_of(version)):
            continue
        kept = ROOTS / f"{version}.json"
        if not kept.exists():
            write_text(kept, json.dumps(made(version, program)))
        found[version] = json.loads(kept.read_text())
        first = next(iter(found))
        for name in found[version]["runs"] if version != first else ():
            ours, theirs = (ROOTS / v / "runs" / found[v]["runs"][name] for v in (version, first))
            same = not differing(*map(hashes, (ours, theirs)))
            apart.setdefault(name, {})[version] = {**distance(theirs, ours), "identical": same}
    return {"found": found, "apart": apart, "not here": [v for v in VERSIONS if v not in found]}
