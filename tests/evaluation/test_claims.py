"""Claims: quoted from the paper, judged by the rules of the protocol, never by drawn faces."""

import bz2
import io

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy.stats import t

from gralib.errors import UserError
from gralib.evaluation import claims, contrasts
from gralib.evaluation.protocol import load
from gralib.evaluation.rules import Condition

SEED_TEXT = ROOT.parent / "shared" / "seed" / "seminar-report.txt"


@pytest.fixture(scope="module")
def protocol():
    return load()


@pytest.fixture
def made(protocol, made_up, tmp_path):
    """A function that makes runs of a claim's primary that look real, `skill` a number or one by seed."""

    def make(settings, skill, seeds=range(5), claim="C4", **options):
        contrast = protocol.rules[claim].primary
        found = []
        for seed in seeds:
            lean = skill(seed) if callable(skill) else skill
            for config in protocol.runs_of(contrast, Condition(**settings), seed, options.get("recipe", "tuned")):
                rest = {k: v for k, v in options.items() if k != "recipe"}
                found.append(made_up(tmp_path / "runs", config, synthetic=False, skill=lean, **rest))
        return found

    return make


def row(protocol, claim, runs, role="primary"):
    rows = claims.judge_claim(protocol, protocol.rules[claim], claims.known_runs(runs))
    return pd.Series(next(row for row in rows if row["role"] == role))


def test_there_is_a_rule_for_each_claim(protocol):
    stated = claims.load()
    assert [claim.id for claim in stated] == [f"C{i}" for i in range(1, 22)] == list(protocol.rules)


def test_the_words_are_the_papers():
    if not SEED_TEXT.exists():
        pytest.skip("the text of the paper is not on this machine")
    text = " ".join(SEED_TEXT.read_text().split())
    for claim in claims.load():
        assert " ".join(claim.words.split()) in text, claim.id


@pytest.mark.parametrize(
    ("change", "message"),
    [({"verdict": "yes"}, "verdict: unknown"), ({"id": "C2"}, "C2: expected each id once")],
)
def test_a_wrong_claim_is_refused(change, message, tmp_path):
    entries = yaml.safe_load((ROOT / "reports/claims.yaml").read_text())
    entries[0].update(change)
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(UserError, match=message):
        claims.load(path)


def test_a_file_that_is_no_list_of_claims_is_refused(tmp_path):
    (tmp_path / "claims.yaml").write_text("a: [")
    for name in ("claims.yaml", "none.yaml"):
        with pytest.raises(UserError, match="expected a list of claims"):
            claims.load(tmp_path / name)


def test_without_runs_calculations_alone_have_a_verdict(protocol):
    table = claims.decide(protocol, []).drop_duplicates("id").set_index("id")["verdict"]
    assert (table[["C1", "C2", "C3", "C20"]] == "supported").all()
    assert table["C13"] == "not testable"
    assert (table.drop(["C1", "C2", "C3", "C20", "C13"]) == "not run").all()
    first = "id,verdict,role,recipe,width,value,low,high,margin,seeds,rule_commit,first_run,exploratory"
    assert ",".join(claims.COLUMNS).startswith(first)


def test_drawn_faces_earn_no_verdict(protocol, made_up, tmp_path):
    config = protocol.wave("C10", 0)[0]
    runs = [made_up(tmp_path, config.model_copy(update={"seed": s, "fold": s}), skill=0.9) for s in range(5)]
    assert row(protocol, "C10", runs)["verdict"] == "not run"


def test_a_gain_a_loss_nothing_and_a_doubt_have_four_words(protocol, made):
    """C10 against the constant predictor: skill decides; C4 with naive and residual attention beside the gate."""
    found = set()
    trainable = made({"gate": "trainable"}, 0.3)
    for naive, residual in (
        (0.0, 0.0),  # the gate is better
        (0.6, 0.6),  # worse
        (0.3, 0.3),  # the same to the last bit
        (lambda s: 0.1 if s % 2 else 0.6, 0.3),  # who knows
    ):
        runs = [*trainable, *made({"gate": 0.0}, naive), *made({"gate": 0.5}, residual)]
        one = claims.judge_claim(protocol, early(protocol), claims.known_runs(runs))[0]
        found.add((one["verdict"], one["finding"]))
    assert found == {
        ("supported", "better"), ("contradicted", "worse"), ("contradicted", "no difference that matters"),
        ("inconclusive", "could not see"),
    }  # fmt: skip


def early(protocol):
    """The rule of C4 with one look, after five seeds."""
    return protocol.rules["C4"].model_copy(update={"seeds": (0, 1, 2, 3, 4), "looks": (5,)})


def three(made, seeds=range(5), **skills):
    """The runs of C4's primary."""
    skills = {"trainable": 0.4, "naive": 0.2, "residual": 0.2, **skills}
    gates = {"trainable": "trainable", "naive": 0.0, "residual": 0.5}
    return [run for name, gate in gates.items() for run in made({"gate": gate}, skills[name], seeds)]


def test_an_added_seed_is_ignored(protocol, made):
    runs = three(made)
    before = row(protocol, "C4", runs)
    more = [*runs, *three(made, range(10, 15), trainable=0.0, naive=0.9, residual=0.9)]
    pd.testing.assert_series_equal(before, row(protocol, "C4", more))


def test_a_seed_too_few_is_not_run(protocol, made):
    found = row(protocol, "C4", three(made, range(4)))
    assert (found["verdict"], found["finding"]) == ("not run", "4 of 5 seeds complete")


def test_a_run_that_did_not_train_is_counted_and_never_averaged_in(protocol, made):
    runs = three(made, trainable=lambda s: 0.4 + s / 50)
    whole = row(protocol, "C4", runs)
    dead = next(r for r in runs if r.record.config.seed == 2 and r.record.config.gate == 0.0)
    outputs = dead._stored[1]
    dead._stored = (dead.rows, outputs * 0 + 0.5)
    found = row(protocol, "C4", runs)
    assert not dead.converged
    assert (found["not_trained"], found["seeds"], found["seeds_run"]) == (1, 4, 5)
    assert dead.record.run_id in found["run_ids"]
    assert found["value"] != whole["value"]
    without = np.delete(by_hand(runs, 0.0) + by_hand(runs, 0.5), 2) / 2
    assert found["value"] == pytest.approx(without.mean())


def test_a_claim_ends_at_the_first_look_that_decides(protocol, made):
    runs = three(made, trainable=0.9, naive=0.1, residual=0.1)
    assert claims.ended(protocol, claims.known_runs(runs)) == {"C4": 5}
    first = row(protocol, "C4", runs)
    assert first["verdict"] == "supported"
    turned = [*runs, *three(made, range(5, 10), trainable=0.0, naive=0.9, residual=0.9)]
    assert row(protocol, "C4", turned)["value"] == first["value"]
    others = {run for claim in protocol.general.order if claim != "C4" for run in protocol.configs(claim)}
    saved = set(protocol.wave("C4", 1)) - others
    assert len(saved) == 5 * 5 and not saved & set(protocol.all_configs({"C4": 5}))
    assert saved < set(protocol.all_configs())


def test_hog_is_one_run_a_fold(protocol, made):
    """Its runs of seeds that share a fold are one, so nothing is averaged that is the same number."""
    contrast = protocol.rules["C11"].parts[4]
    hog = Condition(network="hog")
    five, ten = ({protocol.runs_of(contrast, hog, seed, "tuned")[0] for seed in range(n)} for n in (5, 10))
    assert five == ten and len(five) == 5


def test_the_parts_are_corrected_by_holm(protocol, made):
    runs = [*three(made, naive=lambda s: 0.2 + 0.02 * s, residual=lambda s: 0.1 + 0.06 * s),
            *made({"gate": 0.25}, lambda s: 0.1 * s), *made({"gate": 0.75}, lambda s: 0.3 + 0.03 * s)]  # fmt: skip
    table = pd.DataFrame(claims.judge_claim(protocol, protocol.rules["C4"], claims.known_runs(runs)))
    parts = table[(table["role"] == "part") & table["p"].notna()]
    assert len(parts) >= 4
    ordered = parts.sort_values("p")
    steps = np.minimum(1, np.maximum.accumulate(ordered["p"] * np.arange(len(parts), 0, -1)))
    assert ordered["p_holm"].tolist() == pytest.approx(steps.tolist())
    decided = parts["verdict"].isin(["supported", "contradicted"]) & (parts["finding"] != "no difference that matters")
    assert (parts.loc[decided, "p_holm"] < 0.05).all()


# Again without our code: records read with pandas, verdicts by NumPy.


def answers(run):
    """The test faces of a run with whether its gender is right, read from its files alone."""
    record = run.record
    stored = pd.read_csv(io.BytesIO(bz2.decompress((run.folder / "predictions.csv.bz2").read_bytes())))
    faces = next((run.folder.parent / "faces").glob(f"*{record.fingerprint}*"))
    table = pd.read_csv(io.BytesIO(bz2.decompress(faces.read_bytes())))
    rows = (stored.iloc[:, 0] + 1).cumsum() - 1
    tested = table.iloc[rows].reset_index(drop=True)
    second = stored.columns[1].removeprefix("p_")
    return tested.assign(right=(tested["gender"] == second) == (stored.iloc[:, 1] > 0.5))


def by_hand(runs, gate):
    """C4's difference of every seed: share of right genders with the trainable gate minus that with `gate`."""
    right = {(r.record.config.gate, r.record.config.seed): answers(r)["right"].mean() for r in runs}
    return np.array([right["trainable", s] - right[gate, s] for s in sorted({s for _, s in right})])


def verdict_by_hand(folds, margin, rule="superiority"):
    half = t.ppf(0.975, len(folds) - 1) * np.std(folds, ddof=1) / np.sqrt(len(folds))
    low, high = np.mean(folds) - half, np.mean(folds) + half
    if rule == "non-inferiority":
        return "supported" if low > -margin else "contradicted" if high < 0 else "inconclusive"
    if low > 0:
        return "supported"
    return "contradicted" if high < 0 or (low > -margin and high < margin) else "inconclusive"


@pytest.mark.parametrize("draw", range(6))
def test_verdicts_recomputed_without_our_code(protocol, made, draw):
    skills = dict(zip(range(15), np.random.default_rng(draw).uniform(0, 0.12 * draw, 15), strict=True))
    runs = three(made, trainable=lambda s: 0.3 + skills[s], naive=lambda s: 0.25 + skills[s + 5],
                 residual=lambda s: 0.3 + skills[s + 10])  # fmt: skip
    found = claims.judge_claim(protocol, early(protocol), claims.known_runs(runs))[0]
    folds = (by_hand(runs, 0.0) + by_hand(runs, 0.5)) / 2
    assert found["value"] == pytest.approx(folds.mean())
    assert found["high"] - found["value"] == pytest.approx(t.ppf(0.975, 4) * folds.std(ddof=1) / np.sqrt(5), abs=1e-9)
    assert found["verdict"] == verdict_by_hand(folds, 0.01)


def test_ages_and_labels_recomputed_without_our_code(protocol, made):
    """C12 by age band and the first part of C15, non-inferiority, from the same runs."""
    runs = [*made({}, lambda s: 0.3 + s / 40), *made({"gate": 1.0}, lambda s: 0.4 - s / 40)]
    bands, gated, trunk = [], [], []
    for seed in range(5):
        mine, other = (answers(next(r for r in runs if (r.record.config.seed, r.record.config.gate) == (seed, gate)))
                       for gate in ("trainable", 1.0))  # fmt: skip
        bands.append(mine["right"][mine["age"].between(20, 59)].mean() - mine["right"][mine["age"] <= 9].mean())
        gated.append(mine["right"].mean())
        trunk.append(other["right"].mean())
    twelve = row(protocol, "C12", runs)
    assert twelve["value"] == pytest.approx(np.mean(bands))
    assert twelve["verdict"] == verdict_by_hand(bands, 0.02)
    rule = protocol.rules["C15"].model_copy(update={"seeds": (0, 1, 2, 3, 4), "looks": (5,)})
    contrast = rule.parts[0]
    part = contrasts.evaluate(protocol, contrast, claims.known_runs(runs), "tuned", rule.seeds, (1.0,))
    assert part["verdict"] == verdict_by_hand(np.array(gated) - trunk, 0.01, "non-inferiority")
    assert part["faces"] == sum(len(answers(r)) for r in runs if r.record.config.gate == 1.0)
