"""Same twice: one configuration in several processes, by one worker or two, interrupted, on another engine."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import BUILD, CORES, GRA, distance, drawn, environment, good, gra, otherwise, signatures, study_root

SUBJECTS = 120
ENGINES: dict[str, dict[str, str]] = {"tensorflow": {}, "jax": {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}}
OTHER: dict[str, dict[str, dict[str, str]]] = {
    "tensorflow": {
        "oneDNN held to AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    },
    "jax": {"XLA held to AVX2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}},
}
"""Stand-ins for another processor: the same one, told to use fewer of its instructions."""
SMALL = ("--set", "width=2", "--set", "epochs=8")
GRID = ("--set", "network=separable", "--set", "epochs=2")
"""Six runs of a network that is compiled quickly."""


def words(faces: Path, *more: object) -> list[str]:
    """Return a run on all faces, `more` deciding which."""
    return ["run", "--task", "gender", "--preset", "smoke", "--root", str(faces), *map(str, more)]


def grid_words(faces: Path, workers: int) -> list[str]:
    """Return a grid of six runs."""
    rest = ("--preset", "smoke", "--seeds", 1, *GRID, "--root", faces, "--workers", workers)
    return ["grid", "gate_ablation", *map(str, rest)]


def interrupted(root: Path, faces: Path, env: dict[str, str]) -> None:
    """Kill a run when its fourth epoch is done, once, and call it again."""
    command = [GRA, *words(faces, *SMALL, "--progress", "lines")]
    if not (root / "runs").exists():
        process = subprocess.Popen(command, env=environment(root, **env), cwd=root, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
        for line in process.stderr or ():
            if "epoch 4/" in line:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    good(gra(root, *words(faces, *SMALL, "--progress", "none"), **env))


def only_run(root: Path) -> Path:
    """Return the folder of the one finished run of a study root."""
    (record,) = root.glob("runs/*/record.json")
    return record.parent


def measure() -> dict:
    """Run everything that was not run yet, and return how far apart what should be equal is."""
    faces, place = drawn("utkface", SUBJECTS), BUILD / "twice"
    place.mkdir(exist_ok=True)
    jobs, roots = [], {}

    def job(engine: str, name: str, *more: object, **env: str) -> None:
        root = roots[engine, name] = study_root(place / f"{engine}-{name.replace(' ', '-')}")
        call = words(faces, *SMALL, "--progress", "none", *more)
        if name == "interrupted":
            jobs.append(lambda: interrupted(root, faces, ENGINES[engine]))
        else:
            jobs.append(lambda: good(otherwise(root, env, *call, **ENGINES[engine])))

    for engine in ENGINES:
        for name in ("once", "again", "interrupted"):
            job(engine, name)
        job(engine, "one epoch", "--set", "epochs=1")
        for name, env in OTHER[engine].items():
            job(engine, name, **env)
    job("tensorflow", "two threads", "--threads", 2)
    with ThreadPoolExecutor(CORES) as pool:
        for done in [pool.submit(each) for each in jobs]:
            done.result()
    found: dict = {}
    for engine in ENGINES:
        once = only_run(roots[engine, "once"])
        names = [name for e, name in roots if e == engine and name not in ("once", "one epoch")]
        found[engine] = {name: distance(once, only_run(roots[engine, name])) for name in names}
        found[engine]["one worker, two workers"] = workers(engine, faces, place)
    for name in ("one epoch", "once"):
        found.setdefault("tensorflow, jax", {})[name] = distance(*(only_run(roots[e, name]) for e in ENGINES))
    return found


def workers(engine: str, faces: Path, place: Path) -> dict:
    """Train a grid by one worker and by two, and its last run alone; return whether all are the same."""
    left = {}
    for count in (1, 2):
        root = study_root(place / f"{engine}-workers-{count}")
        good(gra(root, *grid_words(faces, count), **ENGINES[engine]))
        left[count] = signatures(root)
    alone = study_root(place / f"{engine}-alone")
    good(gra(alone, *words(faces, *GRID, "--progress", "none"), **ENGINES[engine]))
    same = left[1] == left[2]
    return {"identical": same, "runs": len(left[1]), "alone identical": signatures(alone).items() <= left[1].items()}
