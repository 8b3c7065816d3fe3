"""Every exercise of the notebooks is solved by its folded solution, and says what to look at where it is not."""

import contextlib
import io
import re

import nbformat
import numpy as np
import pytest
from conftest import ROOT

from gralib.errors import UserError
from gralib.visitors.exercises import EXERCISES, check

NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").glob("*.ipynb") if p.stem != "play")
FOLDED = re.compile(
    r"\*\*([a-z]+-\d)\.\*\* (.+?)\n\n<details><summary>Solution</summary>\n\n(.*?)```python\n(.*?)```\n\n</details>",
    re.S,
)


def exercises(path):
    """Return name, question, words and code of the solution of every exercise of a notebook."""
    text = next(c.source for c in nbformat.read(path, as_version=4).cells if c.get("id") == "exercises")
    return FOLDED.findall(text)


def said(name, *answer):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        check(name, *answer)
    return out.getvalue()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_folded_solutions_are_right(path):
    found = exercises(path)
    assert len(found) == 3
    for name, question, words, code in found:
        assert question.count("?") >= 1 or question.endswith((".", ")")), name
        assert len(words) > 10, name
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, {"check": check})
        assert out.getvalue() == f"{name}: right.\n"


def test_every_exercise_stands_in_one_notebook_and_is_asked_for_there():
    names = []
    for path in NOTEBOOKS:
        mine = [name for name, *_ in exercises(path)]
        cell = next(c.source for c in nbformat.read(path, as_version=4).cells if c.get("id") == "check")
        assert re.findall(r'check\("(.+?)", None\)', cell) == mine
        names += mine
    assert sorted(names) == sorted(EXERCISES)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_wrong_answer_says_what_to_look_at(name):
    right = EXERCISES[name].right()
    wrong = "inconclusive" if isinstance(right, str) else np.asarray(right) * 1.05 + 0.1
    look = f"{name}: not yet. {EXERCISES[name].look}\n"
    assert said(name, wrong) == said(name, "?") == said(name, [1, 2, 3, 4]) == look
    assert len(EXERCISES[name].look) > 20
    assert said(name) == f"{name}: put your answer in place of None.\n"


def test_answers_may_be_rounded_written_large_or_in_a_list(capsys):
    check("gate-3", " Contradicted ")
    check("attention-3", 0.85)
    check("age-1", [8, 0.4])
    assert capsys.readouterr().out.count("right.") == 3


def test_the_answers_are_those_worked_out_by_hand():
    by_hand = {
        "attention-1": 0.75, "attention-2": -0.8, "attention-3": 1 / (1 + np.exp(-(3**0.5))), "gate-1": 2,
        "gate-2": 0.25, "depth-1": 1 / 32, "depth-2": 0.75**5, "depth-3": 7, "tour-1": 1.4, "tour-2": 4128,
        "noise-1": 0.3 / 11, "age-1": (8, 0.4), "age-2": 36, "age-3": 32, "methods-2": 1764,
        "utkface-1": 17 / 3, "utkface-2": 25, "fgnet-2": (9, 16), "fgnet-3": 5.5, "afad-1": 6.5, "afad-2": 2,
        "wikipedia-1": 29, "wikipedia-2": 0.775, "adience-1": 2 / 3, "adience-2": 23, "adience-3": 10**0.5,
        "recipe-2": 2,
    }  # fmt: skip
    for name, value in by_hand.items():
        np.testing.assert_allclose(EXERCISES[name].right(), value, rtol=1e-6, err_msg=name)
    assert EXERCISES["gate-3"].right() == "contradicted"


def test_an_unknown_exercise_is_one_line():
    with pytest.raises(UserError, match=r"^exercise: expected one of gate-1, gate-2, gate-3, got 'gate-9'$"):
        check("gate-9", 1)
