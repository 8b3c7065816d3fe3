"""The search for a recipe: drawn evenly, judged by validation faces, and what a part is worth by a known answer."""

from types import SimpleNamespace

import hand
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from gralib.config import RECIPES, configure
from gralib.evaluation import search
from gralib.evaluation.measures import measures_of


@pytest.mark.parametrize("task", search.DRAWN)
def test_every_value_of_a_part_is_drawn_as_often_as_the_others(task):
    rows = pd.DataFrame(search.drawn(task))
    assert len(rows) == search.DRAWN[task]
    for part, levels in search.LEVELS.items():
        counts = rows[part].value_counts()
        assert set(counts.index) == set(levels) and counts.max() - counts.min() <= 1
    assert ("age_width" in rows) == (task == "age_category")
    assert search.drawn(task) == search.drawn(task) != search.drawn(task, seed=1)


def test_no_test_face_judges_a_recipe():
    configs = search.configs()
    assert len(configs) == len(set(configs)) == sum(search.DRAWN.values())
    assert all(config.tuning and config.fold == 0 and not config.held_out for config in configs)
    assert search.final("gender").tuning and all(c.tuning for c in search.knock_outs("gender").values())


def test_a_knock_out_takes_back_one_part():
    chosen, plain = search.final("gender"), configure("laptop", recipe="keras")
    for part, config in search.knock_outs("gender").items():
        assert config == chosen.model_copy(update={part: getattr(plain, part)}) != chosen
    assert set(search.knock_outs("gender")) <= set(RECIPES["tuned"])


def test_the_recipe_is_told_by_the_parts_that_differ_from_keras_defaults():
    plain, tuned = configure("laptop", recipe="keras"), configure("laptop")
    found = search.recipes()
    assert list(found) == ["part", "keras", "tuned"]
    assert found["part"].tolist() == [p for p in RECIPES["tuned"] if getattr(plain, p) != getattr(tuned, p)] != []
    for part, keras, ours in found.itertuples(index=False):
        assert (keras, ours) == (str(getattr(plain, part)), str(getattr(tuned, part)))


def test_a_part_is_taken_back_to_keras_default_and_held_out_faces_are_no_part(monkeypatch):
    monkeypatch.setitem(
        RECIPES,
        "tuned",
        {"epochs": RECIPES["keras"]["epochs"], "cutout": 8, "held_out": 0.0, "zoom": 0.15, "gate_rate": 1.0},
    )
    found = search.knock_outs("gender", epochs=5)
    assert [(name, config.cutout, config.zoom) for name, config in found.items()] == [
        ("cutout", 0, 0.15), ("zoom", 8, 0.0),
    ]  # fmt: skip
    assert {config.epochs for config in found.values()} == {5} and all(config.tuning for config in found.values())


def test_what_a_part_is_worth_in_the_recipe_by_hand():
    faces = hand.people(np.full(100, 25.0))
    config = configure("laptop", task="gender")
    chosen, plain = (hand.gender_run(config, faces, np.arange(100) < n, seconds=s) for n, s in ((80, 60.0), (70, 45.0)))
    (row,) = search.knocked_out(chosen, {"mixup": plain}).to_dict(orient="records")
    assert (row["part"], row["seconds"]) == ("mixup", 15)
    assert row["worth"] == pytest.approx(10) and 0 < row["low"] < 10 < row["high"] < 20


def test_gates_beside_what_they_could_have_reached():
    ends = ((0, 2.0, {"a": 0.4, "b": 0.6}), (1, 0.0, {"a": 0.5}))
    records = (SimpleNamespace(config=configure("laptop", seed=seed), gate_reach=reach, gates=gates)
               for seed, reach, gates in ends)  # fmt: skip
    found = search.gates_of(SimpleNamespace(record=record) for record in records)
    assert found[["seed", "gate", "gamma"]].to_numpy().tolist() == [[0, "a", 0.4], [0, "b", 0.6], [1, "a", 0.5]]
    assert found["least"].tolist() == pytest.approx([1 / (1 + np.exp(2))] * 2 + [0.5])
    assert found["greatest"].tolist() == pytest.approx([1 / (1 + np.exp(-2))] * 2 + [0.5])


def test_scores_of_seeds_in_the_order_asked_for():
    faces, runs = hand.people(np.full(100, 25.0)), []
    for task, right in (("gender", (80, 60)), ("age_category", (100, 50))):
        for seed, n in enumerate(right):
            config, known = configure("laptop", task=task, seed=seed), np.arange(100) < n
            made = hand.gender_run if task == "gender" else hand.run
            runs.append(made(config, faces, known if task == "gender" else hand.certain(np.where(known, 2, 3), 12)))
    found = search.scores_of(runs)
    assert found["task"].drop_duplicates().tolist() == ["gender", "age_category"]
    row = found.set_index("measure").loc["accuracy"]
    assert (row["mean"], row["seeds"]) == (pytest.approx(0.7), 2)
    assert row["sd"] == pytest.approx(np.std([0.8, 0.6], ddof=1))
    assert found.set_index("measure").loc["category_accuracy", "mean"] == pytest.approx(0.75)


def test_who_trains_who_judges_and_who_sits_out(faces):
    config = search.final("gender")
    parts = search.split(config, faces.table)
    found = search.judged_by(config, faces).set_index("faces")["count"]
    assert found[["train", "judge recipes"]].tolist() == [len(parts.train), len(parts.test)]
    assert found.sum() == len(faces) and found["sit out"] > len(faces) / 10


def test_the_worth_of_a_part_by_hand():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([{**setting, "score": 80 + 2 * (setting["mirror"] == "alternating") + rng.normal(0, 0.5)}
                         for setting in search.drawn("gender")]).assign(age_width=10)  # fmt: skip
    found = search.worth(rows).set_index(["part", "value"])
    with_, without = (rows.loc[rows["mirror"] == name, "score"] for name in ("alternating", "random"))
    row = found.loc[("mirror", "alternating")]
    assert row["difference"] == pytest.approx(with_.mean() - without.mean())
    expected = ttest_ind(with_, without, equal_var=False).confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert row["low"] > 0 and row["runs"] == len(rows) and row["beside"] == "random"
    assert found.loc[("start", "he"), "beside"] == "zero"
    assert not {"age_width"} & set(found.index.get_level_values("part")), "one value alone is worth nothing"


def test_the_score_of_a_run_is_its_gain_over_nothing_or_the_constant(made_up, tmp_path):
    gender, age = (made_up(tmp_path, task, skill=0.5, tuning=True, held_out=0.0) for task in ("gender", "age_category"))
    found = search.table([gender, age])
    table = gender.predictions
    answer = np.where(table["p_female"] > table["p_male"], "female", "male")
    assert found["score"][0] == pytest.approx(100 * (answer == table["gender"]).mean())
    assert list(found["run"]) == [gender.record.run_id, age.record.run_id]
    assert found["score"][1] > 0


def test_every_method_has_the_same_tries_and_each_is_compared_with_the_recipes_rate(made_up, tmp_path):
    tries = search.rate_tries()
    assert len(tries) == len(set(tries.values())) == 5 * 3
    assert {(c.train_faces, c.epochs, c.tuning) for c in tries.values()} == {(6000, 5, True)}
    skills = {0.001: 0.2, 0.002: 0.2, 0.004: 0.9}
    runs = {("gra_net", rate): made_up(tmp_path, "gender", learning_rate=rate, skill=skill)
            for rate, skill in skills.items()}  # fmt: skip
    rows = search.rates(runs).set_index("rate")
    right = {rate: 100 * measures_of(run)["accuracy"][0].mean() for (_, rate), run in runs.items()}
    assert rows["accuracy"].to_dict() == pytest.approx(right)
    assert rows.loc[0.001, ["difference", "low", "high"]].isna().all()
    assert rows.loc[0.004, "difference"] == pytest.approx(right[0.004] - right[0.001]) and rows.loc[0.004, "low"] > 0
