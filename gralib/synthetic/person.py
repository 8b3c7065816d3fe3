"""Who is drawn: the traits that stay with a person, and how a face changes with the years."""

from dataclasses import dataclass

import numpy as np

from gralib.ages import MAX_AGE
from gralib.synthetic.pen import Colour, mix

_RACE_SHARES = (0.42, 0.19, 0.145, 0.17, 0.075)  # White, Black, Asian, Indian, Others: UTKFace's codes 0 to 4
_TONES = (0.12, 0.80, 0.25, 0.52, 0.38)  # mean skin tone of each code: 0 lightest, 1 darkest
_SKINS = ((255, 222, 200), (240, 195, 160), (222, 168, 124), (190, 130, 88), (140, 90, 60), (92, 58, 42))
_HAIRS = ((28, 22, 22), (58, 38, 28), (98, 64, 40), (196, 154, 92), (150, 72, 36))
_EYES = ((70, 42, 26), (112, 80, 44), (84, 116, 76), (84, 126, 168))

_AGES = (0, 2, 6, 12, 18, 32, 45, 60, 78, MAX_AGE)
_BY_AGE = {
    "width": (0.72, 0.69, 0.63, 0.58, 0.57, 0.58, 0.59, 0.60, 0.58, 0.55),  # half the width of the skull
    "cheek": (1.05, 1.04, 1.01, 0.97, 0.95, 0.95, 0.97, 0.98, 0.94, 0.89),  # of width
    "jaw": (0.93, 0.89, 0.80, 0.74, 0.73, 0.75, 0.79, 0.84, 0.86, 0.84),  # of width
    "chin": (0.71, 0.73, 0.76, 0.80, 0.84, 0.85, 0.86, 0.87, 0.88, 0.88),
    "eye_y": (0.21, 0.17, 0.10, 0.03, -0.02, -0.03, -0.03, -0.03, -0.02, -0.01),
    "eye_w": (0.170, 0.165, 0.155, 0.145, 0.135, 0.130, 0.127, 0.122, 0.115, 0.108),
    "eye_h": (0.130, 0.120, 0.105, 0.088, 0.076, 0.070, 0.063, 0.055, 0.045, 0.036),
    "iris": (0.098, 0.092, 0.082, 0.072, 0.064, 0.062, 0.060, 0.058, 0.055, 0.052),
    "brow": (0.06, 0.20, 0.45, 0.70, 0.95, 1.00, 1.00, 0.85, 0.60, 0.40),  # how thick and dark
    "brow_gap": (0.22, 0.20, 0.18, 0.165, 0.155, 0.15, 0.14, 0.13, 0.125, 0.12),
    "nose": (0.13, 0.15, 0.18, 0.23, 0.27, 0.29, 0.31, 0.33, 0.36, 0.38),
    "nose_w": (0.07, 0.075, 0.08, 0.09, 0.10, 0.105, 0.112, 0.12, 0.128, 0.135),
    "mouth_y": (0.47, 0.48, 0.48, 0.50, 0.52, 0.53, 0.545, 0.56, 0.58, 0.60),
    "mouth_w": (0.13, 0.15, 0.18, 0.20, 0.22, 0.225, 0.23, 0.23, 0.225, 0.20),
    "lip": (0.050, 0.050, 0.050, 0.056, 0.062, 0.056, 0.047, 0.036, 0.022, 0.012),
    "ear": (0.12, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.19, 0.22, 0.25),
    "neck": (0.24, 0.25, 0.28, 0.31, 0.36, 0.38, 0.39, 0.39, 0.35, 0.30),
    "body": (0.62, 0.66, 0.76, 0.90, 1.04, 1.06, 1.06, 1.06, 1.00, 0.92),  # half the width of the shoulders
    "hair": (0.22, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.95, 0.60),  # how dense
    "adult": (0.0, 0.02, 0.08, 0.30, 0.90, 1.0, 1.0, 0.95, 0.85, 0.70),  # how much gender shows
    "blush": (1.0, 0.95, 0.75, 0.50, 0.35, 0.18, 0.12, 0.10, 0.08, 0.05),
    "folds": (0.0, 0.0, 0.0, 0.0, 0.0, 0.32, 0.62, 0.85, 1.0, 1.1),  # from nose to mouth
    "bags": (0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.55, 0.80, 1.0, 1.2),  # under the eyes
    "wrinkles": (0.0, 0.0, 0.0, 0.0, 0.0, 0.10, 0.42, 0.68, 0.95, 1.2),
    "sag": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.42, 0.80, 1.1),  # slack, hollow, spotted
}
"""How a face changes: each row gives a length (1 is half the picture) or a strength (0 to 1) at these ages."""


@dataclass(frozen=True)
class Subject:
    """The traits that stay with a person from birth to old age."""

    id: str
    """Name of the subject, such as 's00017'."""
    gender: str
    """'male' or 'female'."""
    race: int
    """UTKFace's code, 0 to 4; it only moves the range of skin, hair and eye colours."""
    skin: Colour
    hair: Colour
    eyes: Colour
    """Colours: red, green, blue, each 0 to 255."""
    style: str
    """Hair style of the adult."""
    long_as_child: bool
    """Whether the hair was long before the teens."""
    face_width: float
    jaw: float
    nose: float
    lips: float
    brows: float
    """Sizes, as multiples of the mean (about 0.85 to 1.15)."""
    glasses: float
    """Share of the pictures with glasses, 0 to 1."""
    beard: str
    """'none', 'stubble', 'moustache' or 'beard' (men, from 20 years or so)."""
    balding: float
    """Tendency to go bald, 0 to 1 (men)."""
    greying: float
    """Age at which half of the hair is grey, in years."""

    @classmethod
    def draw_at_random(cls, rng: np.random.Generator, id: str) -> "Subject":
        """Return a new person named `id`, each trait drawn with `rng`."""
        gender = str(rng.choice(["male", "female"]))
        race = int(rng.choice(5, p=_RACE_SHARES))
        dark = (0.15, 0.25, 0.27, 0.22, 0.11) if race == 0 else (0.68, 0.26, 0.06, 0.0, 0.0)
        if gender == "male":
            style = rng.choice(["crop", "quiff", "parted", "curly", "long"], p=[0.35, 0.2, 0.25, 0.16, 0.04])
        else:
            style = rng.choice(["long", "bob", "bun", "waves", "parted"], p=[0.42, 0.2, 0.12, 0.2, 0.06])
        sizes = np.clip(rng.normal(1, 0.06, 5), 0.86, 1.14)
        return cls(
            id=id,
            gender=gender,
            race=race,
            skin=_skin(float(np.clip(rng.normal(_TONES[race], 0.1), 0, 1))),
            hair=_HAIRS[rng.choice(5, p=dark)],
            eyes=_EYES[rng.choice(4, p=(0.35, 0.2, 0.15, 0.3) if race == 0 else (0.85, 0.13, 0.02, 0.0))],
            style=str(style),
            long_as_child=bool(rng.random() < (0.55 if gender == "female" else 0.1)),
            face_width=float(sizes[0]),
            jaw=float(sizes[1]),
            nose=float(sizes[2]),
            lips=float(sizes[3]),
            brows=float(sizes[4]),
            glasses=float(rng.choice([0.02, 0.9], p=[0.8, 0.2])),
            beard=str(rng.choice(["none", "stubble", "moustache", "beard"], p=[0.45, 0.22, 0.11, 0.22])),
            balding=float(rng.beta(1.1, 1.1)),
            greying=float(np.clip(rng.normal(54, 5), 40, 66)),
        )


def _skin(tone: float) -> Colour:
    """Return the skin colour of a tone from 0 (lightest) to 1 (darkest)."""
    place = tone * (len(_SKINS) - 1)
    first = min(int(place), len(_SKINS) - 2)
    return mix(_SKINS[first], _SKINS[first + 1], place - first)


def grown(age: float) -> dict[str, float]:
    """Return every length and strength of a face at an age in years."""
    return {name: float(np.interp(age, _AGES, values)) for name, values in _BY_AGE.items()}
