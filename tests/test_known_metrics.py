"""Every score beside scikit-learn's and every interval beside SciPy's, on tables where neighbours differ."""

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, ecdf, t
from sklearn.calibration import calibration_curve
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, balanced_accuracy_score, mean_absolute_error, top_k_accuracy_score

from gralib import metrics

rng = np.random.default_rng(3)
AGES, GUESSES = rng.integers(0, 100, 60).astype(float), rng.uniform(0, 100, 60)
CLASSES, ANSWERS = rng.permutation(np.repeat(range(4), [30, 15, 10, 5])), rng.integers(0, 4, 60)
GROUPS = rng.permutation(np.append(np.arange(17), rng.integers(0, 17, 43)))


def test_scores_are_those_of_scikit_learn():
    assert metrics.absolute_errors(AGES, GUESSES).mean() == pytest.approx(mean_absolute_error(AGES, GUESSES))
    right = metrics.hits(CLASSES, ANSWERS)
    assert right.mean() == pytest.approx(accuracy_score(CLASSES, ANSWERS))
    assert metrics.balanced(CLASSES, right).mean() == pytest.approx(balanced_accuracy_score(CLASSES, ANSWERS))
    near = np.exp(-np.abs(np.arange(4)[None] - ANSWERS[:, None]))  # the answer first, then its neighbours
    inner = np.isin(ANSWERS, [1, 2])
    expected = top_k_accuracy_score(CLASSES[inner], near[inner], k=3, labels=range(4))
    assert metrics.one_off(CLASSES, ANSWERS)[inner].mean() == pytest.approx(expected)


def test_errors_and_losses_are_better_smaller_and_years_are_years():
    better_smaller = {"category_mae_years", "remainder_error_years", "group_mae_years_by_middles", "age_mae",
                      "age_mae_hard", "rotation_loss", "shift_loss", "orientation_loss"}  # fmt: skip
    assert {key for key, metric in metrics.METRICS.items() if metric.less_is_better} == better_smaller
    assert {key for key, metric in metrics.METRICS.items() if metric.unit == "years"} == {
        key for key, metric in metrics.METRICS.items() if metric.title.endswith("(years)")
    }


def test_constants_are_those_of_scikit_learns_dummies():
    even = np.append(AGES, 41.0)[:60]
    assert metrics.constant_age(even) == DummyRegressor(strategy="median").fit(even[:, None], even).predict([[0]])[0]
    assert metrics.constant_age([1, 2, 10, 50]) == 6, "the middle of the two in the middle"
    assert metrics.constant_class(CLASSES) == DummyClassifier().fit(CLASSES[:, None], CLASSES).predict([[0]])[0]


def test_calibration_is_scikit_learns():
    confidence, right = rng.uniform(0.5, 1, 200), rng.integers(0, 2, 200)
    share, mean = calibration_curve(right, confidence, n_bins=10)
    table = metrics.calibration(confidence, right)
    np.testing.assert_allclose(table["accuracy"], share)
    np.testing.assert_allclose(table["confidence"], mean)
    assert table["faces"].tolist() == [n for n in np.histogram(confidence, np.linspace(0, 1, 11))[0] if n]


def test_the_cumulative_score_is_the_empirical_distribution():
    errors, years = metrics.absolute_errors(AGES, GUESSES), np.arange(30)
    np.testing.assert_allclose(metrics.cumulative_score(errors, years), ecdf(errors).cdf.evaluate(years))


def drawn(statistic, seed):
    """Return SciPy's percentile interval of a statistic of drawn groups' rows, resampled with the same seed."""
    rows = [np.flatnonzero(g == GROUPS) for g in range(17)]
    settings = {"vectorized": False, "n_resamples": metrics.RESAMPLES, "method": "percentile", "confidence_level": 0.95}
    found = bootstrap(
        (np.arange(len(rows)),),
        lambda chosen: statistic(np.concatenate([rows[int(c)] for c in chosen])),
        rng=np.random.default_rng(seed),
        **settings,
    )
    return found.confidence_interval


def test_the_interval_is_scipys_over_whole_groups():
    values = metrics.absolute_errors(AGES, GUESSES)
    e, found = metrics.interval(values, GROUPS, seed=5), drawn(lambda rows: values[rows].mean(), 5)
    assert (e.value, e.low, e.high, e.n) == (
        pytest.approx(values.mean()), pytest.approx(found.low), pytest.approx(found.high), 60,
    )  # fmt: skip


def test_the_interval_of_faces_that_are_all_right_or_wrong_is_binomial():
    for value in (0, 1):
        e = metrics.interval([value] * 60, GROUPS)
        exact = binomtest(value * 17, 17).proportion_ci(0.95)
        assert (e.value, e.low, e.high, e.n) == (value, exact.low, exact.high, 60)


def test_the_interval_over_seeds_is_students_and_the_faces_added_as_squares():
    values = GUESSES + rng.normal(0, 5, (4, 1)) + rng.normal(0, 2, (4, 60))
    faces = metrics.interval(values.mean(axis=0), GROUPS)
    means = values.mean(axis=1)
    low, high = t.interval(0.95, 3, loc=means.mean(), scale=means.std(ddof=1) / 2)
    e = metrics.interval_over_seeds(values, GROUPS)
    assert e.value == pytest.approx(means.mean())
    assert (e.value - e.low) ** 2 == pytest.approx((faces.value - faces.low) ** 2 + (faces.value - low) ** 2)
    assert (e.high - e.value) ** 2 == pytest.approx((faces.high - faces.value) ** 2 + (high - faces.value) ** 2)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 0.3, "better"), (-0.3, -0.1, "worse"), (-0.1, 0.3, "inside the noise"), (-0.3, 0.1, "inside the noise"),
     (0.0, 0.2, "inside the noise"), (-0.2, 0.0, "inside the noise")],
)  # fmt: skip
def test_the_word_is_that_of_the_interval_not_of_the_value(low, high, word):
    assert metrics.Estimate((low + high) / 2, low, high, 9).word == word
