"""The file of an exported network: ONNX, a card that says what it is, and a seal that tells damage.

A network file can run no code and name no other file: before the runtime sees it, its operators are held against a
list and everything that leads out of the file is refused. The seal is the SHA-256 of all bytes before it, written as
the file's last metadata entry, so that any ONNX reader takes the file as it is.
"""

import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gralib.config import Dataset, Task
from gralib.errors import UserError

KEY = "gralib"
"""The metadata entry that holds the card, as JSON."""
LARGEST = 512 * 2**20
"""Bytes that a network file may have; the published size has 132 MB."""
XZ = b"\xfd7zXZ\0"
"""How a file under xz starts."""
MEMORY = 256 * 2**20
"""Bytes that unpacking may use beside its result."""
OPERATORS = frozenset((
    "Add", "Cast", "Clip", "Concat", "Conv", "Div", "Gather", "GlobalAveragePool", "Less", "MatMul", "MaxPool",
    "Mul", "Not", "Pad", "ReduceSum", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Softmax", "Sqrt",
    "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze",
))  # fmt: skip
"""What the networks of this project are made of. None of them loops, branches, draws or reads a file."""


class Card(BaseModel):
    """What a network file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    run_id: str
    dataset: Dataset
    fingerprint: str
    """Of the data that trained it."""
    synthetic: bool
    """Whether those faces were drawn."""
    task: Task
    classes: list[str] = Field(min_length=1)
    """A name for each output."""
    age_width: int = Field(ge=1, le=117)
    """Years in an age category."""
    mirrored: bool
    """Whether the run answers with the mean of a face and its mirror image; `gralib.predict` does it, the file not."""
    gates: dict[str, float]
    """Gamma of every gate after training, by name ('stage1_module1', …)."""


def seal(data: bytes) -> bytes:
    """Return an ONNX file with its seal at the end."""
    return data + _entry("sha256", hashlib.sha256(data).hexdigest())


def read(path: Path) -> bytes:
    """Return the bytes of a network file that are whole and harmless.

    Raises:
        UserError: no such file, or one that is too large, damaged, or made of other things than our networks.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise UserError(f"{path}: expected a network of at most {LARGEST >> 20} MiB, got {size >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if data.startswith(XZ):
        data = _unpacked(path, data)
    body = data[: -len(_entry("sha256", "0" * 64))]
    if seal(body) != data:
        raise UserError(f"{path}: expected a network as gra export wrote it, got a damaged or another file")
    try:
        if reason := next(_foreign(memoryview(body)), None):
            raise UserError(f"{path}: expected a network of this project, got {reason}")
    except (ValueError, IndexError):
        raise UserError(f"{path}: expected an ONNX network, got something else") from None
    return data


def pack(data: bytes) -> bytes:
    """Return a network file under xz, which `read` takes too; weights are rows of four bytes, and told apart so."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}]
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_SHA256, filters=filters)


def _unpacked(path: Path, data: bytes) -> bytes:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)
    try:
        found = unpacker.decompress(data, LARGEST + 1)
    except lzma.LZMAError:
        raise UserError(f"{path}: expected a network as gra networks wrote it, got a damaged file") from None
    if not unpacker.eof or unpacker.unused_data or len(found) > LARGEST:
        raise UserError(f"{path}: expected a network of at most {LARGEST >> 20} MiB, got one cut short or larger")
    return found


def _entry(key: str, value: str) -> bytes:
    """Return a metadata entry (field 14 of ONNX' ModelProto) of less than 128 bytes."""
    inner = b"".join(bytes([tag, len(text)]) + text.encode() for tag, text in ((0x0A, key), (0x12, value)))
    return bytes([0x72, len(inner)]) + inner


def _foreign(model: memoryview) -> Iterator[str]:
    """Yield what in a model is none of ours. The numbers are the fields of ONNX' messages (onnx.proto)."""
    for number, value in _fields(model):
        if number == 25:
            yield "functions of its own"
        for part, inner in _fields(value) if number == 7 else ():  # the graph
            if part == 1:
                yield from _foreign_node(inner)
            elif part == 5:
                yield from _foreign_tensor(inner)
            elif part == 15:
                yield "sparse weights"


def _foreign_node(node: memoryview) -> Iterator[str]:
    names = {4: "", 7: ""}  # operator, its domain
    for number, value in _fields(node):
        if number in names:
            names[number] = bytes(value).decode()
        for part, inner in _fields(value) if number == 5 else ():  # an attribute
            if part in (6, 11, 22, 23):
                yield "a graph inside an operator"
            elif part in (5, 10):
                yield from _foreign_tensor(inner)
    if names[7] or names[4] not in OPERATORS:
        yield f"the operator {'.'.join(filter(None, (names[7], names[4])))!r}"


def _foreign_tensor(tensor: memoryview) -> Iterator[str]:
    if any(number in (13, 14) for number, _ in _fields(tensor)):
        yield "weights in another file"


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of every field of a protocol buffers message; numbers have no content.

    Raises:
        ValueError: the bytes are no message.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length = {0: 0, 1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            _, at = _varint(message, at)
        elif tag & 7 == 2:
            length, at = _varint(message, at)
        if length is None or at + length > len(message):
            raise ValueError("not a message")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number of variable length at a place, and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        number |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return number, at
    raise ValueError("not a message")
