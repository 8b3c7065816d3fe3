"""One archive of everything a reader in ten years needs: `python -m gralib.report.release` (`make release`).

Book, pages, tables, records, exported networks, lock, parts list (CycloneDX) and the files that say how to cite: the
same bytes from the same files.
"""

import csv
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from gralib.errors import UserError, from_root
from gralib.files import write_bytes, write_text

ARCHIVE, PARTS = "build/gra-net-reproduced.tar.gz", "build/sbom.cdx.json"
NAME = "gra-net-reproduced"
WHOLE = ("build/book", "reports", "book", "networks", "notebooks")
"""Folders that are packed as they are, where they exist."""
SINGLE = ("README.md", "LICENSE", "CITATION.cff", "codemeta.json", "requirements.lock", "pyproject.toml", PARTS)


def parts_list(lock: str, licences: dict[str, str] | None = None) -> dict:
    """Return the packages of a lock file as a CycloneDX document: name, version, licence, hashes of what may be had."""
    parts: list[dict] = []
    for block in re.split(r"\n(?=[a-zA-Z0-9])", lock):
        if found := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", block):
            name, version = found.groups()
            digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
            parts.append({
                "type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name.lower()}@{version}",
                "bom-ref": f"{name.lower()}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in digests],
            })  # fmt: skip
            if licence := (licences or {}).get(name.lower()):
                parts[-1]["licenses"] = [{"license": {"name": licence}}]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": parts}


def files() -> Iterator[Path]:
    """Yield what is packed, in order, relative to the checkout."""
    root = from_root(".")
    found = [path for folder in WHOLE for path in (root / folder).rglob("*") if path.is_file()]
    found += [root / name for name in SINGLE if (root / name).is_file()]
    for path in sorted(found):
        inside = path.relative_to(root)
        if not any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            yield inside


def pack() -> Path:
    """Write the archive and return it.

    Raises:
        UserError: the book is not built.
    """
    if not from_root("build/book/index.html").is_file():
        raise UserError("build/book/index.html: not found; make book builds it")
    lock = from_root("requirements.lock").read_text()
    with from_root("reports/licences.csv").open(encoding="utf-8", newline="") as file:
        licences = {row["name"]: row["licence"] for row in csv.DictReader(file)}
    write_text(from_root(PARTS), json.dumps(parts_list(lock, licences), indent=1) + "\n")
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for inside in files():
            data = from_root(inside).read_bytes()
            entry = tarfile.TarInfo(f"{NAME}/{inside.as_posix()}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    write_bytes(from_root(ARCHIVE), gzip.compress(held.getvalue(), mtime=0))
    return from_root(ARCHIVE)


if __name__ == "__main__":
    print(pack())
