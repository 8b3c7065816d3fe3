"""One run: trained once, read back, resumed bit for bit; and the smoke network learns."""

import shlex
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from typer.testing import CliRunner

from gralib import appendix, batches, experiment, records, tasks, training
from gralib.cli import app
from gralib.config import configure
from gralib.datasets import synthetic
from gralib.errors import UserError
from gralib.faces import open_faces
from gralib.manifest import GENDERS
from gralib.protocols import fold_count

TINY = {"width": 2, "epochs": 3, "train_faces": 160, "batch_size": 32}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def tiny(faces, store):
    """A whole tiny training of the regression network, which has a loss of its own."""
    return experiment.run(configure("smoke", task="age_regression", **TINY), faces, store=store, progress="none")


def test_a_run_leaves_a_record_predictions_and_history(tiny, faces):
    record = tiny.record
    assert record.synthetic
    assert record.fingerprint == faces.fingerprint
    assert record.environment["backend"] == "tensorflow"
    assert record.environment["threads"] == 1
    parts = experiment.split(record.config, faces.table)
    assert len(tiny.predictions) == len(parts.test) == record.faces["test"]
    assert list(tiny.predictions["path"]) == list(faces.table["path"].iloc[parts.test])
    history = tiny.history
    assert list(history["epoch"]) == [1, 2, 3]
    assert history.filter(like="gate_").shape == (3, 3)
    assert record.chosen_epoch == history["validation_loss"].idxmin() + 1
    assert record.gates["stage1_module1"] == pytest.approx(
        history.set_index("epoch")["gate_stage1_module1"][record.chosen_epoch], abs=1e-5
    )
    assert not (tiny.folder / "checkpoint.npz").exists()


def test_asked_again_it_is_read_back(tiny, faces, store, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
    again = experiment.run(tiny.record.config, faces, store=store)
    assert again.record == tiny.record


def test_the_command_in_the_report_makes_the_same_run_again(tiny, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    (tmp_path / "data/synthetic").mkdir(parents=True)
    (tmp_path / "data/synthetic/utkface").symlink_to(drawn)
    _, *words = shlex.split(appendix.command([tiny]))
    result = CliRunner().invoke(app, [*words, "--progress", "none"])
    assert result.exit_code == 0, result.output
    again = records.Run(tmp_path / "runs" / tiny.record.run_id)
    assert again.predictions.equals(tiny.predictions)
    assert again.history.equals(tiny.history)


def test_asked_for_twice_at_once_it_is_trained_once(faces, made_up, tmp_path, monkeypatch):
    trained = []

    def slowly(config, *_):
        trained.append(config)
        time.sleep(0.5)
        return made_up(tmp_path, "gender")

    monkeypatch.setattr(experiment, "_train", slowly)
    config = configure("smoke", task="gender", epochs=3)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(experiment.run, config, faces, tmp_path) for _ in range(2)]
        assert both[0].result().record == both[1].result().record
    assert len(trained) == 1


def test_a_grid_of_gates_and_seeds_compiles_once_and_the_order_changes_nothing(tiny, faces, tmp_path):
    short = {**TINY, "epochs": 1, "train_faces": 128}
    grid = [{"gate": gate, "seed": seed} for gate in ("trainable", 0.25, 1) for seed in (0, 1)]
    training._compiled.cache_clear()
    first, second = {}, {}
    for store, settings in ((first, grid), (second, grid[::-1])):
        for i, changes in enumerate(settings):
            config = configure("smoke", **{**short, **changes})
            folder = tmp_path / f"{id(store)}-{i}"
            store[str(changes)] = experiment.run(config, faces, store=folder, progress="none")
    assert training._compiled.cache_info().misses == 1
    for key, run in first.items():
        for name in ("predictions.csv.bz2", "history.csv"):
            assert (run.folder / name).read_bytes() == (second[key].folder / name).read_bytes()
    frozen = first[str({"gate": 0.25, "seed": 1})].record
    assert set(frozen.gates.values()) == {0.25}
    assert frozen.trainable_parameters == first[str(grid[0])].record.trainable_parameters - 3
    assert len({run.predictions.to_csv() for run in first.values()}) == len(grid)


def test_leave_one_person_out_compiles_once_though_folds_differ_in_size(tmp_path):
    synthetic.write("fgnet", tmp_path / "fgnet", subjects=40)
    people = open_faces("fgnet", tmp_path / "fgnet", cache=tmp_path / "c", progress=False)
    config = configure("smoke", **TINY | {"epochs": 1, "batch_size": 4, "train_faces": None},
                       dataset="fgnet", task="age_category", protocol="leave_one_out")  # fmt: skip
    training._compiled.cache_clear()
    runs = experiment.run_folds(config, people, 4, store=tmp_path / "runs", progress="none")
    assert training._compiled.cache_info().misses == 1
    tested = [set(run.predictions["path"]) for run in runs]
    assert [len({path.rsplit("/", 1)[-1][:3] for path in paths}) for paths in tested] == [1] * 4
    assert len(set.union(*tested)) == sum(map(len, tested))
    assert len({run.record.faces["train"] // 4 for run in runs}) > 1, "the folds have epochs of different length"
    assert fold_count(config, people.table) == people.table["subject"].nunique()


def test_interrupted_it_goes_on_bit_for_bit(tiny, faces, tmp_path, monkeypatch):
    save, saved = training._save, []

    def killed_after_the_second_epoch(path, *rest):
        save(path, *rest)
        saved.append(path.name)
        if saved.count("checkpoint.npz") == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_save", killed_after_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    saved.append("checkpoint.npz")
    epochs = []
    fit = training.Batches.__init__
    monkeypatch.setattr(training.Batches, "__init__", lambda self, c, e, *r: (epochs.append(e), fit(self, c, e, *r))[0])
    again = experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    assert epochs == [2], "finished epochs are not trained again"
    for name in ("predictions.csv.bz2", "history.csv"):
        assert (again.folder / name).read_bytes() == (tiny.folder / name).read_bytes()
    left = {k: v for k, v in again.record.model_dump().items() if k not in ("seconds", "faces_per_second", "finished")}
    assert {k: getattr(tiny.record, k) for k in left} == {k: getattr(again.record, k) for k in left}


def test_the_network_comes_back_with_its_weights(tiny, faces):
    test = experiment.split(tiny.record.config, faces.table).test
    outputs = training.predict(experiment.network(tiny), faces.pixels, test)
    recorded = experiment.outputs_of(tiny.record.config, tiny.predictions)
    np.testing.assert_allclose(outputs, recorded, rtol=0, atol=0.005001)  # remainders are kept to a tenth of a year


def test_a_record_without_weights_says_so(tiny, tmp_path):
    from gralib.records import Run
    from gralib.transfer import keep

    kept = Run(keep(tiny, tmp_path))
    with pytest.raises(UserError, match="weights are not on this machine"):
        experiment.network(kept)


@pytest.mark.parametrize(("task", "score"), [("gender", "accuracy"), ("age_category", "category_mae_years")])
def test_a_smoke_network_beats_the_constant_predictor_clearly(task, score, tmp_path_factory):
    from gralib.datasets import synthetic
    from gralib.faces import open_faces

    folder = tmp_path_factory.mktemp("smoke")
    synthetic.write("utkface", folder / "utkface")
    faces = open_faces("utkface", folder / "utkface", cache=folder / "cache", progress=False)
    run = experiment.run(configure("smoke", task=task), faces, store=folder / "runs", progress="none")
    found = experiment.scores_of(run)
    if task == "gender":
        assert found[score].low > found[score].floor + 0.1
    else:
        assert found[score].high < 0.75 * found[score].floor


def test_too_few_faces_are_refused(faces, tmp_path):
    with pytest.raises(UserError, match="expected at least 512 training faces"):
        experiment.run(configure("smoke", batch_size=512, train_faces=100), faces, store=tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "loss_of", lambda *_: float("nan"))
    with pytest.raises(UserError, match="the loss is no number after epoch 1"):
        experiment.run(configure("smoke", **TINY), faces, store=tmp_path, progress="none")
    assert not list(tmp_path.rglob("record.json"))


def test_losses_are_those_that_training_lowers():
    import keras

    rng = np.random.default_rng(0)
    outputs = rng.dirichlet(np.ones(12), 40).astype("float32")
    categories = np.eye(12, dtype="float32")[rng.integers(0, 12, 40)]
    expected = float(keras.ops.mean(keras.losses.categorical_crossentropy(categories, outputs)))
    assert tasks.loss_of(configure("smoke", task="age_category"), categories, outputs) == pytest.approx(expected)
    pairs = np.stack([categories.argmax(axis=1), rng.random(40)], axis=1).astype("float32")
    expected = float(keras.ops.mean(tasks.remainder_error(keras.ops.convert_to_tensor(pairs), outputs)))
    assert tasks.loss_of(configure("smoke", task="age_regression"), pairs, outputs) == pytest.approx(expected)
    two = rng.dirichlet(np.ones(2), 40).astype("float32")
    genders = np.eye(2, dtype="float32")[rng.integers(0, 2, 40)]
    expected = float(keras.ops.mean(keras.losses.binary_crossentropy(genders, two)))
    assert tasks.loss_of(configure("smoke", task="gender"), genders, two) == pytest.approx(expected, rel=1e-4)


def test_augmentation_mirrors_shifts_and_repeats_itself():
    face = np.arange(32 * 32 * 3).reshape(1, 32, 32, 3).astype("uint8")
    many = np.repeat(face, 2000, axis=0)
    once = batches.augment(many, np.random.default_rng(5))
    np.testing.assert_array_equal(once, batches.augment(many, np.random.default_rng(5)))
    assert once.shape == many.shape and once.dtype == np.uint8
    pads = [np.pad(f, ((2, 2), (2, 2), (0, 0)), mode="edge") for f in (face[0], face[0, :, ::-1])]
    allowed = {pad[i : i + 32, j : j + 32].tobytes() for pad in pads for i in range(5) for j in range(5)}
    assert {picture.tobytes() for picture in once} == allowed, "all 50 ways occur among 2000 faces, and no other"


def test_initial_weights_depend_on_the_seed_alone():
    config = configure("smoke", width=2)
    weights = []
    for seed in (3, 3, 4):
        model = training.build(config)
        training.initialise(model, seed)
        weights.append([np.asarray(w) for w in model.weights])
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


def test_ages_are_joined_from_two_runs_that_belong_together(made_up, tmp_path):
    category, regression = made_up(tmp_path, "age_category"), made_up(tmp_path, "age_regression")
    joined = experiment.join_ages(category, regression)
    assert len(joined) == category.record.faces["test"]
    first = category.predictions.filter(like="p_").iloc[0].to_numpy()
    inside = regression.predictions.filter(like="r_").iloc[0].to_numpy()
    assert joined["predicted"].iloc[0] == pytest.approx((first * (10 * np.arange(12) + 10 * inside)).sum())
    with pytest.raises(UserError, match="other test faces or categories"):
        experiment.join_ages(category, made_up(tmp_path, "age_regression", age_width=20))


def test_a_gender_table_names_both_outputs(made_up, tmp_path):
    table = made_up(tmp_path, "gender").predictions
    assert list(table.columns) == ["path", "age", "age_group", "gender", "group", *[f"p_{g}" for g in GENDERS]]
