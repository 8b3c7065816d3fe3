"""Reading exported networks: their answers are those of the formula they are made of, and what is amiss is said."""

import made_networks
import numpy as np
import pytest

from gralib import ages, predict
from gralib.errors import UserError

FACES = np.random.default_rng(3).integers(0, 256, (70, 32, 32, 3)).astype("uint8")
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture
def made(tmp_path):
    """A function that returns a file of a network made by hand."""

    def make(task, name="", **card):
        path = tmp_path / f"{name or task}.onnx"
        path.write_bytes(made_networks.network(task, **card))
        return path

    return make


def test_outputs_are_those_of_the_formula(made):
    plain, gated = predict.Network(made("age_category")), predict.Network(made("gender", adjustable=True))
    for count in (70, 1, 0):
        np.testing.assert_allclose(plain.outputs(FACES[:count]), made_networks.answers(FACES[:count], 12), **CLOSE)
    learned = made_networks.answers(FACES, 2, made_networks.GATES)
    np.testing.assert_allclose(gated.outputs(FACES), learned, **CLOSE)
    one = {"stage2_module1": 1.0}
    expected = made_networks.answers(FACES, 2, {**made_networks.GATES, **one})
    np.testing.assert_allclose(gated.outputs(FACES, one), expected, **CLOSE)
    assert np.abs(expected - learned).max() > 0.1 and gated.adjustable and not plain.adjustable


def test_masks_are_one_a_block_by_name(made):
    gated = predict.Network(made("gender", adjustable=True))
    found = gated.masks(FACES, {"stage3_module1": 0.0})
    assert list(found) == list(made_networks.GATES)
    for (name, mask), gamma in zip(found.items(), (0.25, 0.5, 0.0), strict=True):
        np.testing.assert_allclose(mask, made_networks.mask(FACES, gamma), err_msg=name, **CLOSE)


def test_a_mirrored_answer_is_the_mean_with_the_mirror_image(made):
    found = predict.Network(made("gender", mirrored=True)).outputs(FACES)
    both = [made_networks.answers(faces, 2) for faces in (FACES, FACES[:, :, ::-1])]
    np.testing.assert_allclose(found, np.mean(both, axis=0), **CLOSE)
    assert np.abs(both[0] - both[1]).max() > 0.1


def test_age_gender_and_group_are_read_together(made):
    tasks = ("age_regression", "gender", "age_group", "age_category")
    reader = predict.Reader([made(task) for task in tasks])
    reading = reader.read(FACES)
    count = {task: len(reader.networks[task].card.classes) for task in tasks}
    said = {task: made_networks.answers(FACES, count[task]) for task in tasks}
    years = ages.join_soft(said["age_category"], said["age_regression"], 10)
    np.testing.assert_allclose(reading.age, years, rtol=0, atol=1e-3)
    assert reading.gender.tolist() == np.array(["male", "female"])[said["gender"].argmax(axis=1)].tolist()
    np.testing.assert_allclose(reading.gender_probability, said["gender"].max(axis=1), **CLOSE)
    assert reading.age_group.tolist() == np.array(ages.GROUP_NAMES)[said["age_group"].argmax(axis=1)].tolist()


def test_the_category_network_alone_reads_an_age_from_the_middles(made):
    reading = predict.Reader([made("age_category", age_width=10)]).read(FACES)
    np.testing.assert_allclose(reading.age, made_networks.answers(FACES, 12) @ ages.middles(10), rtol=0, atol=1e-3)
    assert reading.gender is None and reading.gender_probability is None and reading.age_group is None


def test_one_network_of_drawn_faces_makes_the_reader_synthetic(made):
    real = made("gender", synthetic=False)
    assert not predict.Reader([real]).synthetic
    assert predict.Reader([real, made("age_category")]).synthetic


def test_a_reader_says_what_it_lacks(made):
    category, regression = made("age_category"), made("age_regression")
    with pytest.raises(UserError, match="expected a network of age_category with that of age_regression"):
        predict.Reader([regression])
    with pytest.raises(UserError, match="one network a task, got a second of age_category"):
        predict.Reader([category, category])
    other = made("age_regression", "other", age_width=7)
    with pytest.raises(UserError, match=r"age_width: expected the same of both age networks, got \[10, 7\]"):
        predict.Reader([category, other])


def test_faces_and_gates_are_checked(made):
    network = predict.Network(made("gender", adjustable=True))
    for faces, got in ((FACES[0], "(32, 32, 3) uint8"), (FACES[:, :31], "(70, 31, 32, 3) uint8"),
                       (FACES / 255, "(70, 32, 32, 3) float64")):  # fmt: skip
        with pytest.raises(UserError) as error:
            network.outputs(faces)
        assert str(error.value) == f"faces: expected (n, 32, 32, 3) uint8, got {got}"
    for value in (-0.01, 1.01):
        with pytest.raises(UserError, match=f"gates: stage1_module1: expected a number from 0 to 1, got {value}"):
            network.outputs(FACES, {"stage1_module1": value})
    network.outputs(FACES, {"stage1_module1": 0, "stage2_module1": 1})
    with pytest.raises(UserError, match=r"gates: expected some of stage1_module1, .*; got stage9"):
        network.masks(FACES, {"stage9": 0.5})
    plain = predict.Network(made("age_regression"))
    with pytest.raises(UserError, match="gates: expected some of none, see --gates; got stage1_module1"):
        plain.outputs(FACES, {"stage1_module1": 0.5})
    with pytest.raises(UserError, match="masks: this network file has none"):
        plain.masks(FACES)


def test_a_card_that_lies_is_refused(made):
    for card, message in (
        ({"classes": ["male", "female", "other"]}, "expected 3 outputs as its card says"),
        ({"gates": {"stage1_module1": 0.5}}, "expected gate_stage1_module1, mask_stage1_module1 as its card says"),
        ({"gates": {"stage1_module1": float("nan")}}, "gates.stage1_module1: expected a finite number, got nan"),
        ({"age_width": 0}, "age_width: expected greater than or equal to 1, got 0"),
    ):
        with pytest.raises(UserError) as error:
            predict.Network(made("gender", adjustable=True, **card))
        assert str(error.value).startswith(f"{made('gender')}: ") and message in str(error.value)
