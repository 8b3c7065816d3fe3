"""Claims judged on runs written by hand, where a right rule and a wrong one come to different numbers or words."""

import json

import hand
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from gralib.errors import UserError
from gralib.evaluation import claims, compare, contrasts, measures
from gralib.evaluation.protocol import load
from gralib.evaluation.rules import Condition
from gralib.report import words
from gralib.training import probed

PROTOCOL = load()
FACES = hand.people(np.arange(300) % 80)
HALF = np.arange(300) < 150
GATES = ({"gate": "trainable"}, {"gate": 0.0})


def gates(seeds, right, setting=GATES[0], faces=FACES, **fields):
    """Return gender runs of a gate that are right about the same faces with every seed."""
    return [hand.gender_run(hand.in_grid("gate_ablation", setting, seed, **fields)[0], faces, right) for seed in seeds]


def test_only_the_seeds_of_both_sides_are_paired():
    first = gates([0], ~HALF) + gates([2], HALF | True)
    second = gates([1], HALF | True, GATES[1]) + gates([2], HALF, GATES[1])
    one, other = (compare.side([[run] for run in runs], "accuracy") for runs in (first, second))
    assert (one.seeds, other.seeds) == ((0, 2), (1, 2))
    assert compare.gain(one, other, "accuracy").value == 0.5
    named = compare.gains({"one": one, "other": other}, "accuracy", "other").iloc[0]
    assert (named["setting"], named["gain"], named["seeds"]) == ("one", 0.5, 1)
    assert named["verdict"] == "no verdict: one seed"


def test_a_run_that_lacks_a_face_is_refused_within_a_side_and_across():
    whole, short = gates([0], HALF), gates([1], HALF[:-1], faces=FACES.iloc[:-1])
    with pytest.raises(UserError, match=f"{short[0].record.run_id}: other test faces than {whole[0].record.run_id}"):
        compare.side([whole, short], "accuracy")
    one = compare.side([whole], "accuracy")
    other = compare.side([gates([0], HALF[:-1], GATES[1], FACES.iloc[:-1])], "accuracy")
    with pytest.raises(UserError, match="expected the faces and a seed of"):
        compare.gain(one, other, "accuracy")


def test_the_likeliest_category_and_the_expected_age_are_two_rows():
    outputs = np.zeros((200, 12))
    outputs[:, [2, 6]] = 0.6, 0.4
    category, inside = hand.in_grid("age_decomposition", {"age_width": 10, "join": "both"}, 0)
    faces = FACES.iloc[:200].assign(age=24.0)
    unsure, regression = hand.run(category, faces, outputs), hand.run(inside, faces, np.full((200, 12), 0.5))
    found = compare.sides("age_decomposition", [unsure, regression])
    means = {name: one.values.mean() for name, one in found.items()}
    assert means["10-year categories, both, likeliest category"] == pytest.approx(25 - 24)
    assert means["10-year categories, both, expected age"] == pytest.approx(0.6 * 25 + 0.4 * 65 - 24)
    table = compare.summary(found).set_index("setting")
    assert table["constant predictor"].unique() == [0], "the median of these faces is their age"
    expected = measures.join_ages(unsure, regression, "hard")["predicted"] - 24
    assert means["10-year categories, both, likeliest category"] == pytest.approx(expected.abs().mean())


def test_a_deterministic_method_is_one_run_that_stands_for_every_seed():
    first = (hand.in_grid("earlier_methods", {"network": "hog"}, seed)[0] for seed in range(3))
    hog = [hand.gender_run(config, FACES, HALF) for config in first]
    assert len({run.record.run_id for run in hog}) == 1
    ours = (hand.in_grid("earlier_methods", {"network": "gra_net"}, seed)[0] for seed in range(3))
    nets = [hand.gender_run(config, FACES, np.arange(300) < 180 + 30 * config.seed) for config in ours]
    found = compare.sides("earlier_methods", [*nets, hog[0]])
    table = compare.summary(found).set_index("setting")
    assert table.loc["HOG", "seeds"] == len(table.loc["HOG", "by seed"]) == 1
    spread = table["sd of seeds"]
    assert np.isnan(spread.pop("HOG")) and spread.item() == pytest.approx(0.1), "of 0.6, 0.7 and 0.8"
    better = compare.gains(found, "accuracy", "HOG").iloc[0]
    assert better["gain"] == pytest.approx(210 / 300 - 0.5)
    assert better["seeds"] == 3
    two = compare.gains(compare.sides("earlier_methods", [*nets[1:], hog[0]]), "accuracy", "HOG").iloc[0]
    assert (two["seeds"], two["verdict"]) == (2, "inside the noise"), "two seeds say little, but something"


# Verdicts of the protocol.


def runs_of(claim, condition, right, seeds=range(5), faces=FACES, part=None, **options):
    """Return gender runs of a condition, right about the faces that `right` says for a seed."""
    contrast = PROTOCOL.rules[claim].primary if part is None else PROTOCOL.rules[claim].parts[part]
    configs = {seed: PROTOCOL.runs_of(contrast, Condition(**condition), seed, "tuned")[0] for seed in seeds}
    return [hand.gender_run(config, faces, right(seed), **options) for seed, config in configs.items()]


def rows_of(claim, runs):
    """Return the rows of a claim judged after five seeds."""
    rule = PROTOCOL.rules[claim].model_copy(update={"seeds": (0, 1, 2, 3, 4), "looks": (5,)})
    return pd.DataFrame(claims.judge_claim(PROTOCOL, rule, claims.known_runs(runs)), columns=claims.COLUMNS)


def first(count):
    """Return a function of the seed: right about the first `count` faces, and one more a seed."""
    return lambda seed: np.arange(300) < count + seed


def test_a_gain_has_its_sign_and_word_and_turning_the_sides_turns_both():
    naive, residual = {"gate": 0.0}, {"gate": 0.5}
    for ours, theirs, value, verdict, word in (
        (240, 180, 0.2, "supported", "better"),
        (180, 240, -0.2, "contradicted", "worse"),
    ):
        runs = runs_of("C4", GATES[0], first(ours)) + runs_of("C4", naive, first(theirs))
        row = rows_of("C4", [*runs, *runs_of("C4", residual, first(theirs))]).iloc[0]
        assert row["value"] == pytest.approx(value)
        assert (row["verdict"], row["finding"], row["seeds"]) == (verdict, word, 5)


def test_a_gain_that_seeds_disagree_on_is_undecided_and_says_what_would_settle_it():
    runs = runs_of("C4", GATES[0], lambda seed: np.arange(300) < (210, 190, 215, 185, 205)[seed])
    runs += [r for gate in (0.0, 0.5) for r in runs_of("C4", {"gate": gate}, lambda seed: np.arange(300) < 195)]
    row = rows_of("C4", runs).iloc[0]
    differences = np.array([15, -5, 20, -10, 10]) / 300
    half = 2.7764451 * differences.std(ddof=1) / np.sqrt(5)
    assert row[["value", "low", "high"]].tolist() == pytest.approx([0.02, 0.02 - half, 0.02 + half], rel=1e-6)
    assert (row["verdict"], row["finding"]) == ("inconclusive", "could not see")
    seeds = 5 * np.ceil((half / 0.02) ** 2)
    assert row["seeds_to_settle"] == seeds
    assert words.finding(row).endswith(f"at least about {seeds:.0f} seeds would settle it")


@pytest.mark.parametrize(("low", "high", "rule", "slight"), [
    (0.002, 0.009, "superiority", True),
    (-0.009, -0.002, "superiority", True),
    (0.002, 0.011, "superiority", False),
    (-0.011, -0.002, "superiority", False),
    (-0.002, 0.009, "superiority", False),
    (0.0, 0.009, "superiority", False),
    (0.002, 0.01, "superiority", False),
    (-0.009, 0.0, "superiority", False),
    (-0.01, -0.002, "superiority", False),
    (0.002, 0.009, "sign", False),
    (0.002, 0.009, "non-inferiority", False),
])  # fmt: skip
def test_a_difference_sure_to_be_smaller_than_the_margin_is_said_to_be_too_little(low, high, rule, slight):
    row = {"low": low, "high": high, "margin": 0.01, "rule": rule, "verdict": "supported", "finding": "better"}
    assert words.slight(row) == (", by too little to matter" if slight else "")
    assert words.finding(row) == ("better, by too little to matter" if slight else "better")
    for verdict, finding in (
        ("inconclusive", "not after Holm's correction"),
        ("not testable", "neither side better than the same answer for all"),
    ):
        assert words.finding({**row, "verdict": verdict, "finding": finding}) == finding, "nothing is sure of it"


def test_drawn_faces_never_count_and_runs_on_several_data_are_refused():
    runs = runs_of("C10", {}, first(240))
    assert rows_of("C10", runs)["verdict"].iloc[0] == "supported"
    runs[2].record.synthetic = True
    assert rows_of("C10", runs).loc[0, ["verdict", "finding"]].tolist() == ["not run", "4 of 5 seeds complete"]
    other = runs_of("C10", {}, first(240), seeds=[2], fingerprint="another copy")
    with pytest.raises(UserError, match="expected runs on the same data"):
        rows_of("C10", [*runs, *other])
    problems = []
    table = claims.decide(PROTOCOL, [*runs, *other], problems=problems)
    assert table.loc[table["id"] == "C10", "verdict"].tolist() == ["not run"]
    assert any(line.startswith("C10: ") for line in problems)


def test_the_constant_predictor_is_what_a_setting_must_beat():
    faces = hand.people(np.arange(300) % 80, "mmf")
    males = faces["gender"] == "male"
    for right, value, verdict in ((males, 0, "contradicted"), (np.ones(300), 1 / 3, "supported")):
        row = rows_of("C10", runs_of("C10", {}, lambda seed, right=right: right, faces=faces)).iloc[0]
        assert (row["value"], row["verdict"]) == (pytest.approx(value), verdict)
    assert row["room"] == 0, "of the constant itself"
    spatial = runs_of("C5", {"attention": "spatial"}, lambda seed: np.ones(300), faces=faces)
    alone = rows_of("C5", spatial).set_index("what").loc["spatial, against the constant"]
    assert alone["value"] == pytest.approx(1 / 3), "a constant is that of the runs it stands beside"


def test_an_age_of_both_networks_of_category_alone_and_of_regression_alone():
    truth = hand.people([24.0, 24.0, 61.0, 61.0] * 50)
    contrast = PROTOCOL.rules["C9"].primary
    runs = []
    for seed in range(5):
        for condition, outputs in (
            ({"join": "category", "age_width": 5}, hand.certain(np.resize([4, 4, 12, 11], 200), 24)),
            ({"join": "regression", "age_width": 5}, np.repeat(np.resize([0.4, 0.8], 200)[:, None], 24, axis=1)),
            ({"join": "regression", "age_width": 117}, np.resize([40 / 117, 30 / 117], 200)[:, None]),
        ):
            (config,) = PROTOCOL.runs_of(contrast, Condition(**condition), seed, "tuned")
            runs.append(hand.run(config, truth, outputs))
    five = {"age_width": 5}
    pairs = tuple((Condition(join="both", **five), other) for other in
                  (Condition(join="category", **five), Condition(join="regression", age_width=117)))  # fmt: skip
    known = claims.known_runs(runs)
    both, category, regression = (np.mean(e) for e in ([2, 0, 1, 2], [1.5, 1.5, 1.5, 3.5], [16, 6, 21, 31]))
    for chosen, value in (
        (pairs[:1], category - both),
        (pairs[1:], regression - both),
        (pairs, (category + regression) / 2 - both),
    ):
        row = contrasts.evaluate(
            PROTOCOL, contrast.model_copy(update={"pairs": chosen}), known, "tuned", range(5), (1.0,)
        )
        assert row["value"] == pytest.approx(value)
        assert row["unit"] == "years"


def test_an_expected_age_against_the_likeliest_categorys():
    contrast = next(c for c in PROTOCOL.rules["C9"].parts if "likeliest" in c.what)
    outputs = np.zeros((200, 12))
    outputs[:, [2, 4]] = 0.6, 0.4
    runs = []
    for seed in range(5):
        category, inside = PROTOCOL.runs_of(contrast, contrast.pairs[0][0], seed, "tuned")
        faces = hand.people(np.full(200, 24.0))
        runs += [hand.run(category, faces, outputs), hand.run(inside, faces, np.full((200, 12), 0.5))]
    row = contrasts.evaluate(PROTOCOL, contrast, claims.known_runs(runs), "tuned", range(5), (1.0,))
    assert row["value"] == pytest.approx(abs(25 - 24) - abs(0.6 * 25 + 0.4 * 45 - 24)), "the likeliest is 25"


def test_adults_against_children_has_the_sign_of_the_claim():
    ages = np.repeat([0, 5, 9, 10, 19, 20, 40, 59, 60, 80], 30)
    faces, adult, child = hand.people(ages), (ages >= 20) & (ages <= 59), ages <= 9
    for right, value, verdict in (
        (adult, 1, "supported"), (child, -1, "contradicted"), (adult | child, 0, "contradicted"),
        (np.isin(ages, [20, 40, 0, 5]), 0, "contradicted"),
    ):  # fmt: skip
        runs = runs_of("C12", {}, lambda seed, right=right: right | (np.arange(300) == 100 + seed), faces=faces)
        row = rows_of("C12", runs).iloc[0]
        assert (row["value"], row["verdict"]) == (pytest.approx(value), verdict)
        assert row["faces"] == 180, "the five hand-made folds test the same faces"


def test_people_by_the_label_their_picture_has():
    faces = FACES.assign(race=np.resize(["White", "Black", "Asian", "Indian", "Others"], 300))
    right = (faces["race"] != "Black").to_numpy()
    runs = runs_of("C21", {}, lambda seed: right, faces=faces)
    table = rows_of("C21", runs)
    assert table["value"].tolist() == pytest.approx([-0.25, -1, 0, 0, 0])
    assert table["verdict"].tolist()[:3] == ["contradicted", "contradicted", "supported"]


def test_people_by_a_label_that_no_picture_has_are_refused_by_the_runs_name():
    runs = runs_of("C21", {}, first(240), faces=FACES.assign(race="White"))
    with pytest.raises(UserError, match=f"^{runs[0].record.run_id}: expected test faces with .*'Black'.*, got none$"):
        rows_of("C21", runs)


def test_no_worse_is_tested_against_the_margin_below_nothing():
    more = np.array([1, -2, 3, 0, -1])
    ours = runs_of("C17", {"groups": 4, "width": 12}, lambda seed: np.arange(300) < 200 + more[seed])
    row = rows_of("C17", ours + runs_of("C17", {}, lambda seed: np.arange(300) < 200)).iloc[0]
    assert row["value"] == pytest.approx(0.2 / 300)
    assert row["p"] == pytest.approx(ttest_1samp(more / 300, -0.01).pvalue)
    less = np.array([8, 11, 9, 12, 10])  # the interval lies below nothing and reaches past the margin, both by little
    ours = runs_of("C17", {"groups": 4, "width": 12}, lambda seed: np.arange(300) < 200 - less[seed] // 3)
    row = rows_of("C17", ours + runs_of("C17", {}, lambda seed: np.arange(300) < 200)).iloc[0]
    assert (row["verdict"], row["finding"]) == ("contradicted", "worse")
    assert row["p"] == pytest.approx(ttest_1samp(-(less // 3) / 300, 0).pvalue), "worse is a word against nothing"


def test_a_random_split_that_looks_better_flatters():
    for honest, random, value, verdict in ((120, 40, 4, "supported"), (40, 120, -4, "contradicted")):
        runs = []
        for condition, wrong in (({}, honest), ({"protocol": "random"}, random)):
            for seed in range(5):
                contrast = PROTOCOL.rules["C14"].primary
                (config,) = PROTOCOL.runs_of(contrast, Condition(**condition), seed, "tuned")
                answer = np.where(np.arange(200) < wrong + seed, 3, 2)
                known = {"age": 80.0, "category": 8}  # the constant is worse than either
                runs.append(hand.run(config, hand.people(np.full(200, 25.0)), hand.certain(answer, 12), known))
        row = rows_of("C14", runs).iloc[0]
        assert (row["value"], row["verdict"]) == (pytest.approx(value), verdict)


def test_two_networks_that_learnt_nothing_settle_nothing():
    runs = [r for gate in ("trainable", 0.0, 0.5) for r in runs_of("C4", {"gate": gate}, first(140))]
    row = rows_of("C4", runs).iloc[0]
    assert row["room"] < 0 and (row["value"], row["low"], row["high"]) == (0, 0, 0)
    assert (row["verdict"], row["finding"]) == ("not testable", "neither side better than the same answer for all")
    runs = runs_of("C10", {}, first(140))  # one side is that answer
    assert rows_of("C10", runs).iloc[0]["verdict"] == "contradicted"


def test_a_look_that_finds_nothing_testable_does_not_end_a_claim():
    rule = PROTOCOL.rules["C4"]
    assert rule.looks == (5, 10)
    for second, verdict in ((240, "supported"), (140, "not testable")):
        runs = []
        for gate, right in (("trainable", second), (0.0, min(second, 180)), (0.5, min(second, 180))):
            runs += runs_of("C4", {"gate": gate}, first(140), range(5))
            runs += runs_of("C4", {"gate": gate}, lambda seed, n=right: np.arange(300) < n + seed % 5, range(5, 10))
        row = claims.judge_claim(PROTOCOL, rule, claims.known_runs(runs))[0]
        assert (row["verdict"], row["seeds"]) == (verdict, 10)


def test_faces_are_counted_once_where_two_sides_test_others():
    """Each of five folds the same 200 faces under one split, 200 others of 100 groups under the other."""
    for rename, faces_and_groups in ((False, (1000, 1000)), (True, (400, 300))):
        faces = hand.people(np.full(200, 25.0))
        others = faces.assign(path="other-" + faces["path"], group=np.arange(200) // 2 + 1000) if rename else faces
        runs = []
        for condition, wrong, where in (({}, 120, faces), ({"protocol": "random"}, 40, others)):
            for seed in range(5):
                (config,) = PROTOCOL.runs_of(PROTOCOL.rules["C14"].primary, Condition(**condition), seed, "tuned")
                runs.append(hand.run(config, where, hand.certain(np.where(np.arange(200) < wrong, 3, 2), 12)))
        row = rows_of("C14", runs).iloc[0]
        assert (row["faces"], row["groups"]) == faces_and_groups


def noise_runs(right):
    """Return C6's runs: by share of wrong labels, how many faces we and the others are right about."""
    contrast = PROTOCOL.rules["C6"].primary
    faces, runs = hand.people(np.repeat([25.0, 35.0], [160, 140])), []
    for share, (ours, theirs) in right.items():
        for condition, count in (({}, ours), ({"gate": 1.0}, theirs), ({"network": "residual"}, theirs)):
            for seed in range(5):
                (config,) = PROTOCOL.runs_of(contrast, Condition(label_noise=share, **condition), seed, "tuned")
                truth = np.repeat([2, 3], [160, 140])
                answer = np.where(np.arange(300) < count + seed, truth, 9)
                constants = {"age": 25.0, "category": 2, "remainder": 0.5}
                runs.append(hand.run(config, faces, hand.certain(answer, 12), constants))
    return runs


def test_shares_of_wrong_labels_at_which_nobody_beats_the_constant_are_left_out():
    runs = noise_runs({0.3: (240, 200), 0.5: (220, 200), 0.7: (150, 100)})  # the constant is right about 160
    row = rows_of("C6", runs).iloc[0]
    assert row["pairs_left_out"] == 2
    assert row["value"] == pytest.approx((40 + 20) / 2 / 300)
    assert row["room"] == pytest.approx((200 + 2 - 160) / 300)


def test_where_nobody_beats_the_constant_at_any_share_nothing_can_be_said():
    row = rows_of("C6", noise_runs({0.3: (150, 100), 0.5: (240, 100), 0.7: (100, 240)})).iloc[0]
    assert (row["verdict"], row["finding"]) == ("not testable", "no pair above the constant predictor")
    assert (row["pairs_left_out"], row["seeds"], row["seeds_run"]) == (6, 0, 5)
    assert np.isnan(row["value"])


def changed(lost_by_turn, lost_by_move):
    """Return a probe's table: all right but some faces, lost by 15 degrees or 3 pixels to the left."""
    table = FACES[["path", "group"]].copy()
    for name, (kind, step) in probed.changes().items():
        lost = {("turn", -15): lost_by_turn, ("move", -3): lost_by_move}.get((kind, step), 0)
        table[name] = (np.arange(300) >= lost).astype(int)
    return table


def test_what_masks_save_is_the_trunks_loss_minus_ours(monkeypatch):
    ours, trunk = runs_of("C8", GATES[0], first(150)), runs_of("C8", {"gate": 1.0}, first(150))
    tables = {run.record.run_id: changed(30, 90) for run in ours} | {r.record.run_id: changed(90, 30) for r in trunk}
    monkeypatch.setattr(probed, "orientation", lambda run: tables.get(run.record.run_id))
    table = rows_of("C8", [*ours, *trunk])
    assert table["value"].tolist() == pytest.approx([0, 0.1, -0.1]), "of both, of turns, of shifts"
    assert table["faces"].tolist() == [5 * 300] * 3, "face by face"
    assert table["verdict"].tolist() == ["contradicted", "supported", "contradicted"]
    del tables[trunk[3].record.run_id]
    assert set(rows_of("C8", [*ours, *trunk])["verdict"]) == {"not run"}


def test_size_of_features_and_shares_of_masks_are_one_number_a_run(monkeypatch):
    def table(sizes, share):
        names = [f"stage{s}_module{m}" for s in (1, 2, 3) for m in (1, 2, 3)]
        return pd.DataFrame({"block": names, "size_after": np.tile(sizes, 3), "size_before": 1.0,
                             "position_share": share, "channel_share": 1 - share})  # fmt: skip

    gated, naive = (
        runs_of("C16", {"modules": [3, 3, 3]}, first(9)),
        runs_of("C16", {"gate": 0.0, "modules": [3, 3, 3]}, first(9)),
    )
    tables = {r.record.run_id: table([1, 3, 4], 0.5) for r in gated} | {
        r.record.run_id: table([4, 3, 2 ** (0.1 * i)], 0.5) for i, r in enumerate(naive)
    }
    monkeypatch.setattr(probed, "blocks", lambda run: tables.get(run.record.run_id))
    row = rows_of("C16", [*gated, *naive]).iloc[0]
    assert row["value"] == pytest.approx(2 - (0.2 - 2))
    assert (row["verdict"], row["unit"], row["faces"], row["groups"]) == ("supported", "doublings", 0, 0)
    assert row["finding"] == "more", "which is neither better nor worse"
    assert np.isnan(row["room"])
    tables |= {r.record.run_id: table([4, 3, 2 ** (0.1 * i)], 0.5) for i, r in enumerate(gated)}
    tables |= {r.record.run_id: table([1, 3, 4], 0.5) for r in naive}
    assert rows_of("C16", [*gated, *naive]).iloc[0][["verdict", "finding"]].tolist() == ["contradicted", "less"]
    spatial, channel = (runs_of("C19", {"attention": kind}, first(9)) for kind in ("spatial", "channel"))
    tables |= {r.record.run_id: table([1, 1, 1], 0.9) for r in spatial}
    tables |= {r.record.run_id: table([1, 1, 1], 0.2 + 0.01 * i) for i, r in enumerate(channel)}
    assert rows_of("C19", [*spatial, *channel]).iloc[0]["value"] == pytest.approx(0.9 - 0.22)


def test_exact_checks_are_read_from_their_file(tmp_path, monkeypatch):
    path = tmp_path / "equations.json"
    checks = [{"claim": "C1", "what": "a", "value": 3.0, "holds": True}, {"claim": "C1", "what": "b", "value": 9.0,
              "holds": False}, {"claim": "C2", "what": "c", "value": 1.0, "holds": True}]  # fmt: skip
    path.write_text(json.dumps({"checks": checks}))
    monkeypatch.setattr(claims, "EQUATIONS", path)
    table = claims.decide(PROTOCOL, [])
    assert set(table["rule_commit"]) == {"unknown"}, "nobody said when the rules were committed"
    one = table[table["id"] == "C1"]
    assert one["what"].tolist() == ["a", "b"] and one["role"].tolist() == ["primary", "part"]
    assert set(one["verdict"]) == {"contradicted"}, "one check that fails is enough"
    assert table.loc[table["id"] == "C2", "verdict"].tolist() == ["supported"]
    assert table.loc[table["id"] == "C3", "verdict"].tolist() == ["not run"]


def test_parts_that_do_not_stand_holms_correction_are_inconclusive(monkeypatch):
    """Of p = 0.01, 0.04, 0.03 and 0.9 Holm makes 0.04, 0.09, 0.09 and 0.9."""
    rule = PROTOCOL.rules["C4"]
    rule = rule.model_copy(update={"parts": rule.parts[:1] * 4, "keras_seeds": ()})
    said = [("supported", "better", 1.0), ("supported", "better", 0.01), ("contradicted", "worse", 0.04),
            ("supported", "better", 0.03), ("contradicted", "no difference that matters", 0.9)]  # fmt: skip
    rows = iter(dict(zip(("verdict", "finding", "p"), row, strict=True)) for row in said)
    monkeypatch.setattr(claims, "evaluate", lambda *_: next(rows))
    primary, *parts = claims.judge_claim(PROTOCOL, rule, {})
    assert (primary["verdict"], primary["role"]) == ("supported", "primary"), "the primary stands alone"
    assert [part["p_holm"] for part in parts] == pytest.approx([0.04, 0.09, 0.09, 0.9])
    assert [part["verdict"] for part in parts] == ["supported", "inconclusive", "inconclusive", "contradicted"]
    assert [part["finding"] for part in parts] == [
        "better", "not after Holm's correction", "not after Holm's correction", "no difference that matters",
    ]  # fmt: skip


def test_parts_are_judged_at_the_look_of_the_primary_and_the_other_recipe_on_its_own_seeds(monkeypatch):
    asked = []

    def evaluate(protocol, contrast, known, recipe, seeds, shares):
        asked.append((contrast.what, recipe, tuple(seeds), shares))
        return {"verdict": "inconclusive" if len(asked) == 1 else "supported", "finding": "", "p": 0.001}

    monkeypatch.setattr(claims, "evaluate", evaluate)
    rule = PROTOCOL.rules["C15"].model_copy(update={"parts": PROTOCOL.rules["C15"].parts[:1]})
    claims.judge_claim(PROTOCOL, rule, {})
    what, part = rule.primary.what, rule.parts[0].what
    assert asked == [
        (what, "tuned", (0, 1, 2, 3, 4), (0.5,)),
        (what, "tuned", tuple(range(10)), (0.5, 1.0)),
        (part, "tuned", tuple(range(10)), (0.5, 1.0)),
        (what, "keras", (0, 1, 2, 3, 4), (1.0,)),
    ]
    asked.clear()
    claims.judge_claim(PROTOCOL, PROTOCOL.rules["C14"], {})
    assert asked[-1][1:] == ("tuned", tuple(range(82)), (1.0,)), "a part of its own seeds has one look, at all of them"


def test_settings_in_words():
    words = [compare.describe({"gate": gate, "modules": (n,) * 3}) for gate, n in ((0.75, 1), ("trainable", 2))]
    assert words == ["1 module a stage, gate 3/4", "2 modules a stage, trainable gate"]
    assert compare.describe({"label_noise": 0.3, "network": "residual"}) == "30 % wrong labels, residual net"
