import numpy as np
import pytest

from gralib import ages


@pytest.mark.parametrize("width", [1, 5, 7, 10, 20, 117])
def test_every_age_survives_the_round_trip(width):
    years = np.arange(117)
    category, remainder = ages.encode(years, width)
    assert ((remainder >= 0) & (remainder < 1)).all()
    assert category.max() == ages.category_count(width) - 1 == len(ages.category_names(width)) - 1
    np.testing.assert_allclose(ages.decode(category, remainder, width), years, atol=1e-9)


def test_an_age_by_hand():
    category, remainder = ages.encode(37)
    assert category == 3
    assert remainder == pytest.approx(0.7)
    assert ages.category_names()[3] == "30-39"


@pytest.mark.parametrize("age", [-1, 117, 1996, float("nan"), None])
def test_an_age_out_of_range_is_refused(age):
    with pytest.raises(ValueError, match="age: expected 0 to 116"):
        ages.encode([20, age])


@pytest.mark.parametrize("width", [0, 118])
def test_a_width_out_of_range_is_refused(width):
    with pytest.raises(ValueError, match="width: expected 1 to 117"):
        ages.category_count(width)


def test_joins_by_hand():
    probability = np.array([[0.0, 0.75, 0.25] + [0.0] * 9])
    remainder = np.array([[0.9, 0.5, 0.1] + [0.0] * 9])
    assert ages.join_hard(probability, remainder) == pytest.approx([15.0])
    assert ages.join_soft(probability, remainder) == pytest.approx([0.75 * 15 + 0.25 * 21])


def test_joins_agree_where_the_category_is_certain():
    category, remainder = ages.encode(np.arange(117))
    certain = np.eye(12)[category]
    everywhere = np.repeat(remainder[:, None], 12, axis=1)
    np.testing.assert_allclose(ages.join_hard(certain, everywhere), np.arange(117), atol=1e-9)
    np.testing.assert_allclose(ages.join_soft(certain, everywhere), np.arange(117), atol=1e-9)


def test_joins_know_the_width():
    category, remainder = ages.encode(np.arange(117), 5)
    certain, everywhere = np.eye(24)[category], np.repeat(remainder[:, None], 24, axis=1)
    np.testing.assert_allclose(ages.join_hard(certain, everywhere, 5), np.arange(117), atol=1e-9)
    np.testing.assert_allclose(ages.join_soft(certain, everywhere, 5), np.arange(117), atol=1e-9)


def test_decades_are_the_default():
    assert ages.category_count() == 12
    assert ages.decode(3, 0.7) == pytest.approx(37)


@pytest.mark.parametrize("width", [1, 5, 7, 10, 20, 117])
def test_the_middle_of_a_category_is_the_mean_of_its_whole_years(width):
    years = np.arange(117)
    category, _ = ages.encode(years, width)
    expected = [years[category == c].mean() for c in range(ages.category_count(width))]
    assert ages.middles(width).tolist() == pytest.approx(expected)


def test_middles_by_hand():
    assert ages.middles()[3] == 34.5, "30 to 39"
    assert ages.middles()[11] == 113, "110 to 116"
    assert ages.middles(1)[30] == 30


def test_a_category_stands_for_the_mean_of_its_faces():
    means = ages.category_means([31, 31, 37, 60])
    assert means.tolist() == [4.5, 14.5, 24.5, 33, 44.5, 54.5, 60, 74.5, 84.5, 94.5, 104.5, 113]


def test_groups_stand_for_their_middles():
    assert ages.group_ages().tolist() == [1, 5, 10, 17.5, 28.5, 40.5, 50.5, 80]
