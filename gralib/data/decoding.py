"""A picture's bytes to its 32x32 face, or the true reason why not; what is damaged is never guessed.

JPEGs are read by simplejpeg, quickly and strictly. Pillow reads what that cannot, and never forgives what it refused.
"""

import io
import re
import warnings

import numpy as np
import simplejpeg
from PIL import Image

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `LARGEST` refuses such pictures

SIZE = 32
"""Side of a face in pixels (7.1)."""
LARGEST = 8000
"""A picture whose header claims a longer side is excluded unread."""
SMALLEST = 8
"""A face of fewer pixels a side is a placeholder."""
FORMATS = ("JPEG", "PNG", "WEBP")
"""What is read, whatever a name's ending says: each further reader is one more to trust."""
DAMAGED = "picture damaged or cut short"
HARMLESS = re.compile(r"Corrupt JPEG data: \d{1,2} extraneous bytes before marker|Invalid SOS parameters")
"""What simplejpeg refuses though nothing of the picture is missing: bytes too many, odd but whole headers."""
OTHERS = {
    b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"<!DOC": "a web page", b"<!doc": "a web page",
    b"<html": "a web page", b"PK\3\4": "an archive", b"%PDF": "PDF", b"version https://git-lfs": "a Git LFS pointer",
}  # fmt: skip
"""How other things start that lie under a picture's name."""
TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""What stands a stored picture upright, by its EXIF orientation."""


def decode(data: bytes, crop: str | None = None, size: int = SIZE) -> np.ndarray | str:
    """Return a picture, or its part `crop`, as (size, size, 3) uint8 RGB, or why that cannot be; see `_upright`."""
    return _upright(data, crop, (size, size))


def photograph(data: bytes, longest: int) -> tuple[np.ndarray, float] | str:
    """Return a whole picture as (h, w, 3) uint8 RGB, reduced to sides of at most `longest`, or why that cannot be done.

    Beside it stands how many pixels of the picture as stored are one of those returned, at least 1.
    """
    width, height = size_of(data) or (1, 1)
    reduced = max(1.0, max(width, height) / longest)
    picture = _upright(data, None, (max(1, round(width / reduced)), max(1, round(height / reduced))))
    return picture if isinstance(picture, str) else (picture, reduced)


def _upright(data: bytes, crop: str | None, size: tuple[int, int]) -> np.ndarray | str:
    """Return a picture, or its part `crop`, of `size` (width, height) as uint8 RGB, or why that cannot be done.

    `crop` (see `gralib.data.manifest.Row`) counts pixels as they are stored; the face is turned upright after it.
    """
    try:
        face = _decode_jpeg(data, crop, size) if data[:2] == b"\xff\xd8" else None
        if face is None:
            face = _decode_any(data, crop, size)
        turn = None if isinstance(face, str) else TURNS.get(_orientation(data))
        return np.ascontiguousarray(turn(face)) if turn else face
    except Image.DecompressionBombError:
        return f"picture larger than {LARGEST} pixels"
    except Image.UnidentifiedImageError:
        return _other(data)
    except Exception:  # Pillow raises a dozen kinds on damaged files
        return DAMAGED


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a picture as stored, from its header; None if it has none."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.size
    except Exception:
        return None


def _other(data: bytes) -> str:
    if not data:
        return "empty file"
    if data[4:8] == b"ftyp":
        return "not a JPEG, PNG or WebP inside, but HEIC or AVIF"
    kind = next((kind for start, kind in OTHERS.items() if data[:200].lstrip().startswith(start)), None)
    return f"not a JPEG, PNG or WebP inside, but {kind}" if kind else "not a picture inside"


def _orientation(data: bytes) -> int:
    """Return how a picture was held, 1 to 8 as EXIF has it; 1 where nothing is said, as in nearly all."""
    head = data[: data.find(b"\xff\xda")] if data[:2] == b"\xff\xd8" else data  # of a JPEG what precedes its pixels
    if not any(mark in head for mark in (b"Exif\0", b"eXIf", b"EXIF", b"tiff:Orientation")):
        return 1
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        try:
            held = picture.getexif().get(0x0112, 1)
            return held if isinstance(held, int) else 1
        except Exception:  # tags that cannot be read say nothing
            return 1


def _decode_jpeg(data: bytes, crop: str | None, size: tuple[int, int]) -> np.ndarray | str | None:
    """Decode a sound JPEG with the pixels of Pillow in half the time, most of it outside Python's lock.

    Returns None for one that is whole but Pillow's: colours (CMYK) that it rounds otherwise, harmless flaws.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    box = _box(crop, width, height)
    if isinstance(box, str):
        return box
    across, down = _enough(box, width, height, size)
    scale = max(s for s in (1, 2, 4, 8) if s <= max(1, min(width // across, height // down)))
    quick = colours in ("YCbCr", "Gray")
    space = "CMYK" if colours in ("CMYK", "YCCK") else "RGB"
    try:
        pixels = simplejpeg.decode_jpeg(data, space, min_height=-(-height // scale), min_width=-(-width // scale))
    except ValueError as error:
        return None if HARMLESS.match(str(error)) else DAMAGED
    return _shrink(Image.fromarray(pixels), box, width, height, size) if quick else None


def _decode_any(data: bytes, crop: str | None, size: tuple[int, int]) -> np.ndarray | str:
    """Decode any picture of FORMATS with Pillow."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        box = _box(crop, width, height)
        if isinstance(box, str):
            return box
        if picture.format == "PNG":
            with Image.open(io.BytesIO(data), formats=("PNG",)) as twice:
                twice.verify()  # the checksums
        picture.draft("RGB", _enough(box, width, height, size))
        return _shrink(_as_rgb(picture), box, width, height, size)


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture in RGB: 16 bits scaled to 8, what is transparent laid on white."""
    if picture.mode.startswith("I"):
        return Image.fromarray(((np.asarray(picture).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _box(crop: str | None, width: int, height: int) -> tuple[int, int, int, int] | str:
    """Return the part of a picture that is wanted, or why there is none."""
    if max(width, height) > LARGEST:
        return f"picture larger than {LARGEST} pixels"
    box = _inside(crop, width, height) if crop else (0, 0, width, height)
    if box is None:
        return "crop outside the picture"
    if min(box[2] - box[0], box[3] - box[1]) < SMALLEST:
        return f"face smaller than {SMALLEST} pixels"
    return box


def _enough(box: tuple[int, int, int, int], width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height that a whole picture may be reduced to: its box is still twice the size wanted."""
    left, top, right, bottom = box
    return 2 * size[0] * width // (right - left), 2 * size[1] * height // (bottom - top)


def _shrink(
    picture: Image.Image, box: tuple[int, int, int, int], width: int, height: int, size: tuple[int, int]
) -> np.ndarray:
    """Return the box of a picture, given in pixels of its `width` and `height` before reduction."""
    x, y = picture.width / width, picture.height / height
    left, top, right, bottom = box
    region = (left * x, top * y, min(right * x, picture.width), min(bottom * y, picture.height))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=region))


def _inside(crop: str, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Move a crop into the picture, cutting off what does not fit; None if they do not meet."""
    left, top, right, bottom = map(int, crop.split())
    if not (left < right and top < bottom and left < width and top < height and right > 0 and bottom > 0):
        return None
    across = max(0, -left) - max(0, right - width)
    down = max(0, -top) - max(0, bottom - height)
    return max(left + across, 0), max(top + down, 0), min(right + across, width), min(bottom + down, height)
