"""Decoding beside what it was before data sets as people have them were read: CPU time, the two in turn."""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from statistics import median

from common import ROOT

BEFORE = "022d406"
"""The last commit before them."""
FACES, ROUNDS = 10_000, 7
UTKFACE = ROOT.parent / "shared" / "data" / "utkface.tar"
CHILD = """
import importlib, itertools, json, sys, tarfile, time
tar, codes, faces, rounds = sys.argv[1], sys.argv[2:4], int(sys.argv[4]), int(sys.argv[5])
decoders = []
for code in codes:
    sys.path.insert(0, code)
    decoders.append(importlib.import_module("gralib.data.faces").decode)
    for name in [name for name in sys.modules if name.split(".")[0] == "gralib"]:
        del sys.modules[name]
with tarfile.open(tar) as archive:
    files = itertools.islice((member for member in archive if member.isfile()), faces)
    blobs = [archive.extractfile(member).read() for member in files]
seconds = [[], []]
for _ in range(rounds):
    for spent, decode in zip(seconds, decoders):
        begun = time.process_time()
        decoded = [decode(blob) for blob in blobs]
        spent.append(time.process_time() - begun)
        assert not any(isinstance(face, str) for face in decoded)
print(json.dumps({"faces": len(blobs), "seconds": dict(zip(("before", "now"), seconds))}))
"""
"""Decodes the first pictures of an archive with two versions of the code, one after the other, in turn."""


def measure() -> dict:
    """Return the CPU seconds of both versions, round by round, on the first UTKFace pictures."""
    if not UTKFACE.exists():
        return {"left out": "the UTKFace pictures are not here"}
    with tempfile.TemporaryDirectory() as folder:
        archived = subprocess.run(["git", "archive", BEFORE, "gralib"], cwd=ROOT, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
            tar.extractall(folder, filter="data")
        words = [sys.executable, "-c", CHILD, UTKFACE, folder, ROOT, FACES, ROUNDS]
        done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"decoding failed:\n{done.stderr[-2000:]}")
    return {"before": BEFORE, **json.loads(done.stdout)}


def ratio(raw: dict) -> float:
    """Return how many times as long decoding takes now: the median over the rounds."""
    pairs = zip(raw["seconds"]["before"], raw["seconds"]["now"], strict=True)
    return median(now / before for before, now in pairs)
