import keras
import numpy as np
import pytest
from keras import ops

from gralib import backend
from gralib.model.batch_norm import FusedBatchNorm


def pair():
    layers = [cls(momentum=0.9) for cls in (FusedBatchNorm, keras.layers.BatchNormalization)]
    rng = np.random.default_rng(1)
    scale, offset = rng.normal(size=(2, 6)).astype("float32")
    for layer in layers:
        layer.build((None, 4, 4, 6))
        layer.gamma.assign(scale)
        layer.beta.assign(offset)
    return layers


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("faces", [2, 64])
def test_the_same_numbers_as_keras(training, faces):
    ours, theirs = pair()
    rng = np.random.default_rng(0)
    for _ in range(3):
        x = rng.normal(3, 2, (faces, 4, 4, 6)).astype("float32")
        np.testing.assert_allclose(ours(x, training=training), theirs(x, training=training), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    moved = np.abs(np.asarray(ours.moving_mean)).max() > 0.1
    assert moved == training


def test_the_same_gradient_as_keras():
    x = np.random.default_rng(0).normal(3, 2, (8, 4, 4, 6)).astype("float32")
    weight = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    ours, theirs = (
        backend.gradient(lambda v, layer=layer: ops.sum(weight * layer(v, training=True)), x) for layer in pair()
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    assert np.abs(ours).max() > 0.1


def test_a_frozen_layer_uses_its_running_statistics():
    layer, _ = pair()
    layer.trainable = False
    x = np.full((2, 4, 4, 6), 5, dtype="float32")
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
