"""Faces drawn with Pillow that show age and gender; nothing here is a photograph of anybody.

A `Subject` has the traits that stay with a person; `draw_face` draws the subject at an age, every time as another
photograph: pose, light, background, expression.
"""

import math

import numpy as np
from PIL import Image, ImageFilter

from gralib.ages import MAX_AGE
from gralib.synthetic.pen import RING, Pen, Points, closed, mix
from gralib.synthetic.person import Subject, grown

_DETAIL = 4  # drawn this many times larger, then shrunk
_DARK, _GREY, _WHITE = (40, 22, 20), (158, 158, 160), (236, 236, 240)
_VOLUMES = {"crop": 0.05, "bun": 0.08, "parted": 0.1, "bob": 0.12, "waves": 0.12, "long": 0.14, "quiff": 0.15}
_VOLUMES |= {"curly": 0.16, "perm": 0.16}
_LENGTHS = {"bob": 0.5, "waves": 0.85, "long": 1.1}  # y at which the hair ends
_BEARDS = {"none": 0.10, "stubble": 0.32, "moustache": 0.12, "beard": 0.92}  # how dense
_SPOTS = ((-0.6, -0.5), (0.3, -0.6), (0.7, -0.3), (-0.75, 0.2), (0.62, 0.1), (-0.2, -0.42), (0.76, 0.3), (-0.5, 0.33))


class _Face:
    """One picture of one subject at one age, drawn from back to front."""

    def __init__(self, subject: Subject, age: float, rng: np.random.Generator, side: int) -> None:
        p = grown(age)
        self.who, self.age, self.rng, self.p = subject, age, rng, p
        self.man = man = p["adult"] if subject.gender == "male" else 0.0
        self.woman = woman = p["adult"] if subject.gender == "female" else 0.0
        self.smile = min(max(rng.normal(0.4, 0.4), -0.3), 1.2)
        self.light = rng.uniform(-1, 1)
        self.bald = subject.balding * man * min(max((age - 24) / 30, 0), 1)
        self.style = self._style()
        p["width"] *= subject.face_width * (1 - 0.05 * woman)
        p["jaw"] *= subject.jaw * (1 + 0.07 * man - 0.08 * woman)
        p["chin"] += 0.03 * man - 0.03 * woman
        p["neck"] += 0.05 * man - 0.08 * woman
        p["body"] += 0.08 * man - 0.08 * woman
        p["eye_h"] *= (1 - 0.08 * man + 0.12 * woman) * (1 - 0.12 * max(self.smile, 0))
        p["brow"] *= subject.brows * (1 + 0.45 * man - 0.35 * woman)
        p["brow_gap"] += 0.03 * woman - 0.03 * man
        p["nose"] *= subject.nose * (1 + 0.04 * man - 0.04 * woman)
        p["nose_w"] *= subject.nose * (1 + 0.12 * man - 0.10 * woman)
        p["lip"] *= subject.lips * (1 - 0.15 * man + 0.40 * woman)
        p["mouth_w"] *= 1 + 0.22 * max(self.smile, 0)
        p["eye_x"] = 0.46 * p["width"]
        self.grey = 1 / (1 + math.exp((subject.greying - age) / 4))
        white = mix(_GREY, _WHITE, min(max((age - 58) / 20, 0), 1))
        self.hair = mix(subject.hair, white, self.grey)
        self.skin = mix(subject.skin, (205, 185, 170), 0.25 * p["sag"] * subject.skin[0] / 255)
        self.shade = mix(self.skin, _DARK, 0.45)
        self.pen = Pen(side, mix((120, 125, 130), tuple(rng.uniform(20, 250, 3)), 0.5), rng)

    def _style(self) -> str:
        """Return the hair style at this age."""
        if self.age < 12:
            return "bob" if self.who.long_as_child and self.age >= 2 else "crop"
        if self.who.gender == "female" and self.age > 62 and self.who.style in ("long", "waves"):
            return "perm"
        return self.who.style

    def draw(self) -> Image.Image:
        """Draw everything and return the picture."""
        for part in (self._body, self._back_hair, self._head, self._marks_of_age, self._brows, self._eyes):
            part()
        for part in (self._beard, self._nose, self._mouth, self._front_hair, self._glasses):
            part()
        return self.pen.image

    def _body(self) -> None:
        body, cloth = self.p["body"], mix((110, 110, 115), tuple(self.rng.uniform(20, 235, 3)), 0.7)
        top = self.p["chin"] + 0.02
        right = ((0, top), (self.p["neck"], top + 0.02), (body, top + 0.16), (body + 0.15, 1.5), (0, 1.6))
        self.pen.shape(closed(right), cloth)

    def _back_hair(self) -> None:
        end = {"long": 1.25, "waves": 1.0, "bob": 0.62, "perm": 0.3}.get(self.style)
        w, behind = self.p["width"], mix(self.hair, _DARK, 0.25)
        if end:
            sides = ((w + 0.17, -0.1), (w + 0.18, end * 0.5), (w + 0.15, end - 0.1), (w * 0.8, end))
            self.pen.shape(closed(((0, -0.95), (w, -0.73), *sides, (0, end))), behind)
        elif self.style == "bun":
            self.pen.oval((0, -0.98), 0.25, 0.2, behind)

    def _outline(self, scale: float) -> Points:
        """Return the outline of the head, or of the lit part of it that is `scale` as large."""
        w, jaw, chin, sag = self.p["width"], self.p["jaw"], self.p["chin"], 0.06 * self.p["sag"]
        right = (
            (0, -0.80), (0.62 * w, -0.72), (0.97 * w, -0.40), (w, -0.05), (w * self.p["cheek"], 0.28),
            (w * jaw, chin - 0.26 + sag), (0.40 * w * (jaw + 0.2), chin - 0.05 + sag / 2), (0, chin)
        )  # fmt: skip
        shift = self.light * 0.25 * (1 - scale)
        return [(x * scale + shift, y * scale) for x, y in closed(right)]

    def _head(self) -> None:
        p, pen, w, neck = self.p, self.pen, self.p["width"], self.p["neck"]
        dark, lit = mix(self.skin, _DARK, 0.2), mix(self.skin, _WHITE, 0.12)
        under = (
            (0, 0.3),
            (neck, 0.3),
            (neck * 0.94, p["chin"] - 0.05),
            (neck * 1.1, p["chin"] + 0.14),
            (0, p["chin"] + 0.26),
        )
        pen.shape(closed(under), mix(self.skin, _DARK, 0.28))
        ear = p["eye_y"] + 0.13
        pen.oval((w + 0.02, ear), 0.075, p["ear"], dark, both=True)
        pen.oval((w + 0.035, ear), 0.035, p["ear"] * 0.6, self.shade, 0.6, both=True)
        for step, scale in enumerate((1, 0.965, 0.92, 0.87, 0.8, 0.7, 0.58)):
            pen.shape(self._outline(scale), mix(dark, lit, step / 6))
        cheek = (p["eye_y"] + p["mouth_y"]) / 2 + 0.06
        for size in (0.2, 0.15, 0.1):
            strength = 0.11 * (p["blush"] + 0.35 * self.woman)
            pen.oval((w * 0.58, cheek), size, size * 0.8, (226, 96, 92), strength, both=True)

    def _marks_of_age(self) -> None:
        """Draw what the years leave on the skin: lines, bags, folds, hollow cheeks, spots."""
        p, pen, dark, w, eye, mouth = self.p, self.pen, self.shade, self.p["width"], self.p["eye_y"], self.p["mouth_y"]
        lines, bags, sag, x = 0.8 * p["wrinkles"], p["bags"], p["sag"], p["eye_x"]
        brow = eye - p["brow_gap"]
        for k in range(3):
            y = brow - 0.11 - 0.085 * k
            pen.line(((-0.28, y + 0.02), (0, y - 0.01), (0.28, y + 0.02)), 0.02, dark, lines)
        pen.line(((0.04, brow - 0.05), (0.045, brow + 0.05)), 0.016, dark, lines, both=True)
        edge = x + p["eye_w"]
        for dy in (-0.05, 0.0, 0.05):
            pen.line(((edge, eye + dy * 0.3), (edge + 0.11, eye + dy * 1.4)), 0.016, dark, lines, both=True)
        low = eye + p["eye_h"]
        pen.oval((x, eye), p["eye_w"] * 1.25, p["eye_h"] + 0.08, dark, 0.3 * sag, both=True)
        pen.oval((x, low + 0.035), p["eye_w"], 0.05, dark, 0.35 * bags, both=True)
        bag = ((x - 0.11, low + 0.055), (x, low + 0.085), (x + 0.11, low + 0.055))
        pen.line(bag, 0.02, dark, 0.7 * bags, both=True)
        nose, corner = p["nose_w"], p["mouth_w"]
        fold = ((nose + 0.02, mouth - 0.19), (corner + 0.04, mouth - 0.07), (corner + 0.06, mouth + 0.03))
        pen.line(fold, 0.028, dark, 0.8 * p["folds"], both=True)
        droop = ((corner + 0.03, mouth + 0.06), (corner + 0.02, p["chin"] - 0.13))
        pen.line(droop, 0.022, dark, 0.7 * sag, both=True)
        pen.oval((w * 0.68, mouth - 0.08), 0.10, 0.17, dark, 0.35 * sag, both=True)
        pen.line(((0.1, p["chin"] + 0.06), (0.07, 1.02)), 0.02, dark, 0.7 * sag, both=True)
        for sx, sy in _SPOTS:
            pen.oval((sx * w, sy), 0.025, 0.02, (120, 78, 52), 0.6 * (sag - 0.3))

    def _brows(self) -> None:
        p, x, y = self.p, self.p["eye_x"], self.p["eye_y"] - self.p["brow_gap"]
        line = ((x - 0.14, y + 0.015), (x + 0.03, y - 0.02 - 0.03 * self.woman), (x + 0.16, y + 0.03))
        colour = mix(self.who.hair, (170, 165, 160), 0.8 * self.grey)
        self.pen.line(line, 0.02 + 0.03 * p["brow"], colour, min(p["brow"], 0.95), both=True)

    def _eyes(self) -> None:
        p, pen, x, y, w, h = self.p, self.pen, self.p["eye_x"], self.p["eye_y"], self.p["eye_w"], self.p["eye_h"]
        upper = ((x - w, y), (x - w * 0.4, y - h * 0.95), (x + w * 0.4, y - h * 0.95), (x + w, y))
        pen.oval((x, y - 0.03), w * 1.1, h + 0.03, self.shade, 0.25 + 0.2 * self.woman, both=True)
        pen.shape((*upper, (x + w * 0.4, y + h * 0.8), (x - w * 0.4, y + h * 0.8)), (240, 238, 234), both=True)
        iris, gaze = p["iris"], self.rng.normal(0, 0.012)
        tall = min(iris, h * 0.98)
        for at in (gaze - x, gaze + x):
            pen.oval((at, y), iris, tall, self.who.eyes)
            pen.oval((at, y), iris * 0.5, min(iris * 0.5, tall), (14, 10, 10))
            pen.oval((at + 0.02, y - tall * 0.4), 0.016, 0.016, (255, 255, 255))
        pen.line(upper, 0.022 + 0.02 * self.woman, _DARK, 0.75 + 0.25 * self.woman, both=True)
        for k in (0.55, 0.85, 1.1):
            root = y - h * (1.3 - k * 0.8)
            pen.line(((x + w * k, root), (x + w * (k + 0.3), root - 0.05)), 0.02, _DARK, self.woman, both=True)
        hood = ((x - w, y - h * 0.7 - 0.02), (x, y - h - 0.035), (x + w * 1.15, y - h * 0.2))
        pen.line(hood, 0.02, self.shade, 0.3 + 0.6 * p["sag"], both=True)

    def _beard(self) -> None:
        p, kind, w = self.p, self.who.beard, self.p["width"]
        grown = self.man * min(max((self.age - 18) / 6, 0), 1)
        if self.rng.random() < 0.15:  # shaven today
            return
        y, chin, colour = p["mouth_y"], p["chin"], mix(self.hair, _DARK, 0.1)
        right = (
            (0, y - 0.10), (0.2, y - 0.10), (w * 0.72, y - 0.04), (w * 0.98, 0.1), (w, 0.3),
            (w * p["jaw"] * 1.02, chin - 0.22), (0.45 * w, chin - 0.02), (0, chin + 0.06 * (kind == "beard"))
        )  # fmt: skip
        self.pen.shape(closed(right), colour, _BEARDS[kind] * grown)
        if kind in ("moustache", "beard"):
            tip = p["mouth_w"] + 0.07
            half = ((0, y - 0.11), (0.12, y - 0.10), (tip, y + 0.03), (0.12, y - 0.035), (0, y - 0.045))
            self.pen.shape(closed(half), colour, 0.95 * grown)

    def _nose(self) -> None:
        pen, w, top = self.pen, self.p["nose_w"], self.p["eye_y"] + 0.05
        tip, s = top + self.p["nose"], -1 if self.light > 0 else 1
        ridge = ((s * 0.03, top - 0.05), (s * 0.055, top + 0.1), (s * w, tip), (s * 0.02, tip))
        pen.shape(ridge, self.shade, 0.18 + 0.2 * min(self.age / 20, 1))
        pen.oval((0, tip - 0.03), w * 0.5, w * 0.45, mix(self.skin, _WHITE, 0.3), 0.5)
        under = ((-w, tip - 0.03), (-w * 0.6, tip + 0.03), (0, tip + 0.045), (w * 0.6, tip + 0.03), (w, tip - 0.03))
        pen.line(under, 0.022, self.shade, 0.8)
        pen.oval((w * 0.5, tip + 0.015), w * 0.28, 0.016, mix(self.shade, _DARK, 0.5), 0.9, both=True)

    def _mouth(self) -> None:
        p, pen, y, w, lip = self.p, self.pen, self.p["mouth_y"], self.p["mouth_w"], self.p["lip"]
        up, gap = y - 0.05 * self.smile, 0.14 * max(self.smile - 0.55, 0)
        paint = 0.6 * self.woman * (1 - 0.5 * p["sag"])
        red = mix(mix(self.skin, (178, 72, 72), 0.5), (190, 40, 60), paint)
        low = y + gap + lip
        lips = ((0, y - lip * 0.75), (w * 0.4, y - lip), (w, up), (w * 0.45, low), (0, low + lip * 0.3))
        pen.shape(closed(lips), red)
        if gap > 0.012:
            teeth = (120, 50, 50) if self.age < 1 else (238, 234, 226)
            pen.shape(closed(((0, y), (w * 0.85, up + 0.01), (w * 0.5, y + gap * 0.9), (0, y + gap * 1.2))), teeth)
        seam = ((-w, up), (-w * 0.5, y), (0, y + 0.006), (w * 0.5, y), (w, up))
        pen.line(seam, 0.018, mix(red, _DARK, 0.7), 0.9)

    def _front_hair(self) -> None:
        p, pen, w, ear = self.p, self.pen, self.p["width"], self.p["eye_y"] + 0.05
        if self.bald > 0.62:
            fringe = ((w - 0.02, -0.36), (w + 0.06, -0.2), (w + 0.07, ear + 0.1), (w - 0.03, ear), (w - 0.08, -0.15))
            pen.shape(fringe, self.hair, 0.95, both=True)
            return
        volume = _VOLUMES[self.style]
        top, edge = -0.82 - volume * p["hair"], w + 0.03 + 0.3 * volume
        line = -0.44 - 0.10 * self.man + 0.14 * (1 - p["adult"]) * (3 < self.age < 18) - 0.36 * self.bald
        temple = -0.26 - 0.08 * self.man - 0.5 * self.bald
        parting = 0.12 * (1 - self.bald) if self.style in ("parted", "bob", "long", "quiff") else 0.0
        cap = [
            (-edge, ear), (-edge, -0.35), (-edge * 0.68, top + 0.14), (0, top), (edge * 0.68, top + 0.14),
            (edge, -0.35), (edge, ear), (w * 0.92, ear - 0.08), (w * 0.82, temple), (w * 0.4, line + parting),
            (0, line), (-w * 0.4, line - parting), (-w * 0.82, temple), (-w * 0.92, ear - 0.08)
        ]  # fmt: skip
        pen.shape(cap, self.hair, p["hair"])
        for x in np.linspace(-0.6, 0.6, 6) * w:
            strand = ((x * 0.6, top + 0.1), (x * 1.1, (top + line) / 2), (x * 1.3, line - 0.06))
            pen.line(strand, 0.02, mix(self.hair, _WHITE, 0.35), 0.22 * p["hair"])
        if self.style in ("curly", "perm"):
            for a in np.linspace(-1.9, 1.9, 11):
                y = -0.3 - (0.5 + volume) * math.cos(a)
                pen.oval((edge * math.sin(a), y), 0.12, 0.12, self.hair, max(p["hair"], 0.8))
        if self.style in _LENGTHS:
            end = _LENGTHS[self.style]
            lock = (
                (w * 0.85, -0.45), (edge, -0.4), (edge + 0.1, 0.2), (edge + 0.06, end), (w * 0.9, end), (w * 0.93, 0.1)
            )  # fmt: skip
            pen.shape(lock, self.hair, both=True)

    def _glasses(self) -> None:
        often = (self.who.glasses if self.age > 7 else 0.0) + (0.25 if self.age > 50 else 0.0)
        if self.rng.random() >= often:
            return
        x, y, frame = self.p["eye_x"], self.p["eye_y"] + 0.01, (42, 34, 34)
        rim = [(x + 0.19 * a, y + 0.15 * b) for a, b in (*RING, RING[0])]
        self.pen.line(rim, 0.028, frame, both=True)
        self.pen.line(((x + 0.19, y - 0.02), (self.p["width"] + 0.02, y - 0.05)), 0.028, frame, both=True)
        self.pen.line(((0.19 - x, y), (0, y - 0.03), (x - 0.19, y)), 0.028, frame)


def draw_face(subject: Subject, age: float, rng: np.random.Generator, size: int = 64) -> Image.Image:
    """Draw a new picture of a subject.

    Args:
        subject: who is drawn.
        age: years, 0 to 116.
        rng: gives what differs from picture to picture: pose, light, background, expression, noise.
        size: width and height in pixels, at least 16.

    Returns:
        An RGB picture of `size` x `size` pixels.

    Raises:
        ValueError: an age or a size out of range.
    """
    if not 0 <= age <= MAX_AGE:
        raise ValueError(f"age: expected 0 to {MAX_AGE} years, got {age}")
    if size < 16:
        raise ValueError(f"size: expected at least 16 pixels, got {size}")
    drawn = _Face(subject, age, rng, size * _DETAIL).draw().reduce(_DETAIL)
    return _photograph(drawn, rng)


def _photograph(drawn: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the drawing as a camera would: uneven light, colour cast, blur, noise."""
    size = drawn.width
    if rng.random() < 0.4:
        drawn = drawn.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.6) * size / 64))
    slope = np.linspace(-1, 1, size)
    light = 1 + rng.normal(0, 0.08) * slope[None, :] + rng.normal(0, 0.06) * slope[:, None]
    cast = rng.uniform(0.82, 1.1) * (1 + rng.normal(0, 0.02, 3))
    pixels = np.asarray(drawn, dtype=np.float64) * light[:, :, None] * cast
    pixels += rng.normal(0, rng.uniform(1, 5), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
