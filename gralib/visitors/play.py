"""A page to play with: a face, what the networks read off it, their masks over it, and a slider for every gate (Eq. 3).

`Face` holds the numbers and needs no browser; `page` puts widgets around it. Nothing leaves this machine.
"""

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from gralib.data.decoding import SIZE
from gralib.data.sources import HEAVIEST
from gralib.predict import Reader
from gralib.synthetic import drawing, person
from gralib.visitors import photos, shipped
from gralib.visitors.shipped import Answers, Calibration

ENLARGED = 7
"""Pixels that one of the face's is shown as."""
SCALE = (0.2, 0.8)
"""Values of a mask, averaged over channels, that are shown as blue and as yellow; the same for all."""
COUNT = 12
"""Drawn faces to choose from."""
MOST = 8
"""Uploads that are read at once."""


@dataclass
class Face:
    """A face and what is done to it; gates other than learned are in `gates`."""

    reader: Reader
    calibration: Calibration
    pixels: np.ndarray
    """(32, 32, 3) uint8, untouched."""
    turn: float = 0.0
    """Degrees, counter-clockwise."""
    right: int = 0
    down: int = 0
    """Pixels by which it is moved."""
    noise: float = 0.0
    """Standard deviation of grey levels added."""
    gates: dict[str, float] = field(default_factory=dict)

    @property
    def shown(self) -> np.ndarray:
        """The face as the networks get it, (32, 32, 3) uint8; what a shift uncovers is black."""
        face = Image.fromarray(self.pixels).rotate(
            self.turn, Image.Resampling.BILINEAR, translate=(self.right, self.down)
        )
        grain = np.random.default_rng(0).normal(0, 1, self.pixels.shape)
        return np.clip(np.asarray(face) + self.noise * grain, 0, 255).round().astype(np.uint8)

    def answers(self) -> Answers:
        """Return what the networks say, with calibrated probability and interval."""
        return shipped.read(self.reader, self.calibration, self.shown[None], self.gates)

    def masks(self) -> dict[str, np.ndarray]:
        """Return the masks of the gender network by name of the block, (h, w): the mean of K over its channels."""
        found = self.reader.networks["gender"].masks(self.shown[None], self.gates)
        return {name: mask[0].mean(axis=-1) for name, mask in found.items()}

    def panels(self) -> list[np.ndarray]:
        """Return the face, and each mask over it, (h, w, 3) uint8; all masks on one scale, see `SCALE`."""
        face = Image.fromarray(self.shown).resize((SIZE * ENLARGED,) * 2, Image.Resampling.NEAREST)
        return [np.asarray(face), *(over(face, mask) for mask in self.masks().values())]

    def picture(self, across: int = 2) -> np.ndarray:
        """Return the panels as a picture (h, w, 3) uint8, `across` of them in a row."""
        panels = self.panels()
        panels += [np.zeros_like(panels[0])] * (-len(panels) % across)
        rows = [joined(panels[i : i + across], 1) for i in range(0, len(panels), across)]
        return joined(rows, 0)


def joined(parts: list[np.ndarray], axis: int) -> np.ndarray:
    """Return pictures side by side (axis 1) or one below the other (axis 0), a grey line between."""
    shape = list(parts[0].shape)
    shape[axis] = ENLARGED
    line = np.full(shape, 127, np.uint8)
    return np.concatenate([part for picture in parts for part in (picture, line)][:-1], axis=axis)


def over(face: Image.Image, mask: np.ndarray) -> np.ndarray:
    """Return a mask (h, w) laid over a face: what it lets through turns yellow, what it holds back blue."""
    grey = np.asarray(face.convert("L"), dtype=np.float64)[..., None]
    whole = np.asarray(Image.fromarray(mask.astype("float32")).resize(face.size, Image.Resampling.BILINEAR))[..., None]
    share = np.clip((whole - SCALE[0]) / (SCALE[1] - SCALE[0]), 0, 1)
    colour = 255 * (share * (1.0, 0.85, 0.1) + (1 - share) * (0.0, 0.1, 0.55))
    return (0.35 * grey + 0.65 * colour).astype(np.uint8)


def drawn(number: int) -> np.ndarray:
    """Return a drawn face (32, 32, 3) uint8: nobody's, the same for the same number."""
    rng = np.random.default_rng(number)
    subject = person.Subject.draw_at_random(rng, f"s{number:05d}")
    face = drawing.draw_face(subject, float(rng.uniform(3, 80)), rng)
    return np.asarray(face.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def own(data: bytes) -> tuple[np.ndarray, str] | str:
    """Return the largest face (32, 32, 3) of an upload and how it was taken, or a sentence that says why there is none.

    A picture without a face that the detector finds is taken whole if it is square, as one that was cut out already.
    """
    if len(data) > HEAVIEST:
        return f"Not read: larger than {HEAVIEST >> 20} MiB."
    whole = photos.read(data, "whole")
    if isinstance(whole, str):
        return f"Not read: {whole}."
    height, width = whole.picture.shape[:2]
    square = 0.9 < height / width < 1.1
    try:
        found = photos.find(whole.picture, "largest")
    except Exception as error:  # no detector here
        return (whole.faces[0].pixels, "taken whole") if square else f"No face: {' '.join(str(error).split())}."
    if found:
        small = found[0].side * whole.reduced < SIZE
        return "The face is too small." if small else (found[0].pixels, "found and cut out")
    return (whole.faces[0].pixels, "no face found: taken whole") if square else "No face found in this picture."


def sentence(answers: Answers) -> str:
    """Return what the networks say in words."""
    female = float(answers.female[0])
    gender = f"{'female' if female > 0.5 else 'male'}, {max(female, 1 - female):.0%} sure"
    return f"age {answers.age[0]:.0f} (between {answers.low[0]:.0f} and {answers.high[0]:.0f}), {gender}"


def png(picture: np.ndarray) -> bytes:
    """Return a picture as a PNG, written quickly."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG", compress_level=1)
    return data.getvalue()


def tour(face: Face, steps: int = 5) -> np.ndarray:
    """Return the same face under all gates at 0, …, 1, a row each: what the sliders do, for a page without them."""
    learned, rows = dict(face.gates), []
    for gamma in np.linspace(0, 1, steps):
        face.gates = dict.fromkeys(face.reader.networks["gender"].card.gates, float(gamma))
        row = Image.fromarray(face.picture(across=1 + len(face.reader.networks["gender"].card.gates)))
        ImageDraw.Draw(row).text((6, 4), f"gamma = {gamma:g}: {sentence(face.answers())}", (255, 220, 0))
        rows.append(np.asarray(row))
    face.gates = learned
    return np.vstack(rows)
