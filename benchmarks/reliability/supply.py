"""What is handed on: a wheel and a release archive made twice, the list of parts, and the steps of Containerfile."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import container
from common import ROOT, digest
from packages import locked

from gralib.report import release

VALID = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "")
"""


def clone(folder: Path) -> Path:
    """Return a fresh clone of the last commit."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def called(folder: Path, *words: str) -> None:
    """Call a program in a clone, with its library; ends the program where it fails."""
    env = {**os.environ, "PYTHONPATH": str(folder), "GRA_ROOT": str(folder),
           "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def made(folder: Path) -> dict[str, str]:
    """Return hashes of the wheel and the release archive that a fresh clone makes."""
    tree = clone(folder)
    for target in ("wheel", "release"):
        called(tree, "make", target, "ENV=", f"BIN={Path(sys.executable).parent}")
    (wheel,) = (tree / "build" / "dist").glob("*.whl")
    return {"wheel": digest(wheel.read_bytes()), "archive": digest((tree / release.ARCHIVE).read_bytes()),
            "parts": digest((tree / release.PARTS).read_bytes())}  # fmt: skip


def valid(document: dict, tools: Path) -> str:
    """Return what CycloneDX's own schema says against a list of parts; nothing where it is valid."""
    done = subprocess.run([sys.executable, "-c", VALID], input=json.dumps(document), capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tools)})  # fmt: skip
    return done.stdout.strip() or done.stderr.strip()[-300:]


def measure(tools: Path) -> dict:
    """Return whether all is the same twice, what the list of parts lacks, and what the Containerfile installed."""
    pins = locked()
    with tempfile.TemporaryDirectory() as place:
        twice = [made(Path(place) / name) for name in ("one", "another")]
        document = json.loads((Path(place) / "one" / release.PARTS).read_text())
        built = container.build(Path(place))
    listed = {part["name"].lower(): part["version"] for part in document["components"]}
    here = {name: version for name, version in built.pop("installed").items() if name in pins}
    return {
        "twice": {name: twice[0][name] == twice[1][name] for name in twice[0]},
        "parts": {"listed": len(listed), "as locked": listed == pins, "against the schema": valid(document, tools)},
        "container": {**built, "locked": len(here), "otherwise": sorted(n for n in here if here[n] != pins[n])},
    }
