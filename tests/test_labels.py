"""What networks learn, by hand: heads, one-hot classes, remainders, groups, and the losses that training lowers."""

import keras
import numpy as np
import pandas as pd
import pytest

from gralib import labels
from gralib.config import configure
from gralib.model import losses

NAN = np.nan
TABLE = pd.DataFrame({
    "gender": ["male", "female", "female"],
    "age": [25.0, 31.0, NAN],
    "age_group": ["25-32", None, "0-2"],
})  # fmt: skip
"""Three people; nobody knows how old the last one is."""


def config(task, **changes):
    return configure("smoke", task=task, **changes)


def test_one_hot_genders_and_groups():
    assert labels.targets(config("gender"), TABLE).tolist() == [[1, 0], [0, 1], [0, 1]]
    groups = labels.targets(config("age_group", dataset="adience"), TABLE.iloc[[0, 2]])
    assert groups.tolist() == np.eye(8)[[4, 0]].tolist()


def test_a_category_is_one_hot_and_nothing_where_there_is_no_age():
    found = labels.targets(config("age_category"), TABLE)
    assert found.dtype == "float32"
    assert found.tolist() == [*np.eye(12)[[2, 3]].tolist(), [0.0] * 12]


def test_a_remainder_stands_behind_its_category():
    found = labels.targets(config("age_regression"), TABLE.iloc[:2])
    np.testing.assert_allclose(found, [[2, 0.5], [3, 0.1]], rtol=1e-6)


def test_a_net_of_two_heads_learns_its_task_and_the_other():
    assert labels.heads(config("gender")) == ("gender",)
    assert labels.heads(config("gender", network="savchenko")) == ("gender", "age_category")
    assert labels.heads(config("age_category", network="savchenko")) == ("age_category", "gender")
    assert labels.heads(config("gender", network="savchenko", dataset="adience")) == ("gender", "age_group")
    truth = labels.targets(config("gender", network="savchenko"), TABLE)
    assert truth.shape == (3, 14) and truth.sum(axis=1).tolist() == [2, 2, 1]


def test_a_group_is_the_one_that_is_named_else_the_ages():
    table = pd.DataFrame({"age_group": ["0-2", "25-32", None, None, None], "age": [NAN, 40.0, 1.0, 35.0, NAN]})
    assert labels.groups_of(table).tolist() == [0, 4, 0, -1, -1], "35 lies between two groups"


def test_the_loss_of_every_task():
    assert losses.loss_for(config("gender")) == "binary_crossentropy"
    assert losses.loss_for(config("age_category")) == "categorical_crossentropy"
    assert losses.loss_for(config("age_regression")) is losses.remainder_error
    assert losses.loss_for(config("gender", network="savchenko")) is losses.all_heads


def test_the_loss_of_two_heads_is_the_sum_of_theirs():
    truth = np.array([[1, 0, 0, 1], [0, 1, 0, 0]], "float32")
    outputs = np.array([[0.5, 0.5, 0.75, 0.25], [0.2, 0.8, 0.5, 0.5]], "float32")
    expected = [np.log(2) + np.log(4), -np.log(0.8)]
    found = keras.ops.convert_to_numpy(losses.all_heads(truth, outputs))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    two = config("gender", network="savchenko")
    assert losses.loss_of(two, truth, outputs) == pytest.approx(np.mean(expected), rel=1e-5)
