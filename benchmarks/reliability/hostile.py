"""Bad data by the thousand, each kind in a process of its own. python hostile.py KIND INPUTS [FIRST].

Kinds: damaged trees and archives of the five layouts; what the project wrote (records, protocol, networks, pixels); and
uploads to the page and to `gra predict`. Tried in lots that are kept, so that it can be stopped.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED = 7
SHARES = {"formats": 50, "records": 15, "protocol": 13, "networks": 12, "pixels": 10}
"""Of 100 hostile inputs, how many are of which kind."""
LOT = 250
SLOWEST_S, PEAK_MIB = 10, 1024
"""What no input may take: seconds of processor, memory of the process."""
UPLOAD_PEAK_MIB = 2048
"""What the process may take that reads uploads: TensorFlow, the detector and the networks are in it."""


def lot(kind: str, inputs: int, first: int) -> dict:
    """Return how some inputs of a kind ended; in this process."""
    import fuzz
    import fuzz_kept

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if kind == "formats":
            return fuzz.hostile(folder, inputs, SEED, first)
        one = {
            "records": lambda: fuzz_kept.of_records(fuzz_kept.record_of_the_project()),
            "protocol": lambda: fuzz_kept.of_protocol(ROOT / "reports" / "protocol.yaml"),
            "networks": lambda: fuzz_kept.of_networks(Path(os.environ["GRA_TINY"])),
            "pixels": lambda: fuzz_kept.of_pixels(folder / "sound"),
            "uploads": lambda: fuzz_kept.of_uploads(ROOT / "gralib" / "visitors" / "networks"),
        }[kind]()
        return fuzz_kept.kept(one, folder / "tried", inputs, SEED, first)


def train(place: Path) -> None:
    """Export a small trained network with gates, in a process of its own: training takes more memory than reading."""
    import tiny

    from gralib import backend
    from gralib.export import export

    backend.start(1)
    with tempfile.TemporaryDirectory() as folder:
        export(tiny.train("gender", Path(folder)), place, gates=True)


def child(env: dict[str, str], *words: object) -> str:
    """Return what this program prints, called with words; ends the program with its error where it fails."""
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"hostile {' '.join(command[2:])}: status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.splitlines()[-1]


def tried(kind: str, inputs: int, build: Path) -> dict:
    """Try inputs of a kind, lot by lot, and return how all of them ended."""
    from gralib.files import write_text

    folder = build / "hostile"
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
           "GRA_TINY": str(folder / "tiny.onnx"), "TF_CPP_MIN_LOG_LEVEL": "3"}  # fmt: skip
    if kind == "networks" and not (folder / "tiny.onnx").exists():
        child(env, "train")
    lots = []
    for first in range(0, inputs, LOT):
        count = min(LOT, inputs - first)
        kept = folder / f"{kind}-{first}-{count}.json"
        if not kept.exists():
            write_text(kept, child(env, kind, count, first))
        lots.append(json.loads(kept.read_text()))
    ends: Counter = Counter()
    for one in lots:
        ends.update(one["ends"])
    return {"inputs": inputs, "seed": SEED, "slowest_s": max(one["slowest_s"] for one in lots),
            "peak_mib": max(one["peak_mib"] for one in lots), "ends": dict(sorted(ends.items()))}  # fmt: skip


def measure(inputs: int, build: Path) -> dict:
    """Share hostile inputs out among the kinds and return how they ended."""
    return {"kinds": {kind: tried(kind, inputs * share // 100, build) for kind, share in SHARES.items()}}


if __name__ == "__main__":
    if sys.argv[1] == "train":
        print(train(Path(os.environ["GRA_TINY"])))
    else:
        print(json.dumps(lot(sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["0"])[0]))))
