"""Every command that writes, killed: kill -9 of its process group at a seeded moment, and the same call again.

Half of the moments are drawn from the whole of a call, half from what is left of it after its first change of a file.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import BUILD, GRA, ROOT, differing, drawn, environment, good, gra, left, study_root
from tqdm import tqdm

from gralib.files import write_text

SEED = 13
SMALL = ("--preset", "smoke", "--set", "network=separable", "--set", "width=2", "--set", "epochs=6")
BOOK = ("make", "--file", ROOT / "Makefile", "ENV=", f"BIN={Path(GRA).parent}", "book")


class Door(NamedTuple):
    """A command: its words, and what it starts from: nothing, a finished run, or a written report."""

    words: tuple
    start: str = ""


class Moments(NamedTuple):
    """Seconds until an undisturbed call changes its first file, and until it ends."""

    first: float
    end: float


def doors(run_id: str, pictures: Path) -> dict[str, Door]:
    """Return the commands by name; `{run}` is the folder of a store with a finished run."""
    photo = next(pictures.rglob("*.jpg"))
    return {
        "decoding": Door((GRA, "data", "check", "utkface", "--root", pictures, "--json")),
        "training, checkpoint, record": Door(
            (GRA, "run", "--task", "gender", *SMALL, "--root", pictures, "--again", "--progress", "none")
        ),
        "keep": Door((GRA, "keep", run_id), "run"),
        "import": Door((GRA, "records", "import", "runs"), "run"),
        "export": Door((GRA, "export", run_id), "run"),
        "prediction": Door((GRA, "predict", photo, "--faces", "whole", "--draw", "answer.png")),
        "notebook": Door((GRA, "notebook", "model_tour", "-p", "width=2")),
        "report": Door((GRA, "report"), "run"),
        "book": Door(BOOK, "run"),
    }


def begin(root: Path, door: Door) -> subprocess.Popen:
    """Start a command in a process group of its own."""
    out = (root.parent / "log.txt").open("w")
    words = [str(word) for word in door.words]
    return subprocess.Popen(words, cwd=root, env=environment(root), stdout=out, stderr=out, start_new_session=True)


def files(root: Path) -> set[Path]:
    """Return all files and folders below a folder, hidden ones too."""
    return set(root.rglob("*"))


def prepared(place: Path, door: Door, pictures: Path) -> Path:
    """Return a study root that a command starts from."""
    root = study_root(place / "before")
    if not (root / "book").exists():
        (root / "book").symlink_to(ROOT / "book")
    if door.start == "run" and not (root / "runs").exists():
        good(gra(root, "run", "--task", "gender", *SMALL, "--root", pictures, "--again", "--progress", "none"))
    return root


def watched(before: Path, root: Path, door: Door) -> Moments:
    """Call a command undisturbed and return its moments."""
    shutil.copytree(before, root, symlinks=True)
    known, first, began = files(root), 0.0, time.monotonic()
    process = begin(root, door)
    while process.poll() is None:
        if not first and files(root) - known:
            first = time.monotonic() - began
        time.sleep(0.01)
    if process.returncode:
        sys.exit(f"{door.words} failed:\n{(root.parent / 'log.txt').read_text()[-2000:]}")
    return Moments(first, time.monotonic() - began)


def killed(before: Path, root: Path, door: Door, moments: Moments, rng: np.random.Generator) -> float | None:
    """Start a command on a copy and kill it; return when, or None where it had ended by then."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(before, root, symlinks=True)
    aimed, chance = rng.random() < 0.5, rng.random()
    known, began = files(root), time.monotonic()
    process = begin(root, door)
    until = (moments.end - moments.first if aimed else moments.end) * chance
    while aimed and process.poll() is None and not files(root) - known:
        time.sleep(0.002)
    began = time.monotonic() if aimed else began
    while process.poll() is None and time.monotonic() - began < until:
        time.sleep(0.002)
    if process.poll() is not None:
        return None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return round(time.monotonic() - began, 2)


def tried(name: str, door: Door, kills: int, pictures: Path) -> dict:
    """Kill a command so many times and call it again to its end; kept after each, so that it can be stopped."""
    place = BUILD / "doors" / name.split(",")[0]
    kept = place / "so-far.json"
    found = json.loads(kept.read_text()) if kept.exists() else {"kills": [], "missed": 0}
    before = prepared(place, door, pictures)
    shutil.rmtree(place / "root", ignore_errors=True)
    moments = watched(before, place / "root", door)
    expected = left(place / "root")  # where the killed calls will be: a book inside this checkout names its sources
    bar = tqdm(total=kills, initial=len(found["kills"]), desc=name, unit="kill")
    while len(found["kills"]) < kills:
        number = len(found["kills"]) + found["missed"]
        when = killed(before, place / "root", door, moments, np.random.default_rng([SEED, number]))
        found["missed"] += when is None
        if when is not None:
            again = begin(place / "root", door).wait()
            apart = differing(left(place / "root"), expected)[:3] if not again else []
            found["kills"].append({"after": when, "status": again, "differs": apart})
            bar.update()
        write_text(kept, json.dumps(found))
    bar.close()
    return {**found, "kills": found["kills"][:kills], "first change_s": round(moments.first, 1),
            "seconds": round(moments.end, 1)}  # fmt: skip


def measure(kills: int) -> dict:
    """Kill every command `kills` times and return how the calls after them ended."""
    pictures = drawn("utkface", 60)
    root = study_root(BUILD / "doors" / "run")
    run_id = good(gra(root, "run", "--task", "gender", *SMALL, "--root", pictures, "--again", "--progress", "none"))
    return {"doors": {name: tried(name, door, kills, pictures)
                      for name, door in doors(run_id.strip(), pictures).items()}}  # fmt: skip
