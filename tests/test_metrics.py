import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import balanced_accuracy_score

from gralib import metrics


def test_equation_7_and_8_by_hand():
    assert metrics.absolute_errors([10, 20, 30], [12, 20, 25]).mean() == pytest.approx(7 / 3)
    assert metrics.hits(["m", "f", "f"], ["m", "m", "f"]).mean() == pytest.approx(2 / 3)


def test_cumulative_score_counts_errors_up_to_and_including_k():
    np.testing.assert_allclose(metrics.cumulative_score([0, 1, 2.5, 5], [0, 1, 2, 5]), [0.25, 0.5, 0.5, 1])


def test_floors():
    assert metrics.constant_age([10, 20, 90]) == 20
    assert metrics.constant_class(["male", "female", "male"]) == "male"


def test_the_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        e = metrics.interval(rng.exponential(5, 300), seed=trial)
        covered += e.low <= 5 <= e.high
    assert 178 <= covered <= 198


def test_faces_of_one_group_count_once():
    rng = np.random.default_rng(0)
    values = rng.normal(size=100)
    single = metrics.interval(values)
    tenfold = metrics.interval(np.repeat(values, 10), np.repeat(np.arange(100), 10))
    ungrouped = metrics.interval(np.repeat(values, 10))
    assert tenfold.high - tenfold.low == pytest.approx(single.high - single.low, rel=1e-6)
    assert ungrouped.high - ungrouped.low < 0.5 * (single.high - single.low)
    assert tenfold.n == 1000


def test_few_faces_all_right_are_no_certainty():
    e = metrics.interval([1, 1, 1])
    assert (e.value, e.high, e.n) == (1, 1, 3)
    assert e.low == pytest.approx(0.025 ** (1 / 3))
    assert metrics.interval([0] * 10).high == pytest.approx(1 - 0.025**0.1)
    assert metrics.interval([1] * 10, [0] * 10).low == pytest.approx(0.025), "ten faces of one group are one draw"


def test_a_single_face_has_no_interval():
    e = metrics.interval([3.5])
    assert (e.value, e.n) == (3.5, 1)
    assert np.isnan(e.low) and np.isnan(e.high)


def test_two_groups_have_an_interval_and_two_seeds_a_wide_one():
    e = metrics.interval([1, 2, 6], [0, 0, 1])
    assert (e.low, e.high) == (1.5, 6)
    faces = np.arange(40.0)
    two = metrics.interval_over_seeds(np.stack([faces, faces + 1]), np.arange(40))
    assert two.high - two.value > 12.706 / 2, "Student's t of one degree of freedom, times the standard error"


def test_the_same_seed_gives_the_same_interval():
    assert metrics.interval([1, 2, 3, 4], seed=3) == metrics.interval([1, 2, 3, 4], seed=3)
    assert str(metrics.Estimate(7.123, 6.9, 7.3, 10)) == "7.12 [6.90, 7.30]"


def test_no_values_are_refused():
    with pytest.raises(ValueError, match=r"^values: expected at least one, got none$"):
        metrics.interval([])


def test_balanced_accuracy_gives_every_class_the_same_say():
    truth = np.array([0] * 90 + [1] * 10)
    found = metrics.balanced(truth, metrics.hits(truth, np.zeros(100)))
    assert found.mean() == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    assert metrics.balanced(truth, metrics.hits(truth, answer)).mean() == pytest.approx(
        balanced_accuracy_score(truth, answer)
    )


def test_one_off_counts_neighbours():
    assert metrics.one_off([3, 3, 3, 3, 0], [1, 2, 3, 4, 7]).tolist() == [0, 1, 1, 1, 0]


def test_paired_differences():
    rng = np.random.default_rng(0)
    base = rng.normal(size=500)
    found = metrics.paired(base + 0.1, base)
    assert found.value == pytest.approx(0.1)
    assert found.high - found.low < 1e-6
    with pytest.raises(ValueError, match="second: expected 500 values"):
        metrics.paired(base, base[:3])


def test_seeds_and_faces_both_widen_the_interval():
    rng = np.random.default_rng(0)
    faces, seeds = rng.normal(0, 1, 400), rng.normal(0, 1, (8, 1))
    same = metrics.interval_over_seeds(np.tile(faces, (8, 1)), np.arange(400))
    assert (same.high - same.low) / 2 == pytest.approx(1.96 / 20, rel=0.15)
    spread = metrics.interval_over_seeds(np.zeros((8, 400)) + seeds, np.arange(400))
    assert (spread.high - spread.low) / 2 == pytest.approx(2.3646 * seeds.std(ddof=1) / np.sqrt(8), rel=1e-4)
    both = metrics.interval_over_seeds(faces + seeds, np.arange(400))
    assert both.high - both.low > max(same.high - same.low, spread.high - spread.low)
    assert both.value == pytest.approx((faces + seeds).mean())
    assert metrics.interval_over_seeds(faces[None], np.arange(400)) == metrics.interval(faces, np.arange(400))
    with pytest.raises(ValueError, match="expected \\(seeds, faces\\)"):
        metrics.interval_over_seeds(faces, np.arange(400))


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_few_seeds_give_an_interval_that_still_covers_the_truth(seeds):
    rng, trials = np.random.default_rng(0), 400
    drawn = rng.normal(0, 1, (trials, seeds, 1)) + rng.normal(0, 3, (trials, 1, 60))
    found = [metrics.interval_over_seeds(values, np.arange(60)) for values in drawn]
    covered = np.mean([e.low <= 0 <= e.high for e in found])
    assert 0.93 <= covered <= 0.995


def test_calibration_by_hand():
    found = metrics.calibration([0.55, 0.58, 0.91, 1.0], [1, 0, 1, 1])
    np.testing.assert_allclose(found["confidence"], [0.565, 0.955])
    np.testing.assert_allclose(found["accuracy"], [0.5, 1])
    assert list(found.columns) == ["confidence", "accuracy", "faces"]
    assert (found["faces"].tolist(), found.index.tolist()) == ([2, 2], [0, 1])
    assert metrics.calibration_error(found) == pytest.approx((0.065 + 0.045) / 2)
    assert metrics.calibration_error(found.assign(faces=[3, 1])) == pytest.approx((3 * 0.065 + 0.045) / 4)
    assert len(metrics.calibration(["0.05", "0.15"], [1, 1])) == 2, "ten bins; numbers read as text are numbers"
    assert len(metrics.calibration([0.11, 0.19], [1, 1])) == 1, "not eleven"
    assert metrics.calibration([0.1, 0.3, 0.6], [1, 1, 1], bins=2)["faces"].tolist() == [2, 1]


def test_the_intervals_are_the_same_numbers_on_every_machine():
    values, groups = np.arange(60.0) ** 2, np.arange(60) // 2
    three = np.stack([values, values + 5, values - 1])
    for found, ends in (
        (metrics.interval(values, groups), (791.805, 1542.6416666666669)),
        (metrics.interval_over_seeds(three, groups), (793.0540762743715, 1544.0605883702233)),
    ):
        assert (found.low, found.high) == pytest.approx(ends, abs=1e-9)
        assert found.n == 60


def test_groups_and_seeds_are_passed_on():
    rng = np.random.default_rng(0)
    a, b, groups = rng.normal(size=60), rng.normal(size=60), np.arange(60) // 4
    assert metrics.paired(a, b, groups, seed=3) == metrics.interval(a - b, groups, seed=3)
    assert metrics.paired(a, b) == metrics.interval(a - b, seed=0)
    assert metrics.interval_over_seeds(a[None], groups, seed=3) == metrics.interval(a, groups, seed=3)


@pytest.mark.parametrize("groups", [np.arange(300), np.arange(300) // 7, np.minimum(np.arange(300), 200)])
def test_the_intervals_are_those_of_scipy(groups):
    """Equal numbers, not only equal in law: the same draws, made once for all scores of the same groups."""
    rng = np.random.default_rng(5)
    values = rng.exponential(5, 300)
    sums = [np.bincount(groups, weights=w) for w in (values, np.ones(300))]

    def scipys(statistic, parts, seed):
        return bootstrap(parts, statistic, paired=True, vectorized=True, n_resamples=metrics.RESAMPLES, batch=200,
                         method="percentile", rng=np.random.default_rng(seed)).confidence_interval  # fmt: skip

    for seed in (0, 3):
        found = metrics.interval(values, groups, seed)
        expected = scipys(lambda s, n, axis: s.sum(axis) / n.sum(axis), sums, seed)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_more_groups_than_one_piece_holds_are_drawn_one_resample_at_a_time(monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 2)
    assert (metrics._resampled(np.ones((2**17 + 1, 1)), 0) == 2**17 + 1).all()
    metrics._draws.cache_clear()  # of draws that are two


def test_every_resample_draws_as_many_groups_as_there_are():
    drawn = metrics._draws(500, 1)
    assert drawn.shape == (metrics.RESAMPLES, 500) and (drawn.sum(axis=1, dtype=int) == 500).all()
    assert drawn.mean() == 1 and drawn.astype(float).var() == pytest.approx(1 - 1 / 500, rel=0.02)
