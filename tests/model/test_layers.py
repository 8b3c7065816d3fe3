"""Our layers under Keras' own layer test: shapes, dtypes, serialisation, mixed precision, a network, a training."""

import pytest
from keras.src import testing

from gralib.model.attention import ATTENTIONS, GatedAttention, MaskActivation
from gralib.model.batch_norm import FusedBatchNorm
from gralib.model.grouped import GroupedConv2D

SHAPE = (2, 4, 4, 3)
COUNTS = {"expected_num_losses": 0, "expected_num_seed_generators": 0, "supports_masking": False}


class Layers(testing.TestCase):
    """Keras' tests are methods of its own case."""

    __test__ = False


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_the_mask(kind):
    Layers().run_layer_test(
        MaskActivation, {"kind": kind}, input_shape=SHAPE, expected_output_shape=SHAPE,
        expected_num_trainable_weights=0, expected_num_non_trainable_weights=0, **COUNTS,
    )  # fmt: skip


@pytest.mark.parametrize(("gate", "learns"), [("trainable", 1), (0.25, 0)])
def test_the_gate(gate, learns):
    Layers().run_layer_test(
        GatedAttention, {"gate": gate}, input_shape=[SHAPE, SHAPE], expected_output_shape=SHAPE,
        expected_num_trainable_weights=learns, expected_num_non_trainable_weights=2 - learns,
        run_training_check=False, **COUNTS,
    )  # fmt: skip


def test_batch_norm():
    Layers().run_layer_test(
        FusedBatchNorm, {"momentum": 0.9}, input_shape=SHAPE, expected_output_shape=SHAPE,
        expected_num_trainable_weights=2, expected_num_non_trainable_weights=2,
        **{**COUNTS, "supports_masking": True},
    )  # fmt: skip


def test_a_grouped_convolution():
    Layers().run_layer_test(
        GroupedConv2D, {"filters": 6, "kernel_size": 3, "groups": 3}, input_shape=SHAPE,
        expected_output_shape=(2, 2, 2, 6), expected_num_trainable_weights=2, expected_num_non_trainable_weights=0,
        **COUNTS,
    )  # fmt: skip
