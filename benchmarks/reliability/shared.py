"""Several processes on one store, killed at random for a while: no run twice, no mixed record.

python shared.py STORE SEED is one of them: it asks for the same runs as the others, in an order of its own.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import BUILD, differing, drawn, environment, signature, study_root
from tqdm import tqdm

from gralib.config import RunConfig, configure
from gralib.training import records

AHEAD = 8
"""Runs of which a process takes the next by chance: so several want the same one, and several are trained at once."""
LIVES = (30.0, 150.0)
"""Seconds that a process lives, drawn by chance."""
SAMPLE = 6
"""Runs that are trained again, alone, and compared."""


def config(seed: int) -> RunConfig:
    """Return the configuration of a run by its number."""
    return configure("smoke", task="gender", network="separable", width=2, epochs=4, train_faces=96, batch_size=32,
                     seed=seed)  # fmt: skip


def work(store: Path, pictures: Path, order: int) -> None:
    """Ask for one run after the other until killed."""
    from gralib.data.faces import open_faces
    from gralib.training.experiment import run

    faces = open_faces("utkface", pictures, store.parent / "cache", progress=False)
    rng = np.random.default_rng(order)
    for block in itertools.count():
        for seed in rng.permutation(AHEAD) + AHEAD * block:
            print(run(config(int(seed)), faces, store, again=True, progress="none").record.run_id, flush=True)


def begun(root: Path, pictures: Path, number: int) -> subprocess.Popen:
    """Start a process on the store of a root."""
    log = (root / "log.txt").open("a")
    words = [sys.executable, __file__, str(root / "runs"), str(pictures), str(number)]
    return subprocess.Popen(words, env=environment(root), stdout=log, stderr=log, start_new_session=True)


def watch(root: Path, pictures: Path, processes: int, seconds: float, seen: dict[str, set]) -> tuple[int, list[int]]:
    """Let processes work, kill and start them anew; return kills, and the statuses of those that ended otherwise."""
    rng, numbers, ended = np.random.default_rng(3), itertools.count(), []
    alive: dict[subprocess.Popen, float] = {}
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        while len(alive) < processes:
            alive[begun(root, pictures, next(numbers))] = time.monotonic() + rng.uniform(*LIVES)
        for process, until in list(alive.items()):
            if process.poll() is not None:
                ended.append(process.returncode)
                del alive[process]
            elif time.monotonic() > until:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                del alive[process]
                kills += 1
        note(root, seen)
        time.sleep(0.05)
    for process in alive:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return kills + len(alive), ended


def note(root: Path, seen: dict[str, set]) -> None:
    """Note which record files were ever there: one that is written again is another file."""
    for path in root.glob("runs/*/record.json"):
        stat = path.stat()
        seen.setdefault(path.parent.name, set()).add((stat.st_ino, stat.st_mtime_ns))


def trained(root: Path, pictures: Path, configs: list[RunConfig], store: str) -> list[records.Run]:
    """Return runs of a store of the root, trained or brought to their end here where they are not finished."""
    from gralib import backend
    from gralib.data.faces import open_faces
    from gralib.training.experiment import run

    backend.start(1)
    faces = open_faces("utkface", pictures, root / "cache", progress=False)
    return [run(one, faces, root / store, again=True, progress="none") for one in configs]


def unfinished(root: Path, pictures: Path) -> list[RunConfig]:
    """Return the configurations of runs that were begun and have no record."""
    from gralib.data.faces import open_faces

    waiting = {p.name for p in (root / "runs").glob("[!.]*-gender-*") if not (p / "record.json").exists()}
    fingerprint = open_faces("utkface", pictures, root / "cache", progress=False).fingerprint
    found: list[RunConfig] = []
    for seed in itertools.count():
        if len(found) == len(waiting):
            return found
        found += [one for one in (config(seed),) if one.run_id(fingerprint) in waiting]
    return found


def measure(processes: int, minutes: float) -> dict:
    """Return what became of a store on which so many processes worked for so many minutes."""
    root, pictures = BUILD / "shared", drawn("utkface", 60)
    shutil.rmtree(root, ignore_errors=True)
    study_root(root)
    (root / "runs").mkdir()
    seen: dict[str, set] = {}
    with tqdm(total=1, desc=f"{processes} processes, {minutes:g} minutes") as bar:
        kills, ended = watch(root, pictures, processes, 60 * minutes, seen)
        bar.update()
    note(root, seen)
    left = unfinished(root, pictures)
    trained(root, pictures, left, "runs")
    note(root, seen)
    runs, problems = records.gather([root / "runs"])
    order = np.random.default_rng(4).permutation(len(runs))
    chosen = [runs[i] for i in order[:SAMPLE]]
    again = trained(root, pictures, [run.record.config for run in chosen], "alone")
    apart = [one.folder.name for one, other in zip(chosen, again, strict=True)
             if differing(signature(one.folder), signature(other.folder))]  # fmt: skip
    return {
        "processes": processes, "minutes": minutes, "kills": kills, "ended by themselves": ended, "runs": len(runs),
        "written twice": sorted(name for name, files in seen.items() if len(files) > 1), "problems": problems,
        "unfinished": len(left), "compared": len(chosen), "otherwise than alone": apart,
        "said": [line for line in (root / "log.txt").read_text().splitlines() if not line.startswith("utkface-")][:5],
    }  # fmt: skip


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
