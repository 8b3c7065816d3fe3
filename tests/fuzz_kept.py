"""Broken by the thousand: what the project itself wrote or keeps, and what visitors upload, damaged by seed.

Records, the protocol, exported networks and cached pixels must be read as they were written, or be refused in one line
(the cache is made anew); an upload must be read or named with a reason. `kept` counts how they ended.
"""

import contextlib
import html
import io
import os
import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from fuzz import SECONDS, damage, trees
from PIL import Image

from gralib import networkfile
from gralib.data.faces import open_faces
from gralib.errors import UserError
from gralib.evaluation.measures import scores_of
from gralib.evaluation.protocol import load
from gralib.predict import Network
from gralib.training import records
from gralib.training.exchange import keep

One = Callable[[Path, np.random.Generator], str]
"""Damages one thing in an empty folder, reads it, and says what was done and how it ended."""
FACES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")


def refusal(error: UserError) -> str:
    """Return 'refused' if an error is one line that names something."""
    assert len(str(error).splitlines()) == 1 and ": " in str(error), error
    return "refused"


def otherwise(data: bytes, rng: np.random.Generator) -> bytes:
    """Return damaged bytes that differ from the sound ones."""
    while (found := damage(data, rng)) == data:
        pass
    return found


def of_records(sound: Path) -> One:
    """Return what damages a file of a finished run, in half the cases with a checksum that agrees."""
    run = records.Run(sound)
    names = [*run.files, records.SUMS]

    def one(folder: Path, rng: np.random.Generator) -> str:
        mine = keep(run, folder / "runs")
        name = str(rng.choice(names))
        path = records.path_of(mine, name)
        path.write_bytes(otherwise(path.read_bytes(), rng))
        vouched = name != records.SUMS and rng.random() < 0.5
        if vouched:
            records.vouch(mine, name)
        what = f"{'a table of faces' if name.startswith('..') else name}{', with its checksum' if vouched else ''}"
        found, problems = records.gather([folder / "runs"])
        assert len(found) + len(problems) == 1, "either a run or a line"
        if problems:
            return f"{what}: {refusal(UserError(problems[0]))}"
        assert vouched or name == records.SUMS, f"{name}: damaged and believed"
        try:
            scores = scores_of(found[0])
        except UserError as error:
            return f"{what}: {refusal(error)}"
        assert vouched or scores == scores_of(run)
        return f"{what}: read"

    return one


def of_protocol(sound: Path) -> One:
    """Return what damages the protocol's file."""
    data = sound.read_bytes()

    def one(folder: Path, rng: np.random.Generator) -> str:
        (folder / "protocol.yaml").write_bytes(otherwise(data, rng))
        try:
            load(folder / "protocol.yaml")
        except UserError as error:
            return f"protocol: {refusal(error)}"
        return "protocol: read"

    return one


def of_networks(sound: Path) -> One:
    """Return what damages an exported network: as it is, packed, or sealed anew so that only its content is wrong."""
    data = sound.read_bytes()
    body = data[: -len(networkfile.seal(b""))]
    expected = Network(sound).outputs(FACES)

    def one(folder: Path, rng: np.random.Generator) -> str:
        kind = str(rng.choice(["as written", "packed", "sealed anew"]))
        wrong = {
            "as written": lambda: otherwise(data, rng),
            "packed": lambda: otherwise(packed, rng),
            "sealed anew": lambda: networkfile.seal(otherwise(body, rng)),
        }[kind]()
        (folder / "network.onnx").write_bytes(wrong)
        try:
            found = Network(folder / "network.onnx").outputs(FACES)
        except UserError as error:
            return f"network, {kind}: {refusal(error)}"
        assert kind == "sealed anew" or np.array_equal(found, expected), "damaged and believed"
        return f"network, {kind}: read"

    packed = networkfile.pack(data)
    return one


def of_pixels(work: Path) -> One:
    """Return what damages a file of decoded faces: they are decoded again, to the same bits."""
    tree = trees(work)["utkface"]
    pictures = work / "pictures"
    for name, data in tree.items():
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(data)
    sound = open_faces("utkface", pictures, work / "cache", progress=False)
    (folder_of_sound,) = (work / "cache").glob("utkface-*")

    def one(folder: Path, rng: np.random.Generator) -> str:
        mine = folder / "cache" / folder_of_sound.name
        shutil.copytree(folder_of_sound, mine)
        path = mine / str(rng.choice(sorted(p.name for p in mine.iterdir())))
        path.write_bytes(otherwise(path.read_bytes(), rng))
        with contextlib.redirect_stderr(io.StringIO()) as said:
            again = open_faces("utkface", pictures, folder / "cache", progress=False)
        assert again.fingerprint == sound.fingerprint and np.array_equal(again.pixels, sound.pixels)
        assert again.table.equals(sound.table) and again.account.equals(sound.account)
        lines = said.getvalue().splitlines()
        assert len(lines) <= 1
        return f"cache, {path.name}: {'decoded again' if lines else 'read'}"

    return one


def photographs() -> list[bytes]:
    """Return sound uploads: drawn faces in scenes and cut out, in the three formats."""
    from gralib.visitors import play

    found = []
    for number, kind in enumerate(("JPEG", "PNG", "WEBP") * 2):
        picture = Image.fromarray(play.drawn(number)).resize((160, 160), Image.Resampling.BICUBIC)
        if number < 3:
            scene = Image.new("RGB", (320, 240), (120, 130, 140))
            scene.paste(picture, (80, 40))
            picture = scene
        held = io.BytesIO()
        picture.save(held, kind)
        found.append(held.getvalue())
    return found


UPLOADED = ("me.jpg", "<script>alert(1)</script>.png", "a\nb.jpg", "../../canary", "x" * 300 + ".webp", "\0.jpg", "🙂")


def of_uploads(networks: Path) -> One:
    """Return what uploads a damaged picture to the page, or gives it to `gra predict`."""
    from gralib.visitors import playpage, reading, shipped

    shipped.FOLDER = networks
    shipped.open_networks.cache_clear()
    sound, page = photographs(), playpage.page(0)

    def to_page(data: bytes, rng: np.random.Generator) -> str:
        name, before = str(rng.choice(UPLOADED)), page.picture.value
        page.upload.value = ({"name": name, "type": "", "size": len(data), "content": data,
                              "last_modified": datetime.now(UTC)},)  # fmt: skip
        said = page.said.value
        assert said.startswith(f"{html.escape(name)}: ") and "<" not in said, said
        taken = said.endswith(("found and cut out", "taken whole"))
        assert taken or page.picture.value == before, "refused and yet shown"
        assert page.answer.value and page.upload.value == ()
        return f"page: {'taken' if taken else 'refused'}"

    def to_predict(data: bytes, folder: Path, rng: np.random.Generator) -> str:
        path = folder / "photo.jpg"
        path.write_bytes(data)
        faces = str(rng.choice(["whole", "largest", "all"]))
        ((rows, _),) = reading.answers([path], faces, networks, None)
        assert rows
        for row in rows:
            assert row["note"] or (0 <= row["age_low"] <= row["age"] <= row["age_high"] <= 120), row
            assert row["note"] or 0.5 <= row["gender_probability"] <= 1
            assert len(reading.sentence(row).splitlines()) == 1
        return f"predict: {'refused' if all(row['note'] for row in rows) else 'taken'}"

    def one(folder: Path, rng: np.random.Generator) -> str:
        data = otherwise(sound[int(rng.integers(len(sound)))], rng)
        return to_page(data, rng) if rng.random() < 0.5 else to_predict(data, folder, rng)

    to_page(sound[0], np.random.default_rng(0))  # loads what later uploads find loaded
    return one


def kept(one: One, folder: Path, inputs: int, seed: int = 0, first: int = 0) -> dict:
    """Try `inputs` damaged things, from number `first`, and return how they ended; raises on the first bad end."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    for i in range(first, first + inputs):
        place = folder / f"{i}"
        place.mkdir(parents=True)
        began = time.process_time()
        try:
            counts[one(place, np.random.default_rng((seed, i)))] += 1
        except Exception as error:
            raise AssertionError(f"input {i} of seed {seed}: {error!r}") from error
        slowest = max(slowest, time.process_time() - began)
        assert slowest < SECONDS, f"input {i} of seed {seed}: {slowest:.1f} s"
        shutil.rmtree(place)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"inputs": inputs, "slowest_s": round(slowest, 2), "peak_mib": round(peak), "ends": dict(counts)}


def record_of_the_project() -> Path:
    """Return a committed gender run."""
    root = Path(os.environ.get("GRA_RECORDS", Path(__file__).parents[1] / "reports" / "records"))
    return next(path.parent for path in sorted(root.glob("*-gender-*/record.json")))
