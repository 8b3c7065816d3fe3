import numpy as np
import pandas as pd
import pytest

from gralib.errors import UserError
from gralib.protocols import Split, grouped_split, groups, leakage


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    group = pd.Series([f"t{i}" for i in rng.integers(0, 1000, n)], dtype=object).mask(rng.random(n) < 0.3)
    return pd.DataFrame({"digest": [f"d{i}" for i in rng.integers(0, 1500, n)], "group": group})


def test_groups_are_chained_through_pictures_and_time_stamps():
    frame = pd.DataFrame({"digest": ["a", "a", "b", "b", "c", "d"], "group": ["1", "2", "2", None, None, None]})
    number = groups(frame)
    assert len(set(number[:4])) == 1
    assert len(set(number)) == 3


def test_a_digest_and_a_group_of_the_same_name_are_no_link():
    assert len(set(groups(pd.DataFrame({"digest": ["x", "y"], "group": ["y", "x"]})))) == 2


@pytest.mark.parametrize("seed", range(5))
def test_the_split_is_whole_disjoint_and_keeps_groups_together(seed):
    frame = table(seed=seed)
    split = grouped_split(frame, seed)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(len(frame)))
    number = groups(frame)
    sides = [set(number[part]) for part in parts]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert 0.12 < len(split.test) / len(frame) < 0.28
    assert leakage(frame, split)["test faces concerned"].tolist() == [0, 0]


def test_the_seed_decides_and_fewer_training_faces_leave_the_test_set_alone():
    frame = table()
    first, again, other = grouped_split(frame, 0), grouped_split(frame, 0), grouped_split(frame, 1)
    few = grouped_split(frame, 0, train_faces=60)
    np.testing.assert_array_equal(first.test, again.test)
    assert list(first.test) != list(other.test)
    np.testing.assert_array_equal(first.test, few.test)
    assert len(few.train) + len(few.validation) == 60
    assert set(few.train) | set(few.validation) <= set(first.train) | set(first.validation)


def test_a_leak_is_found():
    frame = pd.DataFrame({"digest": ["a", "b", "a", "c"], "group": ["1", "2", "3", "2"]})
    found = leakage(frame, Split(np.array([0]), np.array([1]), np.array([2, 3])))
    assert found["test faces concerned"].tolist() == [1, 1]


def test_too_few_groups_are_refused():
    with pytest.raises(UserError, match="expected at least 10 groups of faces, got 0"):
        grouped_split(pd.DataFrame({"digest": [], "group": []}))
    with pytest.raises(UserError, match="expected at least 10 groups of faces, got 2"):
        grouped_split(pd.DataFrame({"digest": ["a", "b"], "group": [None, None]}))


def test_no_identical_picture_of_the_real_set_is_on_both_sides(real_utkface, tmp_path_factory):
    from gralib.faces import open_faces

    faces = open_faces("utkface", real_utkface, cache=tmp_path_factory.mktemp("real"), progress=False)
    assert faces.fingerprint == "5a34252b13c8a232", "the committed records are of this fingerprint"
    split = grouped_split(faces.table)
    assert leakage(faces.table, split)["test faces concerned"].tolist() == [0, 0]
    duplicates = faces.table.groupby("digest").filter(lambda rows: len(rows) > 1)
    assert (duplicates["digest"].nunique(), len(duplicates)) == (375, 765)
    assert [len(split.train), len(split.validation), len(split.test)] == [17_064, 1_914, 4_730]
