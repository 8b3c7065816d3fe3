"""Tables of a study beside a plain groupby: by decade, by gender, confusion, folds pooled."""

import hand
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from gralib.config import configure
from gralib.evaluation.study import is_standard, studies
from gralib.labels import GENDERS

rng = np.random.default_rng(8)
AGES = rng.permutation(np.repeat([3, 9, 10, 27, 34, 61], [20, 10, 30, 30, 20, 10])).astype(float)
FACES = hand.people(AGES, rng.choice(list("mf"), 120, p=[0.7, 0.3]), groups=np.arange(120) // 2)
RIGHT = rng.random(120) < np.where(AGES < 10, 0.4, 0.9)
CATEGORY, INSIDE = np.clip(AGES // 10 + rng.integers(-1, 2, 120), 0, 11).astype(int), rng.random(120)


def configured(task, **fields):
    return configure("laptop", task=task, **fields)


def study(faces=FACES):
    """Return the three networks of UTKFace on the same faces; the constants are those of other faces."""
    outputs = np.repeat(INSIDE[:, None], 12, axis=1)
    constants = {"age": 30.0, "category": 3, "remainder": 0.5}
    return studies([
        hand.gender_run(configured("gender"), faces, RIGHT, constants={"gender": "female"}),
        hand.run(configured("age_category"), faces, hand.certain(CATEGORY, 12), constants),
        hand.run(configured("age_regression"), faces, outputs, constants),
    ])[0]  # fmt: skip


def plain(by, values, constant):
    """Return what a plain groupby says."""
    table = pd.DataFrame({"by": by, "value": values, "constant": constant, "faces": 1.0})
    return table.groupby("by").agg({"value": "mean", "constant": "mean", "faces": "sum"})


GENDER = {"value": RIGHT.astype(float), "constant": (FACES["gender"] == "female").to_numpy(dtype=float)}
AGE = {"value": np.abs(10 * (CATEGORY + INSIDE) - AGES), "constant": np.abs(AGES - 30)}


@pytest.mark.parametrize(("what", "numbers"), [("gender", GENDER), ("age", AGE)])
def test_by_decade_is_a_plain_groupby(what, numbers):
    found = study().by_decade(what)
    expected = plain(AGES // 10 * 10, numbers["value"], numbers["constant"])
    assert found["decade"].tolist() == ["0-9", "10-19", "20-29", "30-39", "60-69"]
    for column in ("value", "constant", "faces"):
        np.testing.assert_allclose(found[column], expected[column], err_msg=column)
    assert (found["low"] < found["value"]).all() and (found["value"] <= found["high"]).all()


def test_by_gender_is_a_plain_groupby():
    found = study().by_label("gender", GENDERS).set_index("score")
    for name, numbers in (("gender accuracy", GENDER), ("age MAE, both networks, expected age (years)", AGE)):
        expected = plain(FACES["gender"].to_numpy(), numbers["value"], numbers["constant"])
        rows = found.loc[name].set_index("gender")
        assert list(rows.index) == ["male", "female"]
        for column in ("value", "constant predictor", "faces"):
            np.testing.assert_allclose(rows[column], expected[column.split()[0]][rows.index], err_msg=column)


def test_a_set_with_age_groups_is_divided_by_them():
    bands = np.resize(["0-2", "8-12", None], 120)
    faces = FACES.assign(age=np.nan, age_group=bands)
    config = configured("gender", dataset="adience", protocol="official")
    found = studies([hand.gender_run(config, faces, RIGHT, constants={"gender": "female"})])[0].by_decade("gender")
    expected = plain(bands, GENDER["value"], GENDER["constant"])
    assert found["decade"].tolist() == ["0-2", "8-12"], "faces without a group are left out"
    for column in ("value", "constant", "faces"):
        np.testing.assert_allclose(found[column], expected[column].loc[["0-2", "8-12"]])


def test_scores_are_means_beside_the_constants_and_name_their_runs():
    one = study()
    table = one.scores.set_index("score")
    assert table.loc["gender accuracy", "value"] == pytest.approx(GENDER["value"].mean())
    assert table.loc["gender accuracy", "constant predictor"] == pytest.approx(GENDER["constant"].mean())
    joined = table.loc["age MAE, both networks, expected age (years)"]
    assert (joined["value"], joined["constant predictor"]) == (
        pytest.approx(AGE["value"].mean()), pytest.approx(AGE["constant"].mean()),
    )  # fmt: skip
    assert joined["runs"].split() == [one.runs[t][0].record.run_id for t in ("age_category", "age_regression")]
    assert table["faces"].unique() == [120]
    assert table.loc["age category accuracy", "value"] == pytest.approx((CATEGORY == AGES // 10).mean())


def test_the_confusion_matrix_is_scikit_learns():
    found = study().confusion()
    expected = confusion_matrix(AGES // 10, CATEGORY, labels=range(12)).astype(float)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True))
    assert found.loc["40-49"].isna().all(), "nobody is of that age"


def test_cumulative_scores_by_hand():
    found = study().cumulative([0, 5, 30])
    for column, errors in (("measured", AGE["value"]), ("constant", AGE["constant"])):
        np.testing.assert_allclose(found[column], [(errors <= k).mean() for k in (0, 5, 30)])


def test_folds_are_pooled_face_by_face_with_their_own_constants():
    parts, runs = (slice(0, 30), slice(30, 120)), []
    for fold, (part, constant) in enumerate(zip(parts, ("male", "female"), strict=True)):
        config = configured("gender", fold=fold)
        runs.append(hand.gender_run(config, FACES.iloc[part], RIGHT[part], constants={"gender": constant}))
    (one,) = studies(runs[::-1])
    row = one.scores.set_index("score").loc["gender accuracy"]
    assert (one.folds, row["folds"], row["faces"]) == (2, 2, 120)
    assert row["value"] == pytest.approx(RIGHT.mean())
    assert row["sd of folds"] == pytest.approx(np.std([RIGHT[p].mean() for p in parts], ddof=1))
    males = (FACES["gender"] == "male").to_numpy()
    assert row["constant predictor"] == pytest.approx(np.concatenate([males[parts[0]], ~males[parts[1]]]).mean())
    assert [run.record.config.fold for run in one.runs["gender"]] == [0, 1]


def test_runs_of_other_data_seeds_or_settings_are_other_studies():
    settings = ({}, {"seed": 1}, {"label_noise": 0.3}, {"gate": 0.5}, {"protocol": "random"}, {"age_range": (21, 60)})
    runs = [hand.gender_run(configured("gender", **changes), FACES, RIGHT) for changes in settings]
    runs.append(hand.gender_run(configured("gender"), FACES, RIGHT, fingerprint="others"))
    runs.append(hand.gender_run(configured("gender", fold=1), FACES, RIGHT))
    found = studies(runs)
    assert len(found) == 7, "a fold joins its study, everything else is one of its own"
    assert [is_standard(s.first) for s in found if s.first.record.config.gate == 0.5] == [False]
    assert sum(is_standard(s.first) for s in found) == 5


def test_a_study_says_data_preset_seed_split_ages_and_folds():
    fields = {"dataset": "fgnet", "protocol": "leave_one_out", "age_range": (18, 69), "seed": 2}
    runs = [hand.run(configured("age_category", fold=fold, **fields), FACES, hand.certain(CATEGORY, 12))
            for fold in (0, 1)]  # fmt: skip
    (one,) = studies(runs)
    assert one.label == "FG-NET, real faces, laptop preset, seed 2, leave one out split, ages 18-69, 2 folds"
    assert study().label == "UTKFace, real faces, laptop preset, seed 0"
    assert set(study().scores["data"]) == {"real"}
    drawn = studies([hand.gender_run(configured("gender"), FACES, RIGHT, synthetic=True)])[0]
    assert drawn.label == "UTKFace, synthetic faces, laptop preset, seed 0"
    assert set(drawn.scores["data"]) == {"synthetic"}


def test_ages_of_folds_are_one_table():
    outputs, runs = np.repeat(INSIDE[:, None], 12, axis=1), []
    for fold, part in enumerate((slice(0, 30), slice(30, 120))):
        runs += [hand.run(configured("age_category", fold=fold), FACES.iloc[part], hand.certain(CATEGORY[part], 12)),
                 hand.run(configured("age_regression", fold=fold), FACES.iloc[part], outputs[part])]  # fmt: skip
    (one,) = studies(runs)
    assert one.ages.index.tolist() == list(range(120))
    np.testing.assert_allclose(one.ages["predicted"], 10 * (CATEGORY + INSIDE))
