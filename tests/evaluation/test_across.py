"""Networks asked about the faces of another data set: ages into groups, what is kept, the matrix by a known answer."""

from types import SimpleNamespace
from typing import get_args

import hand
import numpy as np
import pandas as pd
import pytest
import tiny

from gralib import ages
from gralib.config import Task, configure
from gralib.errors import UserError
from gralib.evaluation import across as matrix
from gralib.evaluation.measures import measures_of
from gralib.evaluation.protocol import load
from gralib.labels import class_names, output_names
from gralib.report import elsewhere
from gralib.report.evidence import Book
from gralib.report.text import level
from gralib.training import across, exchange, experiment, packed, probed, records


@pytest.mark.parametrize(
    ("score", "low", "high", "said"),
    [("accuracy", 0.6, 0.7, "better"), ("accuracy", 0.3, 0.4, "worse"), ("accuracy", 0.4, 0.6, "not told apart"),
     ("category_mae_years", 0.3, 0.4, "better"), ("category_mae_years", 0.6, 0.7, "worse")],
)  # fmt: skip
def test_an_interval_beside_the_same_answer_for_all(score, low, high, said):
    assert elsewhere._against({"score": score, "low": low, "high": high, "constant": 0.5}) == said


def test_an_age_lies_in_a_group_or_next_to_one():
    assert ages.group_of([0, 2, 3, 4, 24, 25, 60, 100, 101]).tolist() == [0, 0, -1, 1, -1, 4, 7, 7, -1]
    assert ages.nearest_group([0, 2.4, 3.4, 7, 22, 30, 100]).tolist() == [0, 0, 1, 1, 3, 4, 7]
    assert ages.nearest_group([0, 2.9, 3.0, 3.1, 22.4, 22.6, 44, 116]).tolist() == [0, 0, 0, 1, 3, 4, 5, 7]


@pytest.fixture
def asked(made_up, tmp_path):
    """A function that writes a made-up run, and beside it what it says of eight faces of Adience, right as told."""
    others = pd.DataFrame({
        "path": list("abcdefgh"), "age": np.nan, "age_group": ["25-32"] * 6 + ["4-6"] * 2,
        "gender": ["male", "female"] * 4, "group": [0, 0, 1, 2, 3, 4, 5, 6], "race": np.nan,
    })  # fmt: skip

    def make(task, right, **changes):
        run = made_up(tmp_path, task, **changes)
        config, fingerprint = run.record.config, "0123456789abcdef"
        names = class_names(config)
        if task == "gender":
            truth = others["gender"].map(names.index).to_numpy()
        else:
            truth = np.where(
                others["age_group"] == "4-6", 0, 2
            )  # 0-9 averages an age next to 4-6, 20-29 one next to 25-32
        outputs = np.eye(len(names))[np.where(right, truth, (truth + 1) % len(names))]
        records.write_faces(tmp_path, "adience", fingerprint, others)
        name = records.across_name("adience", fingerprint)
        (run.folder / name).write_bytes(packed.pack_predictions(config, np.arange(8), outputs))
        records.vouch(run.folder, name, records.faces_name("adience", fingerprint))
        return records.Run(run.folder)

    return make


def test_the_matrix_is_the_mean_over_runs_with_the_constant_beside(asked):
    runs = [asked("gender", np.arange(8) < 6, seed=0), asked("gender", np.arange(8) < 8, seed=1, fold=1)]
    (row,) = matrix.matrix(runs).to_dict("records")
    assert (row["trained"], row["tested"], row["score"]) == ("utkface", "adience", "accuracy")
    assert row["value"] == (6 / 8 + 1) / 2 and row["constant"] == 0.5
    assert row["low"] < row["value"] < row["high"] and (row["runs"], row["faces"]) == (2, 8)
    assert row["run_ids"] == " ".join(run.record.run_id for run in runs)


def test_a_run_that_did_not_train_is_not_averaged_in(asked, monkeypatch):
    runs = [asked("gender", np.arange(8) < 6, seed=0), asked("gender", np.arange(8) < 4, seed=1, fold=1)]
    monkeypatch.setattr(records.Run, "converged", property(lambda run: run.record.config.seed == 0))
    (row,) = matrix.matrix(runs).to_dict("records")
    assert (row["value"], row["run_ids"]) == (6 / 8, runs[0].record.run_id)


def test_ages_are_asked_for_groups_by_what_their_categories_average(asked):
    run = asked("age_category", np.arange(8) < 7)
    (row,) = matrix.matrix([run]).to_dict("records")
    means = run.record.constants["category_means"]
    assert ages.nearest_group([means[0], means[2]]).tolist() == [1, 4]
    assert (row["score"], row["value"]) == ("group_accuracy", 7 / 8)
    constant = ages.GROUP_NAMES[ages.nearest_group([run.record.constants["age"]])[0]]
    assert row["constant"] == {"25-32": 6 / 8, "4-6": 2 / 8}.get(constant, 0)


def test_the_book_shows_the_matrix_with_home_beside_and_links_to_its_runs(asked, tmp_path):
    runs = [asked("gender", np.arange(8) < 6, seed=0), asked("gender", np.arange(8) < 8, seed=1, fold=1)]
    book = Book(tmp_path / "book", load(), [], runs, [], {})
    line = elsewhere.section(book, "datasets/README.md").splitlines()[-1]
    home = np.mean([measures_of(run)["accuracy"][0].mean() for run in runs])
    low, high = (level(end, "shares") for end in matrix.matrix(runs)[["low", "high"]].iloc[0])
    links = " and ".join(f"[{n}](../about/runs.md#{run.record.run_id})" for n, run in enumerate(runs))
    assert line == (
        f"| UTKFace | Adience | gender accuracy | **87.5 %**, {low} to {high} | 50.0 %: not told apart "
        f"| {level(home, 'shares')} | 8 | seed {links} |"
    )
    assert (tmp_path / "book/tables/across.csv").read_text().startswith(",".join(matrix.COLUMNS))
    assert elsewhere.section(Book(tmp_path, load(), [], [], [], {}), "datasets/README.md") == ""


def test_networks_of_two_settings_are_two_rows(asked):
    runs = [asked("gender", np.arange(8) < 6), asked("gender", np.arange(8) < 6, gate=0.0)]
    assert matrix.matrix(runs)["runs"].tolist() == [1, 1]


@pytest.mark.slow
def test_a_network_is_asked_once_about_faces_it_never_saw(tiny_run, faces, twins, tmp_path, monkeypatch):
    run, others, made = tiny.copied(tiny_run("gender"), tmp_path), tiny.draw("adience", twins), []
    monkeypatch.setattr(across, "network", lambda run: made.append(experiment.network(run)) or made[-1])
    path = across.probe(run, others)
    first = path.read_bytes()
    ((tested, table),) = probed.across(records.Run(run.folder))
    known = others.table["gender"].notna()
    assert tested == "adience" and list(table["path"]) == list(others.table.loc[known, "path"])
    from gralib.training.fit import predict

    outputs = predict(made[0], others.pixels, np.flatnonzero(known))
    assert np.abs(table[output_names(run.record.config)].to_numpy() - outputs).max() < 1e-4
    assert across.probe(records.Run(run.folder), others).read_bytes() == first and len(made) == 1
    with pytest.raises(UserError, match="expected a run of classes and faces of another data set: utkface"):
        across.probe(run, faces)
    nobody = SimpleNamespace(dataset="fgnet", fingerprint="0", table=others.table.assign(gender=None))
    with pytest.raises(UserError, match="expected faces labelled with gender, fgnet has none"):
        across.probe(run, nobody)


def test_who_is_asked_and_who_may_ask():
    table = pd.DataFrame({
        "age": [30, 3, np.nan, np.nan], "age_group": [None, None, "25-32", None],
        "gender": ["male", None, None, "female"],
    })  # fmt: skip
    asked = {task: across.askable(task, table).tolist() for task in get_args(Task)}
    assert asked["gender"] == [True, False, False, True]
    assert asked["age_group"] == [True, False, True, False]  # at three nobody is in a group
    assert asked["age_category"] == asked["age_regression"] == [True, True, True, False]
    others = SimpleNamespace(dataset="adience", fingerprint="0")
    for task, dataset in (("age_regression", "utkface"), ("gender", "adience")):
        run = hand.run(configure("smoke", task=task, dataset=dataset), hand.people([5.0]), np.eye(len(class_names(
            configure("smoke", task=task, dataset=dataset))))[:1])  # fmt: skip
        with pytest.raises(UserError, match="expected a run of classes and faces of another data set: adience"):
            across.probe(run, others)


def test_a_mirrored_network_is_asked_with_mirror_images_and_its_outputs_are_kept(made_up, tmp_path, monkeypatch):
    pytest.importorskip("keras")
    from gralib.training import fit

    run = made_up(tmp_path, "gender", mirrored_prediction=True)
    table = pd.DataFrame({
        "path": list("abc"), "picture": list("xyz"), "age": np.nan, "age_group": ["25-32"] * 3,
        "gender": ["male", None, "female"], "group": [0, 1, 2], "race": np.nan,
    })  # fmt: skip
    others = SimpleNamespace(dataset="adience", fingerprint="0123456789abcdef", table=table, pixels=[7, 8, 9])
    calls = []
    monkeypatch.setattr(across, "network", lambda run: "the network")
    monkeypatch.setattr(fit, "predict", lambda *words: calls.append(words) or np.array([[0.75, 0.25], [0.5, 0.5]]))
    path = across.probe(run, others)
    assert across.probe(records.Run(run.folder), others) == path and path.parent == run.folder
    ((model, pixels, rows, mirrored),) = calls
    assert (model, pixels.tolist(), rows.tolist(), mirrored) == ("the network", [7, 8, 9], [0, 2], True)
    ((_, found),) = probed.across(records.Run(run.folder))
    assert found["path"].tolist() == ["a", "c"] and found["p_male"].tolist() == [0.75, 0.5]


def test_another_copy_brings_what_its_network_was_asked(asked, made_up, tmp_path):
    run = asked("gender", np.arange(8) < 6)
    here = tmp_path / "here"
    bare = made_up(here, "gender")
    assert matrix.matrix([bare]).empty
    assert exchange.merge(tmp_path, here) == ([], [bare.folder.name])
    assert matrix.matrix([records.Run(bare.folder)])["value"].tolist() == matrix.matrix([run])["value"].tolist()


def test_a_table_of_other_faces_is_refused(asked):
    run = asked("gender", np.arange(8) < 6)
    name = next(name for name in run.files if records.ACROSS.fullmatch(name))
    (run.folder / name).write_bytes(packed.pack_predictions(run.record.config, np.arange(9), np.eye(2)[[0] * 9]))
    records.vouch(run.folder, name)
    with pytest.raises(UserError, match="expected outputs for faces of adience"):
        list(probed.across(records.Run(run.folder)))
