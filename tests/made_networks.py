"""Networks made by hand, with masks and gates: what they answer is a formula, so that readers are held to it.

A face's 3072 pixels as numbers from 0 to 1 are multiplied with drawn weights, one column a class; every gate adds its
number of the block times gamma to the first class; the softmax of that is the answer. A block's mask is the sigmoid of
the pixels and its gamma.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from gralib import files, networkfile
from gralib.config import RunConfig
from gralib.labels import class_names

GATES = {f"stage{i}_module1": 0.25 * i for i in (1, 2, 3)}
CALIBRATION = {"temperature": 2.0, "category_means": [4.0 + 10 * i for i in range(12)], "level": 0.9, "quantile": 1.5}
MEASURED = """\
data,measure,slice,faces,value,low,high
UTKFace,gender accuracy,all,120,0.8125,0.75,0.875
UTKFace,gender accuracy,gender male,60,0.5,0.4,0.6
UTKFace,"age error, years",all,110,7.125,6.5,7.75
FG-NET,face found,all,40,0.975,,
"""


def weights(count: int) -> np.ndarray:
    """Return what the pixels are multiplied with, (3072, classes) float32."""
    return np.random.default_rng(count).normal(0, 0.05, (3072, count)).astype("float32")


def answers(faces: np.ndarray, count: int, gates: dict[str, float] | None = None) -> np.ndarray:
    """Return what a network of `count` classes, with gates or without, says of faces (n, 32, 32, 3)."""
    logits = faces.reshape(len(faces), 3072) / 255 @ weights(count)
    logits[:, 0] += sum(i * gamma for i, gamma in enumerate((gates or {}).values(), 1))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def mask(faces: np.ndarray, gamma: float) -> np.ndarray:
    """Return the mask of a block whose gate is gamma, (n, 32, 32, 3)."""
    return 1 / (1 + np.exp(-(faces / 255) - gamma))


def network(task: str, adjustable: bool = False, **card: object) -> bytes:
    """Return the file of a network; entries of its card may be given."""
    config = RunConfig(task=task, dataset="adience" if task == "age_group" else "utkface")
    names = class_names(config)
    said = {
        "run_id": f"by-hand-{task}", "dataset": config.dataset, "fingerprint": "0" * 12, "synthetic": True,
        "task": task, "classes": names, "age_width": 10, "mirrored": False, "gates": GATES if adjustable else {},
        **card,
    }  # fmt: skip
    count, values = len(names), {"scale": np.float32(1 / 255), "flat": np.array([-1, 3072]), "w": weights(len(names))}
    nodes = [("Mul", ["pixels", "scale"], "x"), ("Reshape", ["x", "flat"], "row"), ("MatMul", ["row", "w"], "logits 0")]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 32, 32, 3])]
    outputs = [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", count])]
    for i, name in enumerate(GATES if adjustable else (), 1):
        values[f"share {i}"] = np.eye(1, count, dtype="float32") * np.float32(i)
        nodes += [("Mul", [f"gate_{name}", f"share {i}"], f"more {i}"),
                  ("Add", [f"logits {i - 1}", f"more {i}"], f"logits {i}"),
                  ("Add", ["x", f"gate_{name}"], f"off {i}"), ("Sigmoid", [f"off {i}"], f"mask_{name}")]  # fmt: skip
        inputs.append(helper.make_tensor_value_info(f"gate_{name}", TensorProto.FLOAT, []))
        outputs.append(helper.make_tensor_value_info(f"mask_{name}", TensorProto.FLOAT, ["batch", 32, 32, 3]))
    nodes.append(("Softmax", [f"logits {len(GATES) if adjustable else 0}"], "outputs"))
    graph = helper.make_graph(
        [helper.make_node(kind, taken, [given]) for kind, taken, given in nodes], "by hand", inputs, outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {networkfile.KEY: json.dumps(said)})
    return networkfile.seal(model.SerializeToString())


def write(folder: Path) -> Path:
    """Write a folder like that of the shipped networks: gender with gates, age without; return it."""
    named = {"gender.onnx.xz": network("gender", adjustable=True), "age_category.onnx.xz": network("age_category")}
    for name, data in named.items():
        files.write_bytes(folder / name, networkfile.pack(data))
    runs = {name.partition(".")[0]: f"by-hand-{name.partition('.')[0]}" for name in named}
    files.write_text(folder / "calibration.json", json.dumps({"runs": runs, **CALIBRATION}))
    files.write_text(folder / "measured.csv", MEASURED)
    files.write_sums(folder, files.digests(folder, [*named, "calibration.json", "measured.csv"]))
    return folder
