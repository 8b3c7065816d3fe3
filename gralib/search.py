"""The search for a recipe: settings of the training drawn at random, then one part left out at a time.

Only validation faces judge (`RunConfig.tuning`): the test faces of the fold sit out. Random search at a small budget
(Bergstra and Bengio 2012) says what each part is worth on average over the others; the knock-out at all faces says what
it is worth in the recipe chosen.
"""

from typing import Any

import numpy as np

from gralib.config import RunConfig, configure, shape

LEVELS: dict[str, tuple[Any, ...]] = {
    "start": ("zero", "dirac", "he", "glorot"),
    "warmup": (0.0, 0.15),
    "learning_rate": (0.001, 0.002, 0.004),
    "weight_decay": (0.0, 0.05),
    "label_smoothing": (0.0, 0.1),
    "batch_norm_momentum": (0.9, 0.8),
    "averaging": (0.0, 0.99),
    "gate_rate": (1.0, 50.0),
    "mirror": ("random", "alternating"),
    "shift": (2, 4),
    "zoom": (0.0, 0.15),
    "cutout": (0, 8),
    "mixup": (0.0, 0.2),
    "batch_size": (32, 64, 128),
}
"""Values of every part of a recipe; the first ones of most are Keras' defaults or nothing."""
AGE_WIDTHS = (10, 5, 2)
"""Years in an age category, a part of the age networks' recipe alone."""
SMALL = {"preset": "laptop", "recipe": "keras", "tuning": True, "held_out": 0.0, "train_faces": 6000, "epochs": 5}
"""Budget of the random search: a tenth of what all faces of a fold would take in eighteen epochs."""
DRAWN = {"gender": 24, "age_category": 16}
"""Recipes drawn for each task."""


def drawn(task: str, seed: int = 0) -> list[dict[str, Any]]:
    """Return the drawn recipes of a task: of every part, each value as often as the others (a Latin square's margin).

    Args:
        task: 'gender' or 'age_category'.
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, list(DRAWN).index(task)])
    levels = LEVELS | ({"age_width": AGE_WIDTHS} if task == "age_category" else {})
    count = DRAWN[task]
    columns = {name: rng.permutation(np.resize(np.arange(len(values)), count)) for name, values in levels.items()}
    return [
        {**SMALL, "task": task, **{name: values[columns[name][i]] for name, values in levels.items()}}
        for i in range(count)
    ]


def configs() -> list[RunConfig]:
    """Return the runs of the random search, those that one compiled network serves after one another."""
    return sorted(
        (configure(**setting) for task in DRAWN for setting in drawn(task)), key=lambda c: shape(c).canonical()
    )
