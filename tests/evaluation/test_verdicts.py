"""Intervals, bounds and verdicts of the fold design; and the whole procedure on numbers whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy.stats import norm, t, ttest_1samp

from gralib.evaluation import simulation, verdicts
from gralib.evaluation.verdicts import Interval, bounds, fold_means, holm, interval, judge, settle


def at(low, high, folds=5):
    value = (low + high) / 2
    return Interval(value, low, high, low, high, (high - low) / 2 / 2.776, 0.5, folds)


def test_four_kinds_of_interval_get_four_words():
    above, below, inside, across = at(0.2, 3), at(-3, -0.2), at(-0.8, 0.9), at(-0.8, 1.2)
    found = [judge("superiority", i, 1.0) for i in (above, below, inside, across)]
    assert [verdict for verdict, _ in found] == ["supported", "contradicted", "contradicted", "inconclusive"]
    assert len({word for _, word in found}) == 4
    assert found[2][1] == "no difference that matters"


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        ("non-inferiority", -0.9, 0.5, "supported"),
        ("non-inferiority", -0.9, -0.1, "supported"),
        ("non-inferiority", -1.5, 0.5, "inconclusive"),
        ("non-inferiority", -1.5, -0.1, "contradicted"),
        ("sign", -0.01, 0.01, "inconclusive"),
        ("sign", 0.001, 0.01, "supported"),
        ("sign", -0.02, -0.01, "contradicted"),
        ("superiority", -1.0, 0.5, "inconclusive"),  # touches the margin
        ("superiority", 0.1, 0.5, "supported"),  # above 0, small as it is
        ("none", 0.1, 0.5, "not testable"),
    ],
)
def test_rules(rule, low, high, expected):
    assert judge(rule, at(low, high), 1.0)[0] == expected


def test_one_fold_decides_nothing():
    found = interval([0.3])
    assert math.isnan(found.low) and found.value == 0.3
    assert judge("superiority", found, 0.1)[0] == "inconclusive"


@pytest.mark.parametrize("about", [0, 7, -7])
def test_the_interval_is_that_of_students_t_over_folds(about):
    means = np.array([0.4, 1.1, -0.2, 0.8, 0.3]) + about
    ours, theirs = interval(means), ttest_1samp(means, 0)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert (ours.low_90, ours.high_90) == pytest.approx(tuple(theirs.confidence_interval(0.90)))
    assert ours.p == pytest.approx(theirs.pvalue)
    assert ours.detectable == pytest.approx((2.7764451 + 0.9409646) * ours.se)


def test_an_early_look_sees_less():
    """At half of the information z = 2.9626 is asked for, which with four degrees of freedom is t = 6.427."""
    early, whole = (interval([0.4, 1.1, -0.2, 0.8, 0.3], shares) for shares in ((0.5,), (1.0,)))
    assert early.detectable == pytest.approx((t.isf(norm.sf(2.96259), 4) + 0.9409646) * early.se, rel=1e-4)
    assert early.high - early.low > 2 * (whole.high - whole.low) and early.detectable > whole.detectable
    assert early.detectable > early.high - early.value, "what is seen lies outside of the interval around nothing"


def test_seeds_of_one_fold_are_one_observation():
    values = {0: 1.0, 1: 2.0, 5: 3.0, 7: 9.0}
    assert fold_means(values, 5).tolist() == [2.0, 2.0, 9.0]


def test_bounds_are_those_of_the_literature():
    """Lan-DeMets spending of O'Brien-Fleming's kind, two-sided 5 %: Jennison and Turnbull's tables, gsDesign."""
    assert bounds((1.0,)) == pytest.approx((1.95996,), abs=1e-5)
    assert bounds((0.5, 1.0)) == pytest.approx((2.9626, 1.9686), abs=1e-3)
    assert bounds((0.25, 0.5, 1.0)) == pytest.approx((4.3326, 2.9631, 1.9686), abs=1e-3)
    with pytest.raises(ValueError, match="shares: expected to rise"):
        bounds((0.5, 0.5))


def test_the_seeds_that_would_settle_it():
    """Four times the seeds halve the interval; “worse” settles a rule of no worse, too."""
    found = Interval(0.0, -2.776, 2.776, -2, 2, 1.0, 0.9, 5)
    assert settle("superiority", found, 2.776 / 2 + 1e-3, 5) == 20
    assert settle("sign", found, 0.0, 5) == math.inf
    worse = replace(found, value=-0.015, low=-0.0305, high=0.0005, se=0.0155 / 2.776)
    assert settle("non-inferiority", worse, 0.01, 5) == 10 and settle("sign", worse, 0.0, 5) == 10
    assert settle("non-inferiority", replace(worse, value=0.0055), 0.01, 5) == 10
    assert math.isnan(settle("sign", interval([0.1]), 0.0, 1))
    early = interval([0.4, 1.1, -0.2, 0.8, 0.3], (0.5,))  # open at its look, by half of the interval of a single one
    assert judge("superiority", early, 1.2)[0] == "inconclusive" and settle("superiority", early, 1.2, 5) == 10


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = holm([0.5, math.nan, 0.02])
    assert found[::2] == pytest.approx([0.5, 0.04]) and math.isnan(found[1])


def test_only_the_folds_interval_is_right_everywhere_and_simple():
    """Coverage at 5, 10 and 20 seeds: Student's t over seeds fails where faces make the noise, over folds never."""
    table = simulation.coverage(8000, seed=1).set_index(["interval", "noise", "seeds"])["coverage"]
    assert table["folds"].between(0.94, 0.96).all()
    assert table["components"].between(0.94, 0.985).all()
    assert table["seeds"].xs(5, level="seeds").between(0.94, 0.96).all()
    assert table["seeds"]["faces alone"][10] < 0.85
    assert table["seeds"]["as expected"][20] < 0.90


def test_the_procedure_errs_as_seldom_as_it_says():
    table = simulation.procedure(4000, seed=1)
    assert (table["coverage"] > 0.94).all()  # looks included
    true = table["true difference in margins"]
    none, two = table[true == 0], table[true == 2]
    assert (none["supported: better"] < 0.035).all() and (none["contradicted: worse"] < 0.035).all()
    assert (table.loc[true > 0, "contradicted: worse"] < 0.01).all()
    assert (two["contradicted: no difference that matters"] < 0.01).all()
    expected = table[(table["noise"] == "as expected") & (table["looks"] == "5 10")].set_index(
        "true difference in margins"
    )
    assert expected.loc[2, "supported: better"] > 0.99
    assert expected.loc[0, "contradicted: no difference that matters"] > 0.6
    assert (table[list(simulation.WORDS)].sum(axis=1).round(9) == 1).all()


def test_the_published_simulation_is_of_these_noises_and_plans():
    stored = pd.read_csv(ROOT / "reports/tables/protocol-simulation.csv")
    keys = ["noise", "seeds", "interval"]
    intervals = stored[stored["simulation"] == "intervals"].set_index(keys)
    again = simulation.coverage(2000).set_index(keys)
    assert intervals.index.tolist() == again.index.tolist()
    np.testing.assert_allclose(intervals["half width"], again["half width"], rtol=0.05)
    np.testing.assert_allclose(intervals["coverage"], again["coverage"], atol=0.02)
    judged = stored[stored["simulation"] == "procedure"].reset_index(drop=True)
    again = simulation.procedure(2000)
    assert judged[["noise", "looks"]].equals(again[["noise", "looks"]])
    np.testing.assert_allclose(judged[list(simulation.WORDS)], again[list(simulation.WORDS)], atol=0.05)
    np.testing.assert_allclose(judged["seeds used"], again["seeds used"], rtol=0.05)


def test_the_simulation_judges_as_the_verdicts_do():
    values = simulation.draw(np.random.default_rng(2), 150, 10, simulation.NOISES[2]) + 0.005
    words, held, used = simulation.study(values, (5, 10), 0.005)
    assert set(used) == {5, 10}
    for drawn, word, right, seeds in zip(values, words, held, used, strict=True):
        looks = []
        for count in (5, 10):
            looks.append(interval(fold_means(dict(enumerate(drawn[:count])), 5), (0.5, 1.0)[: len(looks) + 1]))
            verdict = judge("superiority", looks[-1], simulation.MARGIN)
            if verdict[0] != "inconclusive":
                break
        assert (": ".join(verdict), count) == (word, seeds)
        assert all(i.low <= 0.005 <= i.high for i in looks) == right
    assert verdicts.VERDICTS[:4] == ("supported", "contradicted", "inconclusive", "not testable")
