import keras
import numpy as np
import pytest
from keras import ops

from gralib import backend
from gralib.model.grouped import GroupedConv2D

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 8, 8, 12)).astype("float32")


def pair(**settings):
    """Return our layer and Keras' with the same weights."""
    layers = [cls(8, 3, groups=4, padding="same", **settings) for cls in (GroupedConv2D, keras.layers.Conv2D)]
    for layer in layers:
        layer.build(X.shape)
    kernel, bias = (np.random.default_rng(1).normal(size=w.shape).astype("float32") for w in layers[0].weights)
    for layer in layers:
        layer.set_weights([kernel, bias])
    return layers


@pytest.mark.parametrize("stride", [1, 2])
def test_the_same_numbers_as_keras(stride):
    ours, theirs = (np.asarray(layer(X)) for layer in pair(strides=stride))
    assert ours.shape == (3, 8 // stride, 8 // stride, 8)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert np.abs(ours).max() > 1


def test_the_same_gradient_as_keras():
    weight = RNG.normal(size=(3, 8, 8, 8)).astype("float32")
    ours, theirs = (backend.gradient(lambda x, layer=layer: ops.sum(weight * layer(x)), X) for layer in pair())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert np.abs(ours).max() > 1


def test_a_group_of_filters_sees_its_own_channels_alone():
    layer, _ = pair()
    changed = X.copy()
    changed[..., 3:6] += 1  # the second group of four
    moved = np.abs(np.asarray(layer(changed)) - np.asarray(layer(X))).max(axis=(0, 1, 2)) > 1e-3
    assert moved.tolist() == [False, False, True, True, False, False, False, False]
