"""The file of a network: whole or refused, and one that leads elsewhere is never run."""

import lzma

import made_networks
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gralib import networkfile, predict
from gralib.errors import UserError


def refused(path, data):
    """Return the one line with which a file of these bytes is refused."""
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        predict.Network(path)
    assert str(error.value).startswith(f"{path}: ") and len(str(error.value)) < 2000
    return str(error.value)


def test_every_damage_is_noticed(tmp_path):
    whole = made_networks.network("gender", adjustable=True)
    for place in np.random.default_rng(0).integers(0, len(whole), 40):
        data = bytearray(whole)
        data[place] ^= 1 << int(place) % 8
        assert "damaged" in refused(tmp_path / "x.onnx", bytes(data))
    for data in (b"", b"x", whole[:-1], whole[:1000], whole + b"x", b"\x08" * 200):
        assert "damaged" in refused(tmp_path / "x.onnx", data)
    with pytest.raises(UserError, match=r"gone\.onnx: No such file"):
        predict.Network(tmp_path / "gone.onnx")


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "x.onnx"
    with path.open("wb") as file:
        file.truncate(513 * 2**20)  # without a block on the disk
    with pytest.raises(UserError, match="at most 512 MiB, got 513 MiB"):
        predict.Network(path)


def hostile(nodes, initializers=(), sparse_initializer=(), **changes):
    """A sealed model of some nodes from pixels to outputs."""
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 32, 32, 3])
    outputs = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        nodes, "g", [pixels], [outputs], list(initializers), sparse_initializer=list(sparse_initializer)
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], **changes)
    return networkfile.seal(model.SerializeToString())


def outside():
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def test_files_that_lead_elsewhere_are_refused(tmp_path):
    path = tmp_path / "x.onnx"
    add = helper.make_node("Add", ["pixels", "w"], ["outputs"])
    body = helper.make_graph([helper.make_node("Identity", ["pixels"], ["y"])], "b", [], [])
    branch = helper.make_node("Relu", ["pixels"], ["outputs"], inside=body)
    constant = helper.make_node("Relu", ["pixels"], ["outputs"], value=outside())
    function = helper.make_function("local", "f", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [])
    relu = helper.make_node("Relu", ["pixels"], ["outputs"])
    custom = helper.make_node("Relu", ["pixels"], ["outputs"], domain="my.ops")
    random = helper.make_node("RandomNormalLike", ["pixels"], ["outputs"])
    assert "'my.ops.Relu'" in refused(path, hostile([custom]))
    assert "'RandomNormalLike'" in refused(path, hostile([random]))
    assert "weights in another file" in refused(path, hostile([add], [outside()]))
    named, said = outside(), outside()
    named.ClearField("data_location")
    said.ClearField("external_data")
    for tensor in (named, said):  # either of the two alone
        assert "weights in another file" in refused(path, hostile([add], [tensor]))
    assert "weights in another file" in refused(path, hostile([constant]))
    assert "a graph inside an operator" in refused(path, hostile([branch]))
    assert "functions of its own" in refused(path, hostile([relu], functions=[function]))
    lists = [helper.make_attribute("several", [outside()]), helper.make_attribute("bodies", [body])]
    for attribute, reason in zip(lists, ("weights in another file", "a graph inside an operator"), strict=True):
        node = helper.make_node("Relu", ["pixels"], ["outputs"])
        node.attribute.append(attribute)
        assert reason in refused(path, hostile([relu, node]))
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [1], [0]), [3])
    assert "sparse weights" in refused(path, hostile([relu], sparse_initializer=[sparse]))


def test_a_model_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "x.onnx"
    relu = helper.make_node("Relu", ["pixels"], ["outputs"])
    assert "Invalid JSON" in refused(path, hostile([relu]))
    for data in (b"\xff" * 30, b"\x0b\x00", b"\x3a\x05\x0a", b"\x08" + b"\x80" * 10 + b"\x00"):
        assert "expected an ONNX network, got something else" in refused(path, networkfile.seal(data))
    assert "onnxruntime can run" in refused(path, networkfile.seal(b""))


def test_words_beside_the_graph_are_no_part_of_it(tmp_path):
    model = onnx.load_from_string(made_networks.network("gender"))
    del model.metadata_props[1:]  # the seal
    model.producer_name, model.doc_string = "xyz", "\x0b"  # no messages
    (tmp_path / "x.onnx").write_bytes(data := networkfile.seal(model.SerializeToString()))
    assert networkfile.read(tmp_path / "x.onnx") == data


def test_every_kind_of_field_is_stepped_over():
    """Two bytes of a number, eight, text, four; the numbers by the specification of protocol buffers."""
    message = memoryview(b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x02hi" + b"\xa5\x06" + bytes(4))
    found = [(number, bytes(value)) for number, value in networkfile._fields(message)]
    assert found == [(1, b""), (2, bytes(8)), (3, b"hi"), (100, bytes(4))]
    assert networkfile._varint(memoryview(b"\xff" * 9 + b"\x01"), 0) == (2**64 - 1, 10)
    for data in (b"\x0b", b"\x0c", b"\x0e", b"\x11" + bytes(7), b"\x1a\x03hi"):
        with pytest.raises(ValueError, match="not a message"):
            list(networkfile._fields(memoryview(data)))


def test_a_packed_network_is_read_as_it_was(tmp_path):
    path, data = tmp_path / "x.onnx.xz", made_networks.network("gender")
    path.write_bytes(networkfile.pack(data))
    assert networkfile.read(path) == data
    assert lzma.decompress(networkfile.pack(data)) == data
    for damaged in (networkfile.pack(data)[:-20], networkfile.pack(data) + networkfile.pack(b"more")):
        assert "got one cut short or larger" in refused(path, damaged)
    assert "as gra networks wrote it, got a damaged file" in refused(path, networkfile.XZ + b"nonsense")


def test_the_largest_file_is_read_and_a_larger_one_is_not(tmp_path, monkeypatch):
    path, data = tmp_path / "x.onnx", made_networks.network("gender")
    for file in (data, networkfile.pack(data)):
        path.write_bytes(file)
        monkeypatch.setattr(networkfile, "LARGEST", len(data))
        assert networkfile.read(path) == data
        monkeypatch.setattr(networkfile, "LARGEST", len(data) - 1)
        with pytest.raises(UserError, match="expected a network of at most 0 MiB, got"):
            networkfile.read(path)
