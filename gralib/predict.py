"""Age and gender read off faces by exported networks: onnxruntime alone, no Keras, a few milliseconds a face.

>>> reader = Reader(["gender.onnx", "category.onnx", "regression.onnx"])  # doctest: +SKIP
>>> reader.read(faces)  # doctest: +SKIP
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from pydantic import ValidationError

from gralib import ages, networkfile
from gralib.errors import UserError, explain

BATCH = 64
"""Faces that a network reads at once; more are no faster and take more memory."""


class Network:
    """A network from a file that `gra export` wrote.

    Args:
        path: the file.
        threads: processor threads; one gives the same bits whatever runs beside it.

    Raises:
        UserError: a file that is damaged, too large, or no network of this project.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        data = networkfile.read(Path(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what goes wrong is said once, below
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            card = self._session.get_modelmeta().custom_metadata_map.get(networkfile.KEY, "")
            self.card = networkfile.Card.model_validate_json(card)
        except ValidationError as error:
            raise UserError(f"{path}: {explain(error)}") from None
        except Exception as error:  # onnxruntime's errors share no class of their own
            raise UserError(f"{path}: expected a network that onnxruntime can run, got {error}") from None
        self._check(path)

    def _check(self, path: str | Path) -> None:
        """Hold inputs and outputs against the card."""
        self._gates = [i.name for i in self._session.get_inputs()[1:]]
        first, *masks = self._session.get_outputs()
        pixels = self._session.get_inputs()[0]
        if pixels.shape[1:] != [32, 32, 3] or pixels.type != "tensor(float)":
            raise UserError(f"{path}: expected pixels (n, 32, 32, 3), got {pixels.type} {pixels.shape}")
        if first.shape[1:] != [len(self.card.classes)]:
            raise UserError(f"{path}: expected {len(self.card.classes)} outputs as its card says, got {first.shape}")
        expected = [f"{kind}_{name}" for kind in ("gate", "mask") for name in self.card.gates]
        if self._gates and self._gates + [m.name for m in masks] != expected:
            raise UserError(f"{path}: expected {', '.join(expected)} as its card says, got {', '.join(self._gates)}")

    @property
    def adjustable(self) -> bool:
        """Whether the gates are inputs, and the masks outputs."""
        return bool(self._gates)

    def outputs(self, faces: np.ndarray, gates: Mapping[str, float] | None = None) -> np.ndarray:
        """Return the network's outputs; the mean with the mirror image's, where its run answers so.

        Args:
            faces: (n, 32, 32, 3) uint8.
            gates: gamma from 0 to 1 by name of the gate, where other than learned; needs an export with --gates.

        Returns:
            (n, classes) float32.

        Raises:
            UserError: faces of another shape or type; gates that the file does not take.
        """
        names = [self._session.get_outputs()[0].name]
        found = self._run(faces, gates, names)[0]
        return (found + self._run(faces[:, :, ::-1], gates, names)[0]) / 2 if self.card.mirrored else found

    def masks(self, faces: np.ndarray, gates: Mapping[str, float] | None = None) -> dict[str, np.ndarray]:
        """Return the mask K of every attention block by name, (n, height, width, channels); see `outputs`.

        Raises:
            UserError: as `outputs`, and for a file exported without --gates.
        """
        names = [f"mask_{name}" for name in self.card.gates] if self._gates else []
        if not names:
            raise UserError("masks: this network file has none; export it with gra export --gates")
        return dict(zip(self.card.gates, self._run(faces, gates, names), strict=True))

    def _run(self, faces: np.ndarray, gates: Mapping[str, float] | None, names: list[str]) -> list[np.ndarray]:
        if faces.ndim != 4 or faces.shape[1:] != (32, 32, 3) or faces.dtype != np.uint8:
            raise UserError(f"faces: expected (n, 32, 32, 3) uint8, got {faces.shape} {faces.dtype}")
        fed = {f"gate_{name}": np.asarray(value, "float32") for name, value in self._gammas(gates or {}).items()}
        parts = [faces[i : i + BATCH].astype("float32") for i in range(0, max(len(faces), 1), BATCH)]
        answers = [self._session.run(names, {"pixels": part, **fed}) for part in parts]
        return [np.concatenate(a) if len(a) > 1 else a[0] for a in zip(*answers, strict=True)]

    def _gammas(self, asked: Mapping[str, float]) -> dict[str, float]:
        """Return gamma for every gate that the file takes: as asked, else as learned."""
        takes = self.card.gates if self._gates else {}
        for name, value in asked.items():
            if name not in takes:
                raise UserError(f"gates: expected some of {', '.join(takes) or 'none, see --gates'}; got {name}")
            if not 0 <= value <= 1:
                raise UserError(f"gates: {name}: expected a number from 0 to 1, got {value}")
        return {**takes, **asked}


@dataclass(frozen=True)
class Reading:
    """What was read off n faces; None where no network was given for it."""

    gender: np.ndarray | None
    """(n,) 'male' or 'female'."""
    gender_probability: np.ndarray | None
    """(n,) how sure the network is of it, from 0.5 to 1."""
    age: np.ndarray | None
    """(n,) years: the expected age over the categories, each with its remainder (7.1.2), alone with its middle."""
    age_group: np.ndarray | None
    """(n,) Adience's groups, such as '25-32'."""


class Reader:
    """Age and gender together, from one exported network a task.

    Args:
        paths: network files in any order: gender, age_group, age_category, alone or with age_regression.
        threads: processor threads, see `Network`.

    Raises:
        UserError: as `Network`; two networks of one task, or one age network that lacks the other.
    """

    def __init__(self, paths: Iterable[str | Path], threads: int = 1):
        self.networks: dict[str, Network] = {}
        for path in paths:
            network = Network(path, threads)
            if network.card.task in self.networks:
                raise UserError(f"{path}: expected one network a task, got a second of {network.card.task}")
            self.networks[network.card.task] = network
        pair = [self.networks[t].card for t in ("age_category", "age_regression") if t in self.networks]
        if [card.task for card in pair] == ["age_regression"]:
            raise UserError("age: expected a network of age_category with that of age_regression, got the latter alone")
        if len({card.age_width for card in pair}) > 1:
            raise UserError(f"age_width: expected the same of both age networks, got {[c.age_width for c in pair]}")

    @property
    def synthetic(self) -> bool:
        """Whether drawn faces trained one of the networks: their answers say nothing of people."""
        return any(network.card.synthetic for network in self.networks.values())

    def read(self, faces: np.ndarray) -> Reading:
        """Return age and gender of faces (n, 32, 32, 3) uint8."""
        found = {task: network.outputs(faces) for task, network in self.networks.items()}
        age = None
        if "age_category" in found:
            width = self.networks["age_category"].card.age_width
            category, remainder = found["age_category"], found.get("age_regression")
            alone = category @ ages.middles(width)
            age = alone if remainder is None else ages.join_soft(category, remainder, width)
        gender, sure = self._likeliest(found, "gender")
        return Reading(gender, sure, age, self._likeliest(found, "age_group")[0])

    def _likeliest(self, found: dict[str, np.ndarray], task: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        if task not in found:
            return None, None
        return np.array(self.networks[task].card.classes)[found[task].argmax(axis=1)], found[task].max(axis=1)
