"""Claims judged on runs written by hand, where a right rule and a wrong one come to different numbers or words."""

import json

import hand
import numpy as np
import pandas as pd
import pytest

from gralib import claims, compare, experiment, grids, orientation
from gralib.claims import Claim, Test
from gralib.config import PROTOCOLS, configure
from gralib.errors import UserError
from gralib.study import split_effect, studies

FACES = hand.people(np.arange(300) % 80)
HALF = np.arange(300) < 150
GATES = ({"gate": "trainable"}, {"gate": 0.0})


def judge(test, runs, **fields):
    words = dict.fromkeys(("claim", "where", "words", "measured", "paper", "rule"), "")
    return claims.judge([Claim(id="C0", **words, test=Test(**test), **fields)], runs)


def gates(seeds, right, setting=GATES[0], faces=FACES, **fields):
    """Return gender runs of a gate that are right about the same faces with every seed."""
    return [hand.gender_run(hand.in_grid("gate_ablation", setting, seed, **fields)[0], faces, right) for seed in seeds]


def pair(**changes):
    """Return a test of the trainable gate against a gate of 0."""
    return {"kind": "differences", "grid": "gate_ablation", "measure": "accuracy", "seeds": 3, "pairs": [GATES],
            **changes}  # fmt: skip


def sides(better, worse):
    """Return which faces two networks are right about: all but `worse` faces, and all but `better` other ones."""
    return np.arange(300) >= worse, np.arange(300) < 300 - better


def test_a_gain_inside_the_noise_is_no_gain():
    first, second = sides(better=63, worse=60)
    row = judge(pair(), gates(range(3), first) + gates(range(3), second, GATES[1])).iloc[0]
    assert row["value"] == pytest.approx(0.01)
    assert row["low"] < 0 < row["value"] < row["high"]
    assert (row["verdict"], row["finding"]) == ("not reproduced", "inside the noise")


@pytest.mark.parametrize(("better", "verdict", "word"), [(60, "reproduced", "better"), (0, "not reproduced", "worse")])
def test_a_clear_gain_has_its_sign_and_word_and_swapping_the_sides_turns_both(better, verdict, word):
    first, second = sides(better, worse=60 - better)
    runs = gates(range(3), first) + gates(range(3), second, GATES[1])
    row = judge(pair(), runs).iloc[0]
    assert row["value"] == pytest.approx(0.2 if better else -0.2)
    assert (row["verdict"], row["finding"]) == (verdict, word)
    turned = judge(pair(pairs=[GATES[::-1]]), runs).iloc[0]
    assert turned[["value", "low", "high"]].tolist() == pytest.approx(
        [-row["value"], -row["high"], -row["low"]], abs=5e-3
    )
    assert {word, turned["finding"]} == {"better", "worse"}
    assert {verdict, turned["verdict"]} == {"reproduced", "not reproduced"}


def test_only_the_seeds_of_both_sides_are_paired():
    first = gates([0], ~HALF) + gates([2], HALF | True)
    second = gates([1], HALF | True, GATES[1]) + gates([2], HALF, GATES[1])
    row = judge(pair(seeds=1), first + second).iloc[0]
    assert (row["value"], row["seeds"]) == (0.5, 1)
    assert row["run ids"].split() == [first[1].record.run_id, second[1].record.run_id]
    assert judge(pair(seeds=2), first + second)["verdict"].item() == "not run"
    one, other = (compare.side([[run] for run in runs], "accuracy") for runs in (first, second))
    assert (one.seeds, other.seeds) == ((0, 2), (1, 2))
    assert compare.gain(one, other, "accuracy").value == 0.5
    named = compare.gains({"one": one, "other": other}, "accuracy", "other").iloc[0]
    assert (named["setting"], named["gain"], named["seeds"]) == ("one", 0.5, 1)


def test_the_larger_preset_decides_where_it_is_complete_and_smoke_and_drawn_runs_never_do():
    def of(preset, *right):
        configs = [grids.configs_for("gate_ablation", setting, 0, "utkface", preset)[0] for setting in GATES]
        return [hand.gender_run(config, FACES, faces) for config, faces in zip(configs, right, strict=True)]

    laptop, paper, smoke = of("laptop", *sides(60, 0)), of("paper", *sides(30, 0)), of("smoke", *sides(90, 0))
    assert judge(pair(seeds=1), laptop + smoke)["value"].item() == pytest.approx(0.2)
    assert judge(pair(seeds=1), laptop + paper + smoke)["value"].item() == pytest.approx(0.1)
    assert judge(pair(seeds=1), laptop + paper[:1])["value"].item() == pytest.approx(0.2), "half of a pair is none"
    for run in laptop:
        run.record.synthetic = True
    assert judge(pair(seeds=1), laptop + smoke)["verdict"].item() == "not run"


def test_a_run_that_lacks_a_face_is_refused_within_a_side_and_across():
    whole, short = gates([0], HALF), gates([1], HALF[:-1], faces=FACES.iloc[:-1])
    with pytest.raises(UserError, match=f"{short[0].record.run_id}: other test faces than {whole[0].record.run_id}"):
        compare.side([whole, short], "accuracy")
    other = gates([0], HALF[:-1], GATES[1], FACES.iloc[:-1])
    with pytest.raises(UserError, match="expected the faces and a seed of"):
        judge(pair(seeds=1), whole + other)


def age_runs(width, category, inside, seed=0, tasks=("age_category", "age_regression")):
    """Return runs of the age networks at a width: sure of a category (n,), one remainder (n,) in every category."""
    truth = hand.people([24.0, 24.0, 61.0, 61.0] * 50)
    made = []
    for config in hand.in_grid("age_decomposition", {"age_width": width, "join": "both"}, seed):
        count = 116 // width + 1
        outputs = hand.certain(np.resize(category, 200), count)
        if config.task == "age_regression":
            outputs = np.repeat(np.resize(inside, 200)[:, None], count, axis=1)
        if config.task in tasks:
            made.append(hand.run(config, truth, outputs))
    return made


def test_an_age_of_both_networks_of_category_alone_and_of_regression_alone():
    runs = [
        *age_runs(5, [4, 4, 12, 11], [0.4, 0.8]),
        *age_runs(117, [0], [40 / 117, 30 / 117], tasks=("age_regression",)),
    ]
    settings = (
        {"age_width": 5, "join": "both"},
        {"age_width": 5, "join": "category"},
        {"age_width": 117, "join": "regression"},
    )
    test = {
        "kind": "differences",
        "grid": "age_decomposition",
        "measure": "age_mae",
        "pairs": [settings[:2], settings[::2]],
    }
    found = judge(test, runs)
    both, category, regression = (np.mean(e) for e in ([2, 0, 1, 2], [1.5, 1.5, 1.5, 3.5], [16, 6, 21, 31]))
    assert found["value"].tolist() == pytest.approx([category - both, regression - both])
    assert found["verdict"].unique() == ["reproduced"]


def test_the_likeliest_category_and_the_expected_age_are_two_rows():
    outputs = np.zeros((200, 12))
    outputs[:, [2, 6]] = 0.6, 0.4
    category, regression = age_runs(10, [2], [0.5])
    unsure = hand.run(category.record.config, FACES.iloc[:200].assign(age=24.0), outputs)
    regression = hand.run(regression.record.config, FACES.iloc[:200].assign(age=24.0), np.full((200, 12), 0.5))
    found = compare.sides("age_decomposition", [unsure, regression])
    means = {name: one.values.mean() for name, one in found.items()}
    assert means["10-year categories, both, likeliest category"] == pytest.approx(25 - 24)
    assert means["10-year categories, both, expected age"] == pytest.approx(0.6 * 25 + 0.4 * 65 - 24)
    table = compare.summary(found).set_index("setting")
    assert table["constant predictor"].unique() == [0], "the median of these faces is their age"
    expected = experiment.join_ages(unsure, regression, "hard")["predicted"] - 24
    assert means["10-year categories, both, likeliest category"] == pytest.approx(expected.abs().mean())


@pytest.mark.parametrize(
    ("measure", "less"),
    [("accuracy", False), ("balanced_accuracy", False), ("category_accuracy", False), ("group_accuracy", False),
     ("group_one_off_accuracy", False), ("category_mae_years", True), ("remainder_error_years", True),
     ("group_mae_years_by_middles", True), ("age_mae", True)],
)  # fmt: skip
def test_errors_are_better_smaller(measure, less):
    assert compare.less_is_better(measure) is less


def test_adults_against_children_has_the_sign_of_the_claim():
    ages = np.repeat([0, 5, 9, 10, 19, 20, 40, 59, 60, 80], 30)
    faces, adult, child = hand.people(ages), (ages >= 20) & (ages <= 59), ages <= 9
    config = configure("laptop", task="gender")
    test = {"kind": "bands", "bands": [(20, 59), (0, 9)], "measure": "accuracy"}
    for right, value, verdict, word in (
        (adult, 1, "reproduced", "better"), (child, -1, "not reproduced", "worse"),
        (adult | child, 0, "not reproduced", "inside the noise"),
    ):  # fmt: skip
        row = judge(test, [hand.gender_run(config, faces, right)]).iloc[0]
        assert (row["value"], row["verdict"], row["finding"]) == (value, verdict, word)
        assert row["what"] == "aged 20-59, against aged 0-9"
    third = np.isin(ages, [20, 40, 0, 5])
    row = judge(test, [hand.gender_run(config, faces, third)]).iloc[0]
    assert row["value"] == pytest.approx(0), "two of three in both bands"
    assert (
        judge(test, [hand.gender_run(configure("laptop", task="gender", seed=1), faces, adult)])["verdict"].item()
        == "not run"
    )


def studies_of(wrong_honest, wrong_random, faces=None):
    """Return category runs of FG-NET, honest and random split, that are 10 years off for a number of faces."""
    faces = hand.people(np.full(200, 25.0)) if faces is None else faces
    runs = []
    for protocol, wrong in (("grouped", wrong_honest), ("random", wrong_random)):
        config = configure(
            "laptop", task="age_category", dataset="fgnet", **{**PROTOCOLS["fgnet"], "protocol": protocol}
        )
        answer = np.where(np.arange(200) < wrong, 3, 2)
        runs.append(hand.run(config, faces, hand.certain(answer, 12)))
    return runs


@pytest.mark.parametrize(
    ("honest", "random", "value", "verdict", "word"),
    [(120, 40, 4, "reproduced", "better"), (40, 120, -4, "not reproduced", "worse")],
)
def test_a_random_split_that_looks_better_flatters(honest, random, value, verdict, word):
    runs = studies_of(honest, random)
    test = {"kind": "split", "dataset": "fgnet", "measure": "category_mae_years"}
    row = judge(test, runs).iloc[0]
    assert row["value"] == pytest.approx(value)
    assert (row["verdict"], row["finding"]) == (verdict, word)
    effect = split_effect(studies(runs)).set_index("measure").loc["category_mae_years"]
    assert (row["value"], row["low"], row["high"]) == (-effect["difference"], -effect["high"], -effect["low"])
    assert row["low"] < row["value"] < row["high"]
    assert effect["difference"] == effect["random"]["value"] - effect["honest"]["value"]


def test_a_split_effect_of_other_faces_has_no_interval_and_no_verdict_for_it():
    honest, random = studies_of(120, 40)
    random.predictions["path"] = "other-" + random.predictions["path"]
    row = judge({"kind": "split", "dataset": "fgnet", "measure": "category_mae_years"}, [honest, random]).iloc[0]
    assert row["value"] == pytest.approx(4)
    assert np.isnan(row["low"])
    assert row["verdict"] == "not reproduced"


def test_the_constant_predictor_is_what_a_setting_must_beat():
    test = {"kind": "floors", "grid": "gate_ablation", "measure": "accuracy", "seeds": 2, "settings": GATES}
    faces = hand.people(np.arange(300) % 80, "mmf")
    males = faces["gender"] == "male"
    runs = gates(range(2), males, faces=faces) + gates(range(2), np.ones(300), GATES[1], faces=faces)
    found = judge(test, runs)
    assert found["value"].tolist() == pytest.approx([0, 1 / 3])
    assert found["finding"].tolist() == ["inside the noise", "better"]
    assert set(found["verdict"]) == {"partly"}
    assert [len(ids.split()) for ids in found["run ids"]] == [2, 2]
    assert set(judge(test, runs[1:])["verdict"]) == {"not run"}, "one seed is missing"


def test_every_data_set_stands_for_itself():
    test = {"kind": "floors", "datasets": ["utkface", "adience"], "measure": "accuracy"}
    faces = hand.people(np.arange(300) % 80, "mmf")
    runs = [
        hand.gender_run(configure("laptop", task="gender", dataset=name, **PROTOCOLS[name]), faces, right)
        for name, right in (("utkface", np.ones(300)), ("adience", faces["gender"] == "male"))
    ]
    found = judge(test, runs).set_index("data set")
    assert found["value"].to_dict() == pytest.approx({"utkface": 1 / 3, "adience": 0})
    assert set(found["verdict"]) == {"partly"}
    assert found.loc["utkface", "run ids"] == runs[0].record.run_id


def changed(lost_by_turn, lost_by_move):
    """Return a probe's table: all right as they are, some faces lost by every turn or move to the left alone."""
    table = FACES[["path", "group"]].copy()
    for name, (kind, step) in orientation.columns().items():
        lost = (lost_by_turn if kind == "turn" else lost_by_move) if step < 0 else 0
        table[name] = (np.arange(300) >= lost).astype(int)
    return table


def test_what_masks_save_is_the_trunks_loss_minus_ours(monkeypatch):
    runs = [run for setting in ({"gate": "trainable"}, {"gate": 1.0}) for run in gates([0, 1], HALF, setting)]
    tables = dict(zip([r.record.run_id for r in runs], [changed(30, 90)] * 2 + [changed(90, 30)] * 2, strict=True))
    monkeypatch.setattr(orientation, "read", lambda run: tables.get(run.record.run_id))
    test = {
        "kind": "orientation",
        "grid": "gate_ablation",
        "seeds": 2,
        "settings": [{"gate": "trainable"}, {"gate": 1.0}],
    }
    found = judge(test, runs)
    assert found["value"].tolist() == pytest.approx([0.1, -0.1])
    assert found["finding"].tolist() == ["better", "worse"]
    assert set(found["verdict"]) == {"partly"}
    assert found["seeds"].tolist() == [2, 2]
    assert found["run ids"].iloc[0].split() == [r.record.run_id for r in runs]
    saved = orientation.saved([changed(30, 90)], [changed(90, 30)]).set_index(["kind", "step"])["saved"]
    assert (saved["turn", 15], saved["move", 3]) == (pytest.approx(0.1), pytest.approx(-0.1))
    del tables[runs[3].record.run_id]
    assert set(judge(test, runs)["verdict"]) == {"not run"}


def test_exact_checks_are_read_from_their_file(tmp_path, monkeypatch):
    path = tmp_path / "equations.json"
    checks = [{"claim": "C0", "what": "a", "value": 3.0, "holds": True}, {"claim": "C0", "what": "b", "value": 9.0,
              "holds": False}, {"claim": "C9", "what": "c", "value": 1.0, "holds": False}]  # fmt: skip
    path.write_text(json.dumps({"checks": checks}))
    monkeypatch.setattr(claims, "EQUATIONS", path)
    found = judge({"kind": "equation"}, [], stated=2.5)
    assert found["what"].tolist() == ["a", "b"]
    assert found["difference"].tolist() == [0.5, 6.5]
    assert set(found["verdict"]) == {"partly"}


@pytest.mark.parametrize(
    ("won", "verdict"),
    [([True, True], "reproduced"), ([True, False], "partly"), ([False, False], "not reproduced"),
     ([True, None], "not run"), ([None, None], "not run"), ([], "not run")],
)  # fmt: skip
def test_comparisons_add_up_to_a_verdict(won, verdict):
    assert claims._verdict(won, Test(kind="differences")) == verdict
    assert claims._verdict(won, Test(kind="none", verdict="not testable")) == "not testable"


def test_runs_that_never_learnt_are_named_where_they_count():
    runs = gates(range(3), HALF) + gates(range(3), HALF, GATES[1])
    runs[4].stuck = True
    row = judge(pair(), runs).iloc[0]
    assert row["stuck runs"] == runs[4].record.run_id
    assert row["value"] == 0


def test_a_missing_number_of_the_paper_leaves_no_difference():
    runs = gates(range(3), HALF) + gates(range(3), ~HALF, GATES[1])
    assert pd.isna(judge(pair(), runs)["difference"].item())
    assert judge(pair(), runs, stated=0.5)["difference"].item() == -0.5
