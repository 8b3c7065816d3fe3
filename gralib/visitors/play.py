"""A page to play with: a face, what the networks read off it, their masks over it, and a slider for every gate (Eq. 3).

`Face` holds the numbers and needs no browser; `page` puts widgets around it. Nothing leaves this machine.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gralib.data.decoding import SIZE
from gralib.data.sources import HEAVIEST
from gralib.predict import Reader
from gralib.synthetic import drawing, person
from gralib.visitors import kinds, photos, shipped
from gralib.visitors.shipped import Answers, Calibration

ENLARGED, SMALLER = 7, 4
"""Pixels that one of the face's is shown as, alone and where the kinds of attention stand side by side."""
COLOURS = [round(255 * value) for share in np.linspace(0, 1, 256)
           for value in (share, 0.1 + 0.75 * share, 0.55 - 0.45 * share)]  # fmt: skip
"""A palette from blue to yellow, of 256 colours."""
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
        """Return the masks K of the gender network by name of the block, (h, w, channels)."""
        found = self.reader.networks["gender"].masks(self.shown[None], self.gates)
        return {name: mask[0] for name, mask in found.items()}

    def enlarged(self, times: int) -> Image.Image:
        """Return the face as the networks get it, every pixel `times` as wide and high."""
        return Image.fromarray(self.shown).resize((SIZE * times,) * 2, Image.Resampling.NEAREST)

    def shares(self) -> list[kinds.Shares]:
        """Return of each block its masks by kind of attention, averaged over channels and scaled, as they are shown."""
        return [kinds.shares(mask) for mask in self.masks().values()]

    def picture(self, shares: list[kinds.Shares], across: int = 2) -> np.ndarray:
        """Return the face, and each block's own mask over it, as a picture (h, w, 3) uint8, `across` of them in a row.

        All masks are on one scale, see `kinds.SCALES`; `shares` are those of now.
        """
        face = self.enlarged(ENLARGED)
        grey = face.convert("L").convert("RGB")
        return sheet([face, *(over(grey, share["mixed"]) for share in shares)], across)

    def side_by_side(self, shares: list[kinds.Shares]) -> np.ndarray:
        """Return the masks by each kind of attention over the face, (h, w, 3) uint8: a row a block, a column a kind."""
        grey = self.enlarged(SMALLER).convert("L").convert("RGB")
        panels = [over(grey, share) for row in shares for share in row.values()]
        return np.vstack([_heads(), sheet(panels, len(kinds.SCALES))])


def sheet(panels: list[Image.Image], across: int) -> np.ndarray:
    """Return pictures of one size in rows of `across`, (h, w, 3) uint8, grey lines between them."""
    step = panels[0].width + ENLARGED
    down = -(-len(panels) // across)
    whole = Image.new("RGB", (across * step - ENLARGED, down * step - ENLARGED), (127, 127, 127))
    for number, panel in enumerate(panels):
        whole.paste(panel, (number % across * step, number // across * step))
    return np.asarray(whole)


def over(grey: Image.Image, share: np.ndarray) -> Image.Image:
    """Return a mask (h, w) of 0 to 1 laid over a grey face: what it lets through is yellow, what it holds back blue."""
    mask = Image.fromarray((255 * share).round().astype(np.uint8)).resize(grey.size, Image.Resampling.BILINEAR)
    mask.putpalette(COLOURS)
    return Image.blend(grey, mask.convert("RGB"), 0.65)


@cache
def _heads() -> np.ndarray:
    """Return the line above the columns of `Face.side_by_side`."""
    side = SIZE * SMALLER
    line = Image.new("RGB", (3 * side + 2 * ENLARGED, 24))
    for number, (kind, equation) in enumerate(zip(kinds.SCALES, (4, 5, 6), strict=True)):
        at = (number * (side + ENLARGED) + side / 2, 12)
        ImageDraw.Draw(line).text(at, f"{kind}, Eq. {equation}", (255, 255, 255), ImageFont.load_default(14), "mm")
    return np.asarray(line)


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
    """Return a picture as a PNG."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG", compress_level=1)
    return data.getvalue()


def jpeg(picture: np.ndarray) -> bytes:
    """Return a picture as a JPEG without its losses being seen, which is written a tenth as long as a PNG."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=95, subsampling=0)
    return data.getvalue()


def rows(face: Face, gammas: Iterable[float], drawn: Callable[[float], np.ndarray]) -> np.ndarray:
    """Return what is `drawn` (h, w, 3) with all gates at each gamma, a row each, and on it what the networks say."""
    learned, made = dict(face.gates), []
    for gamma in gammas:
        face.gates = dict.fromkeys(face.reader.networks["gender"].card.gates, float(gamma))
        row, said = Image.fromarray(drawn(gamma)), f"gamma = {gamma:g}: {sentence(face.answers())}"
        font = ImageFont.load_default(16)
        ImageDraw.Draw(row).text((8, 6), said, "yellow", font, stroke_width=2, stroke_fill="black")
        made.append(np.asarray(row))
    face.gates = learned
    return np.vstack(made)


def tour(face: Face, steps: int = 5) -> np.ndarray:
    """Return the same face under all gates at 0, …, 1, a row each: what the sliders do, for a page without them."""
    return rows(face, np.linspace(0, 1, steps), lambda _: face.picture(face.shares(), across=1 + len(face.gates)))
