"""A home, an environment or another repository around a run changes no bit of it, and is never taken for its own."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tiny
from conftest import ROOT

from gralib import backend, surroundings
from gralib.training import records

HOSTILE = {
    "TF_ENABLE_ONEDNN_OPTS": "0", "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit", "TF2_BEHAVIOR": "0",
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "ONEDNN_MAX_CPU_ISA": "SSE41",
    "DNNL_MAX_CPU_ISA": "SSE41", "TF_NUM_INTRAOP_THREADS": "3", "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3",
    "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "true", "PYTHONHASHSEED": "77",
    "TF_USE_LEGACY_KERAS": "1", "TF_DISABLE_MKL": "1", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1", "JAX_ENABLE_X64": "1",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "1", "NVIDIA_TF32_OVERRIDE": "0", "KERAS_BACKEND": "", "LC_ALL": "C",
}  # fmt: skip
KERAS_JSON = {"floatx": "float16", "epsilon": 0.01, "image_data_format": "channels_first", "backend": "jax"}


def python(code, *words, cwd=ROOT, path=ROOT, **environment):
    """Run a program in a process of its own that has not started Keras."""
    held = {*surroundings.HELD, *surroundings.THREADS}
    env = {name: value for name, value in os.environ.items() if name not in held}
    env |= {"PYTHONPATH": str(path), **environment}
    return subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, env=env, capture_output=True, text=True)


GRA = "from gralib.cli import main; main()"


def train(drawn, root, **environment):
    """Train the tiny network by the command."""
    changed = {name: value for name, value in tiny.SETTINGS.items() if name != "recipe"}
    settings = [word for name, value in changed.items() for word in ("--set", f"{name}={value}")]
    words = ["run", "--task", "gender", "--root", str(drawn), "--preset", "smoke", *settings, "--progress", "none"]
    return python(GRA, *words, GRA_ROOT=str(root), **environment)


def same(run, other):
    """Tell whether two runs agree to the last bit."""
    files = [(run.folder / name).read_bytes() == (other.folder / name).read_bytes()
             for name in ("predictions.csv.bz2", "history.csv")]  # fmt: skip
    with np.load(run.folder / "weights.npz") as ours, np.load(other.folder / "weights.npz") as theirs:
        return all(files) and all((ours[name] == theirs[name]).all() for name in ours.files)


@pytest.mark.slow
def test_a_hostile_home_and_environment_change_no_bit(tiny_run, drawn, tmp_path):
    plain = tiny_run("gender, tuned")
    (tmp_path / "home/.keras").mkdir(parents=True)
    (tmp_path / "home/.keras/keras.json").write_text(json.dumps(KERAS_JSON))
    done = train(drawn, tmp_path, HOME=str(tmp_path / "home"), TF_GPU_THREAD_MODE="gpu_private", **HOSTILE)
    assert done.returncode == 0, done.stderr[-2000:]
    other = records.Run(tmp_path / "runs" / plain.record.run_id)
    assert same(plain, other)
    settings = other.record.environment["settings"]
    assert settings == plain.record.environment["settings"] | {"TF_GPU_THREAD_MODE": "gpu_private"}
    assert other.record.environment["threads"] == 1


@pytest.mark.parametrize("text", ['{"floatx": "float8"}', "[]"])
def test_settings_that_keras_cannot_read_are_one_line(drawn, tmp_path, text):
    (tmp_path / "keras.json").write_text(text)
    done = train(drawn, tmp_path, KERAS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"gra: {tmp_path}/keras.json: expected settings that Keras can read, got ")


@pytest.mark.parametrize(
    ("late", "environment", "message"),
    [
        ("tensorflow", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "TF_ENABLE_ONEDNN_OPTS: expected 1 when Keras was imported, "
         "got '0'; unset it"),
        ("json", {"KERAS_BACKEND": "torch"}, "KERAS_BACKEND: expected tensorflow or jax, got 'torch'"),
    ],
)  # fmt: skip
def test_what_came_too_late_to_be_set_is_refused_in_one_line(late, environment, message):
    code = f"import {late}\nfrom gralib import backend\ntry:\n    backend.start()\nexcept Exception as e:\n    print(e)"
    assert python(code, **environment).stdout.strip() == message


def test_what_other_code_set_of_keras_is_set_back_before_a_run():
    import keras

    keras.config.set_floatx("float16")
    keras.config.set_epsilon(0.1)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float64")
    keras.config.set_max_epochs(1)
    backend.start()
    found = (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), keras.config.max_epochs())
    assert found == ("float32", 1e-7, "channels_last", None)
    assert keras.config.dtype_policy().name == "float32"


def test_what_runs_here_is_exact_says_its_kernels_and_differentiates():
    import keras
    from tensorflow.python.framework.config import is_op_determinism_enabled

    assert is_op_determinism_enabled()
    assert isinstance(backend.settings()["onednn"], bool)
    slope = backend.gradient(lambda x: keras.ops.sum(x**2), np.array([1, 3], "float32"))
    assert slope.tolist() == [2, 6]


def test_started_once_a_process_keeps_its_threads_and_asks_nobody_again():
    code = """
from threadpoolctl import threadpool_info
import numpy, scipy.linalg
from gralib import backend
backend.start(2)
backend.start()
print(backend.environment()["threads"], {p["num_threads"] for p in threadpool_info()})
try:
    backend.start(1)
except backend.UserError as error:
    print(error)
"""
    assert python(code).stdout.splitlines() == ["2 {2}", "threads: this process computes on 2, got 1"]


def test_variables_are_held_before_and_refused_after_the_libraries_are_imported(monkeypatch):
    kept, gone = "TF_ENABLE_ONEDNN_OPTS", "NVIDIA_TF32_OVERRIDE"
    early = {name: module for name, module in sys.modules.items() if name not in ("keras", "tensorflow", "jax")}
    for name in (*surroundings.HELD, *surroundings.THREADS):
        monkeypatch.setenv(name, "7")
    monkeypatch.setattr(sys, "modules", early)
    surroundings.hold_variables(3)
    found = {name: os.environ.get(name) for name in surroundings.HELD}
    assert found == surroundings.HELD and found[kept] == "1" and found[gone] is None
    assert {os.environ[name] for name in surroundings.THREADS} == {"3"}
    monkeypatch.setattr(sys, "modules", {**early, "jax": None})
    surroundings.hold_variables(1)
    for name, expected in ((kept, "1"), (gone, "no value")):
        with monkeypatch.context() as patch:
            patch.setenv(name, "7")
            with pytest.raises(
                surroundings.UserError, match=f"{name}: expected {expected} when Keras was imported, got"
            ):
                surroundings.hold_variables(1)


def test_variables_left_by_others_are_recorded_and_ours_are_not(monkeypatch):
    for name in list(os.environ):
        if name.startswith(surroundings.FAMILIES):
            monkeypatch.delenv(name)
    given = {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_gpu_cuda_data_dir=/home/me", "OPENBLAS_CORETYPE": "Haswell",
        "TF_CPP_MIN_LOG_LEVEL": "1", "TF_VAR_password": "secret", "TF_TOKEN_x": "secret", "TF_CUDNN_USE_FRONTEND": "0",
        "OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1", "JAX_COMPILATION_CACHE_DIR": "/home/me", "EDITOR": "vi",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    expected = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true", "OPENBLAS_CORETYPE": "Haswell",
                "TF_CUDNN_USE_FRONTEND": "0"}  # fmt: skip
    assert surroundings.variables() == expected


@pytest.fixture
def foreign(tmp_path):
    """Another repository, with one commit."""
    folder = tmp_path / "foreign"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder)]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "other.txt").write_text("something else")
    subprocess.run([*git, "add", "other.txt"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "other"], check=True)
    return folder


PROVENANCE = "import json; from gralib.surroundings import commit; print(json.dumps(commit()))"


@pytest.mark.parametrize("inside", [".", "deeper/still"])
def test_the_commit_of_a_repository_around_us_is_not_ours(foreign, inside):
    (foreign / inside).mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "gralib", foreign / inside / "gralib")
    done = python(PROVENANCE, cwd=foreign, path=foreign / inside)
    assert json.loads(done.stdout) == {"commit": None, "clean": None}


def test_the_commit_of_a_repository_that_the_environment_names_is_not_ours(foreign, monkeypatch):
    own = surroundings.commit()
    monkeypatch.setenv("GIT_DIR", str(foreign / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(foreign))
    assert surroundings.commit() == own
    theirs = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert own["commit"] != theirs
