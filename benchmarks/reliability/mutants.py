"""Mutation testing: one thing wrong in a module of the library; do the tests of that module notice?

cosmic-ray finds the places and makes the changes, in copies of the project, a forked pytest for each: mutmut, used
before, wraps functions instead, which Keras' layers, pydantic and a module's constants do not stand. mutants.toml says
what is changed, how many of it, and which tests should notice; mutants.yaml why a survivor may live.
"""

import ast
import contextlib
import difflib
import gc
import importlib
import json
import os
import random
import shlex
import shutil
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Set
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import pytest
import yaml
from common import BUILD, CORES, HERE, ROOT, code_commit, digest

from gralib import surroundings

COMMIT = code_commit("tests")
LOG = HERE / "mutants.jsonl"
"""What became of every change that was tried; committed, so that the campaign goes on wherever it is called."""
CONFIG = tomllib.loads((HERE / "mutants.toml").read_text())
COPIED = ("gralib", "tests", "pyproject.toml")
LINKED = (".git", "book", "reports", "notebooks", "profiles", "Makefile", "Snakefile", "requirements.lock",
          "README.md", "LICENSE", "CITATION.cff", "codemeta.json", "data/README.md")  # fmt: skip
SLOWEST = 10
"""A mutant that keeps its tests busy so many times as long as they take (and half a minute) has made them hang."""


def candidates(module: dict) -> list:
    """Return the changes to try in a module: a seeded draw of places, and of each place one of its changes."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(":memory:", WorkDB.Mode.create) as database:
        init([Path("gralib") / f"{module['name']}.py"], database, {})
        found = [item.mutations[0] for item in database.work_items]
    places: dict[tuple, list] = {}
    for change in sorted(found, key=lambda m: (m.start_pos, m.end_pos, m.operator_name, m.occurrence)):
        left_out = change.definition_name in module.get("without", ())
        if not left_out and not any(name in change.operator_name for name in CONFIG["left_out"]):
            places.setdefault(change.start_pos, []).append(change)
    draw = random.Random(f"{CONFIG['seed']} {module['name']}")
    chosen = draw.sample(sorted(places), min(module.get("mutants", CONFIG["mutants"]), len(places)))
    return [draw.choice(places[place]) for place in chosen]


def enter(folder: Path) -> None:
    """Make this process work in a copy of the project of its own, with the project and its libraries loaded.

    Each mutant's tests run in a fork of it: so they need not wait for pandas and Keras, which take longer to load
    than most tests to run.
    """
    copy = folder / str(os.getpid())
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    for name in LINKED:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).symlink_to(ROOT / name)
    os.chdir(copy)
    os.environ |= {"PYTHONPATH": str(copy), "TF_CPP_MIN_LOG_LEVEL": "3", "GRA_ROOT": str(copy)}
    surroundings.hold_variables(1)
    forget({name for name in sys.modules if name.partition(".")[0] == "gralib"})  # this checkout's
    sys.path.insert(0, str(copy))
    load(
        "gralib.cli",
        "gralib.evaluation.study",
        "gralib.evaluation.claims",
        "gralib.evaluation.search",
        "sklearn.svm",
        "pytest",
    )


def load(*names: str) -> None:
    """Load modules for all later forks, which need not look through them for waste."""
    for name in names:
        importlib.import_module(name)
    gc.freeze()


def forget(names: Set[str]) -> None:
    """Unload modules, and all that is inside those that are packages, so that they are read anew when next imported."""
    for name in [known for known in sys.modules if any(f"{known}.".startswith(f"{name}.") for name in names)]:
        del sys.modules[name]
        parent, _, own = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(own, None)


@cache
def importers(name: str) -> frozenset[str]:
    """Return a module of the project and all that import it, or what imports it."""
    imports = {}
    for path in set(Path("gralib").rglob("*.py")) - {Path("gralib/__init__.py")}:  # it only names places
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        found = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
        for n in nodes:
            if isinstance(n, ast.ImportFrom):
                found |= {n.module or "", *(f"{n.module}.{alias.name}" for alias in n.names)}
        imports[".".join(path.with_suffix("").parts).removesuffix(".__init__")] = found
    wanted, size = {name}, 0
    while len(wanted) > size:
        size = len(wanted)
        wanted |= {module for module, found in imports.items() if found & wanted}
    return frozenset(wanted)


def dotted(module: dict) -> str:
    """Return a module's name as it is imported."""
    return f"gralib.{module['name'].replace('/', '.')}".removesuffix(".__init__")


def tested(module: dict, limit: float) -> tuple[bool, str]:
    """Return whether a module's tests pass within `limit` seconds, and what they printed; tests that hang fail."""
    output, touched = Path("output"), importers(dotted(module))
    if module.get("keras"):
        load("keras", "skimage.feature")
    child = os.fork()
    if not child:
        os.setsid()
        signal.alarm(int(limit))
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.environ["KERAS_BACKEND"] = "tensorflow" if module.get("keras") else "none"
        forget(touched)
        status = pytest.main(["-x", "-q", "-p", "no:unraisableexception", *shlex.split(module["tests"])])
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests started
    return status == 0, output.read_text(errors="replace")


def seconds(module: dict) -> float:
    """Return how long a module's tests take as it is; end the program where they do not pass."""
    started = time.perf_counter()
    sys.dont_write_bytecode = False
    passed, output = tested(module, 3600)
    sys.dont_write_bytecode = True  # a mutant and its original may have the same size and second
    if not passed:
        sys.exit(f"mutants: the tests of {module['name']} fail without a change:\n{output[-2000:]}")
    return time.perf_counter() - started


def attempt(module: dict, change, usual: float) -> dict:
    """Return what became of a change: its text 'module.function: old -> new', and whether a test noticed."""
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    importers(dotted(module))  # before the change, after which a file need not parse
    operator = get_operator(change.operator_name)(**change.operator_args)
    with use_mutation(change.module_path, operator, change.occurrence) as (before, after):
        passed, _ = tested(module, SLOWEST * usual + 30)
    lines = [line for line in difflib.ndiff(before.split("\n"), after.split("\n")) if line[:2] in ("- ", "+ ")]
    old, new = (" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
    where = f"{module['name']}.{change.definition_name or 'module'}"
    return {"key": key(module, change), "text": f"{where}: {old} -> {new}", "noticed": not passed, "commit": COMMIT}


def key(module: dict, change) -> str:
    """Return what names a change of a module as it stands."""
    text = digest((ROOT / change.module_path).read_bytes())
    return f"{module['name']} {text} {change.operator_name} {change.occurrence}"


def measure(tools: Path, modules: list[dict] | None = None) -> dict:
    """Try the drawn changes on two cores; return how many there were, how many were noticed, those that were not, and
    by commit how many were last tried with its tests.

    Every result is added to `LOG`. What is noted there as noticed is not tried again while the module stays as it is,
    as tests are added, not taken away: so a run that was stopped goes on, and one after a better test tries survivors
    alone. Without that file all are tried.
    """
    sys.path.insert(0, str(tools))
    os.environ["PYTHONPATH"] = str(tools)  # for the workers
    modules = modules or CONFIG["module"]
    work = BUILD.parent / "mutants"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    known = {r["key"]: r for r in map(json.loads, LOG.read_text().splitlines())} if LOG.exists() else {}
    files: dict = {}
    survivors: list[str] = []
    commits: Counter[str] = Counter()
    with ProcessPoolExecutor(CORES, initializer=enter, initargs=(work,)) as pool:
        for module in modules:
            found = pool.submit(candidates, module).result()
            settled = [known[k] for k in (key(module, c) for c in found) if k in known and retired(known[k])]
            done = {r["key"] for r in settled}
            left = [change for change in found if key(module, change) not in done]
            usual = pool.submit(seconds, module).result() if left else 0
            for result in pool.map(partial(attempt, module, usual=usual), left):
                settled.append(result)
                with LOG.open("a") as file:
                    file.write(json.dumps(result) + "\n")
            noticed = sum(r["noticed"] for r in settled)
            files[module["name"]] = {"mutants": len(settled), "noticed": noticed}
            survivors += [r["text"] for r in settled if not r["noticed"]]
            commits.update(r["commit"][:12] for r in settled)
            print(f"mutants: {module['name']}: {noticed} of {len(settled)} noticed", file=sys.stderr, flush=True)
    shutil.rmtree(work)
    return {"files": files, "survivors": survivors, "commits": commits}


def retired(result: dict) -> bool:
    """Tell whether a noted result still counts: a noticed change, or a survivor of these very tests."""
    return result["noticed"] or result["commit"] == COMMIT


def explained(survivors: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return why each survivor may live, from mutants.yaml, and those that nothing is said of.

    An entry is a part of the survivors' text, with the reason.
    """
    reasons = yaml.safe_load((HERE / "mutants.yaml").read_text())
    known = {}
    for text in survivors:
        reason = next((entry["why"] for entry in reasons if entry["mutant"] in text), None)
        if reason:
            known[text] = reason
    return known, [text for text in survivors if text not in known]
