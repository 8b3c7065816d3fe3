"""Mutation testing: one thing wrong in scores, ages, protocols or attention at a time; do their tests notice?

mutmut changes a copy. `conftest.py` is left out (it loads an engine) and Keras runs on NumPy, so that a mutant takes a
second; the tests that need either are left out, and a slow one of many intervals. Layers' `__init__` stays as it is:
Keras looks at its signature.
"""

import ast
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from common import BUILD, CORES, HERE, ROOT, code_commit

FILES = ("scores", "ages", "protocols", "attention")
LEFT_OUT = "not (random_split_leaks or real_set or equation_2 or gradient_of_the_gate or few_seeds)"
CONFIG = f"""[tool.mutmut]
source_paths = ["gralib"]
only_mutate = {json.dumps([f"gralib/{name}.py" for name in FILES])}
pytest_add_cli_args = ["--noconftest", "-p", "no:cacheprovider", "-x"]
pytest_add_cli_args_test_selection = {json.dumps([*(f"tests/test_{n}.py" for n in FILES), "-k", LEFT_OUT])}
process_isolation = "forkserver"
"""


def prepare(work: Path) -> None:
    """Copy what is mutated and its tests; mutmut goes on where it was stopped."""
    if (work / "pyproject.toml").exists():
        return
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(ROOT / "gralib", work / "gralib", ignore=shutil.ignore_patterns("__pycache__"))
    (work / "tests").mkdir()
    for name in (*(f"test_{n}" for n in FILES), "conftest"):
        shutil.copy(ROOT / "tests" / f"{name}.py", work / "tests")
    attention = work / "gralib" / "attention.py"
    marked = re.sub(r"(def __init__\(.*\):)$", r"\1  # pragma: no mutate block", attention.read_text(), flags=re.M)
    attention.write_text(marked)
    (work / "pyproject.toml").write_text(CONFIG)


def changes(work: Path, name: str) -> dict[str, str]:
    """Return 'function: old line -> new line' of every mutant of a file by mutmut's name for it."""
    text = (work / "mutants" / "gralib" / f"{name}.py").read_text()
    bodies = {node.name: ast.get_source_segment(text, node) or "" for node in ast.walk(ast.parse(text))
              if isinstance(node, ast.FunctionDef)}  # fmt: skip
    found = {}
    for mutant, body in bodies.items():
        function, mark, _ = mutant.partition("__mutmut_")
        if mark and not mutant.endswith("_orig"):
            before, after = (x.replace("__mutmut_orig(", "(").replace(f"{mutant}(", f"{function}(").splitlines()
                             for x in (bodies[f"{function}__mutmut_orig"], body))  # fmt: skip
            lines = [x for x in difflib.ndiff(before, after) if x[0] in "+-"]
            sides = [" ".join(x[2:].strip() for x in lines if x[0] == sign) for sign in "-+"]
            where = re.sub(r"^x[_ǁ]", "", function).replace("ǁ", ".")
            found[f"gralib.{name}.{mutant}"] = f"{name}.{where}: {sides[0]} -> {sides[1]}"
    return found


def measure(tools: Path) -> dict:
    """Run all mutants and return how many there were, how many were noticed, and those that were not."""
    work = BUILD.with_name(code_commit("tests")[:12]) / "mutants"
    prepare(work)
    env = {**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": str(tools)}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(CORES)]
    with work.with_name("mutants.log").open("w") as log:
        subprocess.run(command, cwd=work, env=env, stdout=log, stderr=log, check=True)
    found: dict = {"files": {}, "survivors": []}
    for name in FILES:
        codes = json.loads((work / "mutants" / "gralib" / f"{name}.py.meta").read_text())["exit_code_by_key"]
        texts = changes(work, name)
        alive = [mutant for mutant, code in codes.items() if code in (0, 33)]  # 33: no test calls the function
        found["files"][name] = {"mutants": len(codes), "noticed": len(codes) - len(alive)}
        found["survivors"] += [texts[mutant] for mutant in alive]
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
