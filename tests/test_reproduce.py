"""A run made again is identical, within the band, or different: by hand, with the numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from hand import gender_run, people

from gralib import reproduce
from gralib.config import configure
from gralib.errors import UserError

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


@pytest.mark.parametrize(
    ("root", "before", "opened"),
    [("", "drawn", "data/synthetic/utkface"), ("", "photographs", ""), ("mine", "drawn", "mine"), ("", None, "")],
)
def test_runs_are_made_again_on_the_faces_they_had_into_a_store_of_their_own(root, before, opened, monkeypatch):
    first, calls = of(range(40)), []
    first.record.synthetic = before == "drawn"

    def open_faces(*words):
        calls.append(words)
        return SimpleNamespace(dataset="utkface", synthetic=before == "drawn", fingerprint=first.record.fingerprint)

    def run(*words, **more):
        calls.append((*words[2:], more))
        return of(range(40))

    monkeypatch.setattr(reproduce, "open_faces", open_faces)
    monkeypatch.setattr(reproduce, "run", run)
    wanted = [reproduce.Asked(CONFIG, first if before else None)] * 2
    said = "identical" if before else "made for the first time, nothing to compare with"
    assert list(reproduce.made_again(wanted, root)) == [f"{first.record.run_id}: {said}"] * 2
    assert calls == [("utkface", opened), *2 * [("build/reproduced", {"again": True, "threads": 1})]]


def test_runs_of_several_sets_are_made_set_by_set_each_on_its_own_faces(monkeypatch):
    made = []
    monkeypatch.setattr(reproduce, "open_faces", lambda dataset, place: dataset)
    monkeypatch.setattr(reproduce, "_check", lambda one, faces: None)
    monkeypatch.setattr(reproduce, "run", lambda config, faces, *_, **__: made.append((config.dataset, faces)))
    monkeypatch.setattr(reproduce, "compared", lambda before, after: "made")
    sets = ("utkface", "afad", "utkface", "wikipedia")
    wanted = [reproduce.Asked(configure("smoke", dataset=name), None) for name in sets]
    assert list(reproduce.made_again(wanted)) == ["made"] * 4
    assert made == [(name, name) for name in ("utkface", "utkface", "afad", "wikipedia")]


def test_faces_that_a_run_did_not_have_are_refused():
    first = of([])
    name, mine = first.record.run_id, first.record.fingerprint
    faces = SimpleNamespace(dataset="utkface", synthetic=True, fingerprint=mine)
    reproduce._check(reproduce.Asked(CONFIG, first), faces)
    with pytest.raises(UserError, match="utkface: expected real faces, as a claim asks for"):
        reproduce._check(reproduce.Asked(CONFIG, None), faces)
    faces.synthetic, faces.fingerprint = False, "another"
    reproduce._check(reproduce.Asked(CONFIG, None), faces)
    with pytest.raises(UserError, match=f"{name}: expected faces {mine}, got another"):
        reproduce._check(reproduce.Asked(CONFIG, first), faces)


def test_a_run_by_its_name_or_the_runs_a_claim_asks_for(monkeypatch):
    first = of([])
    monkeypatch.setattr(reproduce.records, "gather", lambda: ([first], []))
    assert reproduce.asked(first.record.run_id) == [reproduce.Asked(CONFIG, first)]
    asked = reproduce.asked("C4")
    assert [one.config for one in asked] == reproduce.load().configs("C4")
    assert not any(one.before for one in asked)
    with pytest.raises(UserError, match=r"^C1: expected a claim with runs, this one has none; gra checks makes it"):
        reproduce.asked("C1")
    with pytest.raises(UserError, match=r"nobody: expected a claim .*C4.* or the name of a recorded run"):
        reproduce.asked("nobody")
    assert reproduce.commands([reproduce.Asked(CONFIG, first), reproduce.Asked(CONFIG, None)]) == [
        f"utkface gender seed 0 fold 0: {first.record.run_id}", "utkface gender seed 0 fold 0: not run yet",
    ]  # fmt: skip
