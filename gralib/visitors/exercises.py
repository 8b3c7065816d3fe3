"""The exercises of the notebooks: `check("gate-1", answer)` says right, or what to look at.

What is right is worked out when it is asked for, by the library that the notebooks use; nothing measured is in it.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from gralib import ages, metrics
from gralib.data.formats import afad, fgnet, wikipedia
from gralib.equations import gated, masks_of
from gralib.errors import UserError
from gralib.evaluation.verdicts import Interval, judge
from gralib.report.questions import confused

CLOSE = 0.01
"""By which share of the right number an answer may be off."""
AFAD = np.arange(15, 41)
"""Its ages."""


class Exercise(NamedTuple):
    """What is right, worked out when asked for, and what to look at where an answer is not."""

    right: Callable[[], Any]
    look: str


def _interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, low, high, 1.0, 1.0, 5)


def _mask(kind: str, features: Any, where: tuple[int, int, int]) -> float:
    return float(masks_of(np.asarray(features, dtype=float))[kind][where])


def _separable(size: int, inputs: int, outputs: int) -> float:
    return size**2 * inputs * outputs / (size**2 * inputs + inputs * outputs)


EXERCISES = {
    "start-1": Exercise(lambda: gated(0.3, 0), "Put γ = 0 into Eq. 3: only K is left in the bracket."),
    "start-2": Exercise(lambda: gated(0.3, 1), "Put γ = 1 into Eq. 3: what is left of K?"),
    "start-3": Exercise(lambda: gated(0.3, 0.5), "γ = 1/2: half of 1, and half of K."),
    "tour-1": Exercise(lambda: gated(0.6, 0.25, 2), "Eq. 3: first the bracket, γ + (1 − γ) K, then times F."),
    "tour-2": Exercise(lambda: 128 * 32 + 32, "A weight from every channel in to every one out, and a bias each."),
    "tour-3": Exercise(lambda: gated(0.3, 0.5), "Eq. 2 with the gate: the gradient goes back through Eq. 3's bracket."),
    "gate-1": Exercise(lambda: (1 + 0.2) / gated(0.2, 0.5), "Divide 1 + K by γ + (1 − γ) K, for K = 0.2 and γ = 1/2."),
    "gate-2": Exercise(lambda: gated(0, 0.25), "A mask is weakest where K = 0."),
    "gate-3": Exercise(
        lambda: judge("superiority", _interval(-0.004, 0.006), 0.01)[0],
        "Does the interval lie above zero? If it holds zero, does all of it lie within the margin?",
    ),
    "attention-1": Exercise(lambda: _mask("mixed", [[[np.log(3)]]], (0, 0, 0)), "Eq. 4: 1 / (1 + exp(−x)), x = ln 3."),
    "attention-2": Exercise(lambda: _mask("channel", [[[3, -4]]], (0, 0, 1)), "Eq. 5: the length of (3, −4) is 5."),
    "attention-3": Exercise(
        lambda: _mask("spatial", [[[1], [1], [1], [5]]], (0, 3, 0)),
        "Eq. 6: their mean is 2 and their standard deviation √3; then the sigmoid.",
    ),
    "depth-1": Exercise(lambda: gated(0.5, 0) ** 5, "Each of five blocks halves what the one before has left."),
    "depth-2": Exercise(lambda: gated(0.5, 0.5) ** 5, "Eq. 3's bracket at γ = 1/2 and K = 1/2, five times over."),
    "depth-3": Exercise(
        lambda: next(n for n in range(99) if gated(0.5, 0) ** n < 0.01), "Halve until it is below 1/100."
    ),
    "noise-1": Exercise(
        lambda: confused(0.3, ages.category_count(10))[0, 1],
        "The wrong labels are shared alike by all categories but the right one.",
    ),
    "noise-2": Exercise(
        lambda: 1 - 1 / ages.category_count(10), "Set 1 − p equal to p shared by the other categories, and solve for p."
    ),
    "noise-3": Exercise(
        lambda: confused(0.3, ages.category_count(10))[0, 0],
        "It is right on the truth; how often does the label say the truth?",
    ),
    "turn-1": Exercise(
        lambda: 2 * 15 * np.sin(np.radians(15 / 2)), "The chord of 15 degrees on a circle of 15 pixels."
    ),
    "turn-2": Exercise(lambda: 3 / 32, "Three of how many columns?"),
    "turn-3": Exercise(lambda: 3 / (32 / 16), "How many pixels of the face does one position of that mask cover?"),
    "age-1": Exercise(
        lambda: tuple(float(part) for part in ages.encode(42, 5)),
        "42 = 5 · category + what is left; the remainder is counted in widths.",
    ),
    "age-2": Exercise(
        lambda: _joined(ages.join_soft), "Each category's age, 10 · (category + remainder), times its share."
    ),
    "age-3": Exercise(lambda: _joined(ages.join_hard), "Take the likeliest category alone, and its remainder."),
    "methods-1": Exercise(lambda: _separable(3, 64, 128), "3·3·64·128 weights against 3·3·64 + 64·128."),
    "methods-2": Exercise(lambda: (32 // 4 - 1) ** 2 * 2 * 2 * 9, "7 × 7 blocks, each of 2 × 2 cells of 9 directions."),
    "methods-3": Exercise(lambda: (10 + (85 - 83)) / 2, "Of the ten, first − second = 2 and first + second = 10."),
    "recipe-1": Exercise(
        lambda: 0.001 * (1 + np.cos(0.75 * np.pi)) / 2, "Half a cosine: (1 + cos(π · share done)) / 2."
    ),
    "recipe-2": Exercise(lambda: 40 * (1 - metrics.LEVEL), "Each of the forty does so one time in twenty."),
    "recipe-3": Exercise(
        lambda: expit(-0.001 * 684 / 2),
        "The mean rate under half a cosine is half the greatest; γ is the sigmoid of the scalar.",
    ),
    "utkface-1": Exercise(
        lambda: metrics.absolute_errors([20, 40, 60], [25, 38, 50]).mean(), "Eq. 7: the mean of 5, 2 and 10."
    ),
    "utkface-2": Exercise(
        lambda: metrics.constant_age([1, 20, 25, 30, 90]), "Not the mean: which one has as many on either side?"
    ),
    "utkface-3": Exercise(
        lambda: metrics.absolute_errors([30, 38], 34).mean(), "Any answer between the two is as good."
    ),
    "fgnet-1": Exercise(lambda: 1 - (1 / 5) ** 2, "One minus the chance that both others test as well."),
    "fgnet-2": Exercise(
        lambda: _shows("009A16a.JPG"),
        "Subject before the A, age after it; a letter tells pictures of one age apart.",
    ),
    "fgnet-3": Exercise(
        lambda: metrics.absolute_errors([0] * 20, [10] * 2 + [5] * 18).mean(),
        "Every face has the same say, so the larger fold weighs more.",
    ),
    "afad-1": Exercise(
        lambda: metrics.absolute_errors(AFAD, metrics.constant_age(AFAD)).mean(),
        "The median is 27.5; average the distances of 15 … 40 from it.",
    ),
    "afad-2": Exercise(
        lambda: len({afad.read_path(f"20/{name}.jpg").group for name in ("111/12-0", "112/12-1", "111/13-0")}),
        "The number before the dash is the photo.",
    ),
    "afad-3": Exercise(
        lambda: float(metrics.cumulative_score([2, 5, 6, 9], [5])[0]), "How many of the four are at most 5?"
    ),
    "wikipedia-1": Exercise(
        lambda: wikipedia.age(_day(1950, 8, 1), 1980), "On 1 July 1980 the birthday of that year is still to come."
    ),
    "wikipedia-2": Exercise(
        lambda: metrics.balanced([0] * 80 + [1] * 20, [1] * 76 + [0] * 4 + [1] * 12 + [0] * 8).mean(),
        "The accuracy of the men and that of the women, averaged.",
    ),
    "wikipedia-3": Exercise(
        lambda: metrics.balanced([0] * 4 + [1], [1] * 4 + [0]).mean(), "Right on all men, on no woman."
    ),
    "adience-1": Exercise(
        lambda: metrics.one_off([3, 4, 5], [3, 5, 7]).mean(), "Right, or the group next to it, counts."
    ),
    "adience-2": Exercise(
        lambda: int((ages.group_of(np.arange(61)) < 0).sum()), "Count the ages in the gaps: 3, 7, 13, 14, …"
    ),
    "adience-3": Exercise(lambda: np.std([84, 86, 80, 82, 88], ddof=1), "Of a sample: divide by four, not by five."),
}
"""By name: what notebooks call them."""


def _joined(join: Callable[..., np.ndarray]) -> float:
    probability, remainder = np.zeros((2, 1, ages.category_count(10)))
    probability[0, [3, 4]], remainder[0, [3, 4]] = (0.75, 0.25), (0.2, 0.8)
    return float(join(probability, remainder)[0])


def _shows(name: str) -> tuple[int, int]:
    """Return person and age of a picture of FG-NET."""
    found = fgnet.NAME.fullmatch(name)
    assert found
    return int(found["subject"]), int(found["age"])


def _day(year: int, month: int, day: int) -> int:
    """Return a date as MATLAB counts days."""
    return date(year, month, day).toordinal() + wikipedia.MATLAB_EPOCH


def check(name: str, answer: Any = None) -> None:
    """Say whether an answer to an exercise is right, and if not, what to look at.

    Args:
        name: of the exercise, such as 'gate-1'.
        answer: a number, several of them in a tuple, or a word; numbers may be off by one in a hundred.

    Raises:
        UserError: an unknown exercise.
    """
    if name not in EXERCISES:
        alike = [known for known in EXERCISES if known.split("-")[0] == name.split("-")[0]] or EXERCISES
        raise UserError(f"exercise: expected one of {', '.join(alike)}, got {name!r}")
    exercise = EXERCISES[name]
    if answer is None:
        print(f"{name}: put your answer in place of None.")
    elif is_right(answer, exercise.right()):
        print(f"{name}: right.")
    else:
        print(f"{name}: not yet. {exercise.look}")


def is_right(answer: Any, right: Any) -> bool:
    """Tell whether an answer is the right word, or the right numbers up to `CLOSE`."""
    if isinstance(right, str):
        return isinstance(answer, str) and answer.strip().casefold() == right
    try:
        given = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return given.shape == np.shape(right) and bool(np.allclose(given, right, rtol=CLOSE, atol=1e-9))
