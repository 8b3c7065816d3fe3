"""What `gra predict` says of photographs: age and gender of the faces in them, as rows, sentences or a picture."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gralib.data.decoding import SIZE
from gralib.data.sources import HEAVIEST, PICTURES
from gralib.errors import UserError
from gralib.files import write_bytes
from gralib.predict import Reader
from gralib.visitors import photos, shipped
from gralib.visitors.shipped import Calibration

COLUMNS = (
    "photo", "face", "left", "top", "right", "bottom", "age", "age_low", "age_high", "gender", "gender_probability",
    "note",
)  # fmt: skip
NO_FACE, TOO_SMALL = "no face found", "face too small"


def files(places: Iterable[Path]) -> list[Path]:
    """Return the photographs meant: files as they are, and the pictures in folders.

    Raises:
        UserError: nothing of that name, or a folder without a picture.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(p for p in place.iterdir() if p.suffix.lower() in PICTURES) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"{place}: expected pictures ({', '.join(PICTURES)}) in this folder, got none")
        found += inside
    if missing := next((path for path in found if not path.is_file()), None):
        raise UserError(f"{missing}: expected a photograph, got no such file")
    return found


def rows(path: Path, photo: photos.Photo | str, reader: Reader, calibration: Calibration) -> list[dict[str, Any]]:
    """Return a row of `COLUMNS` for every face of a photograph, or one that says what is the matter.

    Places count pixels of the photograph as stored, turned upright; years have one decimal, probabilities three.
    """
    if isinstance(photo, str) or not photo.faces:
        return [{"photo": str(path), "note": photo if isinstance(photo, str) else NO_FACE}]
    answers = shipped.read(reader, calibration, np.stack([face.pixels for face in photo.faces]))
    out = []
    for i, face in enumerate(photo.faces):
        box = [round(v * photo.reduced) for v in face.box]
        row = {"photo": str(path), "face": i + 1, **dict(zip(COLUMNS[2:6], box, strict=True))}
        if (side := face.side * photo.reduced) < SIZE:
            out.append({**row, "note": f"{TOO_SMALL}: {side:.0f} pixels a side, expected at least {SIZE}"})
            continue
        female = float(answers.female[i])
        row |= {key: round(float(getattr(answers, name)[i]), 1)
                for key, name in (("age", "age"), ("age_low", "low"), ("age_high", "high"))}  # fmt: skip
        out.append({
            **row, "gender": "female" if female > 0.5 else "male",
            "gender_probability": round(max(female, 1 - female), 3), "note": "",
        })  # fmt: skip
    return out


def read(path: Path, faces: str) -> photos.Photo | str:
    """Return a photograph read from a file, or why it cannot be; see `gralib.visitors.photos.read`."""
    try:
        if path.stat().st_size > HEAVIEST:
            return f"file larger than {HEAVIEST >> 20} MiB"
        return photos.read(path.read_bytes(), faces)
    except OSError as error:
        return f"file cannot be read: {error.strerror}"


def sentence(row: dict[str, Any]) -> str:
    """Return a row as a line to read."""
    which = f", face {row['face']}" if "face" in row else ""
    if row["note"]:
        return f"{row['photo']}{which}: {row['note']}"
    age = f"age {row['age']:.0f} ({row['age_low']:.0f} to {row['age_high']:.0f})"
    return f"{row['photo']}{which}: {age}, {row['gender']} ({row['gender_probability']:.0%})"


def caution(reader: Reader, calibration: Calibration) -> str:
    """Return what has to be said with every answer."""
    drawn = " of drawn faces, which say nothing of people" if reader.synthetic else ""
    return (
        f"A network's guess from {SIZE}x{SIZE} pixels{drawn}. The ages in brackets held the true one for about "
        f"{calibration.level:.0%} of faces like those it was trained on, of others for fewer. "
        "Not for decisions about people."
    )


def drawn(photo: photos.Photo, found: list[dict[str, Any]]) -> Image.Image:
    """Return a photograph with what was cut out outlined and the answers written beside it."""
    picture = Image.fromarray(photo.picture)
    pen, size = ImageDraw.Draw(picture), max(12, round(max(picture.size) / 40))
    for face, row in zip(photo.faces, found, strict=False):
        pen.polygon([(float(x), float(y)) for x, y in face.corners], outline=(255, 220, 0), width=max(1, size // 8))
        text = "too small" if row["note"] else sentence(row).rpartition(": ")[2]
        at = (float(face.box[0]), float(max(0, face.box[1] - size - 4)))
        font = ImageFont.load_default(size)
        pen.rectangle(pen.textbbox(at, text, font), fill=(0, 0, 0))
        pen.text(at, text, (255, 220, 0), font)
    return picture


def draw_to(out: Path, several: bool, path: Path, picture: Image.Image, taken: set[Path]) -> Path:
    """Write a picture to a file, or into a folder where there are several, and return where it is; no photograph is
    overwritten."""
    import io

    folder = several or out.is_dir() or not out.suffix
    target = out / f"{path.stem}-faces.png" if folder else out
    while target in taken:
        target = target.with_name(f"{target.stem}-{len(taken)}{target.suffix}")
    if target.resolve() == path.resolve() or target.suffix.lower() not in PICTURES:
        raise UserError(f"--draw: expected a new .png or .jpg, or a folder; got {out}")
    data = io.BytesIO()
    picture.save(data, "PNG" if target.suffix.lower() == ".png" else target.suffix[1:].upper().replace("JPG", "JPEG"))
    write_bytes(target, data.getvalue())
    taken.add(target)
    return target


def answers(
    places: list[Path], faces: str, networks: Path, out: Path | None
) -> Iterator[tuple[list[dict[str, Any]], Path | None]]:
    """Yield the rows of every photograph, and where it was drawn."""
    reader, calibration = shipped.open_networks(networks)
    paths, taken = files(places), set[Path]()
    for path in paths:
        photo = read(path, faces)
        found = rows(path, photo, reader, calibration)
        target = None
        if out and not isinstance(photo, str):
            target = draw_to(out, len(paths) > 1, path, drawn(photo, found), taken)
        yield found, target
