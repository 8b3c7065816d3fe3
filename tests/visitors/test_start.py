"""The first minute: one slider, and what Eq. 3 lets through follows it."""

import io

import numpy as np
import pytest
from PIL import Image

from gralib.visitors import play, shipped, start


@pytest.fixture
def gate(networks, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", networks)
    shipped.open_networks.cache_clear()
    yield start.gate(0)
    shipped.open_networks.cache_clear()


def shown(gate):
    return np.asarray(Image.open(io.BytesIO(gate.picture.value))).astype(int)


def test_the_slider_moves_what_gets_through_as_eq_3_says(gate):
    network, seen = gate.face.reader.networks["gender"], []
    for gamma in (0.0, 0.3, 1.0):
        gate.slider.value = gamma
        seen.append(shown(gate))
        masks = network.masks(play.drawn(0)[None], dict.fromkeys(network.card.gates, gamma))
        for name, share in start.let_through(gate.face, gamma).items():
            np.testing.assert_allclose(share, gamma + (1 - gamma) * masks[name][0].mean(axis=-1), atol=1e-6)
        assert play.sentence(gate.face.answers()) in gate.answer.value
    assert "stage 1: 1.00, stage 2: 1.00, stage 3: 1.00" in gate.answer.value
    side = 32 * play.ENLARGED
    assert all((one[:, :side] == seen[0][:, :side]).all() for one in seen), "the face stays"
    blue, yellow = (one[:, side + play.ENLARGED :].mean(axis=(0, 1)) for one in (seen[0], seen[-1]))
    assert yellow[0] > blue[0] + 20 and yellow[2] < blue[2]


def test_the_rows_are_the_slider_where_nothing_moves(gate):
    whole = start.rows(gate.face, (0, 1))
    alone = start.picture(gate.face, start.let_through(gate.face, 1))
    assert whole.shape == (2 * alone.shape[0], alone.shape[1], 3)
    np.testing.assert_array_equal(whole[-100:], alone[-100:])  # above stand the words


def test_a_face_is_turned_and_moved_as_the_study_does_it():
    figure = start.turned()
    said = [ax.get_title() for ax in figure.axes]
    assert said.count("as it is") == 2 and set(said) == {
        "as it is", "-45 degrees", "-15 degrees", "+15 degrees", "+45 degrees", "-8 pixels", "-3 pixels", "+3 pixels",
        "+8 pixels",
    }  # fmt: skip
    shown = {name: ax.get_images()[0].get_array() for name, ax in zip(said, figure.axes, strict=True)}
    np.testing.assert_array_equal(shown["+3 pixels"][:, 3:], play.drawn(3)[:, :-3])
