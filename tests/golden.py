"""Golden numbers: pictures decoded and drawn, a hand-made table scored, tiny trainings: as when last looked at.

`python tests/golden.py` (or: make golden) writes them anew and shows what changed. A change is meant or a mistake; the
files in tests/golden are committed, so `git diff` shows it too and `git restore` takes it back. Trainings are stored
for each backend (KERAS_BACKEND=jax writes JAX's) as several kinds of processors came to them, since each sums in
another order; what comes near to none of these is written in their place. `python tests/golden.py --add` keeps them,
and adds what this processor comes to: for one on which the tests fail with code that nobody changed.
"""

import hashlib
import io
import json
import math
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import hand
import numpy as np
import tiny
from PIL import Image

from gralib.config import configure
from gralib.data.decoding import decode
from gralib.data.formats import adience, fgnet, wikipedia
from gralib.data.manifest import Row
from gralib.evaluation import compare
from gralib.evaluation.measures import measures, outputs_of
from gralib.evaluation.study import studies
from gralib.files import write_text
from gralib.labels import GENDERS
from gralib.metrics import interval
from gralib.synthetic import layouts
from gralib.synthetic.drawing import draw_face
from gralib.synthetic.person import Subject
from gralib.training import perturb
from gralib.training.records import Run

HERE = Path(__file__).resolve().parent / "golden"
TOLERANCE = {
    "exact": (0.0, 0.0),
    "number": (1e-9, 0.0),
    "loss": (0.01, 0.0),
    "gate": (0.0, 5e-4),
    "output": (0.0, 0.05),
}
"""Relative and absolute, by kind of number. Another processor sums in another order, and a training enlarges that: on
one machine all are equal to the last bit, on most others losses come within a hundredth of one that is stored.
"""
FACES = 8
"""Test faces whose outputs are stored."""


def read(name: str) -> dict[str, Any]:
    """Return what was stored under a name; nothing where there is no such file yet."""
    path = HERE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def differences(stored: Any, found: Any, kind: str = "number", where: str = "") -> list[str]:
    """Return a line for every place where what was found is not what was stored; keys name the kind of number."""
    if isinstance(stored, dict) and isinstance(found, dict):
        keys = list(dict.fromkeys([*stored, *found]))
        parts = [(k, stored.get(k), found.get(k), next((t for t in TOLERANCE if t in k), kind)) for k in keys]
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        parts = [(str(i), a, b, kind) for i, (a, b) in enumerate(zip(stored, found, strict=True))]
    else:
        relative, absolute = TOLERANCE[kind]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (stored, found))
        same = math.isclose(stored, found, rel_tol=relative, abs_tol=absolute) if numbers else stored == found
        return [] if same else [f"{where}: stored {stored}, found {found}"]
    return [line for key, a, b, which in parts for line in differences(a, b, which, f"{where}/{key}")]


def from_nearest(variants: list[Any], found: Any) -> list[str]:
    """Return the differences from that of the stored variants of a training from which there are the fewest."""
    return min((differences(stored, found) for stored in variants), key=len, default=["nothing stored"])


def pictures() -> dict[str, str]:
    """Return the SHA-256 of faces decoded: PNG and JPEG, turned, the crop of each data set; and turned pixels."""
    photo, turned = ((HERE / f"synthetic-{name}.jpg").read_bytes() for name in ("photo", "turned"))
    landmarks = np.stack([np.linspace(70, 130, 68), np.linspace(40, 110, 68) % 31 * 2 + 40], axis=1)
    held = io.BytesIO()
    Image.fromarray(ramp(96, 80)).save(held, "PNG")
    found = {
        "PNG whole": decode(held.getvalue()),
        "JPEG whole (AFAD, UTKFace)": decode(photo),
        "JPEG with an EXIF orientation": decode(turned),
        "FG-NET by landmarks": decode(photo, fgnet.crop(landmarks)),
        "Wikipedia by face location": decode(
            photo, wikipedia._cut(Row("1.jpg"), np.array([31.4, 20, 130.6, 119])).crop
        ),
        "Adience frame": decode((HERE / "synthetic-frame.jpg").read_bytes(), adience.CENTRE),
        "turned by 15 degrees": perturb.change(decode(held.getvalue())[None], "turn", 15)[0],
        "moved by -3 pixels": perturb.change(decode(held.getvalue())[None], "move", -3)[0],
    }
    return {name: sha256(pixels.tobytes()) for name, pixels in found.items()}


def drawn() -> dict[str, str]:
    """Return the SHA-256 of synthetic faces by what they show: every style and beard, at ages at which they change."""
    rng, found = np.random.default_rng(0), {}
    people = [Subject.draw_at_random(rng, f"s{number}") for number in range(48)]
    for name, ages in {
        "children": (0, 1.5, 4, 8, 11.5),
        "grown": (13, 19, 28, 45),
        "old": (58, 63, 75, 90, 116),
    }.items():
        faces = [draw_face(who, ages[i % len(ages)], rng, 24) for i, who in enumerate(people)]
        found[f"faces, {name}"] = sha256(b"".join(face.tobytes() for face in faces))
    found["people"] = sha256(json.dumps([asdict(who) for who in people]).encode())
    return found


def laid_out() -> dict[str, str]:
    """Return the SHA-256 of what each layout writes of plain tiles for faces: names, labels, flaws, side files."""

    def tile(subject: Subject, age: float, rng: np.random.Generator, size: int = 64) -> Image.Image:
        rng.random(7)
        return Image.new("RGB", (size, size), (int(subject.id[1:]), int(age), 99))

    found = {}
    with tempfile.TemporaryDirectory() as place, mock.patch("gralib.synthetic.layouts.draw_face", tile):
        for name, write in layouts.LAYOUTS.items():
            (folder := Path(place) / name).mkdir()
            write(folder, 101, 3)
            parts = []
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                parts += [str(path.relative_to(folder)).encode(), path.read_bytes()]
            found[name] = sha256(b"\0".join(parts))
    return found


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def ramp(width: int, height: int) -> np.ndarray:
    """Return a drawn picture (height, width, 3) without symmetry: slopes of each colour under a grid of fine lines."""
    y, x = np.mgrid[:height, :width]
    colours = [255 * x / width, 255 * y / height, 127 + 100 * np.sin((x + 2 * y) / 9)]
    lines = 60 * ((x // 3 + y // 5) % 2)
    return np.clip(np.stack(colours, axis=2) - lines[:, :, None], 0, 255).astype(np.uint8)


def tables() -> dict[str, Any]:
    """Return scores and intervals of prediction tables made of formulas: every measure, a study, a gain over seeds."""
    rng = np.random.RandomState(4)  # its numbers are the same in every NumPy
    ages = rng.randint(0, 100, 150).astype(float)
    faces = hand.people(ages, "mmf", groups=np.arange(150) // 3)
    found: dict[str, Any] = {}
    runs = []
    for task, count in (("gender", 2), ("age_category", 12), ("age_regression", 12)):
        outputs = rng.random_sample((150, count))
        outputs = outputs if task == "age_regression" else outputs / outputs.sum(axis=1, keepdims=True)
        runs.append(hand.run(configure("laptop", task=task), faces, outputs))
        record = runs[-1].record
        for name, (values, constant) in measures(record.config, runs[-1].predictions, record.constants).items():
            e = interval(values, faces["group"])
            found[name] = [e.value, e.low, e.high, float(constant.mean())]
    (study,) = studies(runs)
    for table in (study.by_decade("age"), study.by_decade("gender"), study.by_label("gender", GENDERS)):
        found[f"by {table.columns[0]}, {len(found)}"] = table.to_numpy().tolist()
    sides = []
    for gate, share in (("trainable", 0.8), (0.0, 0.7)):
        configs = [hand.in_grid("gate_ablation", {"gate": gate}, seed)[0] for seed in range(3)]
        seeds = [[hand.gender_run(config, faces, rng.random_sample(150) < share)] for config in configs]
        sides.append(compare.side(seeds, "accuracy"))
    e = compare.gain(*sides, "accuracy")
    found["gain over three seeds"] = [e.value, e.low, e.high, e.n, e.word]
    return found


def training(run: Run) -> dict[str, Any]:
    """Return what is stored of a tiny run: losses and gates of every epoch, the kept one, outputs of some faces."""
    history = run.history
    columns = {("gate " if name.startswith("gate") else "loss ") + name: values.tolist()
               for name, values in history.items() if name != "epoch"}  # fmt: skip
    outputs = outputs_of(run.record.config, run.predictions)
    return {
        **columns,
        "exact: chosen epoch": run.record.chosen_epoch,
        "exact: parameters": [run.record.trainable_parameters, run.record.parameters],
        "exact: test faces": len(outputs),
        "output of the first faces": outputs[:FACES].tolist(),
        "output, mean": outputs.mean(axis=0).tolist(),
    }


def main() -> None:
    """Compute everything, print the differences, write."""
    add = sys.argv[1:] == ["--add"]
    with tempfile.TemporaryDirectory() as folder:
        runs = [tiny.train(name, Path(folder)) for name in tiny.RUNS]
        here = [json.loads(json.dumps(training(run))) for run in runs]
    trainings = f"trainings-{runs[0].record.environment['backend']}"
    stored = read(trainings)
    trained = {}
    for name, found in zip(tiny.RUNS, here, strict=True):
        variants = stored.get(name, [])
        lines = from_nearest(variants, found)
        print(f"{trainings}, {name}: {len(lines)} differences from the nearest of {len(variants)}", *lines, sep="\n  ")
        if (add or lines) and found not in variants:
            variants = [*variants, found] if add else [found]
        trained[name] = variants
    write(trainings, trained)
    for name, made in {"pictures": pictures(), "drawn": {**drawn(), **laid_out()}, "tables": tables()}.items():
        lines = differences(read(name), json.loads(json.dumps(made)))
        print(f"{name}: {len(lines)} differences", *lines, sep="\n  ")
        write(name, made)


def write(name: str, made: Any) -> None:
    """Store something under a name."""
    write_text(HERE / f"{name}.json", json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
