"""The packages: licences of all that are locked; age and known vulnerabilities of those the project asks for itself."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from common import ROOT
from packaging.requirements import Requirement

from gralib.files import write_text

AGES = (90, 180, 365, 730)
"""Days; the latest release of a package is younger than the first of these at which another one was the latest."""
SHORT = 60


def locked() -> dict[str, str]:
    """Return the version of every package of requirements.lock."""
    lock = (ROOT / "requirements.lock").read_text()
    return {m[1].lower(): m[2] for m in re.finditer(r"^([A-Za-z0-9._-]+)==([^ \\]+)", lock, re.MULTILINE)}


def direct() -> list[str]:
    """Return the packages that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(Requirement(x).name for x in project["dependencies"] + project["optional-dependencies"]["dev"])


def licence(name: str) -> str:
    """Return the licence an installed package states: its expression, else its classifiers, else its text's start."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return "not installed on this system"
    if found["License-Expression"]:
        return found["License-Expression"]
    known = [c.split(" :: ")[-1] for c in found.get_all("Classifier") or () if c.startswith("License ::")]
    known = [c for c in known if c != "OSI Approved"]
    text = (found["License"] or "").strip().split("\n")[0]
    return "; ".join(known) or text[:SHORT] or "not stated in the package's metadata"


def licences() -> dict[str, int]:
    """Write reports/licences.csv and return how many packages state each licence."""
    rows = [(name, version, licence(name)) for name, version in sorted(locked().items())]
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows([("name", "version", "licence"), *rows])
    write_text(ROOT / "reports" / "licences.csv", held.getvalue())
    counts: dict[str, int] = {}
    for *_, text in rows:
        counts[text] = counts.get(text, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def latest(names: list[str], before: datetime, tools: Path) -> dict[str, str]:
    """Return the latest version of every package that was released before a day, by name."""
    command = [str(tools / "bin" / "uv"), "pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate",
               "--python-version", "3.11", "--exclude-newer", before.strftime("%Y-%m-%d"), "-"]  # fmt: skip
    done = subprocess.run(command, input="\n".join(names), capture_output=True, text=True)
    return {m[1]: m[2] for m in re.finditer(r"^([\w.-]+)==(\S+)", done.stdout, re.MULTILINE)}


def ages(tools: Path) -> dict[str, str]:
    """Return how old the latest release of every direct dependency is, in steps of `AGES`."""
    now, names = datetime.now(UTC), direct()
    newest = latest(names, now + timedelta(days=1), tools)
    then = {days: latest(names, now - timedelta(days=days), tools) for days in AGES}
    found = {}
    for name in names:
        key = name.lower()
        older = [days for days in AGES if then[days].get(key) == newest.get(key)]
        if key not in newest or not all(then.values()):
            found[name] = "unknown: no answer from the package index"
        else:
            found[name] = f"over {max(older)} days" if older else f"under {AGES[0]} days"
    return found


def audit(tools: Path) -> dict:
    """Return what pip-audit says of the direct dependencies in their locked versions."""
    pins = locked()
    file = tools.with_name("direct.txt")
    write_text(file, "".join(f"{name}=={pins[name.lower()]}\n" for name in direct()))
    command = [sys.executable, "-m", "pip_audit", "-r", str(file), "--no-deps", "--disable-pip", "-s", "pypi",
               "-f", "json", "--progress-spinner", "off"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tools)})
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except ValueError:
        error = (done.stderr.strip().splitlines() or ["no answer"])[-1].split(":")[0]
        return {"audited": 0, "not audited": len(direct()), "why": f"pip-audit ended with {error}"}
    skipped = [row for row in rows if "skip_reason" in row]
    bad = {row["name"]: [v["id"] for v in row["vulns"]] for row in rows if row.get("vulns")}
    why = skipped[0]["skip_reason"] if skipped else ""
    return {"audited": len(rows) - len(skipped), "not audited": len(skipped), "why": why, "vulnerable": bad}


def measure(tools: Path) -> dict:
    """Return licences, ages and known vulnerabilities."""
    return {"locked": len(locked()), "licences": licences(), "latest release": ages(tools), "audit": audit(tools)}
