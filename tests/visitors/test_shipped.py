"""The shipped networks: whole or refused, rounded within their tolerance, calibrated as known answers say."""

import made_networks
import numpy as np
import pandas as pd
import pytest

from gralib import files, networkfile
from gralib.errors import UserError
from gralib.labels import output_names
from gralib.predict import Network
from gralib.visitors import modelcard, shipped, shipping

FACES = np.random.default_rng(3).integers(0, 256, (12, 32, 32, 3)).astype("uint8")


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory):
    """A folder like that of the shipped networks, of tiny ones drawn faces trained: gender with gates, age without."""
    folder = shipping.write([tiny_run("gender"), tiny_run("age category, separable")], tmp_path_factory.mktemp("made"))
    modelcard.write(folder)
    return folder


def copied(folder, target):
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_quantile_of_split_conformal_prediction():
    assert shipping.conformal(np.arange(1.0, 20.0), 0.9) == 18  # the 18th of 19: ceil(20 * 0.9)
    assert shipping.conformal(np.arange(1.0, 10.0), 0.9) == 9
    with pytest.raises(UserError, match="expected more than 9 faces, got 8"):
        shipping.conformal(np.arange(8.0), 0.9)


def test_the_interval_holds_what_it_promises_on_faces_that_did_not_fit_it():
    rng = np.random.default_rng(0)
    spread = rng.uniform(1, 10, 20000)
    off = np.abs(rng.normal(0, spread))
    quantile = shipping.conformal((off / spread)[:2000], 0.9)
    assert quantile == pytest.approx(1.645, abs=0.08)
    assert (off <= quantile * spread)[2000:].mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("sureness", [2.5, 9])
def test_the_temperature_that_made_a_network_too_sure_is_found_again(sureness):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 5 / sureness, 40000)
    female = rng.random(40000) < 1 / (1 + np.exp(-logits))
    sure = 1 / (1 + np.exp(-sureness * logits))  # so many times too sure
    outputs, true = np.stack([1 - sure, sure], axis=1), np.stack([~female, female], axis=1)
    temperature = shipping.fit_temperature(outputs, true)
    assert temperature == pytest.approx(sureness, rel=0.05)
    calibration = shipped.Calibration(runs={}, temperature=sureness, category_means=[1], level=0.9, quantile=1)
    np.testing.assert_allclose(calibration.probability(outputs)[:, 1], 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_an_age_and_its_interval_by_hand():
    calibration = shipped.Calibration(
        runs={}, temperature=1, category_means=[5, 14, 25, *[0] * 9], level=0.9, quantile=2
    )
    category = np.zeros((2, 12))
    category[0, 1], category[1, :3] = 1, (0.5, 0, 0.5)
    age, low, high = calibration.years(category, None, 10)
    assert age.tolist() == [14, 15]
    inside = 100 / 12
    assert high - age == pytest.approx([2 * (np.sqrt(inside) + 1), 2 * (np.sqrt(100 + inside) + 1)])
    assert low == pytest.approx([14 - 2 * (np.sqrt(inside) + 1), 0])
    remainder = np.full((2, 12), 0.5)
    assert calibration.years(category, remainder, 10)[0].tolist() == [15, 15]


def test_a_group_is_never_parted_by_the_calibration():
    group = pd.Series(np.random.default_rng(0).integers(0, 300, 1000))
    fits = shipping.half(group)
    assert 0.4 < fits.mean() < 0.6
    assert not set(group[fits]) & set(group[~fits])


@pytest.mark.slow
def test_weights_are_rounded_to_half_precision_and_the_answers_stay(tiny_network, tmp_path):
    data = shipping.rounded(tiny_network.read_bytes())
    packed = networkfile.pack(data)
    (tmp_path / "x.onnx.xz").write_bytes(packed)
    assert len(packed) < 0.8 * len(networkfile.pack(tiny_network.read_bytes()))
    first, second = Network(tiny_network), Network(tmp_path / "x.onnx.xz")
    assert first.card == second.card
    apart = np.abs(first.outputs(FACES) - second.outputs(FACES)).max()
    assert 0 < apart <= shipping.TOLERANCE


def test_rounding_goes_to_the_nearest_half_float():
    import onnx

    values = np.random.default_rng(0).normal(0, 0.1, 2000).astype("float32")
    graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(values, "w")])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, {networkfile.KEY: "{}"})
    proto = onnx.load_from_string(shipping.rounded(model.SerializeToString()))
    kept = onnx.numpy_helper.to_array(proto.graph.initializer[0])
    normal = np.abs(values) > 2.0**-14
    np.testing.assert_array_equal(kept[normal], values[normal].astype("float16").astype("float32"))


@pytest.mark.slow
def test_a_folder_of_networks_reads_as_its_runs_do(trained, tiny_run):
    reader, calibration = shipped.open_networks(trained)
    assert reader.synthetic and set(reader.networks) == {"gender", "age_category"}
    assert calibration.runs == {task: network.card.run_id for task, network in reader.networks.items()}
    answers = shipped.read(reader, calibration, FACES)
    category = reader.networks["age_category"].outputs(FACES)
    np.testing.assert_allclose(answers.age, category @ np.array(calibration.category_means), atol=1e-6)
    assert (answers.low <= answers.age).all() and (answers.age <= answers.high).all()
    other = shipped.read(reader, calibration, FACES, {"stage1_module1": 1.0})
    assert np.abs(other.female - answers.female).max() > 1e-5  # the gates reach the network


def test_answers_are_the_outputs_calibrated(networks):
    """The networks made by hand: their outputs are a formula, their temperature two."""
    reader, calibration = shipped.open_networks(networks)
    for gates in (made_networks.GATES, {"stage1_module1": 1.0, "stage2_module1": 0.0, "stage3_module1": 0.5}):
        found = shipped.read(reader, calibration, FACES, gates)
        odds = made_networks.answers(FACES, 2, gates) ** 0.5
        np.testing.assert_allclose(found.female, odds[:, 1] / odds.sum(axis=1), atol=1e-6)
    category = made_networks.answers(FACES, 12)
    age, half = shipped.expected(category, None, 10, calibration.category_means)
    np.testing.assert_allclose(found.age, age, atol=1e-4)
    np.testing.assert_allclose(found.low, np.maximum(age - 1.5 * half, 0), atol=1e-4)
    np.testing.assert_allclose(found.high, np.minimum(age + 1.5 * half, 116), atol=1e-4)


def test_what_was_measured_is_what_the_records_say(trained, tiny_run):
    table = pd.read_csv(trained / shipped.MEASURED).set_index(["measure", "slice"])
    run = tiny_run("gender")
    outputs = run.predictions[output_names(run.record.config)].to_numpy()
    right = np.array(["male", "female"])[outputs.argmax(axis=1)] == run.tested["gender"].to_numpy()
    assert table.loc[("gender accuracy", "all"), "value"] == pytest.approx(right.mean(), abs=1e-4)
    women = run.tested["gender"].to_numpy() == "female"
    assert table.loc[("gender accuracy", "gender female"), "value"] == pytest.approx(right[women].mean(), abs=1e-3)
    judged = table.loc[("interval holds the age", "all"), "faces"]
    assert judged < table.loc[("age error, years", "all"), "faces"]  # the other half fitted it


def test_every_damage_to_the_folder_is_one_line(networks, tmp_path):
    folder = copied(networks, tmp_path)
    path = folder / "gender.onnx.xz"
    data = path.read_bytes()
    path.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
    with pytest.raises(UserError, match=r"gender\.onnx\.xz: changed since it was written"):
        shipped.checked(folder)
    path.unlink()
    with pytest.raises(UserError, match=r"gender\.onnx\.xz: changed since .*, got no file"):
        shipped.checked(folder)
    (folder / shipped.SUMS).write_text("0" * 64 + "  ../secret\n")
    with pytest.raises(UserError, match="names of files in this folder"):
        shipped.checked(folder)
    with pytest.raises(UserError, match="make them: gra networks"):
        shipped.checked(folder / "gone")


def test_a_calibration_of_other_networks_is_refused(networks, tmp_path):
    folder = copied(networks, tmp_path)
    calibration = shipped.open_networks(folder)[1]
    names = shipped.checked(folder)
    other = calibration.model_copy(update={"runs": {"gender": "somebody-else"}})
    (folder / shipped.CALIBRATION).write_text(other.model_dump_json())
    files.write_sums(folder, files.digests(folder, names))
    shipped.open_networks.cache_clear()
    with pytest.raises(UserError, match=r"calibration\.json: expected the runs"):
        shipped.open_networks(folder)
    (folder / shipped.CALIBRATION).write_text(calibration.model_dump_json().replace(":2.0", ":-2.0"))
    files.write_sums(folder, files.digests(folder, names))
    with pytest.raises(UserError, match=r"calibration\.json: temperature: expected greater than 0, got -2\.0$"):
        shipped.open_networks(folder)


def test_an_xz_file_that_unpacks_to_more_than_a_network_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x.onnx.xz").write_bytes(networkfile.pack(bytes(4 << 20)))
    monkeypatch.setattr(networkfile, "LARGEST", 1 << 20)
    with pytest.raises(UserError, match="at most 1 MiB, got one cut short or larger"):
        networkfile.read(tmp_path / "x.onnx.xz")
    (tmp_path / "x.onnx.xz").write_bytes(networkfile.XZ + b"nonsense")
    with pytest.raises(UserError, match="damaged file"):
        networkfile.read(tmp_path / "x.onnx.xz")


def test_the_card_says_what_is_in_the_folder(trained):
    text = (trained / shipped.CARD).read_text()
    assert "Drawn faces trained these networks" in text and "non-commercial research" in text
    table = pd.read_csv(trained / shipped.MEASURED).set_index(["measure", "slice"])
    value = table.loc[("gender accuracy", "all"), "value"]
    assert f"{100 * value:.1f} % [" in text
    for network in shipped.open_networks(trained)[0].networks.values():
        assert network.card.run_id in text
    assert modelcard.write(trained).read_text() == text


def test_runs_that_make_no_set_of_networks_are_refused(tiny_run, tmp_path):
    with pytest.raises(UserError, match="runs: expected one of gender, one of age_category"):
        shipping.write([tiny_run("gender")], tmp_path)
    with pytest.raises(UserError, match="got gender, gender"):
        shipping.write([tiny_run("gender"), tiny_run("gender")], tmp_path)


def test_the_shipped_networks_are_whole_and_small():
    if not (shipped.FOLDER / shipped.SUMS).exists():
        pytest.skip("no networks are shipped yet")
    reader, calibration = shipped.open_networks()
    assert not reader.synthetic and {"gender", "age_category"} <= set(reader.networks)
    assert all(network.adjustable and network.card.dataset == "utkface" for network in reader.networks.values())
    assert sum(path.stat().st_size for path in shipped.FOLDER.iterdir()) <= shipping.LARGEST
    table = pd.read_csv(shipped.FOLDER / shipped.MEASURED).set_index(["data", "measure", "slice"])["value"]
    assert table["UTKFace", "interval holds the age", "all"] == pytest.approx(calibration.level, abs=0.03)
