"""A gate that learns goes where the answer is: to the trunk where the mask is noise, to the mask where the trunk is."""

import keras
import numpy as np
import pytest
from keras import ops

from gralib.config import configure
from gralib.model.attention import GatedAttention
from gralib.model.optimizer import FlatNadam, reach

FACES, EPOCHS = 256, 40
RNG = np.random.default_rng(0)
SHAPE = (FACES, 4, 4, 2)
NOISE = RNG.uniform(0, 1, SHAPE).astype("float32")
ANSWER = RNG.uniform(0.2, 0.8, SHAPE).astype("float32")


def trained(mask, features, start, gate_rate=50.0):
    """Return gamma after a gate alone has learnt to put out the answer (Eq. 3, squared error)."""
    gate = GatedAttention()
    inputs = [keras.Input(SHAPE[1:]), keras.Input(SHAPE[1:])]
    model = keras.Model(inputs, gate(inputs))
    gate.logit.assign(start)
    optimizer = FlatNadam(0.001)
    optimizer.build(model.trainable_variables)
    optimizer.gate_rate.assign(gate_rate)
    model.compile(optimizer, "mse")
    model.fit([mask, features], ANSWER, batch_size=16, epochs=EPOCHS, shuffle=False, verbose=0)
    return float(ops.convert_to_numpy(gate.gamma()))


@pytest.mark.parametrize("start", [-1.5, 1.5], ids=["from the mask", "from the trunk"])
def test_where_the_mask_is_noise_the_gate_goes_to_the_trunk(start):
    assert trained(NOISE, ANSWER, start) > 0.95


@pytest.mark.parametrize("start", [-1.5, 1.5], ids=["from the mask", "from the trunk"])
def test_where_the_trunk_is_noise_the_gate_goes_to_the_mask(start):
    assert trained(ANSWER, NOISE + 0.5, start) < 0.05


def test_at_the_literal_rate_a_gate_cannot_go_far():
    """Nadam moves a weight by about its rate a step: the reason for `gate_rate`."""
    gamma = trained(NOISE, ANSWER, 0.0, gate_rate=1.0)
    assert 0.51 < gamma < 1 / (1 + np.exp(-1.5 * 0.001 * 16 * EPOCHS))


def test_how_far_a_gate_can_go():
    config = configure("laptop", recipe="keras", gate_rate=50.0)
    assert reach(config, 684) == pytest.approx(50 * 0.001 * 684 / 2, rel=0.01), "half a cosine: half the greatest rate"
    assert reach(config.model_copy(update={"gate_rate": 1.0}), 684) == pytest.approx(0.342, rel=0.01)
    assert reach(config.model_copy(update={"gate": 0.5}), 684) == 0
