"""What this machine has and what it would change, one line a finding, each with its mend (`gra doctor`).

The quick part imports none of the heavy libraries. It looks at what `gralib.surroundings` and `gralib.backend` set
right or record anyway, and says so: a note needs no mending for a run, a problem does.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from gralib import surroundings
from gralib.data import cache
from gralib.errors import ROOT, UserError

PYTHONS = ((3, 11), (3, 12), (3, 13))
"""Tried with requirements.lock, see reports/reliability.md."""
BACKENDS = ("tensorflow", "jax")
KERAS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
"""What runs compute with, whatever keras.json says."""
GIB = 1 << 30
DISK, MEMORY = 2, 3
"""GiB that `make study` wants: for pictures, weights and pages; for a run under the smoke preset."""


class Finding(NamedTuple):
    """One line: `ok`, `note` or `problem`, what was looked at, what is there, and what to do about it."""

    mark: str
    what: str
    there: str
    mend: str = ""


ok, note, problem = (partial(Finding, mark) for mark in ("ok", "note", "problem"))


def python() -> Finding:
    """Look at the interpreter."""
    there = f"{'.'.join(map(str, sys.version_info[:3]))} in {sys.prefix}"
    if sys.version_info[:2] not in PYTHONS:
        return problem("python", there, "make PYTHON=/path/to/python3.11 env")
    if sys.prefix == sys.base_prefix and "CONDA_PREFIX" not in os.environ:
        return note("python", f"{there}, no environment of its own", "make env, then .venv/bin/gra")
    return ok("python", there)


def locked() -> list[Requirement]:
    """Return what requirements.lock asks for on this machine."""
    text = (surroundings.TREE / "requirements.lock").read_text()
    lines = map(Requirement, re.findall(r"^[a-z].*?(?= \\$)", text, re.MULTILINE))
    return [line for line in lines if line.marker is None or line.marker.evaluate()]


def packages() -> Finding:
    """Compare what is installed with requirements.lock."""
    asked = [line for line in locked() if engine_asked() != "jax" or not line.name.startswith("tensorflow")]
    here = {re.sub(r"[-_.]+", "-", d.name).lower(): d.version for d in importlib.metadata.distributions() if d.name}
    missing = [line.name for line in asked if line.name not in here]
    there = [line for line in asked if line.name in here]
    other = [f"{line.name} {here[line.name]}" for line in there if here[line.name] not in line.specifier]
    if missing:
        return problem("packages", f"{len(missing)} of the lock not here: {some(missing)}", "make env")
    if other:
        return note("packages", f"{len(other)} not as locked: {some(other)}", "make env; records name the versions")
    return ok("packages", f"{len(asked)} as requirements.lock has them")


def engine_asked() -> str:
    """Return the backend that KERAS_BACKEND names, else the default."""
    return os.environ.get("KERAS_BACKEND") or BACKENDS[0]


def backend() -> Finding:
    """Look whether the backend that runs would take is here."""
    name = engine_asked()
    if name not in BACKENDS:
        return problem("backend", f"KERAS_BACKEND={name}", "unset KERAS_BACKEND; or set it to jax")
    if not find_spec(name):
        return problem("backend", f"{name} is not installed", "make env; or BACKEND=jax and KERAS_BACKEND=jax")
    devices = os.environ.get("GRA_DEVICES", "1")
    if devices != "1" and name != "jax":
        return problem("backend", f"{name}, GRA_DEVICES={devices}", "unset GRA_DEVICES; or KERAS_BACKEND=jax")
    return ok("backend", f"{name} {importlib.metadata.version(name)}")


def keras_json() -> Finding:
    """Look at Keras' settings at home; runs set them right, a file that cannot be read stops Keras."""
    path = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict) or found.get("floatx", "float32") not in ("float16", "float32", "float64"):
            raise ValueError
    except FileNotFoundError:
        return ok("keras.json", "none")
    except (OSError, ValueError):
        return problem("keras.json", f"{path}: Keras cannot read it", "delete it")
    other = [f"{name} {found[name]}" for name, value in KERAS.items() if found.get(name, value) != value]
    if other:
        return note("keras.json", f"{path}: {', '.join(other)}", "nothing: runs set them right; or delete it")
    return ok("keras.json", str(path))


def variables() -> list[Finding]:
    """Look at the variables of the environment that could move numbers, or send programs elsewhere."""
    found = []
    held = {**surroundings.HELD, **dict.fromkeys(surroundings.THREADS, "1")}
    if ours := [f"{n}={os.environ[n]}" for n, value in held.items() if os.environ.get(n, value) != value]:
        found.append(note("variables", some(ours), "nothing: runs set or unset them; or unset them"))
    if left := [f"{name}={value}" for name, value in surroundings.variables().items()]:
        found.append(note("variables", some(left), "unset them: numbers may move, records name them"))
    return found or [ok("variables", "none that moves numbers")]


def kernel() -> Finding:
    """Look which kernel a notebook gets: batch takes this interpreter, JupyterLab the first of the name python3."""
    if not find_spec("ipykernel"):
        return problem("kernel", "ipykernel is not installed", "make env")
    from jupyter_core.paths import jupyter_path

    for path in (Path(folder, "python3", "kernel.json") for folder in jupyter_path("kernels")):
        if path.exists():
            try:
                program = json.loads(path.read_text())["argv"][0]
            except (OSError, ValueError, LookupError, TypeError):
                program = "unreadable"
            if program not in ("python", "python3", sys.executable):
                there = f"make lab would start {program} ({path})"
                return note("kernel", there, "unset JUPYTER_PATH, or delete it; gra notebook takes its own")
            break
    return ok("kernel", "this Python")


def git() -> list[Finding]:
    """Look what records will say of the code."""
    found = surroundings.commit()
    foreign = [name for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE") if name in os.environ]
    named = f"{', '.join(foreign)} set"
    more = [note("git", named, "nothing: records ignore it; or unset it")] if foreign else []
    if found["commit"] is None:
        why = "no git here" if not shutil.which("git") else f"{surroundings.TREE} is no repository of its own"
        return [*more, note("git", f"{why}: records name no commit", "install git, work in a clone")]
    if not found["clean"]:
        return [*more, note("git", f"{found['commit'][:10]}, code changed since", "commit before runs that count")]
    return [*more, ok("git", f"{found['commit'][:10]}, as committed")]


def disk() -> Finding:
    """Look for room, and whether results can be written."""
    free = shutil.disk_usage(ROOT).free / GIB
    closed = [str(ROOT / name) for name in ("cache", "runs", "reports", "data") if not writable(ROOT / name)]
    if closed:
        return problem("disk", f"{', '.join(closed)}: cannot be written", "chmod u+w, or set GRA_ROOT")
    if free < DISK:
        return problem("disk", f"{free:.1f} GiB free in {ROOT}", f"free {DISK} GiB, or set GRA_ROOT")
    return ok("disk", f"{free:.0f} GiB free in {ROOT}")


def writable(path: Path) -> bool:
    """Tell whether a folder, or the one it would be made in, can be written."""
    there = next(place for place in (path, *path.parents) if place.exists())
    return os.access(there, os.W_OK | os.X_OK)


def machine() -> Finding:
    """Look at cores, memory and a GPU."""
    import psutil

    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    there = f"{cores} cores, {memory.available / GIB:.0f} of {memory.total / GIB:.0f} GiB free, {gpu()}"
    if memory.available < MEMORY * GIB:
        return problem("machine", there, f"close programs: a run wants {MEMORY} GiB; make study CORES=1")
    return ok("machine", there)


def gpu() -> str:
    """Return what NVIDIA's tool lists, in a few words."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "no GPU"
    names = re.findall(r"^GPU \d+: (.*?) \(", done.stdout, re.MULTILINE)
    return f"GPU: {', '.join(names)}" if names else "no GPU"


def fonts() -> Finding:
    """Look for the figures' font, which comes with matplotlib, and for settings at home that change figures."""
    spec = find_spec("matplotlib")
    folder = Path(spec.origin or "").parent if spec else Path()
    if not (folder / "mpl-data/fonts/ttf/STIXGeneral.ttf").exists():
        return problem("fonts", "matplotlib's STIXGeneral is not here", "make env")
    home = os.environ.get("MPLCONFIGDIR") or Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "matplotlib")
    places = [Path(os.environ.get("MATPLOTLIBRC") or "matplotlibrc"), Path(home).expanduser() / "matplotlibrc"]
    for path in places:
        if path.is_file():
            return note("fonts", f"{path} may change figures", "move it away before figures that are kept")
    return ok("fonts", "STIXGeneral of matplotlib")


def caches(whole: bool) -> Finding:
    """Look at the folders of decoded faces; the bytes of all files if `whole`. Damaged ones are made anew by runs."""
    folders = [path for path in sorted((ROOT / "cache").glob("*")) if path.is_dir() and path.name[0] != "."]
    damaged = []
    for folder in folders:
        try:
            files = cache.checked(folder)["files"] if (folder / cache.META).exists() else []
            cache.checked(folder, *(files if whole else []))
        except (cache.Damaged, LookupError) as damage:
            damaged.append(f"{folder.name}: {damage}")
    if damaged:
        return note("cache", some(damaged), "nothing: decoded again when asked for; or delete them")
    return ok("cache", f"{len(folders)} sets of faces in {ROOT / 'cache'}")


def keras() -> Finding:
    """Start Keras as a run does, in this process."""
    from gralib import backend

    begun = time.perf_counter()
    try:
        backend.start(1)
    except UserError as error:
        return problem("keras", str(error), "see the line of that name above")
    found = backend.environment()
    there = f"{found['packages']['keras']} starts in {time.perf_counter() - begun:.0f} s on {found['device']}"
    return ok("keras", f"{there}, {found['settings']['blas'][0]}" if found["settings"]["blas"] else there)


def pictures() -> Finding:
    """Look which data sets are here."""
    from gralib.data.formats import holds_files
    from gralib.registry import data_sets

    here = [name for name in data_sets() if holds_files(name)]
    lost = [name for name in data_sets() if name not in here]
    mend = f"gra data how-to {lost[0]}" if lost else ""
    said = f"real {', '.join(here) or 'none'}; drawn {', '.join(lost) or 'none'}"
    return ok("data", said, mend)


def kept() -> Finding:
    """Look at the records of finished runs, committed and made here."""
    from gralib.training import records

    runs, problems = records.gather()
    if problems:
        return problem("records", some(problems), "git checkout reports/records; delete the folder in runs/")
    return ok("records", f"{len(runs)} runs")


QUICK: tuple[Callable[[], Finding | list[Finding]], ...] = (
    python, packages, backend, keras_json, variables, kernel, git, disk, machine, fonts,
)  # fmt: skip


def look(quick: bool) -> list[Finding]:
    """Return all findings; those that need Keras, the records or every byte of the cache are left out if `quick`."""
    found: list[Finding] = []
    for check in (*QUICK, lambda: caches(not quick), *(() if quick else (keras, pictures, kept))):
        try:
            made = check()
        except Exception as error:  # one thing out of order hides no other
            name = getattr(check, "__name__", "cache").strip("<>")
            made = problem(name, f"{type(error).__name__}: {error}", "make env; gra --debug doctor says where")
        found += made if isinstance(made, list) else [made]
    return found


def some(names: list[str], most: int = 3) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def text(found: list[Finding]) -> str:
    """Return findings as lines as wide as the terminal, what is long going on below its beginning."""
    width = max(60, shutil.get_terminal_size().columns)
    lines = [f"{f.mark:<8}{f.what:<11}{f.there}" + (f" -> {f.mend}" if f.mend else "") for f in found]
    return "\n".join(
        textwrap.fill(" ".join(line.splitlines()), width, subsequent_indent=" " * 19, break_long_words=False,
                      break_on_hyphens=False) for line in lines
    )  # fmt: skip
