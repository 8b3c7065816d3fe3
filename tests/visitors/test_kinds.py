"""The kinds of attention side by side: as the layer that trains has them."""

import numpy as np
import pytest
from keras import ops

from gralib.model.attention import ATTENTIONS, MaskActivation
from gralib.visitors import kinds


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_each_kind_is_the_layer_s_of_the_same_features(kind):
    features = np.random.default_rng(0).normal(0.3, 2, (8, 8, 32)).astype("float32")
    mask = ops.convert_to_numpy(MaskActivation("mixed")(features[None]))[0]
    expected = ops.convert_to_numpy(MaskActivation(kind)(features[None]))[0]
    np.testing.assert_allclose(kinds.of(mask)[kind], expected, atol=1e-3)


def test_a_mask_of_noughts_and_ones_is_no_trouble():
    found = kinds.of(np.repeat([[[0.0], [1.0]]], 4, axis=2))
    assert all(np.isfinite(mask).all() for mask in found.values())


def test_one_scale_serves_all_masks():
    """All parts of a vector alike: 1 or -1 in units of the square root of the channels, the ends of the scale."""
    high, low, middle = (np.full((2, 2, 16), value) for value in (0.8, 0.2, 0.5))
    for mask, mixed, channel in ((high, 1, 1), (low, 0, 0)):
        found = kinds.shares(mask)
        np.testing.assert_allclose(found["mixed"], mixed, atol=1e-9)
        np.testing.assert_allclose(found["channel"], channel, atol=1e-5)
        np.testing.assert_allclose(found["spatial"], 0.5)
    assert kinds.shares(middle)["mixed"] == pytest.approx(0.5)
