"""The one corner that knows which backend Keras runs on: threads, determinism, and what to write into a record."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from gralib.errors import UserError
from gralib.surroundings import commit, hold_variables, variables

BACKENDS = ("tensorflow", "jax")
"""Those that this code was written for and tested on."""
_started = 0
"""Threads that `start` gave this process; 0 before it was called."""


def start(threads: int | None = None) -> None:
    """Start Keras on `threads` processor threads with operations that give the same bits every time.

    One thread a run is the default: runs side by side use the cores best, and results do not depend on how many there
    are. They do depend on the threads of a run, which share out sums and so round otherwise. TensorFlow takes its
    thread count once, so a process keeps its first one; None asks for no other. Nothing that a file in the user's
    home, the environment or other code sets of Keras decides a number: see `gralib.surroundings` and `_settle`.

    Raises:
        UserError: another number of threads before, something computed without this, a setting that came too late to
            be changed, or no backend is installed.
    """
    global _started
    if _started:
        if threads not in (None, _started):
            raise UserError(f"threads: this process computes on {_started}, got {threads}")
        _settle()
        return
    threads = threads or 1
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    late = bool({"keras", "tensorflow"} & set(sys.modules))  # too late for these
    hold_variables(threads)
    try:
        with _quiet():
            _import_keras()
            _settle()
            if _backend() == "tensorflow":
                import tensorflow

                if late:
                    _hold(threads)
                tensorflow.config.experimental.enable_op_determinism()
                tensorflow.config.list_logical_devices()
        _spread()
    except ModuleNotFoundError as error:
        raise UserError(f"KERAS_BACKEND: no {error.name} here; install it or set KERAS_BACKEND=jax") from None
    threadpool_limits(threads)  # libraries that were loaded before the variables were set
    _started = threads


def _import_keras() -> None:
    """Import Keras on the backend that KERAS_BACKEND names, TensorFlow without it; never on one a file names."""
    asked = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if asked not in BACKENDS:
        raise UserError(f"KERAS_BACKEND: expected {' or '.join(BACKENDS)}, got {asked!r}")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = asked
    try:
        import keras
    except (AttributeError, TypeError, ValueError) as error:
        place = os.environ.get("KERAS_HOME") or "~/.keras"
        raise UserError(f"{place}/keras.json: expected settings that Keras can read, got {error}") from None
    if _backend() not in BACKENDS:
        raise UserError(f"backend of Keras: expected {' or '.join(BACKENDS)}, got {_backend()!r}")
    keras.utils.set_random_seed(0)


def _settle() -> None:
    """Give Keras and its backend the settings that all runs share, whatever keras.json or other code said."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    if _backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", False)
        jax.config.update("jax_default_matmul_precision", None)
        return
    import tensorflow

    tensorflow.config.run_functions_eagerly(False)
    tensorflow.config.experimental.enable_tensor_float_32_execution(True)  # as it is by default; matters on GPUs alone


def _backend() -> str:
    """Return the name of the backend that Keras runs on."""
    import keras

    return keras.backend.backend()


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
    return _backend() == "jax"


def trace_prediction(model: Any) -> None:
    """Trace once what a network answers to batches of any size; TensorFlow itself would for size after size."""
    if _backend() == "tensorflow" and not model.predict_function:
        import tensorflow

        model.make_predict_function()
        any_size = tensorflow.TensorSpec((None, 32, 32, 3), "uint8")
        model.predict_function.get_concrete_function([(any_size,)])


def fused_batch_norm() -> Callable | None:
    """Return (x, scale, offset, epsilon) -> (normalised x, mean, variance) as one operation; None if there is none.

    XLA fuses by itself on JAX. TensorFlow's operation returns the sample variance; Keras uses the population's.
    """
    if _backend() != "tensorflow":
        return None
    import tensorflow

    def apply(x, scale, offset, epsilon):
        y, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=epsilon)
        count = tensorflow.cast(tensorflow.size(x) // x.shape[-1], x.dtype)
        return y, mean, variance * ((count - 1) / count)

    return apply


def gradient(function: Callable, x: Any) -> Any:
    """Return the gradient of a scalar function at the array `x`, shaped like `x`, as NumPy."""
    import numpy as np

    if _backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(x)))
    import tensorflow

    point = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point).numpy()


def environment() -> dict[str, Any]:
    """Return what a record says of where it was made: versions, engine, processor, threads, settings, commit."""
    name = _backend()
    packages = ["keras", name, "numpy", "pillow", "scikit-image", "scikit-learn", "scipy"]
    return {
        "python": platform.python_version(),
        "packages": {p: importlib.metadata.version(p) for p in packages},
        "backend": name,
        "device": _device(name),
        "threads": _started,
        "devices": devices(),
        "system": f"{platform.system()} {platform.machine()}",
        "settings": settings(),
        **commit(),
    }


def settings() -> dict[str, Any]:
    """Return what moves a number and is not ours to set: the kernels of linear algebra, oneDNN, and variables left."""
    pools = threadpool_info()
    kernels = {f"{p['internal_api']} {p.get('architecture', '')}".strip() for p in pools if p["user_api"] == "blas"}
    found: dict[str, Any] = {"blas": sorted(kernels)}
    if _backend() == "tensorflow":
        from tensorflow.python.util import _pywrap_util_port

        found["onednn"] = _pywrap_util_port.IsMklEnabled()  # the processor decides where Keras was imported before us
    return found | variables()


def _device(backend: str) -> str:
    """Return the accelerator's name, or the processor's."""
    if backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return str(jax.devices()[0].device_kind)
    else:
        import tensorflow

        for device in tensorflow.config.list_physical_devices("GPU"):
            return str(tensorflow.config.experimental.get_device_details(device).get("device_name", device.name))
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
