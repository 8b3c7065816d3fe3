"""A run made again is identical, within the band, or different: by hand, with the numbers."""

import numpy as np
import pytest
from hand import gender_run, people

from gralib import reproduce
from gralib.config import configure

FACES = people(np.arange(400) % 80, "mf")
CONFIG = configure("smoke", task="gender")


def of(wrong):
    """Return a run that is wrong about the faces of these numbers."""
    right = np.ones(len(FACES), bool)
    right[list(wrong)] = False
    return gender_run(CONFIG, FACES, right)


def test_the_same_outputs_are_identical():
    assert reproduce.compared(of(range(40)), of(range(40))) == f"{of([]).record.run_id}: identical"


def test_a_few_other_answers_are_within_the_band():
    before, after = of(range(40)), of(range(6, 50))  # 6 more right, 10 more wrong: 4 less of 400
    found = reproduce.apart(before, after)["accuracy"]
    error = np.sqrt((16 - 4 * 4 / 400) / 399 / 400)
    assert found.before == pytest.approx(0.9) and found.again == pytest.approx(0.89)
    assert found.errors == pytest.approx(0.01 / error)
    said = reproduce.compared(before, after)
    assert ": within the band: accuracy 0.9, again 0.89 (1.0), balanced_accuracy 0.9, again 0.89 (1.0); " in said
    assert said.endswith("400 faces, of which another processor may move a score by 3; outputs differ by at most 0.8")


def test_a_network_that_answers_otherwise_is_different():
    before, after = of(range(40)), of(range(100))
    assert reproduce.compared(before, after).split(": ")[1] == "different"
    assert reproduce.compared(after, before).split(": ")[1] == "different", "better by chance no more than worse"


def test_other_outputs_with_the_same_answers_are_within_the_band():
    after = of(range(40))
    after.predictions["p_male"] -= 0.01 * (after.predictions["p_male"] > 0.5)
    said = reproduce.compared(of(range(40)), after)
    assert said.split(": ")[1] == "within the band" and said.endswith("outputs differ by at most 0.01")


def test_nothing_before_and_other_faces_are_said():
    assert reproduce.compared(None, of([])).endswith("made for the first time, nothing to compare with")
    other = gender_run(CONFIG, people(np.arange(10)), np.ones(10, bool))
    assert reproduce.compared(of([]), other).endswith("other test faces than before")
