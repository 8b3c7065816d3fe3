"""A full disk, then a read-only one, under the cache, the runs and the report: one line, nothing half believed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import BUILD, drawn, good, gra, signatures, study_root, tables

SIZE = 32 << 20
RUN = ("run", "--task", "gender", "--dataset", "adience", "--preset", "smoke", "--set", "width=2", "--set", "epochs=3",
       "--progress", "none")  # fmt: skip
ROOM = {"cache": (0, 100, 900), "runs": (0, 400, 1000, 2000, 3000), "build/report": (0, 60, 400)}
"""KiB left on the disk when the command is called: so that it ends at one file or another."""


def mount(*words: str) -> str:
    """Call mount or umount and return why it failed, or nothing."""
    try:
        return subprocess.run(words, capture_output=True, text=True).stderr.strip()
    except OSError as error:
        return str(error)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Put a small file system in memory under a folder, its content kept."""
    beside = folder.with_name(f"{folder.name}-before")
    shutil.rmtree(beside, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, beside)
    problem = mount("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    if problem:
        raise PermissionError(problem)
    try:
        shutil.copytree(beside, folder, dirs_exist_ok=True)
        yield folder
    finally:
        mount("umount", str(folder))


@contextmanager
def full(folder: Path, kib: int) -> Iterator[None]:
    """Leave so many KiB on the disk of a folder."""
    filler = folder / "filler"
    space = os.statvfs(folder)
    with filler.open("wb") as file:
        file.write(bytes(max(0, space.f_bavail * space.f_frsize - (kib << 10))))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Forbid writing to the disk of a folder, to root too."""
    mount("mount", "-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        mount("mount", "-o", "remount,rw", str(folder))


def tried(root: Path, words: tuple, what: str, intact: Callable[[], bool]) -> dict:
    """Call a command and return how it ended; one that found room enough has nothing to be asked."""
    done = gra(root, *words)
    lines = done.stderr.strip().splitlines()
    return {
        "when": what,
        "status": done.returncode,
        "message": lines[-1].replace(str(root), "…") if lines else "",
        "one line": len(lines) == 1 and lines[0].startswith("gra: "),
        "earlier results intact": intact() if done.returncode else None,
    }


def case(root: Path, place: str, words: tuple, intact: Callable[[], bool]) -> dict:
    """Call a command on a read-only disk, on ever less full ones, and with space; return how each ended."""
    with small_disk(root / place) as folder:
        with read_only(folder):
            ends = [tried(root, words, "read-only", intact)]
        for kib in ROOM[place]:
            with full(folder, kib):
                ends.append(tried(root, words, f"full, {kib} KiB left", intact))
        last = gra(root, *words)
        result = {"cache": last.stdout, "runs": signatures(root), "build/report": tables(root)}[place]
        left = [p.name for p in folder.rglob(".*") if not p.name.endswith(".lock")] + [p.name for p in
                folder.rglob("*.part.npz")]  # fmt: skip
    return {"ends": ends, "succeeds with space": last.returncode == 0, "result": result, "left behind": left}


def measure() -> dict:
    """Return for each place how the commands ended, and whether what came out afterwards is as ever."""
    faces = drawn("adience", 40)
    check, run = ("data", "check", "adience", "--root", faces, "--json"), (*RUN, "--root", faces)
    root = study_root(BUILD / "disk" / "reference")
    earlier = (*run, "--set", "seed=1")
    good(gra(root, *earlier))
    if not list(root.glob("build/report/README.md")):
        good(gra(root, "report"))
        shutil.copytree(root / "runs", root / "runs-earlier", dirs_exist_ok=True)
        shutil.copytree(root / "build/report", root / "reports-earlier", dirs_exist_ok=True)
    expected = {"cache": good(gra(root, *check))}
    good(gra(root, *run))
    expected["runs"] = signatures(root)
    good(gra(root, "report"))
    expected["build/report"] = tables(root)
    found = {}
    for place, words in (("cache", check), ("runs", run), ("build/report", ("report",))):
        other = BUILD / "disk" / place
        shutil.rmtree(other, ignore_errors=True)
        study_root(other)
        if place != "cache":
            good(gra(other, *check))
            shutil.copytree(root / ("runs-earlier" if place == "runs" else "runs"), other / "runs")
        if place == "build/report":
            shutil.copytree(root / "reports-earlier", other / "build/report", dirs_exist_ok=True)
        try:
            ended = case(other, place, words, intact(other, place, root))
        except PermissionError as error:
            return {"left out": f"no small disk can be mounted here: {error}"}
        ended["as ever"] = ended.pop("result") == expected[place]
        found[place] = ended
    return found


def intact(root: Path, place: str, reference: Path) -> Callable[[], bool]:
    """Return a check that what was finished before is as it was, and that nothing unfinished looks finished."""
    if place == "cache":
        return lambda: not list(root.glob("cache/adience-*"))
    if place == "runs":
        before = signatures(root)
        return lambda: signatures(root) == before
    sides = [reference / "reports-earlier", reference / "build/report"]

    def whole() -> bool:
        """Tell whether every file of the report is the earlier one or the new one, none cut short."""
        files = [
            p for p in (root / "build/report").rglob("*") if p.is_file() and p.name[0] != "." and p.name != "filler"
        ]
        return all(any(_same(p, side / p.relative_to(root / "build/report")) for side in sides) for p in files)

    return whole


def _same(first: Path, second: Path) -> bool:
    return second.exists() and first.read_bytes() == second.read_bytes()
