"""Power lost: every writer of the library at random moments, on a disk of which only what was synced survives.

python blackout.py LOSSES prints how they ended. The disk is that of tests/power.py: calls are recorded, and the folder
is put together again as POSIX promises it and no better. Then the same is asked for again, and must come out the same.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from common import BUILD, ROOT, drawn, left

from gralib import errors
from gralib.config import configure
from gralib.data.faces import Faces, open_faces
from gralib.files import write_text
from gralib.training.records import Run

sys.path.insert(0, str(ROOT / "tests"))
SEED = 5
SHARES = {
    "drawing": 12, "decoding": 14, "training, checkpoint, record": 28, "keep": 12, "import": 12, "prediction": 10,
    "export": 4, "report": 8,
}  # fmt: skip
"""Of 100 losses, how many go to which writer."""
CONFIG = configure("smoke", task="gender", network="separable", width=2, epochs=3, train_faces=96, batch_size=32)
AFTER = 0.3
"""Share of the losses that come just after the writer has returned."""
Door = Callable[[Path], object]


class Prepared:
    """What the writers start from: drawn faces, decoded, and a finished run on them."""

    def __init__(self, folder: Path):
        from gralib.training.experiment import run

        self.pictures = drawn("utkface", 60)
        self.faces: Faces = open_faces("utkface", self.pictures, cache=folder / "cache", progress=False)
        self.run: Run = run(CONFIG, self.faces, folder / "runs", again=True, progress="none")

    def doors(self) -> dict[str, Door]:
        """Return the writers by name; each writes below the folder it is given."""
        from gralib import synthetic
        from gralib.data.faces import open_faces
        from gralib.export import export
        from gralib.training.exchange import keep, merge
        from gralib.training.experiment import run
        from gralib.visitors import reading, shipped

        photo = next(self.pictures.rglob("*.jpg"))
        store = self.run.folder.parent
        return {
            "drawing": lambda root: (root / "data").exists() or synthetic.write("utkface", root / "data", 11),
            "decoding": lambda root: open_faces("utkface", self.pictures, root / "cache", progress=False),
            "training, checkpoint, record": lambda root: run(CONFIG, self.faces, root / "runs", True, progress="none"),
            "keep": lambda root: keep(self.run, root / "kept"),
            "import": lambda root: merge(store, root / "kept"),
            "prediction": lambda root: list(reading.answers([photo], "whole", shipped.FOLDER, root / "out.png")),
            "export": lambda root: export(self.run, root / "network.onnx"),
            "report": report,
        }


def report(root: Path) -> Path:
    """Write the report of a study root."""
    from gralib.report import pages

    with rooted(root):
        return pages.build()


@contextmanager
def rooted(root: Path) -> Iterator[None]:
    """Let the library take paths from a study root."""
    before, errors.ROOT = errors.ROOT, root
    try:
        yield
    finally:
        errors.ROOT = before


def start(name: str, folder: Path) -> Path:
    """Make the folder that a writer starts from."""
    folder.mkdir(parents=True)
    if name == "report":
        (folder / "reports").mkdir()
        for path in (ROOT / "reports").iterdir():
            if path.is_file():
                shutil.copy(path, folder / "reports")
        shutil.copytree(ROOT / "reports" / "figures", folder / "reports" / "figures")
    return folder


def lost(door: Door, before: Path, folder: Path, rng: np.random.Generator, events: int, expected: dict) -> str:
    """Lose the power once, call the writer again and return how that ended: 'as ever' or what is the matter."""
    from power import lose

    cut = events if rng.random() < AFTER else int(rng.integers(0, events))
    shutil.copytree(before, folder / "root")
    lose(door, folder / "root", cut, folder / "left", rng)
    try:
        door(folder / "left")
    except Exception as error:
        return f"before event {cut} of {events}: {type(error).__name__}: {error}"
    found = left(folder / "left")
    apart = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return f"before event {cut} of {events}: differs in {', '.join(apart[:3])}" if apart else "as ever"


def losses(name: str, door: Door, count: int, folder: Path) -> dict:
    """Lose the power `count` times in one writer, and return in how many events it works and how the losses ended."""
    from power import events

    kept = BUILD / "blackout" / f"{name.split(',')[0]}.json"
    ends = json.loads(kept.read_text()) if kept.exists() else []
    before = start(name, folder / "before")
    shutil.copytree(before, folder / "whole")
    number = events(door, folder / "whole")
    expected = left(folder / "whole")
    for i in range(len(ends), count):
        ends.append(lost(door, before, folder / f"{i}", np.random.default_rng([SEED, i]), number, expected))
        shutil.rmtree(folder / f"{i}")
        write_text(kept, json.dumps(ends))
    return {"losses": count, "events": number, "otherwise": [end for end in ends[:count] if end != "as ever"]}


def main(wanted: int) -> None:
    """Share the losses out among the writers and print how they ended."""
    from gralib import backend

    backend.start(1)
    with tempfile.TemporaryDirectory() as place:
        prepared = Prepared(Path(place) / "prepared")
        found = {name: losses(name, door, max(1, round(SHARES[name] * wanted / 100)), Path(place) / name.split(",")[0])
                 for name, door in prepared.doors().items()}  # fmt: skip
    print(json.dumps({"writers": found}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
