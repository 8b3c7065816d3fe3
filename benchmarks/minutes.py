"""Train gender on real faces until a time is spent, and print the validation accuracy after every epoch as JSON.

python benchmarks/minutes.py WHO ROOT WIDTH THREADS MINUTES   WHO: gralib, resattention or keras-defaults

Every contender learns the same faces in batches of 64 and is measured on the same others. The clock starts with the
process, first step included, and stands still while faces are opened and accuracy is measured. A contender stops at
the end of its recipe, or with the epoch in which its minutes are over.
"""

import json
import sys
from collections.abc import Callable

import numpy as np
from train_one import since_start

BATCH = 64


def faces(root: str, width: int):
    """Return the configuration, its training pixels and one-hot genders, and those that are measured.

    These are the faces that a choice of the recipe is measured on; the fold that tests sits out.
    """
    from gralib.config import configure
    from gralib.data.faces import open_faces
    from gralib.data.formats import find_root
    from gralib.data.splits import split
    from gralib.labels import targets

    config = configure("laptop", task="gender", width=width, batch_size=BATCH, tuning=True, held_out=0.0)
    opened = open_faces("utkface", find_root("utkface", root), progress=False)
    known = opened.table["gender"].notna().to_numpy()
    parts = split(config, opened.table)
    train, measured = (rows[known[rows]] for rows in (parts.train, parts.test))
    return config, *((opened.pixels[rows], targets(config, opened.table.iloc[rows])) for rows in (train, measured))


def gralib(config, pixels: np.ndarray, truth: np.ndarray) -> tuple[Callable, Callable, int]:
    """The recipe of the study; see `gralib.training.fit`."""
    from gralib.training.augmentation import Batches
    from gralib.training.fit import answering, predict, prepare, smooth

    model, rows = prepare(config, len(pixels) // BATCH), np.arange(len(pixels))
    smoothed = smooth(config, truth)

    def epoch(i: int) -> None:
        model.fit(Batches(config, i, pixels, rows, smoothed), shuffle=False, verbose=0)

    def read(measured: np.ndarray) -> np.ndarray:
        with answering(model):
            return predict(model, measured, np.arange(len(measured)), config.mirrored_prediction)

    return epoch, read, config.epochs


def fitted(model, pixels: np.ndarray, truth: np.ndarray, scale: Callable) -> tuple[Callable, Callable, int]:
    """A network compiled and fitted as Keras users do: Nadam at its rate, the faces as an array."""
    import keras

    model.compile(keras.optimizers.Nadam(1e-3), "binary_crossentropy")
    scaled = scale(pixels)

    def epoch(_: int) -> None:
        model.fit(scaled, truth, batch_size=BATCH, verbose=0)

    return epoch, lambda measured: model.predict(scale(measured), verbose=0), sys.maxsize


def resattention(config, pixels: np.ndarray, truth: np.ndarray) -> tuple[Callable, Callable, int]:
    """The published package."""
    from opponents import resattention as build

    return fitted(build(config.width), pixels, truth, lambda faces: (faces / 127.5 - 1).astype("float32"))


def keras_defaults(config, pixels: np.ndarray, truth: np.ndarray) -> tuple[Callable, Callable, int]:
    """Our network as somebody would train it who takes it alone, without the recipe."""
    from gralib.model.network import gra_net

    return fitted(gra_net(width=config.width), pixels, truth, lambda faces: faces)


def main() -> None:
    """Run what the command line names."""
    who, root, width, threads, budget = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    contender = {"gralib": gralib, "resattention": resattention, "keras-defaults": keras_defaults}[who]
    from gralib import backend

    backend.start(threads)
    still = -since_start()
    config, (pixels, truth), (measured, answers) = faces(root, width)
    still += since_start()
    epoch, read, most = contender(config, pixels, truth)
    minutes: list[float] = []
    accuracy: list[float] = []
    while len(minutes) < most and (not minutes or minutes[-1] < budget):
        epoch(len(minutes))
        minutes.append((since_start() - still) / 60)
        still -= since_start()
        accuracy.append(float((read(measured).argmax(axis=1) == answers.argmax(axis=1)).mean()))
        still += since_start()
    found = {"contender": who, "width": width, "threads": threads, "faces": len(pixels), "measured": len(measured)}
    print(json.dumps({**found, "minutes": minutes, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
