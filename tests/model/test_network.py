import keras
import numpy as np
import pytest

from gralib.model.attention import GatedAttention
from gralib.model.network import gate_layers, gate_values, gra_net, ledger, mask_model

FACES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")


def answers(model):
    """Return a network's outputs without tracing it first, which takes far longer than two faces."""
    return np.asarray(model(FACES))


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def arithmetic(
    width=32, outputs=2, groups=1, modules=(1, 1, 1), mask_depths=(2, 1, 1), gate="trainable", skips=True, masks="each",
    **_,
):  # fmt: skip
    """Count the parameters of the published layout by hand, without Keras."""

    def unit(i, o, b, stride=1):
        shortcut = i * o + o if b != o or stride > 1 else 0
        return 2 * i + 4 * b + (i * b + b) + (9 * b * b // groups + b) + (b * o + o) + shortcut

    def mask(c, depth):
        units = depth + (depth - 1) * skips + depth
        return units * unit(c, c, c // 4) + 2 * (c * c + c)

    total, channels = 75 * width + width + 2 * width, width
    for (multiple, stride), count, depth in zip(((4, 1), (8, 2), (16, 2)), modules, mask_depths, strict=True):
        total += unit(channels, multiple * width, channels, stride)
        channels = multiple * width
        own = mask(channels, depth) if masks == "each" else 12 * width * channels + channels
        total += count * (4 * unit(channels, channels, channels // 4) + own + (gate == "trainable"))
    if masks == "one":
        total += 4 * width * 12 * width + 12 * width + mask(12 * width, mask_depths[0])
    for _ in range(3):
        total += unit(channels, 32 * width, channels)
        channels = 32 * width
    return total + channels * outputs + outputs


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 33_019_013),
        ({"gate": 0.5}, 33_019_010),
        ({"width": 4, "gate": 0, "upsampling": "nearest", "attention": "channel"}, 523_330),
        ({"groups": 32}, 10_574_021),
        ({"outputs": 12}, 33_029_263),
        ({"width": 16}, 8_271_685),
        ({"width": 8}, 2_076_389),
        ({"width": 8, "outputs": 12}, 2_078_959),
        ({"width": 4}, 523_333),
        ({"width": 4, "modules": (2, 1, 1)}, 529_422),
        ({"width": 4, "mask_depths": (1, 1, 1)}, 521_485),
        ({"skips": False}, 32_984_517),
        ({"masks": "one"}, 33_017_861),
        ({"width": 4, "masks": "one", "modules": (2, 1, 1)}, 526_438),
    ],
    ids=str,
)
def test_exact_parameter_counts(options, parameters):
    model = gra_net(**options)
    assert trainable(model) == parameters == arithmetic(**options)
    assert sum(row[2] for row in ledger(model)) == parameters


@pytest.fixture(scope="module")
def small():
    return gra_net(width=4)


def scramble_masks(model):
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if "_mask_" in layer.name:
            layer.set_weights([w + rng.normal(size=w.shape) ** 2 for w in layer.get_weights()])


@pytest.fixture(scope="module")
def closed():
    return gra_net(width=4, gate=1)


def test_figure_4_whole_network_with_gates_at_one_ignores_its_masks(closed):
    before = answers(closed)
    scramble_masks(closed)
    np.testing.assert_array_equal(answers(closed), before)


def test_with_open_gates_the_masks_matter(small):
    model = keras.models.clone_model(small)
    before = answers(model)
    scramble_masks(model)
    assert np.abs(answers(model) - before).max() > 1e-4


@pytest.mark.parametrize(("gate", "other"), [(0, keras.layers.Multiply), (1, None)])
def test_figure_4_whole_network_at_the_extremes(gate, other, closed):
    model = closed if gate else gra_net(width=4, gate=gate)

    class Trunk(keras.layers.Layer):
        def call(self, inputs):
            return inputs[1]

    def replace(layer):
        if isinstance(layer, GatedAttention):
            return (other or Trunk)(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    reference = keras.models.clone_model(model, clone_function=replace)
    for layer in reference.layers:
        if not layer.name.endswith("_gate"):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    np.testing.assert_array_equal(answers(model), answers(reference))


def test_one_network_serves_every_gate_value(small):
    frozen = gra_net(width=4, gate=0.25)
    for layer in frozen.layers:
        weights = small.get_layer(layer.name).get_weights()
        layer.set_weights(layer.get_weights() if layer.name.endswith("_gate") else weights)
    for gate in gate_layers(small):
        gate.hold(0.25)
    np.testing.assert_array_equal(answers(small), answers(frozen))
    assert gate_values(small) == {f"stage{i}_module1": 0.25 for i in (1, 2, 3)}
    for gate in gate_layers(small):
        gate.hold("trainable")


@pytest.mark.parametrize(("attention", "upsampling"), [("mixed", "bilinear"), ("channel", "nearest")])
def test_saves_and_loads_in_safe_mode(tmp_path, attention, upsampling):
    model = gra_net(width=2, attention=attention, upsampling=upsampling, gate=0.25)
    model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    np.testing.assert_array_equal(answers(again), answers(model))


def test_outputs_and_masks_have_the_documented_shapes(small):
    outputs = answers(small)
    assert outputs.shape == (2, 2)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    masks = [np.asarray(mask) for mask in mask_model(small)(FACES)]
    assert [m.shape for m in masks] == [(2, 16, 16, 16), (2, 8, 8, 32), (2, 4, 4, 64)]
    assert all((m > 0).all() and (m < 1).all() for m in masks)


def test_one_mask_is_pooled_to_the_size_of_every_block():
    model = gra_net(width=4, masks="one")
    assert [mask.shape for mask in mask_model(model)(FACES)] == [(2, 16, 16, 16), (2, 8, 8, 32), (2, 4, 4, 64)]
    assert answers(model).shape == (2, 2)


def test_pixels_are_scaled_from_minus_one_to_one(small):
    scaled = keras.Model(small.input, small.get_layer("scale").output)
    found = [np.unique(scaled(np.full((1, 32, 32, 3), pixel, "float32"))).tolist() for pixel in (0, 255)]
    assert found == [[-1], [1]]


def test_a_sigmoid_head_gives_a_remainder_for_every_category():
    outputs = answers(gra_net(width=2, outputs=12, head="sigmoid"))
    assert outputs.shape == (2, 12)
    assert ((outputs > 0) & (outputs < 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": 0}, "outputs: expected at least 1, got 0"),
        ({"width": 0}, "width: expected at least 1 channel, got 0"),
        ({"groups": 3}, "groups: expected a divisor of width 32, got 3"),
        ({"upsampling": "cubic"}, "upsampling: expected bilinear or nearest, got 'cubic'"),
        ({"modules": (1, 1)}, "modules: expected three numbers"),
        ({"mask_depths": (2, 1, 3)}, "mask_depths: expected three numbers"),
        ({"head": "relu"}, "head: expected softmax, sigmoid or linear, got 'relu'"),
        ({"masks": "two"}, "masks: expected each or one, got 'two'"),
        ({"attention": "none"}, "attention: expected one of"),
        ({"gate": 2}, "gate: expected 'trainable' or a number"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        gra_net(**options)
