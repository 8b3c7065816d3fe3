import keras
import numpy as np
import pytest

from gralib.config import configure
from gralib.model.optimizer import FlatNadam


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


def test_nadam_comes_back_from_a_saved_network():
    saved = keras.saving.serialize_keras_object(FlatNadam(0.02))
    back = keras.saving.deserialize_keras_object(saved)
    assert isinstance(back, FlatNadam) and float(back.learning_rate) == pytest.approx(0.02)


def test_keeps_two_vectors_whatever_the_number_of_weights():
    optimizer = FlatNadam()
    optimizer.build([keras.Variable(np.zeros(3)), keras.Variable(np.zeros((2, 2)))])
    assert sorted(v.name for v in optimizer.variables) == [
        "decay", "gate_rate", "iteration", "learning_rate", "momentum", "total_steps", "u_product", "velocity",
        "warmup_steps",
    ]  # fmt: skip
    assert {tuple(v.shape) for v in optimizer.variables} == {(), (7,)}


def test_the_rate_rises_then_falls_to_nothing():
    optimizer = FlatNadam()
    optimizer.build([keras.Variable(np.zeros(3))])
    optimizer.follow(configure("laptop", warmup=0.1, learning_rate=0.002), 100)
    assert float(optimizer.learning_rate) == pytest.approx(0.002)
    shares = [float(optimizer.rate(keras.ops.convert_to_tensor(float(step)))) for step in (0, 4, 9, 10, 55, 99, 100)]
    np.testing.assert_allclose(shares[:4], [1 / 11, 5 / 11, 10 / 11, 1], rtol=1e-5)
    np.testing.assert_allclose(shares[4:], [1 / 2, (1 - np.cos(np.pi / 90)) / 2, 0], atol=1e-5)


def test_gates_move_faster_and_kernels_decay():
    def moved(**changes):
        names = {"logit": (), "kernel": (2, 2), "bias": (2,)}
        variables = [keras.Variable(np.ones(shape, "float32"), name=name) for name, shape in names.items()]
        optimizer = FlatNadam()
        optimizer.build(variables)
        optimizer.follow(configure("laptop", recipe="keras", **changes), 0)
        gradients = [keras.ops.convert_to_tensor(np.full(v.shape, 0.3, "float32")) for v in variables]
        optimizer.apply(gradients, variables)
        return [1 - float(np.asarray(v).flat[0]) for v in variables]

    plain, fast, decayed = moved(), moved(gate_rate=50.0), moved(weight_decay=0.5)
    np.testing.assert_allclose(fast, [50 * plain[0], *plain[1:]], rtol=1e-4)
    np.testing.assert_allclose(decayed, [plain[0], plain[1] + 0.001 * 0.5, plain[2]], rtol=1e-3)


def test_the_running_mean_follows_the_weights():
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = FlatNadam(0.1, averaging=0.5)
    optimizer.build([variable])
    mean = np.zeros(2)
    for step in range(6):
        optimizer.apply([keras.ops.convert_to_tensor(np.array([1.0, -1.0], "float32"))], [variable])
        keep = min(0.5, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * np.asarray(variable)
    np.testing.assert_allclose(optimizer.average, mean, rtol=1e-5)
    assert not np.allclose(mean, variable)
