"""Exported networks answer as Keras does, in any setting of the gates, and a strange file is refused in one line."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pytest

from gralib import ages, cli, export, labels, predict
from gralib.config import configure
from gralib.errors import UserError
from gralib.model.network import gate_layers, mask_model
from gralib.training import fit, records
from gralib.training.fit import checkpoint

FACES = np.random.default_rng(3).integers(0, 256, (70, 32, 32, 3)).astype("uint8")
CLOSE = {"rtol": 0, "atol": 1e-4}


NETWORKS = {
    "gender": {},
    "age_category": {"attention": "channel", "upsampling": "nearest", "age_width": 9},
    "age_regression": {"attention": "spatial", "groups": 2, "age_width": 9, "gate": 0.3},
    "levi_hassner": {"task": "gender", "network": "levi_hassner"},
    "savchenko": {"task": "gender", "network": "savchenko"},
    "separable": {"task": "gender", "network": "separable", "mirrored_prediction": True, "precision": "mixed_bfloat16"},
}
"""What is exported here, by name; together all attentions, upsamplings and baselines of its own layers."""


def liven(model):
    """Draw scales, offsets and gates, and take the statistics of batch norm from some faces, as training would."""
    rng = np.random.default_rng(0)
    ranges = {"gamma": (0.8, 1.5), "beta": (-0.3, 0.3), "logit": (0.2, 1.2)}
    for weight in model.weights:
        if weight.name in ranges:
            weight.assign(rng.uniform(*ranges[weight.name], weight.shape))
    for layer in model._flatten_layers():
        if hasattr(layer, "momentum"):
            layer.momentum = 0
    model(FACES, training=True)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """A function that returns what an export needs of a finished run, its weights drawn and livened."""

    def make(task="gender", **changes):
        config = configure("smoke", task=task, width=4, **changes)
        record = SimpleNamespace(config=config, run_id=config.run_id("0" * 12), fingerprint="0" * 12, synthetic=True)
        run = SimpleNamespace(folder=tmp_path_factory.mktemp("run"), record=record, model=None)
        if config.network != "hog":
            run.model = fit.build(config)
            liven(run.model)
            checkpoint.save(run.folder / "weights.npz", run.model.weights)
        return run

    return make


@dataclass
class Exported:
    path: Path
    run: SimpleNamespace
    model: keras.Model
    outputs: np.ndarray


@pytest.fixture(scope="module")
def exported(run_of):
    """A function that returns an exported network beside Keras' in float32, each made once; gender's with gates."""

    @cache
    def make(name):
        run = run_of(**{"task": name, **NETWORKS[name]})
        config = run.record.config
        model = run.model
        if config.precision != "float32":
            model = fit.build(config.model_copy(update={"precision": "float32"}))
            checkpoint.load_weights(model, run.folder)
        outputs = np.asarray(model(FACES))
        if config.mirrored_prediction:
            outputs = (outputs + np.asarray(model(FACES[:, :, ::-1]))) / 2
        outputs = outputs[:, : len(labels.class_names(config))]
        return Exported(export.export(run, gates=name == "gender"), run, model, outputs)

    return make


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_an_exported_network_answers_as_keras_does(exported, name):
    e = exported(name)
    network = predict.Network(e.path)
    assert np.ptp(e.outputs, axis=0).max() > 0.01  # the faces differ
    np.testing.assert_allclose(network.outputs(FACES), e.outputs, **CLOSE)
    np.testing.assert_allclose(network.outputs(FACES[:1]), e.outputs[:1], **CLOSE)
    card, record = network.card, e.run.record
    assert (card.run_id, card.task, card.fingerprint) == (record.run_id, record.config.task, record.fingerprint)
    assert card.classes == labels.class_names(record.config) and card.synthetic
    assert list(card.gates.values()) == pytest.approx([float(gate.gamma()) for gate in gate_layers(e.model)])


def test_a_grouped_kernel_as_a_dense_one():
    kernel = np.arange(1, 9).reshape(1, 1, 2, 4)  # four channels in two groups to four filters
    assert export.dense(kernel, 2)[0, 0].tolist() == [[1, 2, 0, 0], [5, 6, 0, 0], [0, 0, 3, 4], [0, 0, 7, 8]]


@pytest.mark.parametrize("gammas", [(0, 0, 0), (0.25, 1, 0)])
def test_one_file_serves_every_gate_and_shows_the_masks(exported, gammas):
    e = exported("gender")
    network, names = predict.Network(e.path), ["stage1_module1", "stage2_module1", "stage3_module1"]
    for gate, gamma in zip(gate_layers(e.model), gammas, strict=True):
        gate.hold(gamma)
    expected, masks = (m(FACES) for m in (e.model, mask_model(e.model)))
    for gate in gate_layers(e.model):
        gate.hold("trainable")
    asked = dict(zip(names, gammas, strict=True))
    np.testing.assert_allclose(network.outputs(FACES, asked), expected, **CLOSE)
    assert np.abs(np.asarray(expected) - e.outputs).max() > 1e-3
    found = network.masks(FACES, asked)
    assert list(found) == names
    for mask, wanted in zip(found.values(), masks, strict=True):
        np.testing.assert_allclose(mask, wanted, **CLOSE)


def test_age_and_gender_are_read_together(exported):
    gender, category, regression = (exported(name) for name in ("gender", "age_category", "age_regression"))
    reader = predict.Reader([regression.path, gender.path, category.path])
    reading = reader.read(FACES)
    years = ages.join_soft(category.outputs, regression.outputs, 9)
    np.testing.assert_allclose(reading.age, years, rtol=0, atol=0.05)  # 1e-4 in each of 13 categories up to 117 years
    assert np.ptp(years) > 1
    sure = gender.outputs.max(axis=1)
    clear = sure > 0.501
    wanted = np.where(gender.outputs[:, 0] > 0.5, "male", "female")
    assert clear.sum() > 60 and (reading.gender == wanted)[clear].all()
    np.testing.assert_allclose(reading.gender_probability, sure, **CLOSE)
    assert reading.age_group is None and reader.synthetic
    one = reader.read(FACES[:1])
    assert one.gender[0] == reading.gender[0] and abs(one.age[0] - reading.age[0]) < 0.05
    assert len(reader.read(FACES[:0]).age) == 0


def test_the_category_network_alone_reads_an_age(exported):
    category = exported("age_category")
    reading = predict.Reader([category.path]).read(FACES)
    np.testing.assert_allclose(reading.age, category.outputs @ ages.middles(9), rtol=0, atol=0.05)
    assert reading.gender is None


def test_what_cannot_be_exported_is_said(run_of, exported, monkeypatch):
    with pytest.raises(UserError, match="expected a network with gates, got separable"):
        export.export(exported("separable").run, gates=True)
    with pytest.raises(UserError, match="expected a run of a network, got hog"):
        export.export(run_of(network="hog"))
    run = run_of(network="separable", seed=2)
    (run.folder / "weights.npz").unlink()
    with pytest.raises(UserError, match="the weights are not on this machine"):
        export.export(run)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    e = exported("separable")
    with pytest.raises(UserError, match="KERAS_BACKEND: expected tensorflow for an export, got jax"):
        export.onnx_of(e.model, export._card(e.run, e.model), False)


def test_a_converter_that_is_not_here_is_named(exported, monkeypatch):
    e = exported("separable")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"^export: no tf2onnx here; install gralib\[export\]$"):
        export.onnx_of(e.model, export._card(e.run, e.model), False)


def test_a_file_that_answers_otherwise_is_not_written(run_of, monkeypatch):
    run = run_of(network="separable", seed=3)
    monkeypatch.setattr(predict.Network, "outputs", lambda self, faces: np.zeros((len(faces), 2), "float32"))
    with pytest.raises(UserError, match=r"within 0\.0001 of Keras', got .* apart; not written"):
        export.export(run)
    assert not (run.folder / "network.onnx").exists()


def test_reading_needs_no_keras(exported, tmp_path):
    np.save(tmp_path / "faces.npy", FACES[:2])
    code = (
        "import sys, numpy as np; from gralib.predict import Reader; "
        f"print(Reader([{str(exported('gender').path)!r}]).read(np.load({str(tmp_path / 'faces.npy')!r})).gender); "
        "print(*{'keras', 'tensorflow', 'pandas', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answers, heavy = done.stdout.splitlines()
    assert answers.startswith("['") and heavy == ""


def test_other_readers_of_onnx_take_the_file(exported):
    proto = onnx.load(exported("gender").path)
    onnx.checker.check_model(proto)
    assert [v.name for v in proto.graph.input] == ["pixels", *(f"gate_stage{i}_module1" for i in (1, 2, 3))]
    assert [v.name for v in proto.graph.output] == ["outputs", *(f"mask_stage{i}_module1" for i in (1, 2, 3))]
    assert {p.key for p in proto.metadata_props} == {"gralib", "sha256"}


def test_the_command_says_what_it_wrote_and_what_it_lacks(exported, tmp_path, monkeypatch, capsys):
    run, path = exported("separable").run, tmp_path / "a.onnx"
    monkeypatch.setattr(records, "find", lambda name, stores: run if name == run.record.run_id else None)
    monkeypatch.setattr(sys, "argv", ["gra", "export", run.record.run_id, "--out", str(path)])
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code and capsys.readouterr().out.strip() == str(path)
    np.testing.assert_allclose(predict.Network(path).outputs(FACES), exported("separable").outputs, **CLOSE)
    monkeypatch.setattr(sys, "argv", ["gra", "export", "nobody"])
    with pytest.raises(SystemExit, match="gra: nobody: no finished run of that name in "):
        cli.main()
