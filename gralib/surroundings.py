"""What lies outside a run's configuration and could move a number: set by us, refused in one line, or recorded."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gralib.errors import UserError

CODE = ("gralib", "notebooks", "Snakefile", "requirements.lock")
"""What decides a result; a record says whether these were as committed."""
TREE = Path(__file__).resolve().parents[1]
"""The checkout that this code is from, wherever GRA_ROOT puts data and runs."""

HELD: dict[str, str | None] = {
    "TF_ENABLE_ONEDNN_OPTS": "1",  # without it TensorFlow decides by processor
    "TF2_BEHAVIOR": "1",  # TensorFlow sets it itself
    "KERAS_NNX_ENABLED": "false",
    **dict.fromkeys(("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")),  # cut trainings short
    **dict.fromkeys(
        ("TF_DISABLE_MKL", "TF_ENABLE_ONEDNN_SPMM", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "TF_SET_ONEDNN_FPMATH_MODE",
         "TF_ENABLE_ZENDNN_OPTS", "TF_USE_DEEP_CONV2D", "TF_ENABLE_WINOGRAD_NONFUSED", "TF_CONV2D_USE_FP16_ACCUMULATE",
         "TF_USE_CUBLASLT", "TF_XLA_FLAGS", "TF_USE_LEGACY_KERAS", "TF_DETERMINISTIC_OPS",
         "TF_CUDNN_DETERMINISTIC", "TF_CUDNN_USE_AUTOTUNE", "TF_DISABLE_SEGMENT_REDUCTION_OP_DETERMINISM_EXCEPTIONS",
         "TF_ENABLE_AUTO_MIXED_PRECISION", "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE", "NVIDIA_TF32_OVERRIDE")
    ),  # which operations of TensorFlow compute, and how precisely
    **dict.fromkeys(
        f"{library}_{name}" for library in ("ONEDNN", "DNNL")
        for name in ("MAX_CPU_ISA", "CPU_ISA_HINTS", "DEFAULT_FPMATH_MODE")
    ),  # the same of oneDNN, by its new name and its old
    **dict.fromkeys(
        ("JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_DEFAULT_DTYPE_BITS", "JAX_NUMPY_DTYPE_PROMOTION",
         "JAX_DEFAULT_PRNG_IMPL", "JAX_THREEFRY_PARTITIONABLE", "JAX_DISABLE_JIT", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    ),
}  # fmt: skip
"""Variables of the environment that move numbers on their own: the value we give them, None for none."""
THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
"""Variables that say on how many threads a library computes; all get the run's number."""
FAMILIES = (
    "TF_AUTO", "TF_CONV", "TF_CUBLAS", "TF_CUDA", "TF_CUDNN", "TF_DISABLE", "TF_ENABLE", "TF_FP16", "TF_GPU", "TF_JIT",
    "TF_MATMUL", "TF_MKL", "TF_ONEDNN", "TF_SET", "TF_USE", "TF_XLA", "XLA_", "JAX_", "KERAS_", "ONEDNN_", "DNNL_",
    "MKL_", "OPENBLAS_", "BLIS_", "OMP_", "GOMP_", "KMP_", "NPY_", "CUBLAS_", "CUDNN_",
)  # fmt: skip
"""Beginnings of variables that the libraries below us read: what is left of them goes into the record. Never all of
TF_, which Terraform shares for passwords."""
HARMLESS = ("_HOME", "_DIR", "_PATH", "_LOG_LEVEL", "_BACKEND", "_PLATFORMS", "_ALLOW_GROWTH", "_LIB_OK", "_AT_FORK")
"""Ends of such variables that name places, messages, or what the record says elsewhere; scikit-learn sets the last."""


def hold_variables(threads: int) -> None:
    """Set the variables of `HELD` and `THREADS`, before the libraries that read them are imported.

    Raises:
        UserError: one of `HELD` has another value and it is too late to change it.
    """
    late = bool({"keras", "tensorflow", "jax"} & set(sys.modules))
    for name, value in HELD.items():
        found = os.environ.get(name)
        if late and found not in (None, value):
            expected = "no value" if value is None else value
            raise UserError(f"{name}: expected {expected} when Keras was imported, got {found!r}; unset it")
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    os.environ.update(dict.fromkeys(THREADS, str(threads)))


def variables() -> dict[str, str]:
    """Return the variables of `FAMILIES` that others set and we left as they are, words that name a place left out."""
    ours = {*HELD, *THREADS}
    return {
        name: " ".join(word for word in value.split() if "/" not in word)
        for name, value in sorted(os.environ.items())
        if name.startswith(FAMILIES) and not name.endswith(HARMLESS) and name not in ours
    }


def commit() -> dict[str, Any]:
    """Return the commit of this checkout and whether the code was as committed.

    Both None outside git, and where this code lies in a repository of something else.
    """
    try:
        if Path(git(TREE, "rev-parse", "--show-toplevel")).resolve() != TREE:
            return {"commit": None, "clean": None}
        git(TREE, "ls-files", "--error-unmatch", "--", "gralib/surroundings.py")
        changed = git(TREE, "status", "--porcelain", "--untracked-files=normal", "--", *CODE)
        return {"commit": git(TREE, "rev-parse", "HEAD"), "clean": not changed}
    except NO_ANSWER:
        return {"commit": None, "clean": None}


NO_ANSWER = (OSError, subprocess.CalledProcessError)
"""What `git` raises where there is no git, no repository, or nothing of that name in it."""


def git(folder: Path, *words: str) -> str:
    """Return what git says in a folder, whatever the environment says of another repository."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *words], cwd=folder, env=plain, capture_output=True, text=True, check=True)
    return done.stdout.strip()
