"""What `import gralib` gives, and what it spares."""

import subprocess
import sys

import pytest

import gralib

SPARED = ("keras", "tensorflow", "jax", "pandas", "numpy")


def loaded_after(code):
    """Return which heavy libraries a fresh process has loaded after some code."""
    program = f"{code}\nimport sys\nprint(*[name for name in {SPARED} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_importing_the_project_loads_nothing_heavy():
    assert loaded_after("import gralib") == []


def test_configurations_tables_figures_and_prediction_need_no_backend():
    code = "from gralib import RunConfig, Study, claims, compare, figures, grids, open_faces, predict, batch, run"
    assert not set(loaded_after(code)) & {"keras", "tensorflow", "jax"}


@pytest.mark.parametrize("name", gralib.__all__)
def test_every_name_is_what_its_place_has(name):
    value = getattr(gralib, name)
    assert value.__name__.rpartition(".")[2] == name
    assert name in dir(gralib)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'gralib' has no attribute 'gra_nets'"):
        _ = gralib.gra_nets


def test_a_network_asked_for_first_finds_the_backend_started():
    code = "from gralib import gra_net, backend\nprint(backend._started)\nprint(gra_net(width=2).count_params() > 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["1", "True"]
    assert result.stderr == ""
