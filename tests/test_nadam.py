import keras
import numpy as np
import pytest

from gralib.nadam import FlatNadam


@pytest.mark.parametrize("steps", [0, 15], ids=["constant", "cosine"])
def test_the_same_numbers_as_keras_nadam(steps):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype("float32") for shape in ((3, 4), (), (7,), (2, 3, 2, 1))]
    flat = [keras.Variable(v) for v in start]
    plain = [keras.Variable(v) for v in start]
    ours = FlatNadam(1e-2)
    ours.build(flat)
    ours.total_steps.assign(steps)
    theirs = keras.optimizers.Nadam(keras.optimizers.schedules.CosineDecay(1e-2, steps) if steps else 1e-2)
    for _ in range(20):
        gradients = [rng.normal(size=v.shape).astype("float32") for v in start]
        ours.apply([keras.ops.convert_to_tensor(g) for g in gradients], flat)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in gradients], plain)
        for a, b in zip(flat, plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-7)
    assert any(np.abs(np.asarray(a) - s).max() > 1e-3 for a, s in zip(flat, start, strict=True))


def test_keeps_two_vectors_whatever_the_number_of_weights():
    optimizer = FlatNadam()
    optimizer.build([keras.Variable(np.zeros(3)), keras.Variable(np.zeros((2, 2)))])
    assert sorted(v.name for v in optimizer.variables) == [
        "iteration",
        "learning_rate",
        "momentum",
        "total_steps",
        "u_product",
        "velocity",
    ]
    assert {tuple(v.shape) for v in optimizer.variables} == {(), (7,)}
