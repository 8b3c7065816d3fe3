"""The whole procedure on made-up numbers whose truth is known: coverage of intervals, shares of each verdict.

A paired difference of a face is the true difference, plus what this face always does (`faces`), plus what this seed
does to all faces (`seeds`), plus what this seed does to this face alone (`flips`). Only means over a fold count, and
these are drawn directly: a fold of n faces has faces' noise of sd `faces`/sqrt(n).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, t

from gralib.evaluation.verdicts import LEVEL, reach

FOLDS, FACES = 5, 4740
"""Of UTKFace: folds, and faces in one."""


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the three parts, in shares (1 is a whole face or all faces of a seed)."""

    name: str
    faces: float
    seeds: float
    flips: float


NOISES = (
    Noise("faces alone", 0.35, 0.0, 0.0),
    Noise("faces most", 0.30, 0.002, 0.20),
    Noise("as expected", 0.25, 0.005, 0.25),
    Noise("seeds most", 0.10, 0.014, 0.25),
)
"""From faces that make all of the noise to the spread of seeds measured with 4,000 training faces (1.4 points)."""
MARGIN = 0.01
PLANS = ((5,), (10,), (5, 10), (5, 10, 20))


def draw(rng: np.random.Generator, repeats: int, seeds: int, noise: Noise) -> NDArray[np.float64]:
    """Return mean differences of seeds, (repeats, seeds), whose true difference is 0; seed s tests fold s mod 5."""
    fold = rng.normal(0, noise.faces / np.sqrt(FACES), (repeats, FOLDS))
    own = rng.normal(0, np.hypot(noise.seeds, noise.flips / np.sqrt(FACES)), (repeats, seeds))
    return fold[:, np.arange(seeds) % FOLDS] + own


def halves(values: NDArray[np.float64], noise: Noise, z: float) -> dict[str, NDArray[np.float64]]:
    """Return half the width of the interval by each candidate, (repeats,): at the bound `z` of a normal.

    - seeds: Student's t over the seeds' means.
    - folds: Student's t over the folds' means.
    - components: faces' variance as a bootstrap over faces knows it, that of seeds from moments, degrees of freedom by
      Satterthwaite.
    """
    n, each = values.shape[1], values.shape[1] // FOLDS
    spread = values.var(axis=1, ddof=1)
    means = values.reshape(-1, each, FOLDS).mean(axis=1)
    one = (noise.faces**2 + noise.flips**2) / FACES
    all_faces = (noise.faces**2 + noise.flips**2 / each) / FACES / FOLDS
    common = np.maximum(0, spread - (n * one - n * all_faces) / (n - 1))
    variance = all_faces + common / n
    df = np.where(common > 0, (n - 1) * (variance * n / spread) ** 2, 1e6)
    p = norm.sf(z)
    return {
        "seeds": t.isf(p, n - 1) * np.sqrt(spread / n),
        "folds": t.isf(p, FOLDS - 1) * means.std(axis=1, ddof=1) / np.sqrt(FOLDS),
        "components": t.isf(p, df) * np.sqrt(variance),
    }


def coverage(repeats: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Return how often each candidate's 95 % interval holds the truth, and half its width, by noise and seeds."""
    rng, rows = np.random.default_rng(seed), []
    for noise in NOISES:
        for seeds in (5, 10, 20):
            values = draw(rng, repeats, seeds, noise)
            for name, half in halves(values, noise, norm.ppf((1 + LEVEL) / 2)).items():
                held = (np.abs(values.mean(axis=1)) <= half).mean()
                rows.append((noise.name, seeds, name, float(held), float(half.mean())))
    return pd.DataFrame(rows, columns=["noise", "seeds", "interval", "coverage", "half width"])


def procedure(repeats: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Run the whole procedure, looks included, on true differences of 0, one margin and two.

    Returns:
        One row a noise, plan of looks and true difference (in margins): `coverage` by the intervals of all looks made,
        the share of each verdict with the words behind it, and the mean number of seeds used.
    """
    rng, rows = np.random.default_rng(seed), []
    for noise in NOISES[1:]:
        for plan in PLANS:
            drawn = draw(rng, repeats, plan[-1], noise)
            for true in (0, 1, 2):
                words, held, used = study(drawn + true * MARGIN, plan, true * MARGIN)
                shares = {name: float((words == name).mean()) for name in WORDS}
                rows.append({"noise": noise.name, "looks": " ".join(map(str, plan)), "true difference in margins": true,
                             "coverage": held.mean(), **shares, "seeds used": used.mean()})  # fmt: skip
    return pd.DataFrame(rows)


WORDS = (
    "supported: better", "contradicted: worse", "contradicted: no difference that matters",
    "inconclusive: could not see",
)  # fmt: skip
"""What `gralib.evaluation.verdicts.judge` can say under the rule of superiority."""


def study(values: NDArray[np.float64], plan: tuple[int, ...], true: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return of each made-up study (repeats, seeds) its words at the first look that decides, whether its intervals
    up to then held the `true` difference, and the seeds used."""
    words = np.full(len(values), WORDS[3], dtype=object)
    held, used = np.ones(len(values), dtype=bool), np.zeros(len(values))
    for i, seeds in enumerate(plan):
        means = values[:, :seeds].reshape(len(values), -1, FOLDS).mean(axis=1)
        half = reach(FOLDS - 1, tuple(n / plan[-1] for n in plan[: i + 1])) * means.std(axis=1, ddof=1) / np.sqrt(FOLDS)
        low, high = means.mean(axis=1) - half, means.mean(axis=1) + half
        going = words == WORDS[3]
        held &= ~going | ((low <= true) & (true <= high))
        used[going] = seeds
        inside = (low > -MARGIN) & (high < MARGIN)
        words[going] = np.select([low > 0, high < 0, inside], WORDS[:3], WORDS[3])[going]
    return words, held, used


def table(repeats: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Return both simulations as one table, for `reports/tables/protocol-simulation.csv`."""
    parts = {"intervals": coverage(repeats, seed), "procedure": procedure(repeats, seed)}
    return pd.concat([part.assign(simulation=name) for name, part in parts.items()], ignore_index=True)
