"""Files written whole or not at all."""

import os
import tempfile
from pathlib import Path

from gralib.errors import writing


def write_text(path: Path, text: str) -> None:
    """Write a file of text whole or not at all, its folder too if missing."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, its folder too if missing."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False)  # noqa: SIM115
        try:
            with part:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
