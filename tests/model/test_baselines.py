"""The networks GRA_Net is compared with: sizes, seeds, and going on after an interruption, dropout included."""

import numpy as np
import pandas as pd
import pytest

from gralib import labels
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation.measures import scores_of
from gralib.model import losses
from gralib.model.baselines import BASELINES
from gralib.model.network import gra_net
from gralib.training import hog
from gralib.training.experiment import run
from gralib.training.fit import initialise, prepare

FACES = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3)).astype("uint8")
TRUTH = np.eye(2, dtype="float32")[np.arange(64) % 2]


def parameters(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize("name", BASELINES)
def test_reads_faces_and_starts_from_its_seed_alone(name):
    model = BASELINES[name]([2], 4)
    starts = []
    for seed in (0, 1, 0):
        initialise(model, configure("smoke", recipe="keras", network=name, seed=seed))
        starts.append(np.concatenate([np.asarray(w).ravel() for w in model.trainable_weights]))
    assert np.array_equal(starts[0], starts[2])
    drawn = np.concatenate([np.full(int(np.prod(w.shape)), w.name.endswith("kernel")) for w in model.trainable_weights])
    assert (starts[0][drawn] != starts[1][drawn]).mean() > 0.99
    outputs = np.asarray(model(FACES[:4]))
    assert outputs.shape == (4, 2)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)


def test_the_plain_net_is_of_like_size():
    ours, plain = parameters(gra_net(width=8)), parameters(BASELINES["residual"]([2], 8))
    assert 0.9 < plain / ours < 1.1


LAYOUTS = {
    # trainable parameters of two classes at width 4, and side and channels behind each convolution
    "levi_hassner": (4_925_378, [(32, 96), (16, 256), (8, 384)]),
    "separable": (268_418, [(32, 32), (32, 64), (16, 128), (16, 128), (8, 256), (8, 256), (4, 512)]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_earlier_method_has_its_layout(name):
    model = BASELINES[name]([2], 4)
    convolved = [layer.output.shape[2:] for layer in model.layers if "Conv2D" in type(layer).__name__]
    assert (parameters(model), convolved) == LAYOUTS[name]


def test_the_plain_net_has_six_units_where_ours_has_a_block():
    model = BASELINES["residual"]([2], 4)
    units = {layer.name.rpartition("_")[0] for layer in model.layers if layer.name.endswith("_conv1")}
    assert sorted(units) == sorted([*(f"stage{i}_{unit}" for i in (1, 2, 3)
        for unit in ("unit", *(f"plain{n}" for n in range(1, 7)))), "tail1", "tail2", "tail3"])  # fmt: skip


def test_the_multi_output_net_learns_both_labels_and_answers_with_one(faces, tmp_path):
    config = configure("smoke", network="savchenko", epochs=1, train_faces=64, batch_size=16)
    assert labels.sizes(config) == [2, 12] and labels.sizes(configure("smoke", dataset="adience", network="savchenko"
        )) == [2, 8]  # fmt: skip
    done = run(config, faces, tmp_path, progress="none")
    assert [c for c in done.predictions if c.startswith("p_")] == ["p_male", "p_female"]
    np.testing.assert_allclose(done.predictions[["p_male", "p_female"]].sum(axis=1), 1, atol=1e-4)


def test_dropout_starts_over_with_every_run():
    config = configure("smoke", network="levi_hassner", batch_size=16)
    losses = []
    for _ in range(2):
        model = prepare(config, 4)
        losses.append(model.fit(FACES, TRUTH, batch_size=16, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_the_state_of_dropout_depends_on_the_seed():
    states = []
    for seed in (0, 1, 0):
        model = prepare(configure("smoke", network="levi_hassner", batch_size=16, seed=seed), 4)
        states.append([np.asarray(v).tolist() for v in model.variables if v.name == "seed_generator_state"])
    assert len(states[0]) == 2 and states[0][0] != states[0][1]
    assert states[0] == states[2] and all(a != b for a, b in zip(states[0], states[1], strict=True))


def test_no_baseline_for_the_remainder():
    with pytest.raises(UserError, match="network: expected gra_net for age_regression, got savchenko"):
        configure("smoke", network="savchenko", task="age_regression")


def test_gradients_and_a_linear_classifier_beat_the_constant_predictor(faces, tmp_path, monkeypatch):
    config = configure("smoke", network="hog", train_faces=300, held_out=0.1)
    done = run(config, faces, tmp_path, progress="none")
    score = scores_of(done)["accuracy"]
    assert score.value > score.floor + 0.1
    assert done.record.trainable_parameters == 1765
    assert done.record.chosen_epoch == done.history.set_index("epoch")["validation_loss"].idxmin()
    assert done.record.gates == {}
    again = run(config, faces, tmp_path / "deep" / "again", progress="none")
    assert again.predictions.equals(done.predictions)
    monkeypatch.setattr(hog, "fit", lambda *_: pytest.fail("it has no weights to lack"))
    assert run(config, faces, tmp_path, progress="none", again=True).record == done.record


def test_without_validation_faces_a_tenth_of_the_others_chooses_and_all_train():
    config = configure("smoke", network="hog")
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"gender": rng.choice(["male", "female"], 60)})
    pixels = rng.integers(0, 256, (60, 32, 32, 3)).astype("uint8")
    model, history, chosen, _ = hog.fit(config, pixels, table, np.arange(60), np.arange(0))
    drawn = np.random.default_rng(0).permutation(60)
    _, expected, best, _ = hog.fit(config, pixels, table, drawn[6:], drawn[:6])
    pd.testing.assert_frame_equal(history, expected)
    assert chosen == best == expected["validation_loss"].argmin() + 1
    truth, seen = labels.targets(config, table), hog.features(pixels)
    alone = hog._classifier(hog.STRENGTHS[chosen - 1]).fit(seen, truth.argmax(axis=1))
    assert np.array_equal(model[-1].coef_, alone[-1].coef_)
    first = hog._classifier(hog.STRENGTHS[0]).fit(seen[drawn[6:]], truth[drawn[6:]].argmax(axis=1))
    answers = hog.predict(config, first, seen[drawn[6:]], 2)
    assert history["train_loss"][0] == pytest.approx(losses.loss_of(config, truth[drawn[6:]], answers))


def test_classes_nobody_trained_on_get_no_probability():
    config = configure("smoke", task="age_category", network="hog")
    table = pd.DataFrame({"age": [5, 15] * 20})
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype("uint8")
    model, history, _, _ = hog.fit(config, pixels, table, np.arange(30), np.arange(30, 40))
    outputs = hog.predict(config, model, hog.features(pixels[:3]), 12)
    np.testing.assert_allclose(outputs[:, :2].sum(axis=1), 1)
    assert (outputs[:, 2:] == 0).all()
    assert history["validation_loss"].between(0.5, 2).all(), "near ln 2: noise teaches nothing, and nothing is infinite"
