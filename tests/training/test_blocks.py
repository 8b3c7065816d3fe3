"""Size of features and variance of masks, block by block: on made-up arrays, and on one small trained network."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tiny

from gralib.errors import UserError
from gralib.evaluation import outcomes
from gralib.training import inspection, probed, records
from gralib.training.packed import pack


def test_the_faces_looked_at_are_spread_over_all():
    """Files stand by name, and UTKFace's names begin with the age: the first five hundred are children."""
    assert inspection.spread(np.arange(100, 110)).tolist() == list(range(100, 110))
    rows = inspection.spread(np.arange(5000) * 3)
    assert len(set(rows)) == inspection.COUNT and (rows[0], rows[-1]) == (0, 14997)
    assert np.diff(rows).min() > 0 and np.diff(rows).max() <= 30


def test_shares_of_a_masks_variance():
    positions, channels = np.linspace(0, 1, 16).reshape(1, 4, 4, 1), np.linspace(0, 1, 8).reshape(1, 1, 1, 8)
    spread = np.ones((3, 4, 4, 8))
    assert inspection.shares(spread * positions) == pytest.approx((1, 0))
    assert inspection.shares(spread * channels) == pytest.approx((0, 1))
    both = inspection.shares(spread * positions + spread * channels)
    assert both == pytest.approx(
        tuple(v / (positions.var() + channels.var()) for v in (positions.var(), channels.var()))
    )
    assert np.isnan(inspection.shares(spread)).all(), "the same everywhere"
    rng = np.random.default_rng(0)
    assert sum(inspection.shares(rng.random((50, 8, 8, 32)))) < 0.1, "noise lies in neither alone"


def test_a_mask_that_differs_between_faces_alone_has_no_shares():
    assert np.isnan(inspection.shares(np.ones((2, 3, 3, 4)) * np.array([0.2, 0.8])[:, None, None, None])).all()


def test_size_and_growth():
    assert inspection.size(np.array([[3.0, -3.0]])) == 3
    table = pd.DataFrame({"block": ["stage1_module1", "stage1_module2", "stage2_module1", "stage2_module2"],
                          "size_after": [1.0, 4.0, 2.0, 1.0], "size_before": [1.0, 1.0, 1.0, 1.0]})  # fmt: skip
    assert outcomes.growth(table) == 0.5  # two doublings up, one down
    assert outcomes.growth(table, "size_before") == 0
    deeper = pd.DataFrame({"block": [f"stage1_module{m}" for m in (1, 2, 3)], "size_after": [1.0, 9.0, 8.0]})
    assert outcomes.growth(deeper) == 3, "from the first to the last of three"
    with pytest.raises(UserError, match="modules: expected at least 2 a stage"):
        outcomes.growth(table.iloc[[0, 2]])


def test_a_trained_network_is_looked_into_once(tiny_run, faces, tmp_path):
    run = tiny.copied(tiny_run("gender"), tmp_path)
    path = inspection.probe(run, faces)
    first = path.read_bytes()
    table = probed.blocks(records.Run(run.folder))
    assert list(table["block"]) == ["stage1_module1", "stage2_module1", "stage3_module1"]
    assert (table[["size_before", "size_after"]] > 0).all(axis=None)
    assert (table["size_before"] != table["size_after"]).all(), "training moved something"
    shares = table["position_share"] + table["channel_share"]
    assert ((shares > 0) & (shares <= 1)).all()
    assert inspection.probe(records.Run(run.folder), faces) == path and path.read_bytes() == first
    path.write_bytes(b"no table")
    with pytest.raises(UserError, match="expected what was measured of blocks"):
        probed.blocks(run)


def test_what_cannot_be_looked_into_is_refused(faces, made_up, tmp_path):
    ours = made_up(tmp_path, "gender")
    for run, data in ((made_up(tmp_path, "gender", network="residual"), faces),
                      (ours, replace(faces, fingerprint="0" * 16))):  # fmt: skip
        with pytest.raises(UserError, match="expected a run of GRA_Net on these faces"):
            inspection.probe(run, data)
    records.add(ours.folder, records.BLOCKS, b"looked into before")
    assert inspection.probe(records.Run(ours.folder), faces).read_bytes() == b"looked into before"


def test_a_table_of_blocks_is_read_back_and_another_refused(tmp_path):
    run = SimpleNamespace(folder=tmp_path)
    assert probed.blocks(run) is None
    table = pd.DataFrame([["stage1_module1", 1.5, 2.25, 0.5, 0.25]], columns=probed.BLOCK_COLUMNS)
    (tmp_path / records.BLOCKS).write_bytes(pack(table))
    pd.testing.assert_frame_equal(probed.blocks(run), table)
    (tmp_path / records.BLOCKS).write_bytes(pack(table.drop(columns="size_after")))
    with pytest.raises(UserError, match="expected columns block, size_before, size_after"):
        probed.blocks(run)


def test_features_and_mask_of_each_block_by_name():
    import keras

    x = inputs = keras.Input((2, 2, 1))
    for number in (1, 2, 3):
        mask = keras.layers.Rescaling(0, offset=number / 10, name=f"stage1_module{number}_mask_activation")(x)
        x = keras.layers.Rescaling(10, name=f"stage1_module{number}_double")(x)
        x = keras.layers.Add(name=f"stage1_module{number}_after_add")([x, mask])
    found = inspection._outputs(keras.Model(inputs, x), np.ones((3, 2, 2, 1), "float32"), training=False)
    assert list(found) == ["stage1_module1", "stage1_module2", "stage1_module3"]
    for (features, mask), size, offset in zip(found.values(), (10.1, 101.2, 1012.3), (0.1, 0.2, 0.3), strict=True):
        np.testing.assert_allclose(features, np.full((3, 2, 2, 1), size), rtol=1e-5)
        np.testing.assert_allclose(mask, np.full((3, 2, 2, 1), offset), rtol=1e-5)
