"""Two at once: the same run, and the same grid, asked for by two processes in one cold study root."""

import shutil
import subprocess
import time
from pathlib import Path

import twice
from common import BUILD, GRA, drawn, environment, good, gra, signatures, study_root

from gralib.training.grids import configs_of


def both(root: Path, command: list[str], records: int) -> dict:
    """Run a command in two processes at once and return how they ended and which records were seen meanwhile."""
    pair = [subprocess.Popen([GRA, *command], cwd=root, env=environment(root), text=True, stdout=subprocess.PIPE,
                             stderr=(root / f"log-{i}").open("w")) for i in range(2)]  # fmt: skip
    seen: set[tuple[str, int, int]] = set()
    while any(process.poll() is None for process in pair):
        for path in root.glob("runs/*/record.json"):
            stat = path.stat()
            seen.add((path.parent.name, stat.st_ino, stat.st_mtime_ns))
        time.sleep(0.02)
    printed = [process.communicate()[0] for process in pair]
    logs = [(root / f"log-{i}").read_text() for i in range(2)]
    return {
        "statuses": [process.returncode for process in pair],
        "both say the same": printed[0] == printed[1],
        "epochs trained": sum(log.count(": epoch ") for log in logs),
        "records written": len(seen),
        "records wanted": records,
        "faces decoded to": len(list(root.glob("cache/utkface-*"))),
    }


def measure() -> dict:
    """Return how two runs at once and two grids at once ended, beside one alone."""
    faces, place = drawn("utkface", twice.SUBJECTS), BUILD / "twice"
    place.mkdir(exist_ok=True)
    grid, run = twice.grid_words(faces, 1), twice.words(faces, *twice.GRID, "--progress", "lines")
    wanted = len(configs_of("gate_ablation", 1, preset="smoke"))
    found = {}
    for name, command, alone, records in (
        ("run", run, "tensorflow-alone", 1),
        ("grid", grid, "tensorflow-workers-1", wanted),
    ):
        good(gra(study_root(place / alone), *command))  # read back where the part before has trained it
        root = BUILD / "together" / name
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(exist_ok=True)
        ended = both(study_root(root), command, records)
        found[name] = {**ended, "as one alone": signatures(root) == signatures(place / alone)}
    return found
