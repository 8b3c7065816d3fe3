"""One run: trained once, read back, resumed bit for bit; and the smoke network learns."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from tiny import SETTINGS, copied
from typer.testing import CliRunner

from gralib import ages, backend, labels, synthetic
from gralib.cli import app
from gralib.config import configure
from gralib.data.faces import open_faces
from gralib.data.splits import fold_count
from gralib.errors import UserError
from gralib.evaluation import measures
from gralib.labels import GENDERS
from gralib.model import losses
from gralib.model.optimizer import reach
from gralib.training import augmentation, experiment, fit, records
from gralib.training.fit import checkpoint

TINY = SETTINGS


@pytest.fixture(scope="module")
def tiny(tiny_run):
    """A whole tiny training of the regression network, which has a loss of its own."""
    return tiny_run("age regression")


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
    steps = record.faces["train"] // record.config.batch_size
    assert record.gate_reach == pytest.approx(reach(record.config, 3 * steps)) and record.gate_reach > 0
    assert not (tiny.folder / "checkpoint.npz").exists()


def test_asked_again_it_is_read_back(tiny, faces, monkeypatch):
    monkeypatch.setattr(fit, "train", lambda *_, **__: pytest.fail("trained again"))
    again = experiment.run(tiny.record.config, faces, store=tiny.folder.parent)
    assert again.record == tiny.record


@pytest.mark.slow
def test_a_run_is_made_again_by_its_name(tiny, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    for folder in ("data/synthetic", "reports", "runs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/synthetic/utkface").symlink_to(drawn)
    shutil.copy(ROOT / "reports/protocol.yaml", tmp_path / "reports")
    copied(tiny, tmp_path / "runs")
    result = CliRunner().invoke(app, ["reproduce", tiny.record.run_id])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"{tiny.record.run_id}: identical"
    again = records.Run(tmp_path / "build/reproduced" / tiny.record.run_id)
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


@pytest.mark.slow
def test_a_grid_of_gates_and_seeds_compiles_once_and_the_order_changes_nothing(faces, tmp_path):
    short = {**TINY, "epochs": 1, "train_faces": 128}
    grid = [{"gate": gate, "seed": seed} for gate in ("trainable", 0.25, 1) for seed in (0, 1)]
    fit.prepare(configure("smoke", **short), 4)
    compiled = fit._compiled.cache_info().misses
    first, second = {}, {}
    for store, settings in ((first, grid), (second, grid[::-1])):
        for i, changes in enumerate(settings):
            config = configure("smoke", **{**short, **changes})
            folder = tmp_path / f"{id(store)}-{i}"
            store[str(changes)] = experiment.run(config, faces, store=folder, progress="none")
    assert fit._compiled.cache_info().misses == compiled
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
                       dataset="fgnet", task="age_category", protocol="leave_one_out", network="separable")  # fmt: skip
    compiled = fit._compiled.cache_info().misses
    runs = experiment.run_folds(config, people, 4, store=tmp_path / "runs", progress="none")
    assert fit._compiled.cache_info().misses == compiled + 1
    tested = [set(run.predictions["path"]) for run in runs]
    assert [len({path.rsplit("/", 1)[-1][:3] for path in paths}) for paths in tested] == [1] * 4
    assert len(set.union(*tested)) == sum(map(len, tested))
    assert len({run.record.faces["train"] // 4 for run in runs}) > 1, "the folds have epochs of different length"
    assert fold_count(config, people.table) == people.table["subject"].nunique()


def test_interrupted_it_goes_on_bit_for_bit(tiny, faces, tmp_path, monkeypatch):
    save, saved = checkpoint.save, []

    def killed_after_the_second_epoch(path, *rest):
        save(path, *rest)
        saved.append(path.name)
        if saved.count("checkpoint.npz") == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", killed_after_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    saved.append("checkpoint.npz")
    epochs = []
    made = fit.Batches.__init__
    monkeypatch.setattr(fit.Batches, "__init__", lambda self, c, e, *r: (epochs.append(e), made(self, c, e, *r))[0])
    again = experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    assert epochs == [2], "finished epochs are not trained again"
    for name in ("predictions.csv.bz2", "history.csv"):
        assert (again.folder / name).read_bytes() == (tiny.folder / name).read_bytes()
    left = {k: v for k, v in again.record.model_dump().items() if k not in ("seconds", "faces_per_second", "finished")}
    assert {k: getattr(tiny.record, k) for k in left} == {k: getattr(again.record, k) for k in left}


@pytest.mark.parametrize("weights", [None, b"cut short"], ids=["gone", "damaged"])
def test_a_whole_checkpoint_without_its_weights_is_trained_anew(weights, tiny, faces, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "load_weights", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    path = tmp_path / tiny.record.run_id / "weights.npz"
    assert path.with_name("checkpoint.npz").exists()
    path.unlink()
    if weights:
        path.write_bytes(weights)
    again = experiment.run(tiny.record.config, faces, store=tmp_path, progress="none")
    assert f"{path}: not there or damaged; this training starts anew" in capsys.readouterr().err
    for name in ("predictions.csv.bz2", "history.csv"):
        assert (again.folder / name).read_bytes() == (tiny.folder / name).read_bytes()


def test_a_finished_run_without_weights_is_trained_where_asked_for_again(faces, made_up, tmp_path, monkeypatch):
    lost = made_up(tmp_path, "gender")
    asked = []
    monkeypatch.setattr(experiment, "_train", lambda config, *_: asked.append(config) or lost)
    assert experiment.run(lost.record.config, faces, tmp_path).record == lost.record
    assert asked == []
    with pytest.raises(UserError, match="not on this machine; gra run --again trains it here"):
        experiment.network(lost)
    experiment.run(lost.record.config, faces, tmp_path, again=True)
    assert asked == [lost.record.config]
    (lost.folder / "weights.npz").touch()
    experiment.run(lost.record.config, faces, tmp_path, again=True)
    assert len(asked) == 1, "with its weights it is read back"


def test_a_network_comes_back_on_the_threads_of_its_process(tiny, monkeypatch):
    monkeypatch.setattr(backend, "_started", 2)
    assert experiment.network(tiny).count_params() == tiny.record.parameters


def test_the_network_comes_back_with_its_weights(tiny, faces):
    test = experiment.split(tiny.record.config, faces.table).test
    outputs = fit.predict(experiment.network(tiny), faces.pixels, test)
    recorded = measures.outputs_of(tiny.record.config, tiny.predictions)
    np.testing.assert_allclose(outputs, recorded, rtol=0, atol=0.005001)  # remainders are kept to a tenth of a year


def test_batches_of_any_size_are_answered_by_one_tracing(faces):
    model = fit.build(configure("smoke", network="separable", width=2))
    rows = np.arange(300) % len(faces.table)
    many = fit.predict(model, faces.pixels, rows)
    by_layers = np.concatenate([model(faces.pixels[rows[:256]]), model(faces.pixels[rows[256:]])])
    np.testing.assert_allclose(many, by_layers, rtol=1e-5, atol=1e-6)
    for size in (1, 40):
        np.testing.assert_allclose(fit.predict(model, faces.pixels, rows[:size]), many[:size], rtol=1e-5, atol=1e-6)
    if backend._backend() == "tensorflow":
        assert model.predict_function.experimental_get_tracing_count() == 1


def test_a_record_without_weights_says_so(tiny, tmp_path):
    from gralib.training.exchange import keep
    from gralib.training.records import Run

    kept = Run(keep(tiny, tmp_path))
    with pytest.raises(UserError, match="weights are not on this machine"):
        experiment.network(kept)


@pytest.fixture(scope="module")
def many_faces(tmp_path_factory):
    """As many drawn people as a network learns something from."""
    folder = tmp_path_factory.mktemp("many")
    synthetic.write("utkface", folder / "utkface", subjects=240)
    return open_faces("utkface", folder / "utkface", cache=folder / "cache", progress=False)


@pytest.mark.parametrize(
    ("task", "score", "epochs"), [("gender", "accuracy", 3), ("age_category", "category_mae_years", 6)]
)
@pytest.mark.slow
def test_a_smoke_network_beats_the_constant_predictor_clearly(task, score, epochs, many_faces, tmp_path):
    run = experiment.run(configure("smoke", task=task, epochs=epochs), many_faces, store=tmp_path, progress="none")
    found = measures.scores_of(run)
    if task == "gender":
        assert found[score].low > found[score].floor + 0.1
    else:
        assert found[score].high < 0.75 * found[score].floor


def test_the_first_folds_or_all(faces, monkeypatch):
    monkeypatch.setattr(experiment, "run", lambda config, faces, store, **_: config.fold)
    assert experiment.run_folds(configure("smoke"), faces, 2) == [0, 1]
    assert experiment.run_folds(configure("smoke"), faces) == experiment.run_folds(configure("smoke"), faces, 9)


def test_too_few_faces_are_refused(faces, tmp_path):
    with pytest.raises(UserError, match="expected at least 512 training faces"):
        experiment.run(configure("smoke", batch_size=512, train_faces=100), faces, store=tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "loss_of", lambda *_: float("nan"))
    with pytest.raises(UserError, match="the loss is no number after epoch 1"):
        experiment.run(configure("smoke", **TINY, network="separable"), faces, store=tmp_path, progress="none")
    assert not list(tmp_path.rglob("record.json"))


def test_losses_are_those_that_training_lowers():
    import keras

    rng = np.random.default_rng(0)
    outputs = rng.dirichlet(np.ones(12), 40).astype("float32")
    categories = np.eye(12, dtype="float32")[rng.integers(0, 12, 40)]
    expected = float(keras.ops.mean(keras.losses.categorical_crossentropy(categories, outputs)))
    assert losses.loss_of(configure("smoke", task="age_category"), categories, outputs) == pytest.approx(expected)
    pairs = np.stack([categories.argmax(axis=1), rng.random(40)], axis=1).astype("float32")
    expected = float(keras.ops.mean(losses.remainder_error(keras.ops.convert_to_tensor(pairs), outputs)))
    assert losses.loss_of(configure("smoke", task="age_regression"), pairs, outputs) == pytest.approx(expected)
    two = rng.dirichlet(np.ones(2), 40).astype("float32")
    genders = np.eye(2, dtype="float32")[rng.integers(0, 2, 40)]
    expected = float(keras.ops.mean(keras.losses.binary_crossentropy(genders, two)))
    assert losses.loss_of(configure("smoke", task="gender"), genders, two) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("width", [1, 10])
def test_an_age_from_categories_is_what_their_training_faces_average(width):
    config = configure("laptop", task="age_category", age_width=width)
    years = np.arange(117)
    train = pd.DataFrame({"age": [31.0, 31, 37, 60]})
    constants = experiment.constants_of(config, train)
    means = np.array(constants["category_means"])
    middles = ages.middles(width)
    assert len(means) == len(labels.class_names(config))
    seen = {31: 31.0, 37: 37.0, 60: 60.0} if width == 1 else {30: 33.0, 60: 60.0}
    for age, mean in seen.items():
        assert means[age // width] == pytest.approx(mean)
        middles[age // width] = mean
    assert means.tolist() == middles.tolist(), "a category nobody is in stands for its middle"
    sure = pd.DataFrame(np.eye(len(means))[years // width], columns=[f"p_{n}" for n in labels.class_names(config)])
    errors = measures.measures(config, sure.assign(age=years), constants)["category_mae_years"][0]
    assert errors.tolist() == pytest.approx(np.abs(years - means[years // width]).tolist())
    if width == 1:
        assert errors.max() == pytest.approx(0), "a perfect network of one-year categories makes no error"


def test_augmentation_mirrors_shifts_and_repeats_itself():
    face = np.arange(32 * 32 * 3).reshape(1, 32, 32, 3).astype("uint8")
    many, mirrored = np.repeat(face, 2000, axis=0), np.random.default_rng(1).random(2000) < 0.5
    config = configure("smoke", recipe="keras")
    once = augmentation.augment(many, mirrored, config, np.random.default_rng(5))
    np.testing.assert_array_equal(once, augmentation.augment(many, mirrored, config, np.random.default_rng(5)))
    assert once.shape == many.shape and once.dtype == np.uint8
    pads = [np.pad(f, ((2, 2), (2, 2), (0, 0)), mode="edge") for f in (face[0], face[0, :, ::-1])]
    allowed = {pad[i : i + 32, j : j + 32].tobytes() for pad in pads for i in range(5) for j in range(5)}
    assert {picture.tobytes() for picture in once} == allowed, "all 50 ways occur among 2000 faces, and no other"


def test_initial_weights_depend_on_the_seed_alone():
    weights = []
    for seed in (3, 3, 4):
        config = configure("smoke", recipe="keras", width=2, seed=seed)
        model = fit.build(config)
        fit.initialise(model, config)
        weights.append([np.asarray(w) for w in model.weights])
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


@pytest.mark.parametrize("start", ["glorot", "he", "zero", "dirac"])
def test_the_last_convolution_of_a_residual_unit_starts_as_asked(start):
    config = configure("smoke", width=8, start=start)
    model = fit.build(config)
    fit.initialise(model, config)
    last = np.asarray(model.get_layer("tail2_conv3").kernel)
    plain = np.asarray(model.get_layer("tail2_conv2").kernel)
    assert last.shape == (1, 1, 256, 256) and plain.shape == (3, 3, 256, 256)
    fan = 9 * 256
    expected = np.sqrt(2 / fan) if start == "he" else np.sqrt(2 / (2 * fan))
    assert plain.std() == pytest.approx(expected, rel=0.01)
    if start in ("zero", "dirac"):
        np.testing.assert_array_equal(last[0, 0], np.eye(256) if start == "dirac" else np.zeros((256, 256)))
    else:
        assert last.std() == pytest.approx(expected * 3, rel=0.01)


def test_a_network_that_differs_from_its_configuration_is_refused(monkeypatch):
    wrong, _ = fit._compiled(fit.shape(configure("smoke", width=2, modules=(2, 1, 1))))
    monkeypatch.setattr(fit, "_compiled", lambda config: (wrong, [np.asarray(v) for v in checkpoint.state(wrong)]))
    with pytest.raises(RuntimeError, match="the compiled one differs"):
        fit.prepare(configure("smoke", width=2), 4)


def test_without_held_out_faces_everyone_trains_and_the_last_epoch_counts(faces, tmp_path):
    settings = {**TINY, "epochs": 2, "network": "separable"}
    config = configure("smoke", **settings, held_out=0.0, averaging=0.9)
    done = experiment.run(config, faces, store=tmp_path, progress="none")
    assert done.record.faces["validation"] == 0 and 150 <= done.record.faces["train"] <= 160, (
        "all but those of unknown gender"
    )
    assert done.record.chosen_epoch == 2 and "validation_loss" not in done.history


def test_while_a_recipe_is_chosen_the_test_faces_sit_out(faces):
    plain = configure("smoke", train_faces=None)
    tuning = plain.model_copy(update={"tuning": True})
    ours, theirs = experiment.split(plain, faces.table), experiment.split(tuning, faces.table)
    used = np.concatenate([theirs.train, theirs.validation, theirs.test])
    assert not set(used) & set(ours.test)
    assert len(set(used)) == len(used) == len(ours.train) + len(ours.validation)
    assert 0.15 < len(theirs.test) / len(used) < 0.25


def test_smoothed_targets_keep_their_sum_by_head():
    config = configure("smoke", network="savchenko", label_smoothing=0.1)
    truth = np.zeros((2, 14), "float32")
    truth[0, [1, 5]] = 1
    truth[1, 0] = 1  # the age is unknown
    soft = fit.smooth(config, truth)
    np.testing.assert_allclose(soft[0, :2], [0.05, 0.95], rtol=1e-6)
    np.testing.assert_allclose(soft[0, 2:].sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(soft[0, 5], 0.9 + 0.1 / 12, rtol=1e-6)
    assert not soft[1, 2:].any()


def test_augmentation_of_each_kind():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (50, 32, 32, 3)).astype("uint8")
    still = np.zeros(50, bool)
    config = configure("smoke", recipe="keras", shift=0)
    np.testing.assert_array_equal(augmentation.augment(faces, still, config, rng), faces)
    np.testing.assert_array_equal(augmentation.augment(faces, ~still, config, rng), faces[:, :, ::-1])
    cut = augmentation.augment(faces, still, config.model_copy(update={"cutout": 8}), rng)
    grey = (cut != faces).any(axis=-1)
    assert (cut[grey] == augmentation.GREY).all() and 16 <= grey.sum(axis=(1, 2)).max() <= 64
    assert grey.sum(axis=(1, 2)).min() >= 10, "every face has a square, or what of it lies inside"
    zoomed = augmentation.augment(faces, still, config.model_copy(update={"zoom": 0.2}), rng)
    assert zoomed.shape == faces.shape and zoomed.dtype == np.uint8
    ramp = np.broadcast_to(np.arange(0, 256, 8, dtype="uint8")[None, None, :, None], faces.shape)
    slopes = np.diff(
        augmentation.augment(ramp, still, config.model_copy(update={"zoom": 0.2}), rng)[:, 16, 8:24, 0].astype(float)
    ).mean(axis=1)
    assert 8 / 1.21 < slopes.min() < 7.5 and 8.5 < slopes.max() < 8 * 1.21


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [2, 5, 4, 7, 116, 71, 137, 101]),
        ({"mirror": "alternating", "shift": 0}, [2, 5, 4, 7, 122, 80, 71, 98]),
        ({"cutout": 9}, [2, 5, 4, 7, 116, 102.319, 137.486, 101]),
        ({"zoom": 0.2}, [2, 5, 4, 7, 117.757, 82, 136.132, 98.465]),
        ({"mixup": 0.3}, [3.479, 4.507, 3.014, 7, 93.81, 103.545, 126.645, 101]),
    ],
    ids=["moved", "alternating", "cutout", "zoom", "mixup"],
)
def test_the_augmented_faces_of_seed_0_are_those_stored(changes, expected):
    """Means of some faces of a step, and their row numbers: another draw would train other networks."""
    y, x, number = np.mgrid[:32, :32, :8]
    pixels = np.stack([(3 * x + 2 * y + 9 * number) % 256] * 3, axis=-1).transpose(2, 0, 1, 3).astype("uint8")
    config = configure("smoke", recipe="keras", batch_size=4, seed=0, **changes)
    faces, truth = augmentation.Batches(config, 3, pixels, np.arange(8), np.arange(8.0)[:, None])[1]
    found = [*truth[:, 0], *faces[:, 4:20, :9].mean(axis=(1, 2, 3))]
    assert found == pytest.approx(expected, abs=0.01)


def test_alternating_mirrors_show_each_face_both_ways_in_two_epochs():
    config = configure("smoke", recipe="keras", mirror="alternating", shift=0, batch_size=50, seed=1)
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 4, 4, 3)).astype("uint8")
    seen = [{}, {}]
    for epoch in (0, 1):
        part = augmentation.Batches(config, epoch, pixels, np.arange(1000), np.arange(1000)[:, None])
        for step in range(len(part)):
            for face, row in zip(*part[step], strict=True):
                seen[epoch][int(row[0])] = bool((face == pixels[row[0]]).all())
    assert set(seen[0]) == set(range(1000))
    assert all(seen[0][row] != seen[1][row] for row in seen[0])
    assert np.mean(list(seen[0].values())) == pytest.approx(0.5, abs=0.05)


def test_mixed_faces_carry_mixed_targets():
    rng = np.random.default_rng(0)
    faces = np.repeat(np.array([0, 255], "uint8"), 4)[:, None, None, None] * np.ones((8, 4, 4, 3), "uint8")
    truth = np.eye(2, dtype="float32")[np.repeat([0, 1], 4)]
    mixed, targets = augmentation.mix(faces, truth, 0.4, rng)
    np.testing.assert_allclose(mixed[:, 0, 0, 0] / 255, targets[:, 1], atol=1e-5)
    assert ((targets > 0.01) & (targets < 0.99)).any()


def test_ages_are_joined_from_two_runs_that_belong_together(made_up, tmp_path):
    category, regression = made_up(tmp_path, "age_category"), made_up(tmp_path, "age_regression")
    joined = measures.join_ages(category, regression)
    assert len(joined) == category.record.faces["test"]
    first = category.predictions.filter(like="p_").iloc[0].to_numpy()
    inside = regression.predictions.filter(like="r_").iloc[0].to_numpy()
    assert joined["predicted"].iloc[0] == pytest.approx((first * (10 * np.arange(12) + 10 * inside)).sum())
    with pytest.raises(UserError, match="other test faces or categories"):
        measures.join_ages(category, made_up(tmp_path, "age_regression", age_width=20))


def test_a_gender_table_names_both_outputs(made_up, tmp_path):
    table = made_up(tmp_path, "gender").predictions
    assert list(table.columns) == ["path", "age", "age_group", "gender", "group", *[f"p_{g}" for g in GENDERS]]
