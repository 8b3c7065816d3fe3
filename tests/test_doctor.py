"""`gra doctor` names what a machine has out of order, each with its mend, and ends non-zero where it must be mended."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from conftest import ROOT

from gralib import doctor, surroundings
from gralib.data import cache

GRA = "from gralib.cli import main; main()"
QUICK = "import sys; from gralib import doctor; doctor.look(True); print(sorted({!r} & set(sys.modules)))"
HEAVY = {"keras", "tensorflow", "jax", "pandas", "numpy", "matplotlib", "sklearn"}


@pytest.fixture
def sound(monkeypatch, tmp_path):
    """A home, a root and an environment in which nothing is out of order."""
    for name in list(os.environ):
        if name.startswith((*surroundings.FAMILIES, "GIT_", "JUPYTER", "MPL", "MATPLOTLIB", "XDG", "GRA_")):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(root, *words, code=GRA, **environment):
    """Run a program in a process of its own, in the environment as it is by now."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GRA_ROOT": str(root), "COLUMNS": "300", **environment}
    return subprocess.run([sys.executable, "-c", code, *words], cwd=root, env=env, capture_output=True, text=True)


def lines(found):
    return [" | ".join(f) for f in (found if isinstance(found, list) else [found])]


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_sound_machine_ends_zero_and_says_so_of_every_part(sound):
    done = called(sound, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    said = {line[8:19].strip(): line[:8].strip() for line in done.stdout.splitlines()}
    assert set(said) >= {"python", "packages", "backend", "keras.json", "variables", "kernel", "git", "disk",
                         "machine", "fonts", "cache", "keras", "data", "records"}  # fmt: skip
    assert {name for name, mark in said.items() if mark != "ok"} <= {"packages", "git"}, done.stdout
    assert len(done.stdout.splitlines()) <= 24


def test_the_quick_part_loads_nothing_heavy_and_keeps_quiet_of_what_is_ok(sound):
    assert called(sound, code=QUICK.format(HEAVY)).stdout.strip() == "[]"
    done = called(sound, "doctor", "--quick")
    assert done.returncode == 0
    assert not [line for line in done.stdout.splitlines() if line.startswith(("ok", "problem"))]


def test_a_hostile_machine_is_named_part_by_part_and_ends_non_zero(sound, monkeypatch):
    put(sound / "keras/keras.json", json.dumps({"floatx": "float16", "backend": "jax"}))
    put(sound / "jupyter/kernels/python3/kernel.json", json.dumps({"argv": ["/usr/bin/false"]}))
    put(sound / "cache/utkface-0/pixels.npy", "cut")
    environment = {
        "KERAS_HOME": str(sound / "keras"), "JUPYTER_PATH": str(sound / "jupyter"), "TF_ENABLE_ONEDNN_OPTS": "0",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true", "GIT_DIR": str(sound), "KERAS_BACKEND": "torch",
    }  # fmt: skip
    done = called(sound, "doctor", "--quick", MPLBACKEND="foo", **environment)
    assert done.returncode == 1
    assert done.stderr == "gra: doctor: mend first: backend\n"
    text = done.stdout
    for said in (
        f"keras.json {sound}/keras/keras.json: floatx float16 -> nothing: runs set them right; or delete it",
        f"make lab would start /usr/bin/false ({sound}/jupyter/kernels/python3/kernel.json) -> unset JUPYTER_PATH",
        "utkface-0: meta.json is missing -> nothing: decoded again when asked for; or delete them",
        "TF_ENABLE_ONEDNN_OPTS=0 -> nothing: runs set or unset them",
        "XLA_FLAGS=--xla_cpu_enable_fast_math=true -> unset them: numbers may move, records name them",
        "GIT_DIR set -> nothing: records ignore it",
        "problem backend    KERAS_BACKEND=torch -> unset KERAS_BACKEND; or set it to jax",
    ):
        assert said in text, text


@pytest.mark.parametrize("text", ["[]", "{", '{"floatx": "float8"}'])
def test_settings_that_stop_keras_are_a_problem(sound, text):
    put(sound / "home/.keras/keras.json", text)
    path = sound / "home/.keras/keras.json"
    assert lines(doctor.keras_json()) == [f"problem | keras.json | {path}: Keras cannot read it | delete it"]


def test_another_python_is_a_problem(sound, monkeypatch):
    for version, mark in (((3, 10, 9), "problem"), ((3, 13, 0), "ok"), ((3, 14, 0), "problem")):
        monkeypatch.setattr(sys, "version_info", version)
        assert doctor.python().mark == mark
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    assert doctor.python().mend == "make env, then .venv/bin/gra"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"numpy": "2.5.5"}, "note | packages | 1 not as locked: numpy 2.5.5 | make env"),
        ({"pillow": None}, "problem | packages | 1 of the lock not here: pillow | make env"),
        ({"pillow": None, "scipy": None, "keras": None, "numpy": None},
         "problem | packages | 4 of the lock not here: keras, numpy, pillow and 1 more | make env"),
    ],
)  # fmt: skip
def test_packages_that_are_not_as_locked_are_named(sound, monkeypatch, here, there):
    asked = doctor.locked()
    found = {r.name: str(r.specifier).removeprefix("==") for r in asked} | here
    installed = [SimpleNamespace(name=name, version=version) for name, version in found.items() if version]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: installed)
    assert lines(doctor.packages())[0].startswith(there)


def test_without_tensorflow_jax_alone_is_sound(sound, monkeypatch):
    installed = [SimpleNamespace(name=r.name, version=str(r.specifier).removeprefix("=="))
                 for r in doctor.locked() if not r.name.startswith("tensorflow")]  # fmt: skip
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: installed)
    assert doctor.packages().mark == "problem"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor.packages().mark == "ok"


def test_a_copy_in_another_repository_has_no_commit(sound, monkeypatch):
    subprocess.run(["git", "init", "-q", str(sound)], check=True)
    monkeypatch.setattr(surroundings, "TREE", sound)
    assert lines(doctor.git()) == [
        f"note | git | {sound} is no repository of its own: records name no commit | install git, work in a clone"
    ]


def test_too_little_room_and_memory_are_problems(sound, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=doctor.GIB // 2))
    assert lines(doctor.disk()) == [f"problem | disk | 0.5 GiB free in {sound} | free 2 GiB, or set GRA_ROOT"]
    memory = SimpleNamespace(available=doctor.GIB, total=8 * doctor.GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert doctor.machine().mark == "problem" and "1 of 8 GiB free" in doctor.machine().there


def test_a_folder_that_cannot_be_written_is_a_problem(sound, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: "runs" not in str(path))
    (sound / "runs").mkdir()
    assert doctor.disk().there == f"{sound}/runs: cannot be written"


def test_pixels_altered_in_the_cache_are_found_by_the_whole_look_alone(sound):
    put(sound / "cache/utkface-1/pixels.npy", "as written")
    cache.seal(sound / "cache/utkface-1")
    assert doctor.caches(True).mark == "ok"
    put(sound / "cache/utkface-1/pixels.npy", "altered")
    assert doctor.caches(False).mark == "ok"
    assert doctor.caches(True).there == "utkface-1: pixels.npy is not as it was written"
    put(sound / "cache/utkface-1/meta.json", "")
    assert doctor.caches(False).there == "utkface-1: meta.json is damaged"


def test_a_record_that_cannot_be_read_is_a_problem_of_its_own(sound, monkeypatch):
    from gralib.training import records

    (sound / "runs/broken").mkdir(parents=True)
    (sound / "runs/broken/record.json").write_bytes(b'{"run_id": "\xff"}')
    monkeypatch.setattr(records, "from_root", lambda path: sound / path)
    found = doctor.kept()
    assert found.mark == "problem" and "broken" in found.there and "delete the folder" in found.mend


def test_settings_of_figures_at_home_are_named(sound):
    put(sound / "home/.config/matplotlib/matplotlibrc", "text.usetex: True")
    assert doctor.fonts().there == f"{sound}/home/.config/matplotlib/matplotlibrc may change figures"


def test_one_look_that_fails_hides_no_other(sound, monkeypatch):
    def broken():
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(doctor, "QUICK", (broken, doctor.keras_json))
    found = lines(doctor.look(True))
    assert found[0].startswith("problem | broken | RuntimeError: nobody foresaw this | ")
    assert found[1] == "ok | keras.json | none | "


def test_long_lines_go_on_below_their_beginning(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = doctor.text([doctor.note("kernel", "word " * 20, "mend it")]).splitlines()
    assert max(map(len, shown)) <= 80 and shown[1].startswith(" " * 19 + "word")
