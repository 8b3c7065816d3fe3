"""The checks of the claims that need no data, and that they would notice."""

import json

import keras
import numpy as np
from conftest import ROOT

from gralib import backend
from gralib.model import checks
from gralib.model.attention import GatedAttention


def test_what_is_committed_comes_out_again_and_holds(tmp_path):
    found = json.loads(checks.write(tmp_path)[0].read_text())
    committed = json.loads((ROOT / "reports/equations.json").read_text())
    assert [(c["claim"], c["what"]) for c in found["checks"]] == [(c["claim"], c["what"]) for c in committed["checks"]]
    assert all(c["holds"] for c in found["checks"] + committed["checks"])
    assert [c["value"] for c in found["checks"] if c["claim"] == "C2"] == [33_019_013]
    assert found["environment"]["threads"] == 1
    written, drawn_from = (folder / "network.json" for folder in (tmp_path, ROOT / "reports"))
    assert written.read_bytes() == drawn_from.read_bytes(), "the report draws the network as it is built"


def test_a_wrong_gate_count_and_gradient_are_noticed(monkeypatch):
    monkeypatch.setattr(GatedAttention, "gamma", lambda self: keras.ops.convert_to_tensor(0.4))
    monkeypatch.setattr(checks, "PARAMETERS", 32e6)
    monkeypatch.setattr(backend, "gradient", lambda function, x: np.zeros_like(x))
    found = checks.check(width=2)
    assert len(found) == 7
    assert not any(c["holds"] for c in found)
