import keras
import numpy as np
import pytest
from keras import ops

from gralib import backend
from gralib.model.attention import ATTENTIONS, GatedAttention, MaskActivation

rng = np.random.default_rng(7)
X = rng.normal(size=(3, 6, 5, 8)).astype("float32")
K = rng.random((3, 6, 5, 8)).astype("float32")
F = rng.normal(size=(3, 6, 5, 8)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("float64")))


def test_equation_4_mixed():
    np.testing.assert_allclose(MaskActivation("mixed")(X), sigmoid(X), rtol=1e-5)


def test_equation_5_channel():
    norm = np.sqrt((X.astype("float64") ** 2).sum(axis=-1, keepdims=True))
    mask = np.asarray(MaskActivation("channel")(X))
    np.testing.assert_allclose(mask, X / norm, rtol=1e-5)
    np.testing.assert_allclose((mask**2).sum(axis=-1), 1, rtol=1e-5)
    assert mask.min() < 0, "the seed says masks lie in [0, 1]; Eq. 5 does not keep that"


def test_a_short_channel_vector_has_norm_1_too():
    mask = np.asarray(MaskActivation("channel")(np.full((1, 1, 1, 4), 5e-4, "float32")))
    np.testing.assert_allclose(mask, 0.5, rtol=1e-4)


def test_equation_6_spatial():
    mean, std = X.mean(axis=(1, 2), keepdims=True, dtype="float64"), X.std(axis=(1, 2), keepdims=True, dtype="float64")
    np.testing.assert_allclose(MaskActivation("spatial")(X), sigmoid((X - mean) / std), rtol=1e-4)


@pytest.mark.parametrize(("kind", "mask"), [*zip(ATTENTIONS, (0.5, 0, 0.5), strict=True)])
def test_features_of_zero_give_a_finite_mask(kind, mask):
    np.testing.assert_array_equal(MaskActivation(kind)(np.zeros_like(X)), mask)


def test_equation_1_is_a_gate_of_zero_exactly():
    np.testing.assert_array_equal(GatedAttention(0)([K, F]), K * F)


def test_figure_4_a_gate_of_one_is_the_trunk_exactly():
    np.testing.assert_array_equal(GatedAttention(1)([K, F]), F)


@pytest.mark.parametrize("gamma", [0.25, 0.5, 0.75])
def test_equation_3(gamma):
    np.testing.assert_allclose(GatedAttention(gamma)([K, F]), (gamma + (1 - gamma) * K) * F, rtol=1e-6, atol=1e-7)


def test_a_gate_of_one_half_is_residual_attention_up_to_a_factor():
    np.testing.assert_allclose(2 * np.asarray(GatedAttention(0.5)([K, F])), (1 + K) * F, rtol=1e-6, atol=1e-7)


def test_with_the_mask_at_zero_the_output_is_gamma_times_features_not_features():
    np.testing.assert_allclose(GatedAttention(0.25)([np.zeros_like(F), F]), 0.25 * F, rtol=1e-6)


def test_equation_2_the_mask_filters_the_gradient_of_the_trunk():
    weights = rng.normal(size=F.shape).astype("float32")
    gated = GatedAttention(0)
    found = backend.gradient(lambda p: ops.sum(weights * gated([K, ops.sin(p)])), F)
    np.testing.assert_allclose(found, weights * K * np.cos(F), rtol=1e-4, atol=1e-6)


def test_the_gradient_of_the_gate():
    gated = GatedAttention("trainable")
    gated.build([K.shape, F.shape])
    found = backend.gradient(lambda g: ops.sum((ops.sigmoid(g) + (1 - ops.sigmoid(g)) * K) * F), np.float32(0))
    assert found == pytest.approx(0.25 * float(((1 - K) * F).sum()), rel=1e-3)


def test_a_trainable_gate_starts_at_one_half_and_counts_as_one_parameter():
    gated = GatedAttention()
    gated([K, F])
    assert float(gated.gamma()) == 0.5
    assert [w.shape for w in gated.trainable_weights] == [()]
    frozen = GatedAttention(0.5)
    frozen([K, F])
    assert frozen.trainable_weights == []


def test_a_gate_names_its_scalars_and_has_the_shape_of_the_features():
    gated = GatedAttention()
    gated([K, F])
    assert [w.name for w in (gated.logit, gated.held)] == ["logit", "held"]
    assert gated.compute_output_shape([(1, 2, 3, 1), (1, 2, 3, 4)]) == (1, 2, 3, 4)


def test_hold_freezes_and_frees_a_gate():
    gated = GatedAttention()
    gated([K, F])
    gated.hold(1)
    np.testing.assert_array_equal(gated([K, F]), F)
    assert gated.frozen
    gated.hold(0)
    assert gated.frozen
    gated.hold("trainable")
    assert float(gated.gamma()) == 0.5 and not gated.frozen


@pytest.mark.parametrize("gate", [-0.1, 1.1, "learned", None, True])
def test_a_gate_out_of_range_is_refused(gate):
    with pytest.raises(ValueError, match="gate: expected 'trainable' or a number from 0 to 1, got"):
        GatedAttention(gate)


def test_an_unknown_attention_is_refused():
    with pytest.raises(ValueError, match="attention: expected one of mixed, channel, spatial, got 'both'"):
        MaskActivation("both")


@pytest.mark.parametrize(
    "layer", [MaskActivation("spatial"), GatedAttention(0.25), GatedAttention()], ids=["mask", "frozen", "trainable"]
)
def test_layers_come_back_from_their_config(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
