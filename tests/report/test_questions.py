"""Pictures of a question before anything is trained: what they show is what the equations and the sources say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from gralib.ages import category_names
from gralib.equations import masks_of
from gralib.report import questions


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_three_channels_stand_beside_the_masks_that_each_attention_makes_of_them():
    figure = questions.attentions()
    panels = [ax for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]
    images = np.stack([ax.images[0].get_array() for ax in panels])
    assert len(images) == 3 * 4
    rows = images.reshape(3, 4, 8, 8)
    features = rows[:, 0].transpose(1, 2, 0)
    for column, (name, mask) in enumerate(masks_of(features).items(), 1):
        np.testing.assert_allclose(rows[:, column].transpose(1, 2, 0), mask, err_msg=name)
        assert panels[column].get_title() == f"{name}: K"
    assert [ax.images[0].get_clim() for ax in panels[1:4]] == [(-1, 1)] * 3, "masks share one scale"
    assert panels[0].images[0].get_clim() == (features.min(), features.max())


def test_of_a_feature_remains_the_mask_and_the_gate_multiplied_block_by_block():
    ax = questions.stacked(mask=0.5)
    left = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
    assert left["γ = 1 (no mask)"] == pytest.approx(100.0)
    np.testing.assert_allclose(left["γ = 0 (naive: the mask in full)"][:4], [100, 50, 25, 12.5])
    np.testing.assert_allclose(left["γ = 0.5"][:3], [100, 75, 56.25])
    assert len(left) == 5


def test_the_rate_rises_for_a_tenth_and_falls_along_half_a_cosine():
    lines = {line.get_label().split(" (")[0]: line.get_xydata() for line in questions.schedule().lines}
    constant, chosen = lines["one rate all the time"], lines["warm-up, then half a cosine"]
    assert (constant[:, 1] == 1).all()
    at = {done: np.interp(done, *chosen.T) for done in (0, 5, 10, 55, 100)}
    assert at == pytest.approx({0: 0, 5: 0.5, 10: 1, 55: 0.5, 100: 0}, abs=2e-3)


def test_every_accuracy_quoted_is_a_point_in_the_colour_of_its_data_set():
    table = pd.read_csv(ROOT / questions.LITERATURE)
    table = table[(table["quantity"] == "gender accuracy") & table["value"].notna()]
    ax = questions.reported()
    assert sorted(float(line.get_xdata()[0]) for line in ax.lines) == sorted(table["value"])
    colours = {text.get_text(): text.get_color() for text in ax.texts if text.get_text() in set(table["database"])}
    assert set(colours) == set(table["database"])
    named = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(named) == sorted(f"{row.method}, {row.year}" for row in table.itertuples())


def test_a_mask_stands_between_two_gradients_of_one_scale():
    mask, without = np.linspace(0, 1, 16).reshape(4, 4), np.linspace(-3, 2, 16).reshape(4, 4)
    figure = questions.filtered(mask, without, without * mask)
    panels = [ax for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]
    for ax, values in zip(panels, (mask, without, without * mask), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), values)
    assert [ax.images[0].get_clim() for ax in panels] == [(0, 1), (-3, 3), (-3, 3)]
    assert "calculated" in figure.get_suptitle()


def test_wrong_labels_share_one_scale_and_name_every_other_category():
    figure = questions.wrong_labels()
    panels = [ax for ax in figure.axes if ax.images and ax.get_label() != "<colorbar>"]
    assert [ax.images[0].get_clim() for ax in panels] == [(0, 100)] * 4
    assert [ax.get_title() for ax in panels] == ["10 % wrong", "30 % wrong", "50 % wrong", "70 % wrong"]
    assert [label.get_text() for label in panels[0].get_xticklabels()] == category_names()[::2]
    np.testing.assert_allclose(np.diag(panels[1].images[0].get_array()), 70)
