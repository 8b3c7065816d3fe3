"""The same study with JAX as Keras' engine and no TensorFlow at hand, as on many GPU machines."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from gralib import grids, records
from gralib.experiment import outputs_of

PROGRAM = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from gralib import grids
from gralib.experiment import run
from gralib.faces import open_faces
drawn, store, tiny = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
faces = open_faces("utkface", drawn, progress=False)
for config in grids.configs_of("gate_ablation", 1, preset="smoke", **tiny)[:2]:
    print(run(config, faces, store, progress="none").record.run_id)
"""
TINY = {"width": 2, "epochs": 1, "train_faces": 128}


@pytest.mark.xdist_group("grid")
def test_jax_runs_the_same_grid_without_tensorflow(drawn, faces, tmp_path):
    env = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "GRA_ROOT": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    words = [sys.executable, "-c", PROGRAM, str(drawn), str(tmp_path / "jax"), json.dumps(TINY)]
    env.pop("GRA_THREADS", None)
    done = subprocess.run(words, env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    ours, problems = grids.run_grid(
        grids.configs_of("gate_ablation", 1, preset="smoke", **TINY)[:2], drawn, faces, 1, tmp_path / "tf"
    )
    assert not problems
    for run, name in zip(ours, done.stdout.split(), strict=True):
        assert run.record.run_id == name, "a run has the same name on every engine"
        other = records.Run(tmp_path / "jax" / name)
        assert other.record.environment["backend"] == "jax"
        assert "tensorflow" not in other.record.environment["packages"]
        first, second = (outputs_of(r.record.config, r.predictions) for r in (run, other))
        np.testing.assert_allclose(first, second, atol=0.02)
