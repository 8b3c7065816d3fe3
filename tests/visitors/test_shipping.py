"""What is measured of the shipped networks, and what their card says of it: by hand."""

import sys
from pathlib import Path
from types import SimpleNamespace

import hand
import made_networks
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gralib import ages
from gralib.cli import app
from gralib.config import configure
from gralib.errors import UserError
from gralib.visitors import elsewhere, modelcard, photos, shipped, shipping

PEOPLE = pd.DataFrame({
    "age": np.resize([0, 12, 13, 19, 20, 39, 40, 59, 60, 116, np.nan], 330),
    "gender": np.resize(["male", "female"], 330), "race": np.resize(["White", None, "Asian"], 330),
    "group": [f"g{i}" for i in range(330)],
})  # fmt: skip


def test_slices_are_all_faces_and_those_of_each_band_and_label():
    found = {name: int(members.sum()) for name, members in shipping.slices(PEOPLE)}
    bands = dict.fromkeys([f"age {name}" for name in shipping.BANDS], 60)
    labels = {"gender female": 165, "gender male": 165, "race Asian": 110, "race White": 110}
    assert found == {"all": 330, **bands, **labels}
    plain = [name for name, _ in shipping.slices(PEOPLE.drop(columns="race"))]
    assert plain == ["all", *bands, "gender female", "gender male"]


def test_a_measure_of_fewer_than_twenty_faces_has_no_row():
    values = np.full(330, np.nan)
    values[:40:2] = 1.0  # twenty, all of them men
    rows = list(shipping.rows_of("set", PEOPLE, {"share": values}))
    assert [(row["slice"], row["faces"], row["value"]) for row in rows] == [("all", 20, 1.0), ("gender male", 20, 1.0)]
    assert list(rows[0]) == shipping.COLUMNS and (rows[0]["data"], rows[0]["measure"]) == ("set", "share")
    assert rows[0]["low"] < 1 == rows[0]["high"]
    values[0] = np.nan
    assert not list(shipping.rows_of("set", PEOPLE, {"share": values}))


def said(rows):
    return {row["measure"]: (row["faces"], row["value"]) for row in rows if row["slice"] == "all"}


def test_accuracy_is_of_all_faces_and_certainty_of_those_judged():
    female = np.where(PEOPLE["gender"] == "female", 0.8, 0.3)
    female[:33] = 1 - female[:33]  # a tenth is wrong
    judged = np.arange(330) >= 230
    found = said(shipping.of_gender("set", PEOPLE, np.stack([1 - female, female], axis=1), judged))
    assert found["gender accuracy"] == (330, pytest.approx(0.9))
    assert found["certainty less gender accuracy"] == (100, pytest.approx(0.75 - 1))


def test_errors_are_of_all_faces_and_intervals_of_those_judged():
    table = PEOPLE.assign(age=30.0)
    age = np.where(np.arange(330) < 110, 36.0, 27.0)
    low, high = np.full(330, 30.0), np.full(330, 38.0)
    high[:20], low[-10:] = 29.9, 30.1
    judged = np.arange(330) % 2 == 0
    found = said(shipping.of_age("set", table, age, low, high, judged))
    assert found["age error, years"] == (330, pytest.approx(4))
    assert found["interval holds the age"] == (165, pytest.approx(150 / 165))
    assert found["interval, years"] == (165, pytest.approx((8 * 155 - 0.1 * 10 - 0.1 * 5) / 165))


def test_the_calibration_is_of_half_the_groups_and_the_rows_of_the_other():
    faces = hand.people(np.resize([14, 25], 400))
    fits = shipping.half(faces["group"])
    configs = {task: configure("smoke", task=task) for task in ("gender", "age_category")}
    sure = np.where(np.arange(400) % 10 < 9, 0.9, 0.1)  # right about nine in ten, and says so
    men = (faces["gender"] == "male").to_numpy()
    male = np.where(men, sure, 1 - sure)
    outputs = np.zeros((400, 12))
    outputs[:, 1] = 1
    constants = {"category_means": [4.0, 14.0, *range(24, 124, 10)], "age": 20.0}
    runs = {
        "gender": hand.run(configs["gender"], faces, np.stack([male, 1 - male], axis=1)),
        "age_category": hand.run(configs["age_category"], faces, outputs, constants=constants),
    }
    calibration, rows = shipping.calibrate(runs)
    assert calibration.runs == {task: run.record.run_id for task, run in runs.items()}
    assert calibration.temperature == pytest.approx(1, abs=0.1) and calibration.level == 0.9
    assert calibration.category_means[:3] == [4, 14, 24]
    spread = np.sqrt(100 / 12) + 1
    assert calibration.quantile == pytest.approx(11 / spread, rel=1e-5)  # half of them are 11 years off
    found = said(rows)
    assert found["gender accuracy"][0] == found["age error, years"][0] == 400
    assert found["age error, years"][1] == pytest.approx(5.5)
    assert found["interval holds the age"] == ((~fits).sum(), pytest.approx(1))
    assert found["certainty less gender accuracy"][0] == (~fits).sum()
    other = hand.run(configure("smoke", task="age_regression"), hand.people([3.0] * 400, names=["x"] * 400), outputs)
    with pytest.raises(UserError, match="expected both age networks on the same test faces"):
        shipping.calibrate({**runs, "age_regression": other})


def test_a_card_reads_shares_in_percent_and_the_rest_in_years():
    row = {"value": 0.81254, "low": 0.75, "high": 0.875}
    assert modelcard.text("gender accuracy", pd.Series(row)) == "81.3 % [75.0, 87.5]"
    assert modelcard.text("interval holds the age", pd.Series(row)) == "81.3 % [75.0, 87.5]"
    assert modelcard.text("age error, years", pd.Series(row)) == "0.81 [0.75, 0.88]"
    assert modelcard.text("face found", pd.Series({**row, "low": np.nan, "high": np.nan})) == "81.3 %"
    rows = pd.DataFrame(
        [
            ["s", "a accuracy", "all", 7, 0.5, 0.4, 0.6],
            ["s", "b", "all", 9, 2.0, 1.0, 3.0],
            ["s", "b", "x", 8, 1, 1, 1],
        ],
        columns=shipping.COLUMNS,
    )
    assert modelcard.table(rows).splitlines() == [
        "| faces | number | a accuracy | b |", "| --- | --- | --- | --- |",
        "| all | 9 | 50.0 % [40.0, 60.0] | 2.00 [1.00, 3.00] |", "| x | 8 |  | 1.00 [1.00, 1.00] |",
    ]  # fmt: skip


def test_the_card_names_networks_files_and_what_was_measured(networks):
    text = modelcard.write(networks).read_text()
    shipped.open_networks.cache_clear()
    for said in ("by-hand-gender", "by-hand-age_category", "81.2 % [75.0, 87.5]", "7.12 [6.50, 7.75]", "97.5 %",
                 "Drawn faces trained these networks"):  # fmt: skip
        assert said in text, said
    for name in ("gender.onnx.xz", "age_category.onnx.xz"):
        assert f"| {name} | {(networks / name).stat().st_size} |" in text
    assert text.endswith("\n") and not text.endswith("\n\n")


@pytest.fixture
def foreign(networks, monkeypatch):
    """A function that measures made-up tables as if they were FG-NET or Adience; in every fourth picture is no face."""
    calls = []

    def measured(dataset, table):
        manifest = SimpleNamespace(kept=table, source=SimpleNamespace(reader=lambda: reader))
        monkeypatch.setattr(elsewhere, "load", lambda name, root: calls.append((name, root)) or manifest)
        places = (networks, "root", None) if dataset == "fgnet" else (networks, None, "root")
        rows = list(elsewhere.measured(*places))
        assert calls == [(dataset, "root")]
        return rows

    class Reader:
        def __enter__(self):
            return str.encode

        def __exit__(self, *_):
            return None

    def read(data, faces):
        number = int(data)
        assert faces == "largest"
        pixels = np.full((32, 32, 3), number % 256, np.uint8)
        found = [photos.Found(np.zeros((4, 2)), pixels, 1.0)] if number % 4 else []
        return "damaged" if number % 8 == 4 else photos.Photo(pixels, 1, found)

    reader = Reader()
    monkeypatch.setattr(photos, "read", read)
    yield measured
    shipped.open_networks.cache_clear()


def answered(networks, numbers):
    faces = np.stack([np.full((32, 32, 3), n % 256, np.uint8) for n in numbers])
    return shipped.read(*shipped.open_networks(networks), faces)


def test_faces_of_fgnet_are_found_and_their_ages_measured(foreign, networks):
    table = pd.DataFrame({"path": list(map(str, range(80))), "age": np.arange(80.0), "subject": np.arange(80) // 8})
    first, *rows = foreign("fgnet", table)
    assert (first["data"], first["measure"], first["slice"]) == ("FG-NET", "face found", "all")
    assert (first["faces"], first["value"]) == (80, 0.75) and np.isnan(first["low"]) and np.isnan(first["high"])
    seen = np.arange(80)[np.arange(80) % 4 > 0]
    answers = answered(networks, seen)
    found = said(rows)
    assert found["age error, years"] == (60, pytest.approx(np.abs(answers.age - seen).mean()))
    inside = (answers.low <= seen) & (seen <= answers.high)
    assert found["interval holds the age"] == (60, pytest.approx(inside.mean()))


def test_every_fourth_face_of_adience_is_read_and_genders_and_groups_are_measured(foreign, networks):
    count = 640
    table = pd.DataFrame({
        "path": [str(i // 4) for i in range(count)],
        "gender": np.resize(["male"] * 4 + ["female"] * 4 + [None] * 4, count),
        "age_group": np.resize([ages.GROUP_NAMES[2]] * 8 + ["2"] * 4, count), "group": [str(i) for i in range(count)],
    })  # fmt: skip
    first, *rows = foreign("adience", table)
    assert (first["faces"], first["value"]) == (160, 0.75)
    seen = np.arange(160)[np.arange(160) % 4 > 0]
    answers = answered(networks, seen)
    known = seen % 3 < 2
    found = said(rows)
    right = (answers.female > 0.5) == (seen % 3 == 1)
    assert found["gender accuracy"] == (known.sum(), pytest.approx(right[known].mean()))
    sure = np.maximum(answers.female, 1 - answers.female)[known]
    assert found["certainty less gender accuracy"] == (known.sum(), pytest.approx((sure - right[known]).mean()))
    answer = ages.nearest_group(answers.age[known])
    assert found["age group accuracy"] == (known.sum(), pytest.approx((answer == 2).mean()))
    assert found["age group accuracy, one off"] == (known.sum(), pytest.approx((np.abs(answer - 2) < 2).mean()))


def test_a_network_that_answers_otherwise_when_rounded_is_not_shipped(monkeypatch):
    exact, asked = made_networks.network("gender", adjustable=True), []

    def export(run, path, gates):
        asked.append(gates)
        path.write_bytes(exact)
        return path

    monkeypatch.setitem(sys.modules, "gralib.export", SimpleNamespace(export=export))
    faces = hand.people([5.0] * 2)
    configs = (configure("smoke", network=name) for name in ("gra_net", "separable"))
    plain, separable = (hand.run(config, faces, np.eye(2)) for config in configs)
    assert shipping._exported(plain) == shipping.rounded(exact) != exact
    shipping._exported(separable)
    assert asked == [True, False]
    monkeypatch.setattr(made_networks, "weights", lambda count: np.zeros((3072, count), "float32"))
    other = made_networks.network("gender", adjustable=True)
    monkeypatch.setattr(shipping, "rounded", lambda data: other)
    with pytest.raises(
        UserError, match=r"^utkface-gender-.*: expected outputs within 0\.01 when rounded, got 0\.\d+ apart"
    ):
        shipping._exported(plain)


def test_the_command_makes_networks_of_runs_made_here_measures_them_elsewhere_and_writes_their_card(
    tmp_path, monkeypatch
):
    asked = {}
    monkeypatch.setattr("gralib.training.records.made_here", lambda name: f"run {name}")
    monkeypatch.setattr(shipping, "write", lambda *given: asked.update(given=given) or given[1])
    monkeypatch.setattr("gralib.visitors.elsewhere.measured", lambda *given: given)
    monkeypatch.setattr(modelcard, "write", lambda folder: f"card of {folder}")
    done = CliRunner().invoke(app, ["networks", "a", "b", "--out", str(tmp_path), "--fgnet", "faces"])
    assert done.stdout == f"card of {tmp_path}\n", done.exception
    found, folder, measured = asked["given"]
    assert (found, folder) == (["run a", "run b"], tmp_path)
    assert measured("made") == ("made", Path("faces"), None)
    CliRunner().invoke(app, ["networks", "a"])
    assert asked["given"][1] == shipped.FOLDER and asked["given"][2]("made") == ("made", None, None)
