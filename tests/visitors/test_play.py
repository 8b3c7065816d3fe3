"""The page to play with: what it shows are the numbers of the networks, and whatever is uploaded ends in a sentence."""

import io
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from test_reading import HOSTILE, drawn, encoded, scene

from gralib import notebooks
from gralib.data.decoding import LARGEST
from gralib.visitors import play, playpage, shipped

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def page(networks, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", networks)
    shipped.open_networks.cache_clear()
    yield playpage.page(0)
    shipped.open_networks.cache_clear()


def shown(page):
    return np.asarray(Image.open(io.BytesIO(page.picture.value)))


def test_the_page_says_what_the_networks_say(page):
    face = play.drawn(0)
    gates = {name: slider.value for name, slider in page.gates.items()}
    answers = shipped.read(page.face.reader, page.face.calibration, face[None], gates)
    assert page.answer.value == f'<div class="gra-answer" role="status">{play.sentence(answers)}</div>'
    names = list(page.face.reader.networks["gender"].card.gates)
    assert list(page.gates) == names and len(names) == 3
    for name, slider in page.gates.items():
        assert slider.value == pytest.approx(page.face.reader.networks["gender"].card.gates[name], abs=5e-3)
    side = 32 * play.ENLARGED
    assert shown(page).shape == (2 * side + play.ENLARGED, 2 * side + play.ENLARGED, 3)
    middles = shown(page)[3 : side : play.ENLARGED, 3 : side : play.ENLARGED].astype(int)
    assert np.abs(middles - face).max() < 12, "a JPEG's losses, which nobody sees"
    exact = page.face.picture(page.face.shares())
    np.testing.assert_array_equal(exact[: side : play.ENLARGED, : side : play.ENLARGED], face)
    assert np.abs(shown(page).astype(int) - exact).mean() < 1


def test_sliders_reach_from_end_to_end(page):
    for slider in page.gates.values():
        assert (slider.min, slider.max, slider.step) == (0, 1, 0.01)
    turn, right = page.moves["turn"], page.moves["right"]
    assert (turn.min, turn.max, turn.step) == (-90, 90, 1) and (right.min, right.max, right.step) == (-16, 16, 1)


@pytest.mark.parametrize(("female", "said"), [(0.25, "male, 75% sure"), (0.9, "female, 90% sure")])
def test_a_sentence_is_about_the_first_face(female, said):
    ages = np.array([31.4, 70.0])
    answers = shipped.Answers(female=np.array([female, 0.5]), age=ages, low=ages - 5, high=ages + 5)
    assert play.sentence(answers) == f"age 31 (between 26 and 36), {said}"


@pytest.mark.parametrize(("side", "reduced", "taken"), [(20, 1, False), (20, 2, True), (40, 1, True)])
def test_a_face_is_too_small_by_what_the_photograph_has_of_it(side, reduced, taken, monkeypatch):
    face = np.zeros((32, 32, 3), np.uint8)
    whole = SimpleNamespace(picture=np.zeros((200, 300, 3), np.uint8), reduced=reduced)
    monkeypatch.setattr(play.photos, "read", lambda data, faces: whole)
    monkeypatch.setattr(play.photos, "find", lambda picture, faces: [SimpleNamespace(side=side, pixels=face)])
    assert play.own(b"a photograph") == ((face, "found and cut out") if taken else "The face is too small.")


def test_an_upload_too_heavy_is_said_with_the_limit(monkeypatch):
    monkeypatch.setattr(play, "HEAVIEST", 3 << 20)
    assert play.own(bytes((3 << 20) + 1)) == "Not read: larger than 3 MiB."


def test_a_gate_moves_masks_and_answers_as_in_python(page):
    network, before = page.face.reader.networks["gender"], shown(page)
    for gamma in (0.0, 0.37, 1.0):
        for slider in page.gates.values():
            slider.value = gamma
        gates = dict.fromkeys(network.card.gates, gamma)
        face = play.drawn(0)[None]
        expected = shipped.read(page.face.reader, page.face.calibration, face, gates)
        found = page.face.answers()
        assert found.female[0] == pytest.approx(expected.female[0], abs=1e-3)
        assert found.age[0] == pytest.approx(expected.age[0], abs=1e-3)
        for name, mask in network.masks(face, gates).items():
            np.testing.assert_allclose(page.face.masks()[name], mask[0], atol=1e-3)
        assert play.sentence(expected) in page.answer.value
    later = page.face.masks()["stage3_module1"]
    page.learned.click()
    assert np.array_equal(shown(page), before)
    assert np.abs(page.face.masks()["stage3_module1"] - later).max() > 1e-4  # an earlier gate changes a later mask


def test_turning_moving_and_noise_reach_the_network(page):
    page.moves["right"].value = 5
    np.testing.assert_array_equal(page.face.shown[:, 5:], play.drawn(0)[:, :-5])
    assert (page.face.shown[:, :5] == 0).all()
    page.moves["right"].value, page.moves["turn"].value = 0, 90
    assert np.abs(page.face.shown.astype(int) - np.rot90(play.drawn(0))).mean() < 3
    page.moves["turn"].value, page.moves["noise"].value = 0, 40
    off = page.face.shown.astype(float) - play.drawn(0)
    assert 20 < off.std() < 45
    assert np.abs(shown(page)[3 : 32 * 7 : 7, 3 : 32 * 7 : 7].astype(int) - page.face.shown).mean() < 3


def test_the_kinds_of_attention_stand_side_by_side(page):
    side, shares = 32 * play.SMALLER, page.face.shares()
    exact = page.face.side_by_side(shares)
    found = np.asarray(Image.open(io.BytesIO(page.kinds.value))).astype(int)
    assert found.shape == exact.shape == (24 + 3 * side + 2 * play.ENLARGED, 3 * side + 2 * play.ENLARGED, 3)
    assert np.abs(found - exact).mean() < 1.5
    step = side + play.ENLARGED
    for row, kinds in enumerate(shares):
        for column, share in enumerate(kinds.values()):
            panel = exact[24 + row * step :, column * step :][:side, :side].astype(float)
            yellow = (panel[..., 0] - panel[..., 2]).mean()  # red less blue: the face is grey
            assert yellow == pytest.approx(0.65 * 255 * (1.45 * share - 0.55).mean(), abs=3)
    before = page.kinds.value
    page.gates["stage1_module1"].value = 0.9
    assert page.kinds.value != before


def test_a_step_of_a_slider_takes_less_than_a_tenth_of_a_second(page):
    slider, times = page.gates["stage1_module1"], []
    for step in range(12):
        start = time.process_time()
        slider.value = step / 20
        times.append(time.process_time() - start)
    assert sorted(times)[len(times) // 2] < 0.1


def upload(page, *files):
    page.upload.value = tuple(
        {"name": name, "type": "image/jpeg", "size": len(data), "content": data, "last_modified": NOW}
        for name, data in files
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_is_a_sentence_and_changes_nothing(page, name):
    before = page.picture.value
    upload(page, (f"<b>{name}</b>.jpg", HOSTILE[name][0]))
    assert page.said.value == f"&lt;b&gt;{name}&lt;/b&gt;.jpg: Not read: {HOSTILE[name][1]}."
    assert page.picture.value == before and page.upload.value == ()


def test_of_many_uploads_the_first_face_is_taken(page, monkeypatch):
    monkeypatch.setattr(play.photos, "find", lambda picture, faces: [])
    crop = np.asarray(drawn(5, 64))
    upload(page, ("a", b"text"), ("b", encoded(Image.fromarray(crop))), *[("c", b"")] * 9)
    assert page.said.value.split("<br>") == [
        f"Of 11 pictures the first {play.MOST} were looked at.",
        "a: Not read: not a picture inside.",
        "b: no face found: taken whole",
    ]
    expected = Image.fromarray(crop).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(page.face.pixels, np.asarray(expected))
    upload(page, ("wide", encoded(Image.new("RGB", (300, 100)))))
    assert page.said.value == "wide: No face found in this picture."


def test_a_photograph_is_cut_and_one_held_sideways_is_the_same(page):
    pytest.importorskip("mtcnn")
    upload(page, ("upright", encoded(scene())))
    assert page.said.value == "upright: found and cut out"
    upright = page.face.pixels
    exif = Image.Exif()
    exif[0x0112] = 6
    upload(page, ("turned", encoded(scene().transpose(Image.Transpose.ROTATE_90), exif=exif)))
    np.testing.assert_array_equal(page.face.pixels, upright)
    assert LARGEST < 10_000  # so a picture of 10,000 pixels is refused, see HOSTILE


def test_the_picture_without_sliders_has_a_row_for_every_gate(page):
    rows = play.tour(page.face, 3)
    side = 32 * play.ENLARGED
    assert rows.shape == (3 * side, 4 * side + 3 * play.ENLARGED, 3)
    assert page.face.gates == {name: slider.value for name, slider in page.gates.items()}
    first, last = rows[:side, side:], rows[-side:, side:]
    assert np.abs(first.astype(int) - last).max() > 0


def test_the_notebook_runs_from_top_to_bottom(networks, tmp_path, monkeypatch):
    monkeypatch.setenv("GRA_NETWORKS", str(networks))
    path = notebooks.execute(ROOT / "notebooks" / "play.ipynb", {"face": 2, "steps": 3}, tmp_path / "out")
    cells = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2 and all(len(picture) > 10_000 for picture in pictures)
    widgets = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert len(widgets) == 1
    monkeypatch.setattr(shipped, "FOLDER", networks)
    shipped.open_networks.cache_clear()
    said = play.sentence(play.Face(*shipped.open_networks(), play.drawn(2)).answers())
    shipped.open_networks.cache_clear()
    assert outputs[-1].text.strip() == said
