"""A trained network as an ONNX file, for readers without Keras (`gralib.predict`, a browser)."""

import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from gralib import files, networkfile
from gralib.errors import UserError
from gralib.labels import class_names
from gralib.model.network import gate_layers, gate_values, mask_model
from gralib.predict import Network
from gralib.training import experiment, fit, records

TOLERANCE = 1e-4
"""By which an output of the exported network may differ from Keras'."""


class WithGates(keras.Model):
    """A network whose gates are inputs: (pixels, one scalar gamma a gate) -> outputs and the masks K, one a block.

    A negative gamma leaves a gate as it is, see `GatedAttention`.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.gates = gate_layers(model)
        self.network = keras.Model(model.input, [model.output, *mask_model(model).outputs])

    def call(self, inputs):
        """Return the outputs and the masks."""
        pixels, *gammas = inputs
        given = [(gate.held, gamma) for gate, gamma in zip(self.gates, gammas, strict=True)]
        with keras.StatelessScope(state_mapping=given):
            return self.network(pixels)


def export(run: records.Run, out: Path | None = None, gates: bool = False) -> Path:
    """Write the trained network of a run as ONNX and return the path.

    Inputs are `pixels` (batch, 32, 32, 3) float32 from 0 to 255 and, where asked, a scalar `gate_…` for every gate;
    outputs are `outputs` (batch, classes) and, with the gates, a mask `mask_…` (batch, h, w, c) for every block.

    Args:
        run: a finished run made on this machine.
        out: the file; beside the weights by default.
        gates: make the gates inputs and the masks outputs.

    Raises:
        UserError: no weights or no network here, another backend than TensorFlow, a converter that is not installed,
            a network without gates where they are asked for, or one that onnxruntime reads otherwise than Keras.
    """
    out = out or run.folder / ("network-gates.onnx" if gates else "network.onnx")
    model = _trained(run)
    if gates and not gate_layers(model):
        raise UserError(f"gates: expected a network with gates, got {run.record.config.network}")
    data = onnx_of(model, _card(run, model), gates)
    _compare(data, model)
    files.write_bytes(out, data)
    return out


def _trained(run: records.Run) -> keras.Model:
    """Return the trained network as the converter takes it, with the outputs of its own task, whatever else it learned.

    That is in float32, and with a dense kernel, zero between the groups, for each grouped convolution.
    """
    config = run.record.config
    if config.network == "hog":
        raise UserError(f"{run.record.run_id}: expected a run of a network, got {config.network}")
    model = trained = experiment.network(run)
    if (plain := config.model_copy(update={"precision": "float32", "groups": 1})) != config:
        model = fit.build(plain)
        for weight, value in zip(model.weights, trained.get_weights(), strict=True):
            weight.assign(value if value.shape == tuple(weight.shape) else dense(value, config.groups))
    count = len(class_names(config))
    return model if model.output.shape[-1] == count else keras.Model(model.input, model.output[:, :count])


def dense(kernel: np.ndarray, groups: int) -> np.ndarray:
    """Return a grouped kernel (h, w, in/groups, out) as that of a plain convolution, (h, w, in, out)."""
    height, width, channels, filters = kernel.shape
    whole = np.zeros((height, width, groups, channels, groups, filters // groups), kernel.dtype)
    for group, part in enumerate(np.split(kernel, groups, axis=-1)):
        whole[:, :, group, :, group] = part
    return whole.reshape(height, width, groups * channels, filters)


def _card(run: records.Run, model: keras.Model) -> networkfile.Card:
    config = run.record.config
    return networkfile.Card(
        run_id=run.record.run_id,
        dataset=config.dataset,
        fingerprint=run.record.fingerprint,
        synthetic=run.record.synthetic,
        task=config.task,
        classes=class_names(config),
        age_width=config.age_width,
        mirrored=config.mirrored_prediction,
        gates=gate_values(model),
    )


def onnx_of(model: keras.Model, card: networkfile.Card, gates: bool) -> bytes:
    """Return the bytes of a network's file; see `export`."""
    if keras.backend.backend() != "tensorflow":
        raise UserError(f"KERAS_BACKEND: expected tensorflow for an export, got {keras.backend.backend()}")
    try:
        import onnx
        import tf2onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"export: no {error.name} here; install gralib[export]") from None
    signature = [keras.InputSpec(shape=(None, 32, 32, 3), dtype="float32", name="pixels")]
    names = list(card.gates) if gates else []
    if gates:
        signature += [keras.InputSpec(shape=(), dtype="float32", name=f"gate_{name}") for name in names]
        model = WithGates(model)
        model([np.zeros((1, 32, 32, 3), "float32"), *[np.float32(-1)] * len(names)])  # builds it
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the converter about NumPy's names
        path = Path(folder) / "network.onnx"
        model.export(str(path), format="onnx", verbose=False, input_signature=[signature] if gates else signature)
        proto = onnx.load(path)
    _rename(proto, ["outputs", *(f"mask_{name}" for name in names)])
    onnx.helper.set_model_props(proto, {networkfile.KEY: card.model_dump_json()})
    return networkfile.seal(proto.SerializeToString(deterministic=True))


def _rename(proto, names: list[str]) -> None:
    """Name the outputs of an ONNX model, and the first axis of all that goes in and out."""
    new = dict(zip([value.name for value in proto.graph.output], names, strict=True))
    for node in proto.graph.node:
        for places in (node.input, node.output):
            places[:] = [new.get(name, name) for name in places]
    for value in (*proto.graph.input, *proto.graph.output):
        value.name = new.get(value.name, value.name)
        for axis in value.type.tensor_type.shape.dim[:1]:
            axis.dim_param = "batch"


def _compare(data: bytes, model: keras.Model) -> None:
    """Hold the file's outputs against Keras' on some random faces."""
    faces = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype("uint8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(data)
        network = Network(path)
    expected = np.asarray(model(faces))
    if network.card.mirrored:
        expected = (expected + np.asarray(model(faces[:, :, ::-1]))) / 2
    apart = float(np.abs(network.outputs(faces) - expected).max())
    if not apart <= TOLERANCE:
        raise UserError(f"export: expected outputs within {TOLERANCE} of Keras', got {apart:.2g} apart; not written")
