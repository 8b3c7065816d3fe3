"""What must hold whatever the numbers are: a probe agrees with its record, shuffled labels teach nothing."""

from dataclasses import replace

import hand
import numpy as np
import pandas as pd
import pytest
import tiny

from gralib.config import configure
from gralib.data.splits import split
from gralib.errors import UserError
from gralib.evaluation import measures
from gralib.evaluation.compare import side
from gralib.training import experiment, perturb, probed, records


def test_the_unchanged_faces_of_a_probe_score_as_the_record_says(tiny_run, faces, monkeypatch, tmp_path):
    run = tiny.copied(tiny_run("gender"), tmp_path)
    few = {name: change for name, change in probed.changes().items() if name in ("as they are", "turn -30", "move +6")}
    for module in (perturb, probed):
        monkeypatch.setattr(module, "changes", lambda: few)
    perturb.probe(run, faces)
    table = probed.orientation(run)
    answers, _ = measures.measures(run.record.config, run.predictions, run.record.constants)["accuracy"]
    assert table["as they are"].tolist() == answers.tolist()
    assert table["as they are"].mean() == pytest.approx(measures.scores_of(run)["accuracy"].value)
    assert table["path"].tolist() == run.predictions["path"].tolist()
    assert (table["turn -30"] != table["as they are"]).any()
    assert records.Run(run.folder).files, "the sums beside it still agree"


def test_a_label_column_that_is_shuffled_teaches_nothing(faces, tmp_path):
    config = configure("smoke", network="hog", train_faces=300)
    known = faces.table["gender"].notna()
    shuffled = faces.table["gender"].copy()
    shuffled[known] = np.random.default_rng(0).permutation(shuffled[known])
    runs = []
    for i, labels in enumerate((faces.table["gender"], shuffled)):
        told = replace(faces, table=faces.table.assign(gender=labels), fingerprint=f"{i:016x}")
        runs.append(experiment.run(config, told, tmp_path, progress="none"))
    right, wrong = (side([[run]], "accuracy").estimate for run in runs)
    assert wrong.low <= side([[runs[1]]], "accuracy").floor.mean() <= wrong.high
    assert wrong.low < 0.5 < wrong.high
    assert right.low > wrong.high


def test_the_test_faces_labels_do_not_reach_the_training(faces, tmp_path):
    config = configure("smoke", network="hog", train_faces=160)
    test = split(config, faces.table).test
    other = faces.table.copy()
    other.loc[test, "gender"] = other["gender"].iloc[test].map({"male": "female", "female": "male"})
    runs = [
        experiment.run(config, replace(faces, table=table, fingerprint=f"{i:016x}"), tmp_path, progress="none")
        for i, table in enumerate((faces.table, other))
    ]
    first, second = (measures.outputs_of(config, run.predictions) for run in runs)
    assert np.array_equal(first, second)
    pd.testing.assert_frame_equal(runs[0].history, runs[1].history)
    values = [side([[run]], "accuracy").values for run in runs]
    assert np.array_equal(values[0], 1 - values[1])


def test_predictions_of_one_run_never_judge_the_faces_of_another():
    people = hand.people([20, 30, 40, 50] * 5)
    others = people.assign(path="other-" + people["path"])
    category, regression = (configure("laptop", task=task) for task in ("age_category", "age_regression"))
    inside = np.full((20, 12), 0.5)
    ours = hand.run(category, people, hand.certain([2, 3, 4, 5] * 5, 12))
    for faces in (others, people.iloc[::-1], people.iloc[:-1]):
        with pytest.raises(UserError, match="other test faces or categories"):
            measures.join_ages(ours, hand.run(regression, faces, inside[: len(faces)]))
        with pytest.raises(UserError, match="other test faces than"):
            side(
                [[ours], [hand.run(category, faces, hand.certain(np.zeros(len(faces), int), 12))]], "category_accuracy"
            )
