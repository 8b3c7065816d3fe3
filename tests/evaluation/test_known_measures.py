"""What every test face of a run is measured by: outputs written down, values counted by hand."""

import hand
import numpy as np
import pytest

from gralib import ages
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation import measures
from gralib.training import experiment


def made(task, truth, outputs, constants=None, genders="mf", **changes):
    return hand.run(configure("laptop", task=task, **changes), hand.people(truth, genders), outputs, constants)


def measured(run):
    """Return the values and the constant predictor's by name of the score, as lists."""
    found = measures.measures(run.record.config, run.predictions, run.record.constants)
    return {name: [side.tolist() for side in sides] for name, sides in found.items()}


@pytest.mark.parametrize(
    ("age", "width", "category", "inside"),
    [(0, 10, 0, 0), (9, 10, 0, 0.9), (9.5, 10, 0, 0.95), (10, 10, 1, 0), (116, 10, 11, 0.6),
     (4, 5, 0, 0.8), (5, 5, 1, 0), (116, 5, 23, 0.2), (19, 20, 0, 0.95), (20, 20, 1, 0),
     (0, 117, 0, 0), (58.5, 117, 0, 0.5), (116, 117, 0, 116 / 117)],
)  # fmt: skip
def test_ages_at_a_categorys_edges(age, width, category, inside):
    found, remainder = ages.encode([age], width)
    assert (found.item(), remainder.item()) == (category, pytest.approx(inside))
    assert ages.decode(found, remainder, width).item() == pytest.approx(age)
    low, high = map(int, ages.category_names(width)[category].split("-"))
    assert low <= age < high + 1


def test_a_category_stands_for_what_its_training_faces_average():
    config = configure("laptop", task="age_category")
    constants = experiment.constants_of(config, hand.people([20, 21, 22, 60]))
    means = constants["category_means"]
    assert (means[2], means[6], means[3], means[11]) == (21, 60, 34.5, 113)
    found = measured(made("age_category", [25, 60], hand.certain([2, 6], 12), constants))
    assert found["category_mae_years"][0] == [4, 0]


def test_a_certain_category_is_decoded_by_its_middle():
    found = measured(made("age_category", [20, 25, 30, 116], hand.certain([2, 2, 2, 11], 12)))
    assert found["category_accuracy"][0] == [1, 1, 0, 1]
    assert found["category_mae_years"][0] == [5, 0, 5, 1]


def test_an_unsure_category_is_decoded_by_the_expected_age():
    outputs = np.array([[0.5, 0.25, 0.25] + [0] * 9])
    found = measured(made("age_category", [10], outputs, {"age": 31.0, "category": 1, "remainder": 0.5}))
    assert found == {
        "category_accuracy": [[0], [1]],
        "category_mae_years": [[pytest.approx(2.5)], [pytest.approx(21)]],
    }


def test_categories_of_five_years_are_decoded_as_such():
    found = measured(made("age_category", [22.5, 20], hand.certain([4, 4], 24), age_width=5))
    assert found["category_mae_years"][0] == [0, 2.5]


@pytest.mark.parametrize("width", [10, 117])
def test_the_error_inside_a_category_is_in_years_at_every_width(width):
    truth = np.array([0.0, 7, 25, 58, 116])
    constants = {"age": 30.0, "category": 2, "remainder": 0.25}
    outputs = np.full((5, ages.category_count(width)), 0.5)
    values, constant = measured(made("age_regression", truth, outputs, constants, age_width=width)
                                )["remainder_error_years"]  # fmt: skip
    inside = truth % width
    np.testing.assert_allclose(values, np.abs(inside - width / 2))
    np.testing.assert_allclose(constant, np.abs(inside - width / 4))


def test_the_regression_answers_in_the_category_of_the_label():
    outputs = np.zeros((2, 12))
    outputs[:, 2], outputs[:, 3] = 0.3, 0.8
    values, _ = measured(made("age_regression", [24, 31], outputs))["remainder_error_years"]
    np.testing.assert_allclose(values, [1, 7])


def test_gender_is_the_likelier_output_beside_the_commonest_of_training():
    outputs = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
    found = measured(made("gender", [1, 2, 3], outputs, {"gender": "female"}, genders="mff"))
    assert found["accuracy"] == [[1, 0, 1], [0, 1, 1]]
    assert found["balanced_accuracy"] == [[1.5, 0, 0.75], [0, 0.75, 0.75]]


def test_age_groups_by_hand():
    names = ["0-2", "4-6", "60-100"]
    run = hand.run(
        configure("laptop", dataset="adience", task="age_group"),
        hand.people([np.nan] * 3).assign(age_group=names), hand.certain([1, 1, 0], 8), {"age_group": "4-6"},
    )  # fmt: skip
    assert measured(run) == {
        "group_accuracy": [[0, 1, 0], [0, 1, 0]],
        "group_one_off_accuracy": [[1, 1, 0], [1, 1, 0]],
        "group_balanced_accuracy": [[0, 1, 0], [0, 1, 0]],
        "group_mae_years_by_middles": [[4, 0, 79], [4, 0, 75]],
    }


def test_constants_are_the_training_faces_median_and_commonest():
    train = hand.people([1, 2, 24, 27, 99], "fffmm")
    assert experiment.constants_of(configure("laptop", task="gender"), train) == {"gender": "female"}
    found = experiment.constants_of(configure("laptop", task="age_category"), train)
    assert found.pop("category_means")[:4] == [1.5, 14.5, 25.5, 34.5]
    assert found == {"age": 24, "category": 0, "remainder": pytest.approx(0.4)}
    wide = experiment.constants_of(configure("laptop", task="age_regression", age_width=117), train)
    assert wide.pop("category_means") == [pytest.approx(153 / 5)]
    assert wide == {"age": 24, "category": 0, "remainder": pytest.approx(24 / 117)}


def test_joins_of_two_runs_by_hand():
    probability = np.zeros((2, 12))
    probability[0, [1, 2]], probability[1, [0, 5]] = [0.4, 0.6], [0.75, 0.25]
    remainder = np.zeros((2, 12))
    remainder[0, [1, 2]], remainder[1, [0, 5]] = [0.5, 0.1], [0.8, 0.4]
    category, regression = made("age_category", [20, 9], probability), made("age_regression", [20, 9], remainder)
    soft, hard = (measures.join_ages(category, regression, how)["predicted"] for how in ("soft", "hard"))
    np.testing.assert_allclose(soft, [0.4 * 15 + 0.6 * 21, 0.75 * 8 + 0.25 * 54])
    np.testing.assert_allclose(hard, [21, 8])
    assert list(measures.join_ages(category, regression)["predicted"]) == list(soft)


def test_joins_refuse_other_faces_another_order_and_another_width():
    category = made("age_category", [20, 9], hand.certain([2, 0], 12))
    inside = np.full((2, 12), 0.5)
    faces = hand.people([20, 9])
    other = hand.run(configure("laptop", task="age_regression"), faces.assign(path=["x.jpg", "y.jpg"]), inside)
    turned = hand.run(configure("laptop", task="age_regression"), faces.iloc[::-1], inside)
    wide = made("age_regression", [20, 9], np.full((2, 6), 0.5), age_width=20)
    for regression in (other, turned, wide):
        with pytest.raises(UserError, match="other test faces or categories than"):
            measures.join_ages(category, regression)


def test_the_record_of_a_score_has_value_interval_and_constant():
    faces = hand.people([1, 2, 3, 4], groups=[0, 0, 1, 1])
    found = measures.scored(np.array([1.0, 2, 5, 6]), np.array([0.0, 1, 0, 1]), faces["group"])
    assert (found.value, found.low, found.high, found.n, found.floor) == (3.5, 1.5, 5.5, 4, 0.5)
    alone = measures.scored(np.array([1.0, 2]), np.array([1.0, 1]), faces["group"][:2])
    assert (alone.value, np.isnan(alone.low), np.isnan(alone.high)) == (1.5, True, True)
