"""The first minute: one slider for the gates of a trained network, and what Eq. 3 then lets through of a drawn face."""

import html
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from gralib.equations import gated
from gralib.report import figures
from gralib.training.perturb import change
from gralib.visitors import kinds, play, shipped

FIRST = 0.5
"""Where the slider starts: residual attention, up to a factor of two."""


def let_through(face: play.Face, gamma: float) -> dict[str, np.ndarray]:
    """Hold all gates of the gender network at gamma, and return what Eq. 3 multiplies the features of a face with.

    Returns:
        By name of the block (h, w): the mean over channels of gamma + (1 - gamma) K.
    """
    face.gates = dict.fromkeys(face.reader.networks["gender"].card.gates, gamma)
    return {name: gated(mask.mean(axis=-1), gamma) for name, mask in face.masks().items()}


def picture(face: play.Face, through: dict[str, np.ndarray]) -> np.ndarray:
    """Return the face, and over it what each block lets `through`, in a row (h, w, 3) uint8; all on one scale."""
    low, high = kinds.SCALES["mixed"]
    whole = face.enlarged(play.ENLARGED)
    grey = whole.convert("L").convert("RGB")
    shares = [np.clip((share - low) / (high - low), 0, 1) for share in through.values()]
    return play.sheet([whole, *(play.over(grey, share) for share in shares)], 1 + len(shares))


def rows(face: play.Face, gammas: tuple[float, ...] = (0, 0.5, 1)) -> np.ndarray:
    """Return a row of `picture` for each gamma, and what the networks say: the slider, where nothing moves."""
    return play.rows(face, gammas, lambda gamma: picture(face, let_through(face, gamma)))


@dataclass
class Gate:
    """One slider for all gates of a network; `whole` is what is shown."""

    face: play.Face
    whole: widgets.Box
    slider: widgets.FloatSlider
    picture: widgets.Image
    answer: widgets.HTML

    def show(self, *_: object) -> None:
        """Read the slider; show what gets through, in pictures and numbers, and what the networks say."""
        through = let_through(self.face, self.slider.value)
        self.picture.value = play.png(picture(self.face, through))
        shares = [f"stage {i}: {share.mean():.2f}" for i, share in enumerate(through.values(), 1)]
        said = f"On average gets through, {', '.join(shares)}. The networks say: {play.sentence(self.face.answers())}."
        self.answer.value = f'<div role="status">{html.escape(said)}</div>'


def gate(number: int = 3) -> Gate:
    """Return the slider over the drawn face of that number.

    Raises:
        UserError: the shipped networks are missing or changed.
    """
    reader, calibration = shipped.open_networks()
    slider = widgets.FloatSlider(FIRST, min=0, max=1, step=0.01, description="gate γ", continuous_update=True,
                                 layout={"width": "min(36rem, 98%)"})  # fmt: skip
    image = widgets.Image(format="png", layout={"width": "min(57rem, 98%)", "height": "auto"})
    answer = widgets.HTML()
    made = Gate(play.Face(reader, calibration, play.drawn(number)), widgets.VBox([slider, image, answer]), slider,
                image, answer)  # fmt: skip
    slider.observe(made.show, "value")
    made.show()
    return made


def turned() -> Figure:
    """A drawn face as it is, turned and moved by steps: what C8 is about; nothing is read off it."""
    face = play.drawn(3)[None]
    steps = {"turn": (-45, -15, 0, 15, 45), "move": (-8, -3, 0, 3, 8)}
    units = {"turn": "{:+d} degrees", "move": "{:+d} pixels"}
    shown = np.concatenate([change(face, kind, step) for kind, some in steps.items() for step in some])
    captions = [units[kind].format(step) if step else "as it is" for kind, some in steps.items() for step in some]
    return figures.faces(shown, captions, "Turned and moved", "a drawn face, nothing is read", columns=5)
