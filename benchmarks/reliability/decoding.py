"""Decoding beside what it was before data sets as people have them were read: CPU time, the two in turn."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from statistics import median

from common import ROOT

BEFORE = "022d406"
"""The last commit before them."""
FACES, ROUNDS = 10_000, 7
UTKFACE = ROOT.parent / "shared" / "data" / "utkface.tar"
CHILD = """
import sys, tarfile, tempfile, time
from gralib.faces import decode, open_faces
with tarfile.open(sys.argv[1]) as tar:
    blobs = [tar.extractfile(member).read() for member in tar]
begun = time.process_time()
for blob in blobs:
    decode(blob)
alone = time.process_time() - begun
with tempfile.TemporaryDirectory() as folder:
    begun = time.process_time()
    faces = open_faces("utkface", sys.argv[1], cache=folder, progress=False)
    whole = time.process_time() - begun
print(len(faces), alone, whole)
"""
"""Decodes one picture after the other, then opens the set from an empty cache: seconds of CPU time of all threads."""


def measure() -> dict:
    """Return the CPU seconds of both versions, round by round, on the first UTKFace pictures."""
    if not UTKFACE.exists():
        return {"left out": "the UTKFace pictures are not here"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        archived = subprocess.run(["git", "archive", BEFORE, "gralib"], cwd=ROOT, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
            tar.extractall(folder / "before", filter="data")
        some = folder / "UTKFace.tar"
        _first(UTKFACE, some)
        seconds: dict[str, list[list[float]]] = {"before": [], "now": []}
        for _ in range(ROUNDS):
            for name, code in (("before", folder / "before"), ("now", ROOT)):
                faces, *spent = _spent(code, some)
                if faces != FACES:
                    sys.exit(f"decoding: expected {FACES} faces, got {faces:.0f} {name}")
                seconds[name].append(spent)
    return {"faces": FACES, "before": BEFORE, "seconds": seconds}


def _first(source: Path, target: Path) -> None:
    """Copy the first pictures of an archive."""
    with tarfile.open(source) as tar, tarfile.open(target, "w") as out:
        for member in [member for member in tar if member.isfile()][:FACES]:
            out.addfile(member, tar.extractfile(member))


def _spent(code: Path, pictures: Path) -> list[float]:
    """Return faces, seconds of decoding alone, and of opening the set, of a version of the code."""
    env = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-c", CHILD, str(pictures)]
    done = subprocess.run(words, cwd=code, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"decoding with the code of {code} failed:\n{done.stderr[-2000:]}")
    return [float(word) for word in done.stdout.split()]


def ratios(raw: dict) -> tuple[float, float]:
    """Return how many times as long decoding alone, and opening the set, take now: medians over the rounds."""
    before, now = (raw["seconds"][name] for name in ("before", "now"))
    pairs = [[n / b for b, n in zip(*both, strict=True)] for both in zip(before, now, strict=True)]
    alone, whole = (median(part) for part in zip(*pairs, strict=True))
    return alone, whole


if __name__ == "__main__":
    print(json.dumps(measure()))
