"""Mutation testing: one thing wrong in a module where numbers are made; do the tests of that module notice?

cosmic-ray finds the places and makes the changes, in copies of the project, a process of pytest for each: mutmut, used
before, wraps functions instead, which Keras' layers, pydantic and a module's constants do not stand. mutants.toml says
what is changed, how many of it, and which tests should notice; mutants.yaml why a survivor may live.
"""

import json
import os
import random
import shutil
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import yaml
from common import BUILD, CORES, HERE, ROOT, code_commit

CONFIG = tomllib.loads((HERE / "mutants.toml").read_text())
COPIED = ("gralib", "tests", "pyproject.toml")
LINKED = ("reports", "notebooks", "Makefile", "Snakefile", "requirements.lock")
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
        if not any(name in change.operator_name for name in CONFIG["left_out"]):
            places.setdefault(change.start_pos, []).append(change)
    draw = random.Random(f"{CONFIG['seed']} {module['name']}")
    chosen = draw.sample(sorted(places), min(CONFIG["mutants"], len(places)))
    return [draw.choice(places[place]) for place in chosen]


def enter(folder: Path) -> None:
    """Make this process work in a copy of the project of its own."""
    copy = folder / str(os.getpid())
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    for name in LINKED:
        (copy / name).symlink_to(ROOT / name)
    os.chdir(copy)
    os.environ |= {"PYTHONPATH": str(copy), "TF_CPP_MIN_LOG_LEVEL": "3", "GRA_ROOT": str(copy)}


def command(module: dict) -> str:
    """Return the tests of a module as a command; those that need no Keras are kept from loading it."""
    os.environ["KERAS_BACKEND"] = "tensorflow" if module.get("keras") else "none"
    return f"{sys.executable} -m pytest -x -q -p no:cacheprovider {module['tests']}"


def seconds(module: dict) -> float:
    """Return how long a module's tests take as it is; end the program where they do not pass."""
    from cosmic_ray.testing import run_tests

    started = time.perf_counter()
    outcome, output = run_tests(command(module), 3600)
    if outcome != "survived":
        sys.exit(f"mutants: the tests of {module['name']} fail without a change:\n{output[-2000:]}")
    return time.perf_counter() - started


def attempt(module: dict, change, usual: float) -> dict:
    """Return what became of a change: its text 'module.function: old -> new', and whether a test noticed."""
    from cosmic_ray.mutating import mutate_and_test

    result = mutate_and_test([change], command(module), SLOWEST * usual + 30)
    if result.diff is None:
        sys.exit(f"mutants: {module['name']}: {result.output}")
    lines = [line for line in result.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    where = f"{module['name']}.{change.definition_name or 'module'}"
    return {"file": module["name"], "text": f"{where}: {old} -> {new}", "noticed": result.is_killed}


def measure(tools: Path, modules: list[dict] | None = None) -> dict:
    """Try all changes on two cores; return how many there were, how many were noticed, and those that were not.

    Stopped and called again it goes on with the changes that are left.
    """
    sys.path.insert(0, str(tools))
    os.environ["PYTHONPATH"] = str(tools)  # for the workers
    work = BUILD.with_name(code_commit("tests")[:12]) / "mutants"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    log = work.with_suffix(".jsonl")
    results = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    modules = modules or CONFIG["module"]
    with ProcessPoolExecutor(CORES, initializer=enter, initargs=(work,)) as pool:
        usual = list(pool.map(seconds, modules))
        changes = list(pool.map(candidates, modules))
        tries = [(m, change, s) for m, found, s in zip(modules, changes, usual, strict=True) for change in found]
        for result in pool.map(attempt, *zip(*tries[len(results) :], strict=True)):
            results.append(result)
            with log.open("a") as file:
                file.write(json.dumps(result) + "\n")
    shutil.rmtree(work)
    found: dict = {"files": {}, "survivors": [r["text"] for r in results if not r["noticed"]]}
    for name in (module["name"] for module in modules):
        noticed = [r["noticed"] for r in results if r["file"] == name]
        found["files"][name] = {"mutants": len(noticed), "noticed": sum(noticed)}
    return found


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
