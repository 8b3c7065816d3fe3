"""Records on disk, and what is put together from them; made-up runs, no training."""

import json
import shutil

import numpy as np
import pytest
from conftest import ROOT
from typer.testing import CliRunner

from gralib.cli import app
from gralib.config import TASKS, RunConfig, configure
from gralib.errors import UserError
from gralib.evaluation import measures
from gralib.evaluation.study import studies
from gralib.labels import GENDERS
from gralib.report import about, drawings
from gralib.training import exchange, experiment, records


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty project folder that relative paths start from."""
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    (tmp_path / "reports").mkdir()
    for name in ("claims.yaml", "protocol.yaml", "contradictions.yaml", "changes.yaml", "literature.csv",
                 "yardsticks.csv", "exploratory.yaml", "equations.json", "network.json", "checklist.yaml"):  # fmt: skip
        shutil.copy(ROOT / "reports" / name, tmp_path / "reports")
    return tmp_path


@pytest.fixture
def filled(root, made_up):
    return {task: made_up(root / records.STORE, task) for task in TASKS["utkface"]}


def test_folds_are_pooled_and_a_random_split_is_a_study_of_its_own(root, made_up):
    for protocol in ("grouped", "random"):
        for fold in range(3):
            made_up(root / records.STORE, "gender", protocol=protocol, folds=3, fold=fold)
    honest, random = studies(records.gather()[0])
    assert honest.folds == random.folds == 3
    row = honest.scores.set_index("score").loc["gender accuracy"]
    found = [measures.scores_of(run)["accuracy"] for run in honest.runs["gender"]]
    means, sizes = [score.value for score in found], [score.n for score in found]
    assert row["value"] == pytest.approx(np.average(means, weights=sizes))
    assert row["sd of folds"] == pytest.approx(np.std(means, ddof=1))
    assert row["faces"] == sum(sizes)


def test_errors_by_gender_add_up(filled):
    (study,) = studies(filled.values())
    table = study.by_label("gender", GENDERS)
    assert list(table["gender"]) == ["male", "female"] * 2
    scores = study.scores.set_index("score")["value"]
    for name, rows in table.groupby("score"):
        assert np.average(rows["value"], weights=rows["faces"]) == pytest.approx(scores[name])
        assert (rows["low"] < rows["value"]).all()


def test_captions_of_the_papers_figures_are_the_papers():
    text = ROOT.parent / "shared" / "seed" / "seminar-report.txt"
    if not text.exists():
        pytest.skip("the text of the paper is not on this machine")
    words = " ".join(text.read_text().split())
    assert len(about.CAPTIONS) == 8
    for number, caption in about.CAPTIONS.items():
        assert f"{number.replace('.', '')} | {caption} |" in words


def damage_json(change):
    def damage(folder):
        record = json.loads((folder / "record.json").read_text())
        change(record)
        records.add(folder, "record.json", json.dumps(record).encode())  # with a checksum that agrees

    return damage


DAMAGE = {
    "cut short": lambda f: (f / "record.json").write_text((f / "record.json").read_text()[:200]),
    "not a number": damage_json(lambda r: r["gates"].update(stage1_module1=float("nan"))),
    "unknown field": damage_json(lambda r: r.update(opinion="good")),
    "missing field": damage_json(lambda r: r.pop("fingerprint")),
    "another name": damage_json(lambda r: r.update(run_id="somebody-else")),
    "edited settings": damage_json(lambda r: r["config"].update(width=64)),
    "no predictions": lambda f: (f / "predictions.csv.bz2").unlink(),
    "empty history": lambda f: (f / "history.csv").write_text(""),
    "no history inside": lambda f: records.add(f, "history.csv", b""),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_is_named_and_left_out(filled, root, kind):
    folder = filled["gender"].folder
    DAMAGE[kind](folder)
    runs, problems = records.gather()
    assert [run.record.config.task for run in runs] == ["age_category", "age_regression"]
    assert len(problems) == 1
    assert str(folder) in problems[0]


def test_a_failed_run_is_named_with_its_reason(tmp_path):
    config = configure("smoke", width=2)
    records.write_failure(tmp_path / "a-run", config, "the loss is no number")
    text = (tmp_path / "a-run" / "failed.json").read_text()
    assert text.endswith("}\n") and RunConfig(**json.loads(text)["config"]) == config
    assert records.gather([tmp_path]) == ([], [f"{tmp_path}/a-run/failed.json: failed: the loss is no number"])
    for text in ("{}", "[]", "1", "no json"):
        (tmp_path / "a-run" / "failed.json").write_text(text)
        line = f"{tmp_path}/a-run/failed.json: expected why a run failed, got something else"
        assert records.gather([tmp_path]) == ([], [line])


def test_records_survive_the_round_trip_and_are_kept_once(filled, root):
    run = filled["gender"]
    assert records.Run(run.folder).record == run.record
    target = exchange.keep(run)
    assert {p.name for p in target.iterdir()} == {"SHA256SUMS", "record.json", "predictions.csv.bz2", "history.csv"}
    exchange.keep(run)
    (target / "history.csv").write_text("epoch\n1\n")
    with pytest.raises(UserError, match="differs from"):
        exchange.keep(run)
    (target / "record.json").unlink()
    assert f"{target}/record.json: not found" in records.gather()[1][0]


def test_runs_of_another_machine_come_in_whole_or_not_at_all(root, made_up, tmp_path):
    ours, theirs = made_up(root / records.KEPT, "gender"), made_up(tmp_path, "gender")
    later = theirs.record.model_copy(update={"finished": "2027-01-01T00:00:00+00:00", "seconds": 99})
    outputs = measures.outputs_of(theirs.record.config, theirs.predictions)
    records.write(theirs.folder, later, theirs.rows, outputs, theirs.history)
    new = made_up(tmp_path, "age_category")
    assert exchange.merge(tmp_path) == ([new.folder.name], [ours.folder.name])
    assert records.Run(root / records.KEPT / ours.folder.name).record == ours.record, "what was here stays"
    assert exchange.merge(tmp_path) == ([], [new.folder.name, ours.folder.name])
    made_up(tmp_path, "age_regression")
    records.write(theirs.folder, later, theirs.rows, outputs[:, ::-1], theirs.history)
    with pytest.raises(UserError, match=r"predictions\.csv\.bz2: conflict: differs from "):
        exchange.merge(tmp_path)
    assert len(records.gather()[0]) == 2, "nothing came in"
    with pytest.raises(UserError, match="expected a folder of runs"):
        exchange.merge(root / "data")


def test_gra_run_says_the_scores_that_the_predictions_give(root, made_up, drawn):
    run = made_up(root / records.STORE, "gender", skill=0.4)
    score = measures.scores_of(run)["accuracy"]
    words = ["run", "--task", "gender", "--root", str(drawn), "--preset", "smoke", "--set", "epochs=3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and result.stdout == f"{run.record.run_id}\n"
    interval = f"[{score.low:.3f}, {score.high:.3f}], constant predictor {score.floor:.3f}"
    assert f"synthetic faces: accuracy {score.value:.3f} {interval}\n" in result.stderr
    table = run.predictions
    assert score.value == (np.where(table["p_female"] > 0.5, "female", "male") == table["gender"]).mean()
    assert score.n == run.record.faces["test"] == len(table)


def test_a_committed_record_is_found_without_training(filled, root, faces, made_up):
    run = filled["gender"]
    exchange.keep(run)
    found = experiment.run(run.record.config, faces, store=root / "elsewhere")
    assert found.folder.parent.name == "records"


def test_real_faces_come_before_synthetic_ones(filled, root, made_up, monkeypatch):
    run = filled["gender"]
    real = run.record.model_copy(update={"synthetic": False, "fingerprint": "0" * 16, "run_id": "x"})
    real = real.model_copy(update={"run_id": real.config.run_id(real.fingerprint)})
    records.write_faces(root / records.STORE, real.config.dataset, real.fingerprint, run.tested)
    outputs, rows = measures.outputs_of(real.config, run.predictions), np.arange(len(run.rows))
    records.write(root / records.STORE / real.run_id, real, rows, outputs, run.history)
    found = studies(records.gather()[0])
    assert [s.first.record.synthetic for s in found] == [False, True]


@pytest.mark.parametrize(
    ("spread", "converged"), [(0.0, False), (0.009, False), (0.011, True), (0.3, True)],
)  # fmt: skip
def test_a_run_trained_whose_answers_differ_between_faces(spread, converged, filled):
    """The rule looks at the outputs alone: a standard deviation of 0.01 over the test faces."""
    run = filled["gender"]
    female = 0.5 + spread * np.where(np.arange(len(run.rows)) % 2, 1, -1)[:, None]
    made = records.write(run.folder, run.record, run.rows, np.hstack([1 - female, female]), run.history)
    assert made.converged is converged


def test_one_output_that_differs_between_faces_is_enough(filled):
    run = filled["age_category"]
    outputs = np.full((len(run.rows), 12), 1 / 12)
    outputs[:, :2] += 0.05 * np.where(np.arange(len(run.rows)) % 2, 1, -1)[:, None] * [1, -1]
    made = records.write(run.folder, run.record, run.rows, outputs, run.history)
    assert made.converged, "ten of its outputs are the same for all"


def test_every_place_that_the_checklist_names_exists():
    items = [item for part in about.read("checklist") for item in part["items"]]
    assert len(items) > 20
    for item in items:
        assert item["answer"] in ("yes", "partly", "no")
        assert (ROOT / item["evidence"]).exists(), item


def test_a_longest_way_stands_below_itself_and_the_rest_beside():
    edges = [("a", "c"), ("a", "b"), ("b", "d"), ("c", "d"), ("a", "d")]
    lanes = drawings._lanes(edges, drawings._ranks(edges))
    assert lanes == {"a": 0, "b": 0, "c": 1, "d": 0}


def test_the_drawn_network_is_the_one_that_keras_built():
    from gralib.model.network import gra_net

    model = gra_net()
    drawn = drawings._layers()
    assert sum(count for *_, count in drawn) == model.count_params() - sum(
        int(np.prod(w.shape)) for w in model.non_trainable_weights
    )
    edges, sizes = drawings._blocks(drawings._stage)
    assert [target for _, target in edges][-1] == "answer"
    assert len(edges) == len(sizes) - 1, "a chain"
