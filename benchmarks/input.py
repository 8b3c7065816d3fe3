"""First pass over picture files: seconds to have every face once as 32x32, one contender in a process of its own.

python benchmarks/input.py WHO FOLDER

WHO: gralib, keras-dataset, keras-generator, torch-loader, or twice (ours, and opened again)
"""

import json
import sys
import tempfile
import time
from pathlib import Path


def gralib(folder: Path) -> int:
    """Decode, resize and cache all files, labels and checks included."""
    from gralib.data.faces import open_faces

    with tempfile.TemporaryDirectory() as cache:
        return len(open_faces("utkface", folder, cache=cache, progress=False))


def twice(folder: Path) -> dict:
    """Return the seconds of our first opening of the faces, and of the second, which finds them cached."""
    from gralib.data.faces import open_faces

    seconds = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            begin = time.perf_counter()
            count = len(open_faces("utkface", folder, cache=cache, progress=False))
            seconds.append(time.perf_counter() - begin)
    return {"faces": count, "first_s": seconds[0], "second_s": seconds[1]}


def keras_dataset(folder: Path) -> int:
    """`keras.utils.image_dataset_from_directory`, read through once."""
    import keras

    data = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(32, 32), batch_size=64, shuffle=False, verbose=False
    )
    return sum(len(batch) for batch in data)


def keras_generator(folder: Path) -> int:
    """The seed's route: ImageDataGenerator, deprecated, read through once."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    flow = ImageDataGenerator().flow_from_directory(
        folder, target_size=(32, 32), class_mode=None, batch_size=64, shuffle=False
    )
    return sum(len(flow[i]) for i in range(len(flow)))


class Files:
    """A PyTorch data set over picture files, as a tutorial would write it."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        """Return the number of files."""
        return len(self.paths)

    def __getitem__(self, i):
        """Return one face as a (32, 32, 3) uint8 tensor."""
        import numpy as np
        import torch
        from PIL import Image

        with Image.open(self.paths[i]) as picture:
            return torch.from_numpy(np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)))


def torch_loader(folder: Path) -> int:
    """`torch.utils.data.DataLoader` with two worker processes."""
    from torch.utils.data import DataLoader

    loader = DataLoader(Files(sorted(folder.rglob("*.jpg"))), batch_size=64, num_workers=2)
    return sum(len(batch) for batch in loader)


if __name__ == "__main__":
    who, root = sys.argv[1], Path(sys.argv[2])
    if who.startswith("keras"):
        import keras  # noqa: F401
    if who.startswith("torch"):
        import torch  # noqa: F401
    if who in ("gralib", "twice"):
        from gralib.data import faces  # noqa: F401
    if who == "twice":
        print(json.dumps(twice(root)))
        sys.exit()
    contender = {
        "gralib": gralib, "keras-dataset": keras_dataset, "keras-generator": keras_generator,
        "torch-loader": torch_loader,
    }[who]  # fmt: skip
    begin = time.perf_counter()
    count = contender(root)
    seconds = time.perf_counter() - begin
    print(json.dumps({"who": who, "faces": count, "seconds": seconds, "us_per_face": 1e6 * seconds / count}))
