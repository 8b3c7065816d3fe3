"""What is stored of a run: few digits, the same answers, rows that lead back to their faces, the same bytes."""

import bz2

import numpy as np
import pandas as pd
import pytest

from gralib.ages import join_soft
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation import compare, measures
from gralib.training import exchange, experiment, packed, records

CATEGORY, GENDER = configure("smoke", task="age_category"), configure("smoke", task="gender")


def like_a_network(faces, classes=12, seed=0):
    """Probabilities as networks give them: float32, some sure, some not, most classes all but ruled out."""
    logits = np.random.default_rng(seed).normal(0, 3, (faces, classes))
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype("float32")


def test_by_hand():
    rounded = packed.round_classes(np.array([[0.504, 0.496], [0.004, 0.996], [0.5000004, 0.4999996]]), 2)
    assert rounded.tolist() == [[0.504, 0.496], [0.0, 1.0], [0.5000004, 0.4999996]]
    assert packed.round_classes(np.array([[0.004, 0.004, 0.004, 0.988]]), 2).tolist() == [[0, 0.01, 0, 0.99]]


def test_rows_that_nearly_add_up_are_made_to_and_nine_digits_are_the_finest():
    half = packed.round_classes(np.array([[0.75 * 1.01, 0.25 * 1.01]]), 2)  # as bfloat16 adds up
    assert half.tolist() == [[0.75, 0.25]]
    fine = packed.round_classes(np.array([[0.5 + 2e-9, 0.5 - 2e-9], [0.5 - 2e-9, 0.5 + 2e-9]]), 2)
    assert fine.tolist() == [[0.500000002, 0.499999998], [0.499999998, 0.500000002]]


def test_a_table_of_faces_has_its_columns_and_no_others():
    table = pd.DataFrame([["a.jpg", 20.5, "25-32", "male", 3, "White"]], columns=packed.FACES)
    pd.testing.assert_frame_equal(packed.unpack_faces(packed.pack(table)), table, check_dtype=False)
    with pytest.raises(ValueError, match="expected columns"):
        packed.unpack_faces(packed.pack(table.drop(columns="race")))


@pytest.mark.parametrize("decimals", [1, 2, 4])
def test_rounding_changes_no_answer_and_makes_no_tie(decimals):
    outputs = like_a_network(5000)
    rounded = packed.round_classes(outputs, decimals)
    assert (rounded.argmax(axis=1) == outputs.argmax(axis=1)).all()
    assert ((rounded == rounded.max(axis=1, keepdims=True)).sum(axis=1) == 1).all()
    assert (rounded >= 0).all() and np.abs(rounded.sum(axis=1) - 1).max() < 1e-9
    assert np.abs(rounded - outputs).max() < 1.01 * 10.0**-decimals
    short = (np.round(rounded, decimals) == rounded).all(axis=1).mean()
    assert short > {1: 0.5, 2: 0.9, 4: 0.99}[decimals], "few rows need more digits"


def test_a_true_tie_stays_one():
    assert packed.round_classes(np.array([[0.5, 0.5]]), 4).tolist() == [[0.5, 0.5]]


def test_two_decimals_leave_the_expected_age_where_it_is():
    outputs = like_a_network(5000)
    middles = np.full_like(outputs, 0.5)
    exact, kept = join_soft(outputs, middles), join_soft(packed.round_classes(outputs, 2), middles)
    plain = join_soft(np.round(outputs, 2), middles)
    assert np.std(kept - exact) < 0.15 < 0.4 < np.std(plain - exact)
    assert abs(np.mean(kept - exact)) < 0.01
    ages = np.random.default_rng(1).uniform(0, 100, 5000)
    assert np.abs(kept - ages).mean() == pytest.approx(np.abs(exact - ages).mean(), abs=0.005)


@pytest.mark.parametrize("config", [CATEGORY, GENDER, configure("smoke", dataset="adience", task="age_group"),
                                    configure("smoke", task="age_category", age_width=117)])  # fmt: skip
def test_predictions_come_back_with_their_rows(config):
    names = packed.output_names(config)
    outputs, rows = like_a_network(300, len(names)), np.sort(np.random.default_rng(0).permutation(2000)[:300])
    data = packed.pack_predictions(config, rows, outputs)
    found, table = packed.unpack_predictions(config, data)
    assert np.array_equal(found, rows) and list(table) == names
    assert np.array_equal(table.to_numpy(), packed.round_classes(outputs, 4 if config is GENDER else 2))
    assert packed.pack_predictions(config, rows, outputs) == data


@pytest.mark.parametrize(("width", "step"), [(1, 0.1), (5, 0.05), (10, 0.1), (20, 0.02), (117, 0.0117)])
def test_remainders_are_kept_to_a_tenth_of_a_year(width, step):
    config = configure("smoke", task="age_regression", age_width=width)
    outputs = np.random.default_rng(0).random((200, len(packed.output_names(config))), dtype="float32")
    _, table = packed.unpack_predictions(config, packed.pack_predictions(config, np.arange(200), outputs))
    error = width * np.abs(table.to_numpy() - outputs).max()
    assert 0.4 * step < error < 0.501 * step


def test_the_bytes_are_plain_and_always_the_same():
    outputs = np.array([[0.25, 0.75], [0.9, 0.1], [0.00004, 0.99996]])
    data = packed.pack_predictions(GENDER, np.array([0, 2, 3]), outputs)
    assert bz2.decompress(data).decode() == "faces passed over,p_female\n0,0.75\n1,0.1\n0,1\n"
    assert data.hex().startswith("425a6839314159265359"), "bzip2, largest block"
    with pytest.raises(ValueError, match="expected ascending row numbers"):
        packed.pack_rows(np.array([3, 3]), pd.DataFrame({"a": [1, 2]}))


def test_a_run_of_a_large_test_set_takes_few_bytes():
    rows = np.sort(np.random.default_rng(0).permutation(23705)[:4740])
    sizes = {config.task: len(packed.pack_predictions(config, rows, like_a_network(4740, count)))
             for config, count in ((GENDER, 2), (CATEGORY, 12))}  # fmt: skip
    assert sizes["gender"] < 20_000 and sizes["age_category"] < 50_000, sizes


def test_the_faces_are_described_once_and_joined_to_their_own_predictions_alone(made_up, faces, tmp_path):
    run, other = made_up(tmp_path, "gender"), made_up(tmp_path, "age_category")
    (path,) = (tmp_path / "faces").iterdir()
    assert path.name == f"utkface-{faces.fingerprint}.csv.bz2"
    assert (tmp_path / run.record.run_id / "SHA256SUMS").read_text().count("  ../faces/") == 1
    known, mine = faces.table.iloc[run.rows].reset_index(drop=True), run.tested
    for name in ("path", "age", "gender", "race"):
        assert mine[name].equals(known[name].astype(mine[name].dtype)), name
    assert np.array_equal(mine["group"], experiment.groups(faces.table)[run.rows])
    assert list(run.predictions) == ["path", "age", "age_group", "gender", "group", "p_male", "p_female"]
    shuffled = packed.unpack_faces(path.read_bytes()).iloc[::-1]
    with pytest.raises(UserError, match=r"faces/utkface-.*: differs from these faces as they are now"):
        records.write_faces(tmp_path, "utkface", faces.fingerprint, shuffled)
    path.write_bytes(packed.pack(shuffled))  # other faces under the same name
    for found in (run, other):
        with pytest.raises(UserError, match=rf"{path.name}: changed since it was written; expected SHA-256 [0-9a-f]+"):
            records.Run(found.folder)
    path.unlink()
    runs, problems = records.gather([tmp_path])
    assert not runs and problems == [problems[0]] and problems[0].endswith("got no file"), "one cause, one line"


def test_faces_that_two_stores_describe_otherwise_do_not_mix(made_up, faces, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    kept, run = made_up(ours, "gender"), made_up(theirs, "age_category")
    (path,) = (theirs / "faces").iterdir()
    path.write_bytes(packed.pack(packed.unpack_faces(path.read_bytes()).assign(age=20.0)))
    records.add(run.folder, f"../faces/{path.name}", path.read_bytes())  # with a checksum that agrees
    with pytest.raises(UserError, match=rf"faces/{path.name}: conflict: differs from {ours}/faces/"):
        exchange.merge(theirs, ours)
    with pytest.raises(UserError, match=rf"{ours}/faces/{path.name}: differs from "):
        exchange.keep(records.Run(run.folder), ours)
    assert [p.name for p in ours.glob("*/record.json")] == ["record.json"] and records.Run(kept.folder)


def test_runs_on_other_data_are_never_compared_though_paths_agree(made_up, tmp_path):
    category, regression = made_up(tmp_path, "age_category"), made_up(tmp_path, "age_regression")
    assert category.same_faces(regression)
    record = regression.record.model_copy(update={"fingerprint": "0" * 16})
    record = record.model_copy(update={"run_id": record.config.run_id(record.fingerprint)})
    outputs = measures.outputs_of(record.config, regression.predictions)
    records.write_faces(tmp_path, "utkface", record.fingerprint, next(iter(faces_of(tmp_path))))
    other = records.write(tmp_path / record.run_id, record, regression.rows, outputs, regression.history)
    assert other.tested.equals(regression.tested) and not other.same_faces(regression)
    with pytest.raises(UserError, match="other test faces or categories"):
        measures.join_ages(category, other)
    with pytest.raises(UserError, match=f"{other.record.run_id}: other test faces than {regression.record.run_id}"):
        compare.side([[regression], [other]], "remainder_error_years")
    ours, theirs = (compare.side([[run]], "remainder_error_years") for run in (regression, other))
    with pytest.raises(UserError, match="expected the faces and a seed of"):
        compare.gain(ours, theirs, "remainder_error_years")


def test_runs_of_two_folds_are_tested_on_other_faces_of_the_same_data(made_up, tmp_path):
    one, same, other = (
        made_up(tmp_path, task, fold=fold) for task, fold in (("gender", 0), ("age_category", 0), ("gender", 1))
    )
    assert one.record.fingerprint == other.record.fingerprint
    assert one.same_faces(same) and not one.same_faces(other)


def faces_of(store):
    """The faces' tables of a store."""
    return [packed.unpack_faces(path.read_bytes()) for path in (store / "faces").iterdir()]
