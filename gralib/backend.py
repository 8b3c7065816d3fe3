"""The one corner that knows which engine Keras runs on: threads, determinism, and what to write into a record."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gralib.errors import ROOT, UserError

CODE = ("gralib", "notebooks", "Snakefile", "requirements.lock")
"""What decides a result; a record says whether these were as committed."""


_started = 0
"""Threads that `start` gave this process; 0 before it was called."""


def start(threads: int = 1) -> None:
    """Start Keras on `threads` processor threads with operations that give the same bits every time.

    One thread a run is the default: runs side by side use the cores best, and results do not depend on how many there
    are. They do depend on the threads of a run, which share out sums and so round otherwise. TensorFlow takes its
    thread count once, so a process keeps its first one.

    Raises:
        UserError: another number of threads before, something computed without this, or no engine is installed.
    """
    global _started
    if _started:
        if _started != threads:
            raise UserError(f"threads: this process computes on {_started}, got {threads}")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    late = "keras" in sys.modules  # too late for these
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    try:
        with _quiet():
            import keras

            keras.utils.set_random_seed(0)
            if keras.backend.backend() == "tensorflow":
                import tensorflow

                if late:
                    _hold(threads)
                tensorflow.config.experimental.enable_op_determinism()
                tensorflow.config.list_logical_devices()
        _spread()
    except ModuleNotFoundError as error:
        raise UserError(f"KERAS_BACKEND: no {error.name} here; install it or set KERAS_BACKEND=jax") from None
    _started = threads


def _hold(threads: int) -> None:
    """Hold a TensorFlow that was imported before to `threads` threads."""
    import tensorflow

    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise UserError("threads: Keras has computed before; call gralib.backend.start() first") from None


def devices() -> int:
    """Return how many accelerators share a batch: GRA_DEVICES of the environment, else 1."""
    return int(os.environ.get("GRA_DEVICES", "1"))


def _spread() -> None:
    """Share every batch among GRA_DEVICES accelerators; each keeps all weights, and gradients are summed."""
    import keras

    asked = os.environ.get("GRA_DEVICES", "1")
    if asked == "1":
        return
    if keras.backend.backend() != "jax":
        raise UserError(f"GRA_DEVICES: expected 1 on {keras.backend.backend()}, got {asked}; set KERAS_BACKEND=jax")
    here = keras.distribution.list_devices()
    if asked not in map(str, range(1, len(here) + 1)):
        raise UserError(f"GRA_DEVICES: expected 1 to {len(here)}, the devices here, got {asked}")
    shared = keras.distribution.DataParallel(devices=here[: int(asked)], auto_shard_dataset=False)
    keras.distribution.set_distribution(shared)


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build the layers made inside with a Keras dtype policy; weights stay float32 in all of those we use."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the greetings that TensorFlow's C++ side prints while it loads off the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def jit_compile() -> bool:
    """Tell whether to compile with XLA: always on JAX; not on TensorFlow, whose XLA is 2 to 3 times slower on CPUs."""
    import keras

    return keras.backend.backend() == "jax"


def fused_batch_norm() -> Callable | None:
    """Return (x, scale, offset, epsilon) -> (normalised x, mean, variance) as one operation; None if there is none.

    XLA fuses by itself on JAX. TensorFlow's operation returns the sample variance; Keras uses the population's.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow

    def apply(x, scale, offset, epsilon):
        y, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=epsilon)
        count = tensorflow.cast(tensorflow.size(x) // x.shape[-1], x.dtype)
        return y, mean, variance * ((count - 1) / count)

    return apply


def gradient(function: Callable, x: Any) -> Any:
    """Return the gradient of a scalar function at the array `x`, shaped like `x`, as NumPy."""
    import keras
    import numpy as np

    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(x)))
    import tensorflow

    point = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point).numpy()


def environment() -> dict[str, Any]:
    """Return what a record says of where it was made: versions, engine, processor, threads, commit."""
    import keras

    name = keras.backend.backend()
    packages = ["keras", name, "numpy", "pillow", "scikit-learn"]
    return {
        "python": platform.python_version(),
        "packages": {p: importlib.metadata.version(p) for p in packages},
        "backend": name,
        "device": _device(name),
        "threads": _started,
        "devices": devices(),
        "system": f"{platform.system()} {platform.machine()}",
        **commit(),
    }


def commit() -> dict[str, Any]:
    """Return the checkout's commit and whether the code was as committed; both None outside git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain", "--", *CODE)}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "clean": None}


def _device(backend: str) -> str:
    """Return the accelerator's name, or the processor's."""
    if backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return str(jax.devices()[0].device_kind)
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
