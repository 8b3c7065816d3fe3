"""Branch coverage of the library by the test suite."""

import json
import os
import subprocess
import sys

from common import BUILD, CORES, ROOT

WANTED = 90.0


def measure() -> dict:
    """Run the tests and return the share of lines and branches they reach, in all and by file."""
    out = BUILD / "coverage.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    words = ["--cov", "--cov-branch", f"--cov-report=json:{out}", "-n", str(CORES), "--dist", "loadfile", "-q"]
    env = {**os.environ, "COVERAGE_FILE": str(BUILD / ".coverage")}
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=env, capture_output=True, text=True)
    report = json.loads(out.read_text())
    files = {name: round(found["summary"]["percent_covered"], 1) for name, found in report["files"].items()}
    totals = report["totals"]
    return {
        "percent": round(totals["percent_covered"], 1),
        "branches": totals["num_branches"],
        "branches_percent": round(100 * totals["covered_branches"] / totals["num_branches"], 1),
        "below": dict(sorted((n, p) for n, p in files.items() if p < WANTED)),
        "tests": done.stdout.strip().splitlines()[-1].strip("= "),
        "status": done.returncode,
    }
