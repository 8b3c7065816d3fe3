"""The steps of Containerfile, run in a fresh folder on a fresh environment, as an image would be built of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from common import ROOT

PLACE = "Containerfile"


class Step(NamedTuple):
    """A line of a Containerfile: the instruction and its words."""

    name: str
    words: str


def steps(text: str) -> list[Step]:
    """Return the steps of a Containerfile; lines that end in a backslash go on."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and line.lstrip()[0] != "#"]
    return [Step(*line.strip().split(maxsplit=1)) for line in lines]


class Image:
    """What is built: a folder that stands for the root, and an environment that stands for the image's Python."""

    def __init__(self, folder: Path, context: Path):
        self.folder, self.context, self.work = folder, context, folder
        self.environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}

    def do(self, step: Step) -> None:
        """Do a step as an image's build does; ends the program where it fails."""
        does = {"FROM": self._start, "WORKDIR": self._enter, "COPY": self._copy, "RUN": self._run, "CMD": json.loads}
        if step.name not in does:
            sys.exit(f"{PLACE}: expected {', '.join(does)}, got {step.name}")
        does[step.name](step.words)

    def _start(self, words: str) -> None:
        """Make the environment of the Python that the image has."""
        name, _, tag = words.partition(":")
        python = shutil.which(f"{name}{tag.partition('-')[0]}")
        if python is None:
            sys.exit(f"{PLACE}: no {name}{tag.partition('-')[0]} here to stand for {words}")
        subprocess.run([python, "-m", "venv", self.folder / "usr"], check=True)
        self.environment["PATH"] = f"{self.folder / 'usr' / 'bin'}:{self.environment['PATH']}"

    def _enter(self, words: str) -> None:
        self.work = self.folder / words.lstrip("/")
        self.work.mkdir(parents=True, exist_ok=True)

    def _copy(self, words: str) -> None:
        *sources, target = words.split()
        for source in sources:
            path = self.context / source
            if path.is_dir():
                shutil.copytree(path, self.work / target, dirs_exist_ok=True, symlinks=True)
            else:
                shutil.copy(path, self.work / target)

    def _run(self, words: str) -> None:
        done = subprocess.run(["sh", "-c", words], cwd=self.work, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{PLACE}: RUN {words} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")


def build(folder: Path) -> dict:
    """Build what Containerfile says in `folder` from the last commit, and return what is installed beside the lock."""
    context = folder / "context"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(context)], check=True)
    image = Image(folder / "image", context)
    image.folder.mkdir()
    done = steps((context / PLACE).read_text())
    for step in done:
        image.do(step)
    listed = subprocess.run([image.folder / "usr" / "bin" / "python", "-m", "pip", "list", "--format", "json"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    return {"steps": len(done), "installed": {row["name"].lower(): row["version"] for row in json.loads(listed)}}
