"""The packages: licences of all that are locked, and the age of those the project asks for itself."""

import csv
import io
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
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


def licence(found: Message, texts: list[str]) -> str:
    """Return the licence a package states: its expression, else its classifiers, else the start of a text of it."""
    if found["License-Expression"]:
        return found["License-Expression"]
    known = [c.split(" :: ")[-1] for c in found.get_all("Classifier") or () if c.startswith("License ::")]
    known = [c for c in known if c != "OSI Approved"]
    first = next((line.strip(" #*") for text in [found["License"] or "", *texts] for line in text.splitlines() if
                  line.strip(" #*") and not line.strip().lower().startswith("copyright")), "")  # fmt: skip
    return "; ".join(known) or first[:SHORT] or "not stated"


def installed(name: str) -> str | None:
    """Return the licence of an installed package, None where it is not installed."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    texts = [path.read_binary().decode(errors="replace") for path in found.files or () if _of_licence(path.name)]
    return licence(found.metadata, texts)  # type: ignore[arg-type]


def fetched(pins: dict[str, str]) -> dict[str, str]:
    """Return the licences of packages that other systems and Pythons need, from their wheels."""
    words = ["--no-deps", "--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.12", "--quiet"]
    known = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, version in pins.items():
            command = [sys.executable, "-m", "pip", "download", *words, "-d", folder, f"{name}=={version}"]
            subprocess.run(command, capture_output=True)
        for path in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(path) as wheel:
                inside = [n for n in wheel.namelist() if ".dist-info/" in n]
                texts = [wheel.read(n).decode(errors="replace") for n in inside if _of_licence(Path(n).name)]
                head = next(wheel.read(n).decode() for n in inside if n.endswith("/METADATA"))
            found = message_from_string(head)
            known[found["Name"].lower()] = licence(found, texts)
    return known


def _of_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING")) and not name.endswith((".py", ".pyc"))


def licences() -> dict[str, int]:
    """Write reports/licences.csv and return how many packages state each licence."""
    pins = locked()
    known = {name: installed(name) for name in pins}
    known |= fetched({name: pins[name] for name, said in known.items() if said is None})
    rows = [(name, version, known[name] or "not to be had here") for name, version in sorted(pins.items())]
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


def measure(tools: Path) -> dict:
    """Return licences and ages."""
    return {"locked": len(locked()), "licences": licences(), "latest release": ages(tools)}
