"""The widgets of the page to play with; the numbers behind them are `gralib.visitors.play.Face`."""

import html
from dataclasses import dataclass

import ipywidgets as widgets
from traitlets import Unicode

from gralib.visitors import play, shipped

STYLE = """<style>
.gra-play { flex-flow: row wrap !important; gap: 1rem 2rem; align-items: flex-start; }
.gra-play img { width: min(29rem, 92vw); height: auto; } .gra-answer { font-size: 1.2rem; margin: .4rem 0; }
.gra-play .gra-kinds, .gra-kinds img { width: min(25rem, 92vw); } .gra-kinds div { line-height: 1.4; }
.gra-controls { width: min(26rem, 92vw); } .gra-controls .widget-html-content { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body[data-voila="voila"] {
 --jp-layout-color0: #111; --jp-layout-color1: #181818; --jp-layout-color2: #333; --jp-border-color1: #777;
 --jp-content-font-color0: #fff; --jp-content-font-color1: #eee; --jp-ui-font-color1: #eee;
 --jp-widgets-color: #eee; --jp-widgets-label-color: #eee;
 --jp-widgets-readout-color: #eee;
 background: #111; color: #eee; } }
</style>"""
PICTURE = "The face as the networks get it, and the mask of each stage over it."
KINDS = "The masks of three stages, a row each, by three kinds of attention, a column each."
SAID = """<b>The kinds of attention side by side.</b> The features behind the masks, a row for each stage, as masks by
Eq. 4, 5 and 6. These networks learned with Eq. 4; with another kind they would have come to other features. Eq. 5 makes
every place a vector of length one: its values can be negative, so blue is less than nothing there, and yellow more, by
1/√C of C channels."""
BLOCKS = {"stage1_module1": "gate of stage 1", "stage2_module1": "gate of stage 2", "stage3_module1": "gate of stage 3"}


class Picture(widgets.Image):
    """An image whose tooltip says what it shows, to those who do not see it too."""

    description = Unicode("").tag(sync=True)  # a browser asks for it before it shows a tooltip


@dataclass
class Page:
    """The page's widgets and the face behind them; `whole` is what is shown."""

    face: play.Face
    whole: widgets.Box
    picture: Picture
    kinds: Picture
    answer: widgets.HTML
    said: widgets.HTML
    number: widgets.IntSlider
    upload: widgets.FileUpload
    gates: dict[str, widgets.FloatSlider]
    moves: dict[str, widgets.FloatSlider]
    learned: widgets.Button

    def show(self, *_: object) -> None:
        """Read every slider, and show the face, its masks and the answer."""
        self.face.gates = {name: slider.value for name, slider in self.gates.items()}
        for name, slider in self.moves.items():
            setattr(self.face, name, slider.value if name != "right" and name != "down" else int(slider.value))
        shares = self.face.shares()
        self.picture.value = play.jpeg(self.face.picture(shares))
        self.kinds.value = play.jpeg(self.face.side_by_side(shares))
        said = play.sentence(self.face.answers())
        self.answer.value = f'<div class="gra-answer" role="status">{html.escape(said)}</div>'

    def choose(self, *_: object) -> None:
        """Take the drawn face of that number."""
        self.face.pixels = play.drawn(self.number.value)
        self.said.value = "A drawn face: nobody."
        self.show()

    def take(self, *_: object) -> None:
        """Take the first uploaded picture with a face; say of the others what is the matter with them."""
        files = self.upload.value
        if not files:
            return
        self.said.value = "Looking for a face; the first time this takes some seconds."
        lines = [f"Of {len(files)} pictures the first {play.MOST} were looked at."] if len(files) > play.MOST else []
        for file in files[: play.MOST]:
            found = play.own(bytes(file["content"]))
            lines.append(f"{file['name']}: {found if isinstance(found, str) else found[1]}")
            if not isinstance(found, str):
                self.face.pixels = found[0]
                break
        self.said.value = "<br>".join(html.escape(line) for line in lines)
        self.upload.value = ()
        self.show()

    def relearn(self, *_: object) -> None:
        """Set every gate back to what was learned, to two decimals: a slider in a browser has no more."""
        for name, gamma in self.face.reader.networks["gender"].card.gates.items():
            self.gates[name].value = round(gamma, 2)


def page(number: int = 0) -> Page:
    """Return the page, with the drawn face of that number."""
    reader, calibration = shipped.open_networks()
    card = reader.networks["gender"].card
    number_ = _slider("drawn face", number, 0, play.COUNT - 1, 1, widgets.IntSlider)
    gates = {name: _slider(BLOCKS.get(name, name), round(gamma, 2), 0, 1, 0.01) for name, gamma in card.gates.items()}
    moves = {
        "turn": _slider("turn, degrees", 0, -90, 90, 1),
        "right": _slider("move right", 0, -16, 16, 1),
        "down": _slider("move down", 0, -16, 16, 1),
        "noise": _slider("noise, grey levels", 0, 0, 80, 1),
    }
    upload = widgets.FileUpload(accept="image/jpeg,image/png,image/webp", multiple=True, description="Own picture")
    learned = widgets.Button(description="Gates as learned")
    answer, said = widgets.HTML(), widgets.HTML()
    picture, kinds = (Picture(format="jpeg", tooltip=text) for text in (PICTURE, KINDS))
    controls = widgets.VBox([*gates.values(), learned, number_, upload, said, *moves.values()]).add_class(
        "gra-controls"
    )
    shown = widgets.VBox([widgets.HTML(STYLE), picture, answer])
    beside = widgets.VBox([kinds, widgets.HTML(f"<div>{SAID}</div>")]).add_class("gra-kinds")
    whole = widgets.Box([shown, controls, beside]).add_class("gra-play")
    made = Page(play.Face(reader, calibration, play.drawn(number)), whole, picture, kinds, answer, said, number_,
                upload, gates, moves, learned)  # fmt: skip
    for slider in (*gates.values(), *moves.values()):
        slider.observe(made.show, "value")
    number_.observe(made.choose, "value")
    upload.observe(made.take, "value")
    learned.on_click(made.relearn)
    made.choose()
    return made


def _slider(text: str, value: float, low: float, high: float, step: float, kind: type = widgets.FloatSlider):
    return kind(value, min=low, max=high, step=step, description=text, continuous_update=True,
                readout_format="d" if step == 1 else ".2f",
                style={"description_width": "9rem"}, layout={"width": "98%"})  # fmt: skip
