"""Smooth shapes and lines in the coordinates of a face, its pose applied."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[float, float, float]
Point = tuple[float, float]
Points = Sequence[Point]

RING = [(math.sin(k * math.pi / 4), -math.cos(k * math.pi / 4)) for k in range(8)]


@cache
def _spline(n: int, closed: bool) -> NDArray[np.float64]:
    """Return the matrix that puts a Catmull-Rom curve of 6 points a span through n points."""
    t = np.arange(6) / 6
    weights = np.stack([2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    spans = n if closed else n - 1
    matrix = np.zeros((spans * 6, n))
    for span in range(spans):
        for k in range(4):
            at = span + k - 1
            at = at % n if closed else min(max(at, 0), n - 1)
            matrix[span * 6 : span * 6 + 6, at] += weights[k]
    return matrix if closed else np.vstack([matrix, np.eye(n)[-1]])


class Pen:
    """Draws in the coordinates of the face: x right, y down, the picture about -1.15 to 1.15, pose applied."""

    def __init__(self, side: int, background: Colour, rng: np.random.Generator) -> None:
        self.image = Image.new("RGB", (side, side), _ink(background, 1)[:3])
        self._draw = ImageDraw.Draw(self.image, "RGBA")
        self._turn, tilt = rng.normal(0, 0.07), rng.normal(0, 0.06)
        self._scale = side / 2 * rng.uniform(0.84, 0.92)
        self._pose = self._scale * np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        self._centre = side / 2 + rng.normal(0, 0.02, 2) * side

    def _curve(self, points: Points, closed: bool) -> list[float]:
        """Return x, y, x, y... of the smooth curve through `points`, pixels."""
        at = np.array(points)
        at[:, 0] += self._turn * np.maximum(1 - at[:, 0] ** 2, 0)  # the middle of the face turns furthest
        return (_spline(len(points), closed) @ (at @ self._pose + self._centre)).ravel().tolist()

    def shape(self, points: Points, colour: Colour, alpha: float = 1, both: bool = False) -> None:
        """Fill the smooth closed curve through `points`; with `both`, its mirror image as well."""
        if alpha > 0.02:
            self._draw.polygon(self._curve(points, True), fill=_ink(colour, alpha))
            if both:
                self.shape([(-x, y) for x, y in points], colour, alpha)

    def line(self, points: Points, width: float, colour: Colour, alpha: float = 1, both: bool = False) -> None:
        """Draw the smooth open curve through `points`; with `both`, its mirror image as well."""
        if alpha > 0.02:
            thick = max(1, round(width * self._scale))
            self._draw.line(self._curve(points, False), fill=_ink(colour, alpha), width=thick, joint="curve")
            if both:
                self.line([(-x, y) for x, y in points], width, colour, alpha)

    def oval(self, centre: Point, rx: float, ry: float, colour: Colour, alpha: float = 1, both: bool = False) -> None:
        """Fill an ellipse; with `both`, its mirror image as well."""
        self.shape([(centre[0] + rx * a, centre[1] + ry * b) for a, b in RING], colour, alpha, both)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour a share of the way from one to the other."""
    return tuple(x + (y - x) * share for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def _ink(colour: Colour, alpha: float) -> tuple[int, int, int, int]:
    r, g, b = (int(min(max(c, 0), 255)) for c in colour)
    return r, g, b, int(min(alpha, 1) * 255)


def closed(right: Points) -> Points:
    """Return a whole outline from its right half, listed from top to bottom."""
    return [*right, *((-x, y) for x, y in reversed(right) if x)]
