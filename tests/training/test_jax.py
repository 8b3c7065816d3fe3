"""The same study with JAX as Keras' engine and no TensorFlow at hand, as on many GPU machines."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny
from conftest import ROOT

from gralib import backend
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation.measures import outputs_of
from gralib.training import fit, grids, records
from gralib.training.experiment import run

PROGRAM = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from gralib.training import grids
from gralib.config import configure
from gralib.training.experiment import run
from gralib.data.faces import open_faces
drawn, store, (tiny, longer) = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
faces = open_faces("utkface", drawn, progress=False)
first = grids.configs_of("gate_ablation", 1, preset="smoke", **tiny)[0]
print(run(first, faces, store, progress="none").record.run_id)
alone = run(configure("smoke", **longer), faces, store, progress="none")
import keras
assert keras.distribution.distribution() is None
print(alone.record.run_id, alone.record.environment["devices"])
"""
SHARED = """
import json, sys
import keras
from gralib.config import configure
from gralib.training.experiment import run
from gralib.data.faces import open_faces
drawn, store, tiny = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
faces = open_faces("utkface", drawn, progress=False)
done = run(configure("smoke", **tiny), faces, store, progress="none")
assert keras.backend.backend() == "jax" and keras.distribution.distribution() is not None
print(done.record.run_id, done.record.environment["devices"])
"""
LATE = """
import sys, keras
if sys.argv[1] == "computed":
    keras.ops.convert_to_numpy(keras.ops.ones(3) + 1)
from gralib import backend
from gralib.errors import UserError
try:
    backend.start(1)
    from tensorflow.python.framework.config import is_op_determinism_enabled
    import tensorflow
    print(tensorflow.config.threading.get_intra_op_parallelism_threads(), is_op_determinism_enabled())
except UserError as error:
    print(error)
"""
TINY = {"width": 2, "epochs": 1, "train_faces": 128}
LONGER = {"width": 2, "epochs": 3, "train_faces": 64, "batch_size": 32, "network": "separable"}
"""With batch norm too, and compiled sooner; of few faces, as XLA takes its time over separable convolutions."""
QUICK = "--xla_backend_optimization_level=0"
"""XLA compiles a network for a minute, which then trains for a second."""


def on_jax(program, drawn, store, settings, **env):
    """Return what a program prints in a process of its own, on JAX."""
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "GRA_ROOT": str(store.parent),
           "PYTHONPATH": str(ROOT), "XLA_FLAGS": QUICK, **env}  # fmt: skip
    words = [sys.executable, "-c", program, str(drawn), str(store), json.dumps(settings)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, cwd=store.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.fixture(scope="module")
def on_one_device(drawn, tmp_path_factory):
    """A store of runs made by JAX, and what the program printed: a grid's first run, a longer one, devices."""
    store = tmp_path_factory.mktemp("jax") / "runs"
    return store, on_jax(PROGRAM, drawn, store, (TINY, LONGER))


@pytest.mark.slow
def test_jax_trains_the_same_run_without_tensorflow(faces, tmp_path, on_one_device):
    store, (name, *_) = on_one_device
    config = grids.configs_of("gate_ablation", 1, preset="smoke", **TINY)[0]
    mine, other = run(config, faces, tmp_path / "tf", progress="none"), records.Run(store / name)
    assert mine.record.run_id == name, "a run has the same name on every engine"
    assert other.record.environment["backend"] == "jax"
    assert "tensorflow" not in other.record.environment["packages"]
    first, second = (outputs_of(r.record.config, r.predictions) for r in (mine, other))
    np.testing.assert_allclose(first, second, atol=0.02)


@pytest.mark.slow
def test_two_devices_learn_what_one_does(drawn, tmp_path, on_one_device):
    two = {"GRA_DEVICES": "2", "XLA_FLAGS": f"--xla_force_host_platform_device_count=2 {QUICK}"}
    name, devices = on_jax(SHARED, drawn, tmp_path / "two", LONGER, **two)
    assert devices == "2"
    store, (*_, alone, devices) = on_one_device
    assert (alone, devices) == (name, "1"), "the same run, however it is computed"
    one, other = records.Run(store / name), records.Run(tmp_path / "two" / name)
    first, last = one.history.iloc[0], one.history.iloc[-1]
    np.testing.assert_allclose(first["train_loss"], other.history["train_loss"].iloc[0], rtol=1e-4)
    # The network enlarges rounding, so another order of summation is seen after some steps: reports/about/scaling.md.
    np.testing.assert_allclose(last["train_loss"], other.history["train_loss"].iloc[-1], rtol=0.02)


@pytest.mark.parametrize(
    ("asked", "engine", "message"),
    [
        ("2", "tensorflow", "GRA_DEVICES: expected 1 on tensorflow, got 2; set KERAS_BACKEND=jax"),
        ("3", "jax", "GRA_DEVICES: expected 1 to 1, the devices here, got 3"),
        ("many", "jax", "GRA_DEVICES: expected 1 to 1, the devices here, got many"),
    ],
)
def test_devices_that_are_not_there_are_one_line(monkeypatch, asked, engine, message):
    import keras

    monkeypatch.setenv("GRA_DEVICES", asked)
    monkeypatch.setattr(keras.backend, "backend", lambda: engine)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])
    with pytest.raises(UserError) as error:
        backend._spread()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("before", "said"),
    [("imported", "1 True"), ("computed", "threads: Keras has computed before; call gralib.backend.start() first")],
)
def test_keras_imported_before_us_is_held_to_the_same_or_refused(before, said):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", LATE, before], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == said, done.stderr[-2000:]


@pytest.mark.slow
def test_mixed_precision_is_one_setting(faces, tmp_path, tiny_run):
    config = tiny.config("gender").model_copy(update={"precision": "mixed_bfloat16"})
    model = fit.build(config)
    assert {w.dtype for w in model.weights} == {"float32"} and model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert fit.build(configure("smoke", width=2)).get_layer("stem_conv").compute_dtype == "float32"
    done, plain = run(config, faces, tmp_path, progress="none"), tiny_run("gender")
    assert done.record.run_id != plain.record.run_id
    np.testing.assert_allclose(done.history["train_loss"], plain.history["train_loss"], rtol=0.05)
