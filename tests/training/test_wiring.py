"""What the configuration says reaches the training: a recorder stands where the network or the method would be."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from gralib import labels
from gralib.config import configure
from gralib.data.splits import split
from gralib.evaluation import measures
from gralib.model.optimizer import FlatNadam
from gralib.training import experiment, fit, hog, label_noise
from gralib.training.augmentation import Batches

SIDES = np.zeros((2000, 32, 32, 3), np.uint8)
SIDES[:, :, 16:] = 255
"""Dark on the left, bright on the right."""


def separable(**changes):
    """Return the configuration of a network that is quick to build."""
    return configure("smoke", recipe="keras", network="separable", **{"train_faces": 160, "epochs": 3, **changes})


class Recorded(Exception):
    """Raised where the training would begin, with what it was given."""


@pytest.fixture
def recorder(monkeypatch):
    """A function that asks for a run and returns what its training or method is given."""

    def stop(*given):
        raise Recorded(*given)

    monkeypatch.setattr(fit, "train", stop)
    monkeypatch.setattr(hog, "fit", stop)

    def record(config, faces, tmp_path):
        with pytest.raises(Recorded) as caught:
            experiment.run(config, faces, tmp_path, progress="none")
        return caught.value.args

    return record


# ---- what trains


@pytest.mark.parametrize("network", ["gra_net", "hog"])
@pytest.mark.parametrize(("task", "column"), [("gender", "gender"), ("age_category", "age")])
def test_wrong_labels_are_among_those_that_train_and_nowhere_else(network, task, column, faces, recorder, tmp_path):
    config = configure("smoke", recipe="keras", task=task, network=network, label_noise=0.5, train_faces=160)
    _, pixels, table, train, validation = recorder(config, faces, tmp_path)[:5]
    known = faces.table[column].notna()
    changed = np.flatnonzero((table[column] != faces.table[column]) & known)
    told = np.concatenate([train, validation])
    assert len(changed) == round(len(told) / 2)
    assert set(changed) <= set(told)
    assert known.iloc[told].all()
    assert pixels is faces.pixels
    pd.testing.assert_frame_equal(table.drop(columns=column), faces.table.drop(columns=column))


@pytest.mark.parametrize("network", ["gra_net", "hog"])
def test_without_noise_the_labels_are_the_data_sets_and_test_faces_are_kept_out(network, faces, recorder, tmp_path):
    config = configure("smoke", recipe="keras", network=network, train_faces=160, fold=1)
    given, _, table, train, validation = recorder(config, faces, tmp_path)[:5]
    parts = split(config, faces.table)
    assert given == config
    assert table is faces.table
    known = faces.table["gender"].notna().to_numpy()
    assert train.tolist() == parts.train[known[parts.train]].tolist()
    assert validation.tolist() == parts.validation[known[parts.validation]].tolist()


@pytest.fixture
def lopsided(faces):
    """The faces with labels made up, so that the test side has another commonest gender and another median age."""
    table = faces.table.assign(age=20.0, gender="female")
    parts = split(configure("smoke", recipe="keras", network="hog", train_faces=160), table)
    for rows, age, gender in (
        (parts.test, 70.0, "male"), (parts.validation, 90.0, "male"), (parts.train[::3], 33.0, "male"),
        (parts.test[::4], 20.0, "female"),
    ):  # fmt: skip
        table.loc[rows, ["age", "gender"]] = age, gender
    return replace(faces, table=table, fingerprint="1" * 16)


@pytest.mark.parametrize(
    ("task", "constants"),
    [("gender", {"gender": "female"}), ("age_category", {"age": 20, "category": 2, "remainder": 0})],
)
def test_constants_are_those_of_the_training_faces_alone(task, constants, lopsided, tmp_path):
    config = configure("smoke", recipe="keras", task=task, network="hog", train_faces=160)
    done = experiment.run(config, lopsided, tmp_path, progress="none")
    found = dict(done.record.constants)
    assert task == "gender" or found.pop("category_means")[2:4] == [20, 33]
    assert found == constants
    _, floor = measures.measures(config, done.predictions, done.record.constants)[
        "accuracy" if task == "gender" else "category_mae_years"
    ]
    truth = done.predictions
    by_hand = (truth["gender"] == "female") if task == "gender" else (truth["age"] - 20).abs()
    assert floor.tolist() == by_hand.tolist()
    assert 0 < by_hand.mean() != 0.5


# ---- schedule and start


def moved(model, iteration, total):
    """Return how far the first weight moves in the step after `iteration` steps if there are `total`."""
    optimizer = model.optimizer
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable) if variable is not optimizer.learning_rate else variable)
    optimizer._u_product.assign(1.0)
    optimizer.total_steps.assign(total)
    optimizer.iterations.assign(iteration)
    before = np.array(model.trainable_variables[0])
    optimizer.apply([keras.ops.ones_like(v) for v in model.trainable_variables], model.trainable_variables)
    return float(np.abs(np.array(model.trainable_variables[0]) - before).max())


def test_the_schedule_spans_all_epochs_and_starts_over_with_every_run():
    for epochs, steps in ((3, 4), (5, 7)):
        model = fit.prepare(separable(epochs=epochs, learning_rate=0.01), steps)
        optimizer = model.optimizer
        assert float(optimizer.total_steps) == epochs * steps
        assert int(optimizer.iterations) == 0
        assert float(optimizer.learning_rate) == pytest.approx(0.01)
        last = epochs * steps - 1
        for step in (0, (last + 1) // 2, last):
            rate = moved(model, step, epochs * steps) / moved(model, step, 0)
            assert rate == pytest.approx((1 + np.cos(np.pi * step / (last + 1))) / 2, rel=0.01), step
        optimizer.iterations.assign(99)


def test_training_prepares_for_the_whole_batches_of_its_faces(faces, monkeypatch, tmp_path):
    def stop(config, steps):
        raise Recorded(config, steps)

    monkeypatch.setattr(fit, "prepare", stop)
    with pytest.raises(Recorded) as caught:
        experiment.run(separable(batch_size=32), faces, tmp_path, progress="none")
    parts = split(separable(), faces.table)
    train = parts.train[faces.table["gender"].notna().to_numpy()[parts.train]]
    assert caught.value.args == (separable(batch_size=32), len(train) // 32)


def test_weights_start_uniform_within_glorots_limit():
    model = fit.prepare(separable(seed=3), 4)
    again, other = (fit.build(separable()) for _ in range(2))
    fit.initialise(again, separable(seed=3))
    fit.initialise(other, separable(seed=4))
    kernels = [w for w in model.weights if w.name.endswith("kernel")]
    assert len(kernels) == 14
    for kernel in kernels:
        limit = np.sqrt(6 / (np.prod(kernel.shape[:-2]) * (kernel.shape[-2] + kernel.shape[-1])))
        assert np.abs(kernel).max() <= limit
        if np.prod(kernel.shape) > 1000:
            assert np.abs(kernel).max() > 0.99 * limit
            reference = keras.initializers.GlorotUniform(seed=0)(kernel.shape)
            assert np.std(kernel) == pytest.approx(np.std(reference), rel=0.1)
    for first, same, another in zip(model.weights, again.weights, other.weights, strict=True):
        assert np.array_equal(first, same)
        assert np.array_equal(first, another) == (not first.name.endswith("kernel"))


# ---- order and augmentation


def batches(config, epoch, pixels=SIDES):
    """Return the pixels and row numbers of an epoch, batch after batch."""
    rows = np.arange(len(pixels))
    made = Batches(config, epoch, pixels, rows, rows[:, None])
    parts = [made[i] for i in range(len(made))]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1][:, 0] for p in parts])


def test_every_epoch_and_every_seed_has_an_order_of_its_own_with_every_face_once():
    config = configure("smoke", recipe="keras", batch_size=100)
    orders = {(seed, epoch): batches(config.model_copy(update={"seed": seed}), epoch)[1]
              for seed in (0, 1) for epoch in (0, 1)}  # fmt: skip
    for order in orders.values():
        assert sorted(order) == list(range(2000))
    assert len({tuple(order) for order in orders.values()}) == 4
    assert not any((order == np.arange(2000)).mean() > 0.1 for order in orders.values())
    assert np.array_equal(orders[0, 1], batches(config, 1)[1])


def test_half_of_the_faces_are_mirrored_others_in_every_epoch_step_and_seed():
    config, flags = configure("smoke", recipe="keras", batch_size=100), {}
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        pixels, rows = batches(config.model_copy(update={"seed": seed}), epoch)
        mirrored = pixels[:, 16, 8, 0] == 255
        assert mirrored.mean() == pytest.approx(0.5, abs=0.05)
        flags[seed, epoch] = mirrored[np.argsort(rows)]
        assert not np.array_equal(mirrored[:100], mirrored[100:200])
    for one, other in (((0, 0), (0, 1)), ((0, 0), (1, 0))):
        assert (flags[one] == flags[other]).mean() == pytest.approx(0.5, abs=0.05)


def test_without_augmentation_faces_train_as_they_are():
    pixels, rows = batches(configure("smoke", recipe="keras", batch_size=100, mirror="none", shift=0), 0)
    assert np.array_equal(pixels, SIDES[rows])


# ---- the epoch that is kept


class Script:
    """A network of one layer, and validation losses in the order they are to come."""

    def __init__(self, monkeypatch, losses):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
        self.model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
        self.model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy")
        self.model.optimizer.averaging = 0.0
        self.losses, self.epochs, self.weights = iter(losses), [], []
        monkeypatch.setattr(fit, "prepare", lambda config, steps: self.model)
        monkeypatch.setattr(fit, "loss_of", self.loss_of)
        monkeypatch.setattr(fit, "gate_values", lambda model: {"only": float(len(self.weights))})
        made = fit.Batches

        def batches(config, epoch, pixels, rows, truth):
            self.epochs.append((epoch, rows, truth))
            return made(config, epoch, pixels, rows, truth)

        monkeypatch.setattr(fit, "Batches", batches)

    def loss_of(self, config, truth, outputs):
        self.weights.append([np.array(w) for w in self.model.weights])
        return next(self.losses)


def test_the_epoch_of_the_lowest_loss_is_kept_and_what_trains_is_the_training_side(faces, monkeypatch, tmp_path):
    script = Script(monkeypatch, [3.0, 1.0, 2.0])
    config = separable(batch_size=32)
    done = experiment.run(config, faces, tmp_path, progress="none")
    assert done.record.chosen_epoch == 2
    assert done.history["validation_loss"].tolist() == [3, 1, 2]
    assert done.record.gates == {"only": 2}
    with np.load(done.folder / "weights.npz") as kept:
        for i, (second, last) in enumerate(zip(*script.weights[1:], strict=True)):
            assert np.array_equal(kept[f"a{i}"], second)
            assert not np.array_equal(second, last)
    for weight, value in zip(script.model.weights, script.weights[1], strict=True):
        weight.assign(value)
    parts = split(config, faces.table)
    known = faces.table["gender"].notna().to_numpy()
    test, train = (rows[known[rows]] for rows in (parts.test, parts.train))
    outputs = measures.outputs_of(config, done.predictions)
    np.testing.assert_allclose(outputs, script.model.predict(faces.pixels[test], verbose=0), atol=1e-3)
    assert [epoch for epoch, *_ in script.epochs] == [0, 1, 2]
    for _, rows, truth in script.epochs:
        assert rows.tolist() == train.tolist()
        assert np.array_equal(truth, labels.targets(config, faces.table.iloc[train]))


@pytest.mark.parametrize("mirrored", [True, False])
def test_faces_are_answered_with_their_mirror_images_where_that_is_asked(mirrored, faces, monkeypatch, tmp_path):
    Script(monkeypatch, [1.0])
    asked, predict = [], fit.predict
    monkeypatch.setattr(fit, "predict", lambda *words: asked.append(words[3]) or predict(*words))
    experiment.run(separable(batch_size=32, epochs=1, mirrored_prediction=mirrored), faces, tmp_path, progress="none")
    assert asked == [mirrored, mirrored], "validation faces, then test faces"


@pytest.mark.parametrize(
    ("settings", "end"),
    [({"task": "gender"}, "softmax"), ({"task": "age_category"}, "softmax"), ({"task": "age_regression"}, "sigmoid"),
     ({"task": "age_regression", "age_width": 117}, "linear")],
)  # fmt: skip
def test_outputs_end_as_the_task_asks(settings, end):
    assert fit.head_of(configure("smoke", **settings)) == end


def test_a_face_and_its_mirror_image_are_answered_by_their_mean(monkeypatch):
    monkeypatch.setattr(fit, "_outputs", lambda model, faces: faces[:, 0, 0, :2].astype("float32"))
    faces = np.zeros((3, 32, 32, 3), np.uint8)
    faces[:, :, 0], faces[:, :, -1] = [10, 0, 0], [30, 4, 0]
    assert fit.predict(None, faces, np.arange(2)).tolist() == [[10, 0]] * 2
    assert fit.predict(None, faces, np.arange(2), mirrored=True).tolist() == [[20, 2]] * 2


def test_a_line_says_how_many_minutes_are_left(capsys):
    meter = fit._Meter(configure("smoke", epochs=4), "a run", 10, 1, "lines")
    meter.started -= 72000  # ten hours for each of two epochs
    meter.epoch_line({"epoch": 3, "train_loss": 0.5, "validation_loss": 0.25})
    meter.close()
    assert capsys.readouterr().err == "a run: epoch 3/4, loss 0.5000, validation 0.2500, about 600 min left\n"


def test_inside_answering_the_weights_are_their_running_mean():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile(FlatNadam(averaging=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    mean = np.arange(13, dtype="float32")
    model.optimizer.average.assign(mean)
    before = [np.array(w) for w in model.weights]
    with fit.answering(model):
        assert np.concatenate([np.array(w).ravel() for w in model.weights]).tolist() == mean.tolist()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


def test_of_two_equal_losses_the_first_is_kept(faces, monkeypatch, tmp_path):
    script = Script(monkeypatch, [2.0, 1.0, 1.0])
    done = experiment.run(separable(batch_size=32), faces, tmp_path, progress="none")
    assert done.record.chosen_epoch == 2
    with np.load(done.folder / "weights.npz") as kept:
        assert np.array_equal(kept["a0"], script.weights[1][0])


def test_the_strength_of_the_lowest_loss_is_kept(faces, monkeypatch, tmp_path):
    losses = iter([9, 3, 9, 1, 9, 2])
    monkeypatch.setattr(hog, "loss_of", lambda *_: float(next(losses)))
    config = configure("smoke", recipe="keras", network="hog", train_faces=160)
    done = experiment.run(config, faces, tmp_path, progress="none")
    assert done.record.chosen_epoch == 2
    parts = split(config, faces.table)
    known = faces.table["gender"].notna().to_numpy()
    train, test = (rows[known[rows]] for rows in (parts.train, parts.test))
    monkeypatch.setattr(hog, "STRENGTHS", hog.STRENGTHS[1:2])
    monkeypatch.setattr(hog, "loss_of", lambda *_: 0.0)
    alone, *_ = hog.fit(config, faces.pixels, faces.table, train, parts.validation[known[parts.validation]])
    expected = hog.predict(config, alone, hog.features(faces.pixels[test]), 2)
    np.testing.assert_allclose(measures.outputs_of(config, done.predictions), expected, atol=1e-3)


def test_the_arithmetic_is_the_configured_one():
    mixed = fit.build(separable(precision="mixed_bfloat16"))
    assert {layer.compute_dtype for layer in mixed.layers if "conv2d" in layer.name} == {"bfloat16"}
    assert {w.dtype for w in mixed.trainable_weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32", "what is built next is as it was"


@pytest.mark.parametrize("task", ["gender", "age_category"])
def test_wrong_labels_are_spread_over_every_epoch(task):
    """Which faces they are and in which order an epoch reads them are drawn apart from each other."""
    config = configure("smoke", task=task, label_noise=0.3, seed=3, mirror="none")
    table = pd.DataFrame({"age": np.arange(2000) % 100.0, "gender": np.resize(["male", "female"], 2000)})
    rows, column = np.arange(2000), labels.LABEL[task]
    wrong = (label_noise.flip(config, table, rows)[column] != table[column]).to_numpy()
    assert wrong.sum() == 600
    for epoch in range(6):
        order = Batches(config, epoch, SIDES, rows, np.zeros((2000, 1))).rows
        tenths = wrong[order].reshape(10, 200).mean(axis=1)
        assert tenths.min() > 0.2 and tenths.max() < 0.4, f"epoch {epoch}"
