"""Killed anywhere: kill -9 at seeded random moments of a small study, called again until it is finished."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from common import BUILD, HERE, differing, environment, signatures, study_root, tables
from tqdm import tqdm

from gralib.files import write_text

KILLS = 50
SPANS = (0.05, 0.5)
"""A call is killed within one of these shares of the time that the whole study takes undisturbed, or after the longer
one when a file that is waited for does not come: half of the kills come early, half leave time to get on."""
AIMS = (
    "cache/.adience-*", "runs/*/weights.part.npz", "runs/*/checkpoint.part.npz", "runs/*/checkpoint.npz",
    "runs/faces/*", "runs/*/predictions.csv.bz2", "runs/*/history.csv", "runs/*/.record.json-*", "runs/*/record.json",
    "build/adience.ipynb", "build/report/tables/claims.csv",
)  # fmt: skip
"""Moments too short to be hit by chance: each third call is killed as soon as the next such file is there."""
EPOCH = re.compile(r"(\S+): epoch (\d+)/")
FINISHED = ("runs/*/record.json", "cache/adience-*/meta.json", "data/synthetic/adience/SYNTHETIC.txt")
"""Files that appear last: what is beside them is finished."""


def start(root: Path, log: Path) -> subprocess.Popen:
    """Start the study, or go on with it, in a process group of its own."""
    command = [str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(HERE / "study.smk"),
               "--cores", "1", "--quiet", "all", "--nolock", "--rerun-incomplete"]  # fmt: skip
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("w") as out:
        return subprocess.Popen(command, cwd=root, env=environment(root, PATH=path), stdout=out, stderr=out,
                                start_new_session=True)  # fmt: skip


def phase(root: Path, group: int) -> str:
    """Return what a process group is doing: the commands it runs, and how far a training is."""
    doing = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                words = (path / "cmdline").read_text().split("\0")
                if any(word.endswith("/gra") for word in words[:2]):
                    at = next(i for i, word in enumerate(words) if word.endswith("/gra"))
                    doing.add(" ".join(words[at + 1 : at + (3 if words[at + 1] == "data" else 2)]))
        except (OSError, ValueError):
            continue
    if "run" in doing:
        doing.discard("run")
        doing.add("run, later epochs" if list(root.glob("runs/*/checkpoint.npz")) else "run, no epoch done")
    return " + ".join(sorted(doing)) or "between two steps"


def finished_files(root: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of everything that is finished."""
    last = [path for pattern in FINISHED for path in root.glob(pattern)]
    found = [path for mark in last for path in mark.parent.glob("*") if path.is_file() and path.name[0] != "."]
    return {str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def epochs_done(root: Path) -> dict[str, int]:
    """Return how many epochs of every unfinished run a checkpoint holds."""
    done = {}
    for path in root.glob("runs/*/checkpoint.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            done[path.parent.name] = len(json.loads(str(arrays["history"])))
    return done


def wait(process: subprocess.Popen, root: Path, seconds: float, aim: str) -> str:
    """Wait until the process is to be killed; return why: 'time' after `seconds`, or `aim`; '' where it ends."""
    end, known = time.monotonic() + seconds, set(root.glob(aim)) if aim else set()
    while process.poll() is None:
        if aim and any(path not in known for path in root.glob(aim)):
            return aim
        if time.monotonic() > end:
            return "time"
        time.sleep(0.002 if aim else 0.05)
    return ""


def study(number: int, longest: float, kills: list[dict], aims: list[str], rng: np.random.Generator) -> dict:
    """Run one study to its end; a line is added to `kills` for every kill.

    Returns:
        What was done twice, and the state of the study: signatures, tables, files left lying about.
    """
    root = BUILD / "killed" / "study"
    shutil.rmtree(root, ignore_errors=True)
    study_root(root)
    before: dict = {}
    checkpoints: dict[str, int] = {}
    again, repeated, mine = [], [], 0
    while True:
        log = root.with_name(f"log-{number}-{mine}.txt")
        more = len(kills) < KILLS
        aim = aims.pop(0) if more and aims and mine % 3 == 0 else ""
        chance = rng.uniform(0.5, longest * rng.choice(SPANS) / max(SPANS))
        process = start(root, log)
        why = wait(process, root, chance if more and not aim else longest if more else 1e9, aim)
        doing = phase(root, process.pid) if why else ""
        if why:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        aims += [aim] if aim and why != aim else []
        lines = EPOCH.findall(log.read_text())
        repeated += [f"{run} epoch {n}" for run, n in lines if int(n) <= checkpoints.get(run, 0)]
        again += [name for name, was in before.items() if finished_files(root).get(name) != was]
        if not why and process.returncode:
            sys.exit(f"study {number} failed, see {log}")
        if not why:
            break
        kills.append({"study": number, "doing": doing, **({"at": aim} if aim and why == aim else {})})
        before, checkpoints, mine = finished_files(root), epochs_done(root), mine + 1
    return {"kills": mine, "done again": sorted(set(again)), "epochs repeated": repeated, **state(root)}


def state(root: Path) -> dict:
    """Return what a finished study holds."""
    hidden = [p for p in root.rglob("*") if p.is_file() and ".snakemake" not in p.parts and not p.is_symlink()
              and (p.name.endswith(".part.npz") or any(x[0] == "." and not x.endswith(".lock")
                   for x in p.relative_to(root).parts))]  # fmt: skip
    left = {"files": len(hidden), "kib": round(sum(p.stat().st_size for p in hidden) / 1024)}
    return {"runs": signatures(root), "tables": tables(root), "left behind": left}


def orphans(root: Path) -> list[int]:
    """Return the processes of a study that outlived it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"GRA_ROOT={root}\0".encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def measure() -> dict:
    """Kill and go on until there were as many kills as wanted; kept after every study, so that it can be stopped."""
    place = BUILD / "killed"
    place.mkdir(parents=True, exist_ok=True)
    kept = place / "so-far.json"
    if not (place / "reference.json").exists():
        shutil.rmtree(place / "reference", ignore_errors=True)
        root = study_root(place / "reference")
        begun = time.monotonic()
        if start(root, place / "reference.txt").wait():
            sys.exit(f"the reference study failed, see {place / 'reference.txt'}")
        took = {"seconds": round(time.monotonic() - begun, 1)}
        write_text(place / "reference.json", json.dumps({**state(root), **took}))
    reference = json.loads((place / "reference.json").read_text())
    found = json.loads(kept.read_text()) if kept.exists() else {"kills": [], "aims": list(AIMS), "studies": []}
    bar = tqdm(total=KILLS, initial=len(found["kills"]), desc="kills", unit="kill")
    while len(found["kills"]) < KILLS:
        number = len(found["studies"])
        longest = max(SPANS) * reference["seconds"]
        ended = study(number, longest, found["kills"], found["aims"], np.random.default_rng([11, number]))
        ended["runs that differ"] = differing(ended.pop("runs"), reference["runs"])
        ended["tables that differ"] = differing(ended.pop("tables"), reference["tables"])
        found["studies"].append(ended)
        write_text(kept, json.dumps(found))
        bar.update(len(found["kills"]) - bar.n)
    bar.close()
    time.sleep(5)
    phases = Counter(kill["doing"] for kill in found["kills"])
    return {"kills": found["kills"], "phases": dict(phases.most_common()), "studies": found["studies"],
            "reference_s": reference["seconds"], "aims missed": found["aims"],
            "processes left": len(orphans(place / "study"))}  # fmt: skip
