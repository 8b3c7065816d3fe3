"""CONTRIBUTING.md followed to the letter: a data set and a gate variant, from an empty folder to a two by two grid."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
FORMAT, ENTRY, FIELD, GRID = BLOCKS
TINY = '"smoke", width=2, epochs=1, train_faces=64, batch_size=16, masks="one", '


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the library in a folder of its own, with what CONTRIBUTING.md says added."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "gralib", folder / "gralib", ignore=shutil.ignore_patterns("__pycache__"))
    where, _, text = FORMAT.partition("\n")
    (folder / where.removeprefix("# ")).write_text(text)
    attention, config = folder / "gralib/model/attention.py", folder / "gralib/config.py"
    before, mark, after = attention.read_text().partition("\n\n\ndef check_gate")
    attention.write_text(before + "\n" + ENTRY + mark + after)
    fields, count = re.subn(r"^    gate: .*$", FIELD.rstrip("\n"), config.read_text(), flags=re.MULTILINE)
    assert count == 1
    config.write_text(fields)
    return folder


def call(project, *words):
    env = {**os.environ, "PYTHONPATH": str(project), "GRA_ROOT": str(project), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run([sys.executable, *words], cwd=project, env=env, capture_output=True, text=True)


def test_one_file_is_a_data_set(project):
    done = call(project, "-c", "from gralib.cli import main; main()", "data", "check", "myfaces", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["synthetic"] and found["faces"]["pictures"] == 400
    assert {"status": "excluded", "reason": "not a picture", "files": 1} in found["account"], "SYNTHETIC.txt"


def test_what_it_cannot_do_is_refused_in_one_line(project):
    done = call(
        project, "-c", "from gralib.cli import main; main()", "run", "--dataset", "myfaces", "--task", "age_group"
    )
    assert done.stderr == "gra: task: expected one of gender, age_category, age_regression on myfaces, got age_group\n"


@pytest.mark.slow
def test_two_gates_and_two_seeds_are_four_runs(project):
    one_worker = GRID.replace('open_faces("myfaces"))', 'open_faces("myfaces"), 1)')  # which compiles each gate once
    assert one_worker != GRID
    (project / "grid.py").write_text(one_worker.replace('"smoke", ', TINY))
    done = call(project, "grid.py")
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert len(set(names)) == 4 and all(name.startswith("myfaces-gender-w2-s") for name in names)
    records = [json.loads((project / "runs" / name / "record.json").read_text()) for name in names]
    assert [(r["config"]["gate"], r["config"]["seed"]) for r in records] == [
        (gate, seed) for gate in ("trainable", "hard") for seed in (0, 1)
    ]
    assert all(0 < gamma < 1 and gamma != 0.5 for r in records for gamma in r["gates"].values())
