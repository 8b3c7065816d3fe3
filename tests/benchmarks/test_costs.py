"""Arithmetic counted on networks, and what a study of known work costs."""

import costs
import keras
import pandas as pd
import pytest

from gralib.config import configure
from gralib.model.network import gra_net
from gralib.training.fit import build


def test_arithmetic_is_counted_layer_by_layer():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)  # 4x4 places, 3x3x3 inputs, 4 channels
    y = keras.layers.SeparableConv2D(5, 3, padding="same")(y)  # 3x3 for each of 4 channels, then 4 x 5
    y = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(y))
    inner = keras.Model(x, y)
    expected = 2 * (16 * 27 * 4 + 16 * (9 * 4 + 4 * 5) + 5 * 2) / 1e9
    assert costs.forward_gflop(inner) == pytest.approx(expected)
    assert costs.forward_gflop(keras.Sequential([keras.Input((8, 8, 3)), inner])) == pytest.approx(expected), "nested"


def test_a_training_face_costs_what_was_counted_by_hand():
    assert 3 * costs.forward_gflop(gra_net(width=8)) == pytest.approx(0.2337, abs=1e-4)


def test_work_is_three_forward_passes_a_face_an_epoch_a_run():
    small, large = configure("smoke", width=2), configure("smoke", width=4, dataset="afad")
    table = costs.work([("a", small, 3), ("a", large, 1), ("b", small, 2)])
    one, other = (3 * costs.forward_gflop(build(c)) * costs.faces_of(c) * c.epochs / 1e9 for c in (small, large))
    assert table["runs"].tolist() == [4, 2]
    assert table["exaflop"].tolist() == pytest.approx([3 * one + other, 2 * one])
    assert table["largest run"].tolist() == pytest.approx([max(one, other), one])


def test_devices_share_runs_until_each_has_one():
    table = pd.DataFrame({"part": ["a", "b"], "runs": [8, 1], "exaflop": [8.0, 2.0], "largest run": [1.0, 2.0]})
    day = 1e9 / 86400  # GFLOP/s of a device that does an exaflop a day
    machines = [costs.Machine("few", day, 2, 1.0, "x"), costs.Machine("many", day, 100, 1.0, "x")]
    few, many = costs.cost(table, machines).to_dict(orient="records")
    assert (few["days"], few["device hours"], few["dollars"], few["busy"]) == pytest.approx((5, 240, 240, 1))
    assert (many["days"], many["dollars"], many["busy"]) == pytest.approx((2, 240, 0.05)), (
        "the largest run sets the end"
    )


def test_the_full_study_has_every_data_set_protocol_and_grid():
    study = costs.runs_of_study(seeds=5)
    counts = {part: sum(n for name, _, n in study if name == part) for part, _, _ in study}
    assert counts["fgnet"] == 82 * 2 * 5 and counts["adience"] == 5 * 2 * 5 and counts["utkface"] == 3 * 5
    assert all(config.width == 32 for _, config, _ in study) and counts["grids"] % 5 == 0
    assert {config.network for _, config, _ in study} == {
        "gra_net",
        "residual",
        "levi_hassner",
        "savchenko",
        "separable",
    }
