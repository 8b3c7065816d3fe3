"""The environment files say the same, and nothing in the repository names a machine or a registry."""

import re
import subprocess
import tomllib
from importlib.metadata import version

import yaml
from conftest import ROOT
from packaging.requirements import Requirement

from gralib import doctor

LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked():
    return {m[1].lower(): m[2] for m in re.finditer(r"^([A-Za-z0-9._-]+)==([^ \\]+)", LOCK, re.MULTILINE)}


def test_the_lock_has_what_the_project_asks_for():
    pins = locked()
    for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        wanted = Requirement(text)
        assert wanted.name in pins, f"{wanted.name} is not in requirements.lock: run make lock"
        assert wanted.specifier.contains(pins[wanted.name])


def test_the_lock_has_one_version_of_every_package_for_every_python():
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_project_makefile_and_doctor_name_the_same_pythons():
    accepted = Requirement(f"x{PROJECT['requires-python']}").specifier
    named = re.search(r"version_info\[:2\] not in \((.*)\)\)'", (ROOT / "Makefile").read_text())[1]
    made = [tuple(map(int, pair)) for pair in re.findall(r"\((\d), (\d+)\)", named)]
    assert made == list(doctor.PYTHONS) == [(3, minor) for minor in range(5, 20) if f"3.{minor}.3" in accepted]


def test_every_locked_version_has_hashes_and_no_address():
    entries = re.split(r"\n(?=\S)", LOCK.split("\n", 2)[2])
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK


def test_conda_users_get_the_same_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.lock"]
    python = next(e for e in conda["dependencies"] if str(e).startswith("python="))
    assert Requirement(f"x{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))


def test_the_installed_versions_are_the_locked_ones():
    pins = locked()
    for name in ("keras", "tensorflow", "papermill", "snakemake", "pydantic"):
        assert version(name) == pins[name]


def tracked(*patterns):
    listing = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]


def test_only_the_keras_3_api_is_used():
    old = re.compile(r"tf\.keras|from tensorflow.keras|ImageDataGenerator|import pickle|allow_pickle=True")
    for path in tracked("gralib/*.py", "notebooks/*.ipynb", "Snakefile"):
        assert not old.search(path.read_text()), path


def test_tensorflow_is_imported_in_one_corner_only():
    for path in tracked("gralib/*.py"):
        if path.name not in ("backend.py", "photos.py"):  # the detector of faces is TensorFlow's alone
            assert "import tensorflow" not in path.read_text(), path


def test_no_picture_of_people_can_be_committed():
    pictures = [p for p in tracked() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".gif", ".webp", ".npy", ".tar")]
    for path in pictures:
        assert path.name.startswith("synthetic-"), f"{path}: only pictures of drawn faces are committed"
