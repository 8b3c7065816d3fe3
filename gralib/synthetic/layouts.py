"""Synthetic faces laid out as each real data set is published, its known flaws included: names, labels, side files.

Flaws sit at fixed subjects, so that more subjects add files and change none.
"""

import io
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from gralib.ages import GROUPS, MAX_AGE
from gralib.labels import DRAWN
from gralib.synthetic.drawing import draw_face
from gralib.synthetic.person import Subject

_DECADE_SHARES = (0.13, 0.08, 0.30, 0.19, 0.095, 0.09, 0.055, 0.033, 0.02, 0.005, 0.002)  # 0-9, 10-19, ...


def sample_ages(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Return (n,) ages in whole years, 0 to 116, spread like UTKFace's: most 20 to 40, many small children."""
    decade = rng.choice(len(_DECADE_SHARES), size=n, p=_DECADE_SHARES)
    within = rng.random(n)
    within = np.where(decade == 0, within**1.6, within)  # more babies than children of nine
    return np.minimum(decade * 10 + (within * 10).astype(np.int64), MAX_AGE)


def utkface(folder: Path, subjects: int, seed: int) -> None:
    """Write UTKFace's layout into `folder`: one folder of pictures with their labels in the names."""
    home = folder / "UTKFace"
    home.mkdir()
    stamp = ""
    for number, subject, ages, rng in _people(subjects, seed):
        for place, age in enumerate(ages):
            picture = _jpeg(draw_face(subject, age, rng))
            first = place == 0
            if not (first and number % 80 == 9):  # a few share the time stamp of the picture before
                stamp = _time_stamp(rng)
            name = _utkface_name(subject, age, stamp)
            while (home / name).exists():
                name = _utkface_name(subject, age, stamp := _time_stamp(rng))
            if first:
                if number % 28 == 10:  # copies under another name, about one file in a hundred
                    other = _copy_name(subject, age, number // 28, rng)
                    (home / other).write_bytes(picture)
                name = _FLAWED_NAMES.get(number, str)(name)
                picture = _FLAWED_FILES.get(number, bytes)(picture)
            (home / name).write_bytes(picture)


def _utkface_name(subject: Subject, age: int, stamp: str, flip_gender: bool = False) -> str:
    gender = int((subject.gender == "female") != flip_gender)
    return f"{age}_{gender}_{subject.race}_{stamp}.jpg.chip.jpg"


def _copy_name(subject: Subject, age: int, number: int, rng: np.random.Generator) -> str:
    """Return the name of copy `number`: the first disagrees on gender, every second one on age."""
    years = int(rng.integers(3, 9)) if number % 2 else 0
    other = age + years if age + years <= MAX_AGE else age - years
    return _utkface_name(subject, other, _time_stamp(rng), flip_gender=number == 0)


_FLAWED_NAMES: dict[int, Callable[[str], str]] = {  # of the first picture of these subjects
    0: lambda name: re.sub(r"_\d(_\d{17})", r"\1", name),  # no race
    1: lambda name: re.sub(r"_\d(_\d{17})", r"\1", name),
    2: lambda name: re.sub(r"(\d{16})\d\.", r"\1.", name),  # a date of 16 digits
    3: lambda name: re.sub(r"(\d{17})\.", r"\g<1>0.", name),  # a date of 18 digits
    4: lambda name: name.replace(".jpg.chip", " .jpg.chip"),
    5: lambda name: name.replace(".jpg.chip", "jpg.chip"),
}
_FLAWED_FILES: dict[int, Callable[[bytes], bytes]] = {
    6: lambda picture: picture[: len(picture) // 2],
    7: lambda picture: b"404: picture not found\n",
}
FEWEST_SUBJECTS = 11  # so that every kind of flaw is there


def _distinct_ages(rng: np.random.Generator, n: int) -> list[int]:
    ages: set[int] = set()
    while len(ages) < n:
        ages.update(sample_ages(rng, n - len(ages)).tolist())
    return sorted(ages)


def _time_stamp(rng: np.random.Generator) -> str:
    """Return 17 digits, yyyymmddHHMMSSmmm, from the weeks in which UTKFace was put together."""
    moment = datetime(2017, 1, 3) + timedelta(milliseconds=int(rng.integers(0, 18 * 24 * 3600 * 1000)))
    return moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03}"


def _jpeg(picture: Image.Image) -> bytes:
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=92, comment=DRAWN)
    return held.getvalue()


def _people(subjects: int, seed: int) -> Iterator[tuple[int, Subject, list[int], np.random.Generator]]:
    """Yield number, person, two to five ages in order, and the chance that belongs to this person alone."""
    for number in range(subjects):
        rng = np.random.default_rng([seed, number])
        subject = Subject.draw_at_random(rng, f"s{number:05}")
        yield number, subject, _distinct_ages(rng, int(rng.integers(2, 6))), rng


def fgnet(folder: Path, subjects: int, seed: int) -> None:
    """Write FG-NET's layout: whole photographs, a face somewhere in each, and its 68 landmarks.

    Flaws: a missing landmark file, one with 67 points, two pictures of one age, a file that is no picture. The real set
    has 82 subjects with three figures each; more than 999 do not fit its names.
    """
    images, points = folder / "FGNET" / "images", folder / "FGNET" / "points"
    images.mkdir(parents=True)
    points.mkdir()
    (images / "Thumbs.db").write_bytes(b"not a picture")
    for number, subject, ages, rng in _people(min(subjects, 999), seed):
        for place, age in enumerate(min(age, 69) for age in ages):
            letter = "" if min(ages[0], 69) != age or place == 0 else chr(ord("a") + place)
            name = f"{number + 1:03}A{age:02}{letter}"
            if (images / f"{name}.JPG").exists():
                name += chr(ord("b") + place)
            side, (width, height) = 96, (int(rng.integers(120, 180)), int(rng.integers(120, 180)))
            left, top = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
            photo = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(60, 200, 3)))
            photo.paste(draw_face(subject, age, rng, side), (left, top))
            (images / f"{name}.JPG").write_bytes(_jpeg(photo.convert("L") if number % 6 == 3 else photo))
            if (number, place) == (1, 0):
                continue
            landmarks = _LANDMARKS * side + (left, top)
            lines = [f"{x:.4f} {y:.4f}" for x, y in landmarks[: 67 if (number, place) == (2, 0) else 68]]
            text = "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])
            (points / f"{name.lower()}.pts").write_text(text)


def _landmarks() -> NDArray[np.float64]:
    """Return 68 points of a face that fills the unit square: jaw, brows, eyes, nose and mouth, y down."""
    jaw = np.linspace(0, np.pi, 15)
    rest = np.random.default_rng(0).uniform((0.3, 0.35), (0.7, 0.78), (53, 2))
    outline = np.stack([0.5 - 0.36 * np.cos(jaw), 0.42 + 0.48 * np.sin(jaw)], axis=1)
    return np.concatenate([outline, rest])


_LANDMARKS = _landmarks()


def afad(folder: Path, subjects: int, seed: int) -> None:
    """Write AFAD's layout: folders of age and gender; faces of one photo share the number before the dash.

    Flaws: Thumbs.db files, a folder that is no age, an unknown gender folder, a few ages far above 40.
    """
    home = folder / "AFAD-Full"
    home.mkdir()
    (home / "Thumbs.db").write_bytes(b"not a picture")
    photo, age = 0, 20
    for number, subject, ages, rng in _people(subjects, seed):
        for place, years in enumerate(ages):
            shared = place == 0 and number % 5 == 1  # a photo with the face before, and its age
            if not shared:
                photo += 1
                age = 15 + years % 26 if number % 60 != 7 else 58 + years % 15
            sex = "111" if subject.gender == "male" else "112"
            where = {(3, 0): "unknown/111", (4, 0): f"{age}/113"}.get((number, place), f"{age}/{sex}")
            (home / where).mkdir(parents=True, exist_ok=True)
            name = f"{100_000 + photo}-{int(shared)}.jpg"
            (home / where / name).write_bytes(_jpeg(draw_face(subject, age, rng)))
            if number % 40 == 5 and place == 0:
                (home / where / "Thumbs.db").write_bytes(b"not a picture")


def wikipedia(folder: Path, subjects: int, seed: int) -> None:
    """Write the layout of wiki_crop: pictures in a hundred folders and `wiki.mat`.

    Flaws: unknown genders, rows without a face or with a second one, weak scores, impossible dates of birth, a picture
    that is missing.
    """
    home = folder / "wiki_crop"
    home.mkdir()
    rows = []
    for number, subject, ages, rng in _people(subjects, seed):
        born = date(int(rng.integers(1900, 1990)), int(rng.integers(1, 13)), int(rng.integers(1, 29)))
        for place, age in enumerate(ages):
            taken = born.year + age + (born.month >= 7)
            path = f"{number % 100:02}/{1000 + number}_{born:%Y-%m-%d}_{taken}_{place}.jpg"
            flaw = (number * 5 + place) % 20 if place else -1
            days = born.toordinal() + 366 if flaw != 1 else 3
            gender = np.nan if flaw == 2 else float(subject.gender == "male")
            score = -np.inf if flaw in (3, 4, 5) else 0.5 if flaw == 6 else float(rng.uniform(1.5, 6))
            second = 2.0 if flaw == 7 else np.nan
            name = f"Person {number}"
            rows.append((days, taken, path, gender, name, [[1.0, 1.0, 64.0, 64.0]], score, second))
            if (number, place) != (8, 0):
                (home / path).parent.mkdir(exist_ok=True)
                (home / path).write_bytes(_jpeg(draw_face(subject, age, rng)))
    columns = list(zip(*rows, strict=True))
    struct = {}
    for field, column in zip(_WIKI, columns, strict=True):
        cells = np.empty((1, len(rows)), dtype=object if field in ("full_path", "name", "face_location") else float)
        cells[0, :] = [np.array(v) for v in column] if field == "face_location" else column
        struct[field] = cells
    savemat(home / "wiki.mat", {"wiki": struct})
    with (home / "wiki.mat").open("r+b") as file:  # scipy states the time in the file's 116 letters of description
        file.write(b"MATLAB 5.0 MAT-file, synthetic".ljust(116))


_WIKI = ("dob", "photo_taken", "full_path", "gender", "name", "face_location", "face_score", "second_face_score")


def adience(folder: Path, subjects: int, seed: int) -> None:
    """Write Adience's layout: five fold files and aligned pictures by Flickr user, one to three people a user.

    The frames are 64 pixels wide, not 816 as published. Flaws: ages of None, single ages and slips, unknown genders,
    a picture that is missing.
    """
    home = folder / "adience"
    lines: list[list[str]] = [[] for _ in range(5)]
    head = "user_id original_image face_id age gender x y dx dy tilt_ang fiducial_yaw_angle fiducial_score"
    user = -1
    for number, subject, ages, rng in _people(subjects, seed):
        user += number % 3 != 1 or number == 0
        name = f"{10_000_000 + user}@N00"
        for place, years in enumerate(ages):
            low, high = min(GROUPS, key=lambda group: max(group[0] - years, years - group[1], 0))
            age = min(max(years, low), high)
            label = f"({low}, {high})"
            if place and number % 20 == 4:
                label = ("None", str(age), "(38, 42)", "(8, 23)")[place % 4]
            sex = "u" if place and number % 25 == 6 else "" if place and number % 40 == 9 else subject.gender[0]
            picture = f"{number * 10 + place:010}_o.jpg"
            where = home / "aligned" / name / f"landmark_aligned_face.{number + 1}.{picture}"
            if (number, place) != (8, 0):
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_bytes(_jpeg(draw_face(subject, age, rng)))
            cells = [name, picture, str(number + 1), label, sex, *"0000000"]
            lines[user % 5].append("\t".join(cells))
    for fold, rows in enumerate(lines):
        (home / f"fold_{fold}_data.txt").write_text("\n".join([head.replace(" ", "\t"), *rows, ""]))


LAYOUTS: dict[str, Callable[[Path, int, int], None]] = {
    "fgnet": fgnet,
    "afad": afad,
    "wikipedia": wikipedia,
    "utkface": utkface,
    "adience": adience,
}
