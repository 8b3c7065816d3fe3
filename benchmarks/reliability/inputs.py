"""Data sets as people have them: how each made case ends, and whether the real sets count as ever."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from common import ROOT, good

from gralib.data.formats import load
from gralib.data.manifest import COPY

CASES = ROOT / "reports" / "input-cases.csv"
SHARED = ROOT.parent / "shared" / "data"
REAL = {
    "utkface": ("utkface.tar", 23_708, 23_708), "fgnet": ("fgnet.tar", 1_002, 1_002),
    "adience": ("adience.tar", 19_370, 17_095), "wikipedia": ("wikipedia", 62_328, 38_138),
}  # fmt: skip
"""Where the files are, the rows they always had, and the faces (of Wikipedia those that fit the rule)."""
FITS = "fits the rule, picture not here"


def measure(shared: Path = SHARED) -> dict:
    """Write reports/input-cases.csv anew, and count the real sets that are here."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "none"}
    good(
        subprocess.run([sys.executable, "tests/data/test_inputs.py"], cwd=ROOT, env=env, capture_output=True, text=True)
    )
    with CASES.open(encoding="utf-8", newline="") as file:
        cases = len(list(csv.DictReader(file)))
    return {"cases": cases, "real": {name: _counted(name, shared) for name in REAL}}


def _counted(name: str, shared: Path) -> dict:
    """Return rows, faces and copies of a real set, and what the first two always were; nothing where it is not here."""
    place, rows, faces = REAL[name]
    if not (shared / place).exists():
        return {}
    manifest = load(name, shared / place)
    reasons = manifest.rows["reason"]
    found = len(manifest.kept) or int((reasons == FITS).sum())
    copies = int(reasons.str.startswith(COPY).sum())
    return {"rows": len(manifest.rows), "faces": found, "copies": copies, "as ever": [rows, faces]}


def as_ever(real: dict) -> bool:
    """Tell whether the real sets that are here have the rows and, with copies, the faces that they always had."""
    return all([d["rows"], d["faces"] + d["copies"]] == d["as ever"] for d in real.values() if d)
