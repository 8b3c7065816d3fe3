import numpy as np
import pandas as pd
import pytest

from gralib.config import configure
from gralib.data.audit import contradictions, leakage
from gralib.data.repeats import COLUMNS, pairs
from gralib.data.splits import Split, fold_count, groups, split
from gralib.errors import UserError


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    group = pd.Series([f"t{i}" for i in rng.integers(0, 1000, n)], dtype=object).mask(rng.random(n) < 0.3)
    picture = rng.integers(0, 1500, n)
    digest = [f"d{i}" for i in picture]
    age, fold = rng.integers(0, 90, n), [hash(g) % 5 if isinstance(g, str) else 0 for g in group]
    return pd.DataFrame(
        {"digest": digest, "picture": picture, "group": group, "subject": None, "age": age, "fold": fold}
    )


NO_PAIRS = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
CONCERNED = "test faces concerned"


def config(**settings):
    return configure("laptop", recipe="keras", **settings)


def test_groups_are_chained_through_pictures_and_time_stamps():
    frame = pd.DataFrame({"picture": [0, 0, 1, 1, 2, 3], "group": ["1", "2", "2", None, None, None]})
    number = groups(frame)
    assert len(set(number[:4])) == 1
    assert len(set(number)) == 3


def test_a_picture_and_a_group_of_the_same_name_are_no_link():
    assert len(set(groups(pd.DataFrame({"picture": [0, 1], "group": ["1", "p0"]})))) == 2


@pytest.mark.parametrize("seed", range(5))
def test_the_split_is_whole_disjoint_and_keeps_groups_together(seed):
    frame = table(seed=seed)
    found = split(config(split_seed=seed), frame)
    parts = (found.train, found.validation, found.test)
    assert sorted(np.concatenate(parts)) == list(range(len(frame)))
    number = groups(frame)
    sides = [set(number[part]) for part in parts]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert 0.12 < len(found.test) / len(frame) < 0.28
    assert leakage(frame, NO_PAIRS, found)[CONCERNED].tolist() == [0, 0, 0, 0]


def test_the_seed_decides_and_fewer_training_faces_leave_the_test_set_alone():
    frame = table()
    first, again, other = (split(config(split_seed=seed), frame) for seed in (0, 0, 1))
    few = split(config(train_faces=60), frame)
    np.testing.assert_array_equal(first.test, again.test)
    assert list(first.test) != list(other.test)
    np.testing.assert_array_equal(first.test, few.test)
    assert len(few.train) + len(few.validation) == 60
    assert set(few.train) | set(few.validation) <= set(first.train) | set(first.validation)


def test_a_leak_is_found():
    frame = pd.DataFrame({"digest": ["a", "b", "a", "c"], "group": ["1", "2", "3", "2"], "subject": None})
    found = leakage(frame, NO_PAIRS, Split(np.array([0]), np.array([1]), np.array([2, 3])))
    assert found[CONCERNED].tolist() == [1, 1, 0, 0]


def test_too_few_groups_are_refused():
    with pytest.raises(UserError, match="expected at least 10 groups of faces, got 0"):
        split(config(), pd.DataFrame({"picture": [], "group": []}))
    with pytest.raises(UserError, match="expected at least 10 groups of faces, got 2"):
        split(config(), pd.DataFrame({"picture": [0, 1], "group": [None, None]}))
    with pytest.raises(UserError, match="expected at least 10 groups of faces, got 9"):
        split(config(), singles(9))


@pytest.mark.parametrize(
    "settings", [{"folds": 7}, {"protocol": "random", "folds": 4}, {"protocol": "leave_one_out"}], ids=str
)
def test_every_face_is_tested_in_one_fold(settings):
    frame = table(n=60)
    count = fold_count(config(**settings), frame)
    tests = [split(config(**settings, fold=fold), frame).test for fold in range(count)]
    assert sorted(np.concatenate(tests)) == list(range(60))
    assert count == settings.get("folds", len(set(groups(frame))))


def singles(n):
    """Faces that nothing keeps together."""
    return pd.DataFrame({"picture": range(n), "group": None, "age": 30, "fold": 0})


def test_ten_groups_are_enough_and_as_many_folds_as_groups():
    assert len(split(config(), singles(10)).test) == 2
    assert len(split(config(folds=10, fold=9), singles(10)).test) == 1
    with pytest.raises(UserError, match=r"^folds: expected at most 10, the groups of faces, got 11$"):
        split(config(folds=11), singles(10))


def test_a_tenth_of_the_training_side_validates():
    found = split(config(), singles(400))
    assert (len(found.train), len(found.validation), len(found.test)) == (288, 32, 80)


def test_a_random_split_ignores_groups_on_both_cuts():
    frame = singles(240).assign(group=[f"g{i % 12}" for i in range(240)])
    found, number = split(config(protocol="random"), frame), groups(frame)
    train, validation, test = (set(number[part]) for part in (found.train, found.validation, found.test))
    assert min(len(train & test), len(train & validation)) > 9


def test_the_same_seed_draws_the_same_validation_and_training_faces():
    frame = table()
    for few in (None, 60):
        first, again = (split(config(train_faces=few), frame) for _ in range(2))
        np.testing.assert_array_equal(first.train, again.train)
        np.testing.assert_array_equal(first.validation, again.validation)


def test_folds_are_counted_among_the_ages_wanted():
    frame = singles(20).assign(age=[30] * 12 + [70] * 8, fold=[i % 3 for i in range(12)] + [4] * 8)
    wanted = {"protocol": "leave_one_out", "age_range": (21, 60)}
    assert fold_count(config(**wanted), frame) == 12
    assert all(len(split(config(**wanted, fold=fold), frame).test) == 1 for fold in range(12))
    with pytest.raises(UserError, match="fold: expected 0 to 11"):
        split(config(**wanted, fold=12), frame)
    assert fold_count(config(dataset="adience", protocol="official", age_range=(21, 60)), frame) == 3


def test_official_folds_are_counted():
    frame = table()
    for folds in (5, 4):
        assert fold_count(config(dataset="adience", protocol="official"), frame[frame["fold"] < folds]) == folds


def test_leave_one_out_tests_one_group_and_knows_its_end():
    frame = table(n=60)
    found = split(config(protocol="leave_one_out", fold=3), frame)
    assert len(set(groups(frame)[found.test])) == 1
    with pytest.raises(UserError, match=r"fold: expected 0 to \d+, one a person, got 500"):
        split(config(protocol="leave_one_out", fold=500), frame)
    with pytest.raises(UserError, match=r"^fold: expected 0 to 19, one a person, got 20$"):
        split(config(protocol="leave_one_out", fold=20), singles(20))


def test_official_folds_are_taken_as_published():
    frame = table()
    found = split(config(dataset="adience", protocol="official", fold=2), frame)
    assert set(frame["fold"].iloc[found.test]) == {2}
    assert 2 not in set(frame["fold"].iloc[np.concatenate([found.train, found.validation])])
    with pytest.raises(UserError, match="fold: expected one of"):
        split(config(dataset="adience", protocol="official", fold=2), frame[frame["fold"] != 2])


def test_only_the_ages_wanted():
    frame = table()
    found = split(config(age_range=(21, 60)), frame)
    ages = frame["age"].iloc[np.concatenate([found.train, found.validation, found.test])]
    assert (ages.min(), ages.max(), len(ages)) == (21, 60, frame["age"].between(21, 60).sum())


def test_a_random_split_leaks_and_the_audit_says_so(faces):
    honest, random = (
        leakage(faces.table, faces.pairs, split(config(protocol=p), faces.table)).set_index("shared with training")
        for p in ("grouped", "random")
    )
    strict, looser = (f"near-identical picture (at most {rule} of 255)" for rule in
                      ("4 of 64 bits, under 6", "6 of 64 bits, under 12"))  # fmt: skip
    assert list(honest.index) == ["byte-identical picture", "same group", strict, looser]
    assert honest[CONCERNED][["byte-identical picture", "same group", strict]].tolist() == [0, 0, 0]
    assert random[CONCERNED]["same group"] > 0
    assert random[CONCERNED][looser] >= random[CONCERNED][strict] >= random[CONCERNED]["byte-identical picture"] > 0


@pytest.mark.parametrize(
    ("seen", "tested", "strict", "looser"),
    [
        ([0, 3], [1, 2], 1, 2),  # 1 is like 0, and 2 a little
        ([1, 3], [0, 2], 1, 1),
        ([3], [0, 1, 2], 0, 0),
        ([4], [1, 2, 0], 2, 3),  # 4 has the pixels of 0
        ([1], [4, 0, 3], 2, 2),
    ],
)
def test_near_identical_pictures_are_found_and_others_are_not(seen, tested, strict, looser):
    rng = np.random.default_rng(0)
    face, other = np.kron(rng.integers(60, 180, (2, 8, 8, 1)), np.ones((1, 4, 4, 3)))
    pixels = np.stack([face, face + 4, face - 9, other, face]).astype("uint8")
    frame = pd.DataFrame({"digest": list("abcde"), "group": None, "subject": None})
    found = leakage(frame, pairs(pixels), Split(np.array(seen), np.array([], dtype=int), np.array(tested)))
    assert found[CONCERNED].tolist() == [0, strict, looser]


def test_contradicting_labels_of_one_photograph_are_counted():
    frame = pd.DataFrame(
        {
            "picture": [0, 0, 1, 1, 2],
            "age": [3, 4, 5, 5, 6],
            "gender": ["male", "male", "male", "female", None],
        }
    ).assign(age_group=None)
    assert contradictions(frame) == {
        "photographs with several files": 2,
        "files of them": 4,
        "photographs that disagree on age": 1,
        "photographs that disagree on gender": 1,
    }


def test_no_photograph_of_the_real_set_is_on_both_sides_of_any_fold(real_faces):
    assert real_faces.fingerprint == "c80804b260753253"
    for fold in range(5):
        found = leakage(real_faces.table, real_faces.pairs, split(config(fold=fold), real_faces.table))
        *strict, looser = found[CONCERNED]
        assert strict == [0, 0, 0], "files, time stamps, photographs"
        assert 15 <= looser <= 35, "of some 4,740"
    assert contradictions(real_faces.table) == {
        "photographs with several files": 819,
        "files of them": 1714,
        "photographs that disagree on age": 560,
        "photographs that disagree on gender": 57,
    }
