"""Known vulnerabilities of the locked packages, from a snapshot of advisories that somebody hands over as a file.

python advisories.py FILE prints them. The file is of the Open Source Vulnerability format (osv.dev): a .json or .jsonl,
a folder or a .zip of .json or .yaml, such as OSV's `all.zip` of PyPI or a download of PyPA's advisory database. Looked
at too: pip-audit asks a service and has no such door; osv-scanner is no Python package.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from packages import locked
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gralib.errors import UserError


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of every file of a snapshot."""
    if path.is_dir():
        yield from ((p.name, p.read_text()) for p in sorted(path.rglob("*")) if p.suffix in (".json", ".yaml", ".yml"))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith((".json", ".yaml", ".yml")):
                    yield name, archive.read(name).decode()
    elif path.suffix == ".jsonl":
        yield from ((path.name, line) for line in path.read_text().splitlines() if line.strip())
    else:
        yield path.name, path.read_text()


def read(path: Path) -> list[dict]:
    """Return the advisories of a snapshot.

    Raises:
        UserError: no such file, or one without an advisory.
    """
    found: list[dict] = []
    try:
        for name, text in texts(path):
            held = json.loads(text) if not name.endswith((".yaml", ".yml")) else yaml.safe_load(text)
            found += held if isinstance(held, list) else held.get("vulns", [held])
    except (OSError, ValueError, AttributeError, yaml.YAMLError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: expected advisories of the OSV format; {' '.join(str(error).split())}") from None
    if not found or not all(isinstance(one, dict) and "id" in one and "modified" in one for one in found):
        raise UserError(f"{path}: expected advisories of the OSV format, each with id and modified")
    return found


def concerns(affected: dict, version: Version) -> bool:
    """Tell whether a version is among those that an advisory's `affected` names, in its list or in its ranges."""
    if str(version) in {str(known) for known in map(_version, affected.get("versions", ())) if known}:
        return True
    return any(_inside(span["events"], version) for span in affected.get("ranges", ()) if span["type"] == "ECOSYSTEM")


def _inside(events: list[dict], version: Version) -> bool:
    """Tell whether a version lies in a range: OSV's rule, the last event at or below the version decides."""
    inside = False
    for kind, at in sorted((pair for event in events for pair in event.items()), key=_place):
        known = _version(at)
        if kind == "introduced" and (at == "0" or (known and version >= known)):
            inside = True
        elif known and (version >= known if kind == "fixed" else kind == "last_affected" and version > known):
            inside = False
    return inside


def _place(pair: tuple[str, str]) -> tuple[Version, bool]:
    """Order the events of a range; a version that is introduced and fixed at once is fixed."""
    return _version(pair[1]) or Version("0"), pair[0] != "introduced"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def audit(path: Path, pins: dict[str, str]) -> dict:
    """Return what a snapshot says of packages by name and version: ids of advisories that were not withdrawn.

    Returns:
        file, its SHA-256, advisories, `until` (date of the newest one), audited, vulnerable (ids by package).

    Raises:
        UserError: as `read`.
    """
    advisories = read(path)
    wanted = {canonicalize_name(name): version for name, version in pins.items()}
    bad: dict[str, list[str]] = {}
    for one in advisories:
        for affected in () if one.get("withdrawn") else one.get("affected", ()):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            if package.get("ecosystem") == "PyPI" and name in wanted and concerns(affected, Version(wanted[name])):
                bad.setdefault(name, []).append(one["id"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return {"file": path.name, "sha256": digest, "advisories": len(advisories), "audited": len(wanted),
            "until": max(str(one["modified"]) for one in advisories)[:10],
            "vulnerable": {name: sorted(set(ids)) for name, ids in sorted(bad.items())}}  # fmt: skip


if __name__ == "__main__":
    try:
        found = audit(Path(sys.argv[1]), locked())
    except UserError as error:
        sys.exit(f"advisories: {error}")
    print(f"{found['audited']} packages, {found['advisories']} advisories up to {found['until']}")
    for name, ids in found["vulnerable"].items():
        print(f"{name}: {', '.join(ids)}")
    sys.exit(bool(found["vulnerable"]))
