"""Claims: quoted from the paper, judged by their rules, never by drawn faces."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from gralib import claims, compare, experiment, grids, orientation, packed, records, report
from gralib.errors import UserError

SEED_TEXT = ROOT.parent / "shared" / "seed" / "seminar-report.txt"


@pytest.fixture
def stated():
    return {claim.id: claim for claim in claims.load()}


@pytest.fixture
def made(made_up, faces, tmp_path):
    """A function that makes runs of a grid that look real, one for each seed: better networks with more skill."""

    def make(name, setting, seeds, skill, **options):
        found = []
        for seed in range(seeds):
            for config in grids.configs_for(name, setting, seed, **{"preset": "laptop", "train_faces": 100, **options}):
                found.append(made_up(tmp_path / "runs", config, synthetic=False, skill=skill))
        return found

    return make


def judge(claim, runs):
    return claims.judge([claim], runs)


def verdict(claim, runs):
    (found,) = set(judge(claim, runs)["verdict"])
    return found


def test_there_is_a_claim_for_each_number(stated):
    assert list(stated) == [f"C{i}" for i in range(1, 15)]
    for claim in stated.values():
        assert "reproduced" in claim.rule or claim.test.verdict == "not testable"


def test_the_words_are_the_papers(stated):
    if not SEED_TEXT.exists():
        pytest.skip("the text of the paper is not on this machine")
    text = " ".join(SEED_TEXT.read_text().split())
    for claim in stated.values():
        assert " ".join(claim.words.split()) in text, claim.id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "yes"}, "verdict: unknown|Extra inputs|verdict"),
        ({"id": "C2"}, "C2: expected each id once"),
        ({"test": {"kind": "guess"}}, "test.kind: expected 'equation', 'differences'"),
        ({"test": {"kind": "differences", "grid": "gates"}}, "C1: grid: expected one of gate_ablation"),
    ],
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
    with pytest.raises(UserError, match="expected a list of claims"):
        claims.load(tmp_path / "claims.yaml")
    with pytest.raises(UserError, match="expected a list of claims"):
        claims.load(tmp_path / "none.yaml")


def test_drawn_faces_and_the_smoke_preset_earn_no_verdict(stated, made_up, faces, tmp_path):
    runs = [made_up(tmp_path, "gender"), made_up(tmp_path / "b", "gender", synthetic=False)]
    table = claims.judge(list(stated.values()), runs)
    assert set(table["verdict"][~table["id"].isin(["C1", "C2", "C3"])]) == {"not run", "not testable"}
    assert table.loc[table["id"] == "C13", "verdict"].item() == "not testable"


@pytest.fixture
def whole_grids(monkeypatch):
    """The subset of a grid as the runs made here have it."""
    monkeypatch.setitem(grids.SUBSET, "laptop", {"train_faces": 100})


@pytest.mark.parametrize(
    ("naive", "residual", "expected"),
    [(0.05, 0.05, "reproduced"), (0.05, 0.45, "partly"), (0.45, 0.45, "not reproduced")],
)
def test_gates_are_judged_against_naive_and_residual_attention(naive, residual, expected, stated, made, whole_grids):
    runs = made("gate_ablation", {"gate": "trainable"}, 3, 0.25)
    assert verdict(stated["C4"], runs) == "not run"
    runs += made("gate_ablation", {"gate": 0.0}, 3, naive) + made("gate_ablation", {"gate": 0.5}, 3, residual)
    table = judge(stated["C4"], runs)
    assert set(table["verdict"]) == {expected}
    assert set(table["seeds"]) == {3}
    assert all(len(ids.split()) == 6 for ids in table["run ids"])
    first = table.iloc[0]
    assert first["low"] < first["value"] < first["high"]
    assert (first["value"] > 0) == (naive < 0.25)


def test_two_seeds_are_too_few_where_three_are_asked_for(stated, made, whole_grids):
    runs = [r for g in ("trainable", 0.0, 0.5) for r in made("gate_ablation", {"gate": g}, 2, 0.5)]
    assert verdict(stated["C4"], runs) == "not run"


def test_for_errors_less_is_better(stated, made, whole_grids):
    runs = [
        *made("age_decomposition", {"age_width": 10, "join": "both"}, 2, 0.9),
        *made("age_decomposition", {"age_width": 117, "join": "regression"}, 2, 0.0),
    ]
    table = judge(stated["C9"], runs)
    assert set(table["verdict"]) == {"reproduced"}
    assert (table["low"] > 0).all()


def test_sides_with_other_faces_are_refused(made, whole_grids):
    runs = made("gate_ablation", {"gate": 0.5}, 1, 0.5)
    one = compare.side([runs], "accuracy")
    other = dataclasses.replace(one, faces=one.faces.iloc[::-1])
    with pytest.raises(UserError, match="expected the faces and a seed of"):
        compare.gain(one, other, "accuracy")


def test_the_table_of_a_grid_has_every_seed(made, whole_grids):
    runs = made("gate_ablation", {"gate": 0.0}, 4, 0.2) + made("gate_ablation", {"gate": "trainable"}, 4, 0.9)
    found = compare.sides("gate_ablation", runs, train_faces=100)
    naive = "gate 0 (naive attention)"
    assert list(found) == [naive, "trainable gate"]
    table = compare.summary(found).set_index("setting")
    assert [len(v) for v in table["by seed"]] == [4, 4]
    assert table.loc[naive, "value"] == pytest.approx(np.mean(table.loc[naive, "by seed"]), abs=1e-5)
    better = compare.gains(found, "accuracy", naive).set_index("setting").loc["trainable gate"]
    assert better["verdict"] == "better"
    assert better["gain"] == pytest.approx(table["value"].diff().iloc[-1])


def test_the_report_shows_verdicts_and_grids(made, made_up, whole_grids, tmp_path, monkeypatch):
    runs = [r for g in ("trainable", 0.0, 0.5) for r in made("gate_ablation", {"gate": g}, 3, 0.2)]
    runs.append(made_up(tmp_path / "runs", "age_category", dataset="fgnet", folds=10))  # has no gender
    runs.append(made_up(tmp_path / "runs", "gender", dataset="adience"))  # has no ages
    monkeypatch.setattr("gralib.records.gather", lambda: (runs, []))
    report.build(tmp_path / "out")
    for name in ("index.html", "README.md"):
        page = (tmp_path / "out" / name).read_text()
        for text in (
            "C14",
            "not reproduced",
            "What the gate does",
            "gate 1/2 (residual attention)",
            "Claim by claim",
            "In 3 runs every learned gate ended between 0.40 and 0.40: a trainable gate is practically residual",
            "3 reproduced",
        ):
            assert text in page
    table = (tmp_path / "out/tables/claims.csv").read_text()
    assert table.startswith("id,verdict,what,data set,value,low,high,paper,seeds,run ids")
    assert (tmp_path / "out/tables/utkface-laptop-gate-ablation.csv").exists()
    assert (tmp_path / "out/figures/utkface-laptop-gate-ablation.svg").exists()


def test_turned_faces_are_shown_turned_and_a_grid_that_does_not_fit_is_named(
    made, made_up, faces, whole_grids, tmp_path, monkeypatch
):
    runs = [r for g in ("trainable", 1.0) for r in made("gate_ablation", {"gate": g}, 2, 0.4)]
    runs += [r for n in ("gra_net", "residual") for r in made("rivals", {"network": n}, 2, 0.3)]
    for i, run in enumerate(runs[:4]):
        hits = np.random.default_rng(i).random((len(run.rows), len(orientation.columns()))) < (0.9 if i < 2 else 0.5)
        hits[:, 0] = True
        table = pd.DataFrame(hits.astype(int), columns=list(orientation.columns()))
        records.add(run.folder, records.ORIENTATION, packed.pack_rows(run.rows, table))
    last = runs[-1]
    others = np.setdiff1d(np.arange(len(faces)), last.rows)[: len(last.rows)]
    outputs = experiment.outputs_of(last.record.config, last.predictions)
    runs[-1] = records.write(last.folder, last.record, others, outputs, last.history)
    monkeypatch.setattr("gralib.records.gather", lambda: (list(dict.fromkeys(runs)), []))
    report.build(tmp_path / "out")
    for name in ("index.html", "README.md"):
        page = (tmp_path / "out" / name).read_text()
        for text in ("turned by 15°", "moved by 3 pixels", "gate 1 (trunk alone)", "points: better",
                     "Beside earlier methods, on the same faces, UTKFace:", "C11:",
                     "other test faces than"):  # fmt: skip
            assert text in page, text
    table = pd.read_csv(tmp_path / "out/tables/utkface-laptop-orientation.csv").set_index(["kind", "step"])
    row = table.loc[("turn", 15)]
    losses = 1 - row["trainable gate: value"], 1 - row["gate 1 (trunk alone): value"]
    assert row["masks: saved"] == pytest.approx(losses[1] - losses[0], abs=1e-5)
    claimed = pd.read_csv(tmp_path / "out/tables/claims.csv").set_index("what")["value"]
    assert claimed.filter(like="turned by 15").item() == pytest.approx(row["masks: saved"], abs=1e-5)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"gate": 0.5}, "gate 1/2 (residual attention)"),
        ({"gate": 1.0, "label_noise": 0.3}, "30 % wrong labels, gate 1 (trunk alone)"),
        ({"gate": "trainable", "modules": [1, 1, 1]}, "1 module a stage, trainable gate"),
        ({"network": "savchenko"}, "MobileNet (Savchenko)"),
        ({"age_width": 117, "join": "regression"}, "one category for all ages, regression alone"),
        ({"seed": 3}, "seed 3"),
    ],
)
def test_settings_have_names_a_reader_knows(setting, words):
    assert compare.describe(setting) == words


def test_depths_and_shares_of_wrong_labels_are_lines():
    steps = compare.along(map(compare.describe, grids.GRIDS["label_noise"].settings))
    assert sorted(set(steps["line"])) == ["gate 1 (trunk alone)", "residual net", "trainable gate"]
    assert sorted(set(steps["step"])) == [0, 10, 30, 50, 70]
    assert compare.along(map(compare.describe, grids.GRIDS["gate_ablation"].settings)) is None
