"""Golden numbers: what the code says now beside what was stored (tests/golden, written by golden.py)."""

import json

import golden
import pytest
import tiny

MEANT = "meant? then: python tests/golden.py; another kind of processor? python tests/golden.py --add"


def parted(name, found):
    """Return where what was found is not what was stored."""
    return golden.differences(golden.read(name), json.loads(json.dumps(found)))


def test_pictures_decode_to_the_stored_pixels():
    assert parted("pictures", golden.pictures()) == [], MEANT


def test_faces_are_drawn_as_stored():
    stored = golden.read("drawn")
    assert golden.differences(stored, {**stored, **golden.drawn()}) == [], MEANT


def test_sets_are_laid_out_as_stored():
    stored = golden.read("drawn")
    assert golden.differences(stored, {**stored, **golden.laid_out()}) == [], MEANT


def test_a_table_scores_as_stored():
    assert parted("tables", golden.tables()) == [], MEANT


@pytest.mark.parametrize("name", tiny.RUNS)
@pytest.mark.slow
def test_a_tiny_training_comes_to_the_stored_numbers(name, tiny_run):
    run = tiny_run(name)
    variants = golden.read(f"trainings-{run.record.environment['backend']}")[name]
    assert golden.from_nearest(variants, json.loads(json.dumps(golden.training(run)))) == [], MEANT


def test_differences_are_found_and_named():
    stored = {"loss a": [1.0, 2.0], "exact: b": 3, "output c": 0.5, "words": ["x"]}
    near = {"loss a": [1.009, 2.0], "exact: b": 3, "output c": 0.54, "words": ["x"]}
    assert golden.differences(stored, near) == []
    far = {"loss a": [1.011, 2.0], "exact: b": 4, "output c": 0.56, "words": ["y"], "more": 1}
    assert golden.differences(stored, far) == [
        "/loss a/0: stored 1.0, found 1.011", "/exact: b: stored 3, found 4", "/output c: stored 0.5, found 0.56",
        "/words/0: stored x, found y", "/more: stored None, found 1",
    ]  # fmt: skip
    assert golden.from_nearest([far, near, stored], stored) == [], "as one of those stored, whichever"
    assert len(golden.from_nearest([far, {**stored, "exact: b": 4}], stored)) == 1
    assert golden.from_nearest([], stored) == ["nothing stored"]
