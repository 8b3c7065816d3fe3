"""Turned and moved faces: what changes, and what is read from them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gralib.errors import UserError
from gralib.evaluation import outcomes
from gralib.training import perturb, probed, records
from gralib.training.packed import pack_rows

PIXELS = np.zeros((2, 32, 32, 3), np.uint8)
PIXELS[:, 10:12, 20:24] = 255


def test_no_step_changes_nothing():
    assert np.array_equal(perturb.change(PIXELS, "turn", 0), PIXELS)


def test_moving_moves_to_the_right_and_repeats_the_edge():
    faces = np.random.default_rng(0).integers(0, 256, PIXELS.shape).astype(np.uint8)  # each edge is another
    moved = perturb.change(faces, "move", 3)
    assert np.array_equal(moved[:, :, 3:], faces[:, :, :-3])
    assert np.array_equal(moved[:, :, :3], np.repeat(faces[:, :, :1], 3, axis=2))
    back = perturb.change(faces, "move", -3)
    assert np.array_equal(back[:, :, :-3], faces[:, :, 3:])
    assert np.array_equal(back[:, :, -3:], np.repeat(faces[:, :, -1:], 3, axis=2))


def test_turning_by_a_right_angle_is_exact_and_opposite_turns_cancel():
    turned = np.rot90(PIXELS, axes=(1, 2))
    assert np.array_equal(perturb.change(PIXELS, "turn", 90), turned), "'+' turns against the clock"
    assert np.array_equal(perturb.change(turned, "turn", -90), PIXELS)
    there_and_back = perturb.change(perturb.change(PIXELS, "turn", 15), "turn", -15)
    assert np.abs(there_and_back.astype(int) - PIXELS).mean() < 2
    assert perturb.change(PIXELS, "turn", 15).dtype == np.uint8


def test_changes_are_named_by_kind_direction_and_step():
    found = probed.changes()
    assert found["as they are"] == ("turn", 0) and len(found) == 21
    kinds = {"turn": (5, 10, 15, 20, 30), "move": (1, 2, 3, 4, 6)}
    expected = {
        f"{kind} {sign}{step}": (kind, int(f"{sign}{step}"))
        for kind, steps in kinds.items() for step in steps for sign in "-+"
    }  # fmt: skip
    assert {name: change for name, change in found.items() if name != "as they are"} == expected


def table(as_is, changed):
    hits = {name: np.asarray(as_is if not step else changed) for name, (_, step) in probed.changes().items()}
    return pd.DataFrame({"path": list("abcd"), "group": list("abcd"), **hits})


def test_a_loss_is_what_the_change_takes_away():
    lost = outcomes.losses([table([1, 1, 1, 0], [1, 0, 1, 0])], "turn", 15)
    assert lost.tolist() == [[0, 1, 0, 0]]
    curve = outcomes.curve([table([1, 1, 1, 0], [1, 0, 1, 0])]).set_index(["kind", "step"])["value"]
    assert curve["turn", 0] == curve["move", 0] == 0.75
    assert curve["turn", 30] == curve["move", 6] == 0.5


def test_only_gender_runs_on_the_same_faces_are_read(made_up, faces, tmp_path):
    run = made_up(tmp_path, "age_category")
    with pytest.raises(UserError, match="expected a gender run on these faces"):
        perturb.probe(run, faces)


def test_what_was_made_of_changed_faces_is_read_beside_the_faces(made_up, tmp_path):
    run = made_up(tmp_path, "gender")
    assert probed.orientation(run) is None
    rng = np.random.default_rng(0)
    hits = pd.DataFrame({name: rng.integers(0, 2, len(run.rows)) for name in probed.changes()})
    records.add(run.folder, records.ORIENTATION, pack_rows(run.rows, hits))
    found = probed.orientation(run)
    assert list(found) == ["path", "group", *hits]
    assert found["path"].equals(run.tested["path"]) and found[list(hits)].equals(hits)
    for wrong in (hits.drop(columns="turn +15"), hits.assign(**{"turn +15": 2})):
        records.add(run.folder, records.ORIENTATION, pack_rows(run.rows, wrong))
        with pytest.raises(UserError, match="expected 0 or 1 for each change and test face"):
            probed.orientation(run)


def test_a_network_is_asked_about_every_change_of_its_test_faces_once(made_up, faces, tmp_path, monkeypatch):
    pytest.importorskip("keras")
    from gralib.training import fit

    run, asked = made_up(tmp_path, "gender"), []

    def predict(model, pixels, rows):
        asked.append(pixels)
        assert model == "the network" and rows.tolist() == list(range(len(run.rows)))
        male = np.full(len(rows), len(asked) % 2)
        return np.stack([male, 1 - male], axis=1)

    monkeypatch.setattr(perturb, "network", lambda run: "the network")
    monkeypatch.setattr(fit, "predict", predict)
    path = perturb.probe(run, faces)
    known = perturb.probe(records.Run(run.folder), faces)
    assert known == path == run.folder / records.ORIENTATION and len(asked) == len(probed.changes())
    for pixels, (kind, step) in zip(asked, probed.changes().values(), strict=True):
        np.testing.assert_array_equal(pixels, perturb.change(np.asarray(faces.pixels[run.rows]), kind, step))
    found = probed.orientation(records.Run(run.folder))
    men = (run.tested["gender"] == "male").astype(int)
    for number, name in enumerate(probed.changes()):
        assert found[name].tolist() == (men if number % 2 == 0 else 1 - men).tolist()
    other = made_up(tmp_path / "other", "gender", data=SimpleNamespace(**{
        **{name: getattr(faces, name) for name in ("table", "account", "dataset", "pixels")}, "fingerprint": "f" * 16
    }))  # fmt: skip
    with pytest.raises(UserError, match="expected a gender run on these faces"):
        perturb.probe(other, faces)
