"""Photographs of visitors: faces are found and cut as the training set's are; whatever comes in ends in a sentence."""

import csv
import io
import json
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from gralib import cli
from gralib.data.decoding import photograph
from gralib.errors import UserError
from gralib.synthetic import drawing, person
from gralib.visitors import photos, reading, shipped


def drawn(number=0, size=200):
    rng = np.random.default_rng(number)
    return drawing.draw_face(person.Subject.draw_at_random(rng, "s"), 30, rng, size)


def scene(size=(400, 300), at=(100, 50), side=200):
    """A photograph with one drawn face in it that the detector finds."""
    picture = Image.new("RGB", size, (120, 130, 140))
    picture.paste(drawn(0, side), at)
    return picture


def encoded(picture, kind="PNG", **options):
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def predict(monkeypatch, capsys, *words):
    """Return what the command prints and what it says beside, and its exit."""
    monkeypatch.setattr(sys, "argv", ["gra", "predict", *map(str, words)])
    with pytest.raises(SystemExit) as done:
        cli.main()
    out, err = capsys.readouterr()
    return out, err, done.value.code


def test_the_similarity_between_points_is_found_again():
    turn = 3 * np.exp(0.4j)
    z = photos.PLACES[:, 0] + 1j * photos.PLACES[:, 1]
    w = turn * z + (7 - 2j)
    matrix = photos.similarity(photos.PLACES, np.stack([w.real, w.imag], axis=1))
    np.testing.assert_allclose(matrix, [[turn.real, -turn.imag, 7], [turn.imag, turn.real, -2]], atol=1e-9)


def test_a_face_whose_landmarks_stand_in_their_places_is_cut_out_as_it_is():
    picture = drawn(size=160)
    found = photos._cut(picture, photos.PLACES * 160, 1.0)
    np.testing.assert_allclose(found.corners, [(0, 0), (160, 0), (160, 160), (0, 160)], atol=1e-9)
    plain = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR)).astype(float)
    assert np.abs(found.pixels - plain).mean() < 4
    turned = photos._cut(picture.rotate(90), (photos.PLACES[:, ::-1] * (1, -1) + (0, 1)) * 160, 1.0)
    assert np.abs(turned.pixels.astype(float) - found.pixels).mean() < 3
    moved = Image.new("RGB", (500, 400))
    moved.paste(picture, (200, 100))
    elsewhere = photos._cut(moved, photos.PLACES * 160 + (200, 100), 1.0)
    assert np.abs(elsewhere.pixels.astype(float) - found.pixels)[2:-2, 2:-2].mean() < 3


def test_a_drawn_face_is_found_where_it_is():
    pytest.importorskip("mtcnn")
    (face,) = photos.find(np.asarray(scene()))
    left, top, right, bottom = face.box
    assert 100 < left < right < 300 and 50 < top < bottom < 250
    assert face.certainty >= photos.SURE
    (large,) = photos.find(np.asarray(scene((800, 600), (200, 100), 400)), "largest")
    np.testing.assert_allclose(large.box, 2 * np.array(face.box), atol=16)
    assert photos.find(np.full((300, 300, 3), 128, np.uint8)) == []
    assert photos.find(np.zeros((10, 400, 3), np.uint8)) == []


def test_the_largest_face_comes_first(monkeypatch):
    def seen(picture, min_face_size):
        sides = {60: (10, 10), 160: (100, 20), 90: (20, 120)}
        places = [photos.PLACES * side + corner for side, corner in sides.items()]
        return [{"confidence": 1.0, "keypoints": dict(zip(photos.LANDMARKS, five, strict=True))} for five in places]

    monkeypatch.setattr(photos, "detector", lambda: seen)
    picture = np.zeros((240, 400, 3), np.uint8)
    assert [round(face.side) for face in photos.find(picture)] == [160, 90, 60]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photograph_held_otherwise_is_the_same_photograph(orientation):
    upright = scene((240, 200), (20, 0))
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(upright.transpose(back[orientation]), exif=exif)
    picture, reduced = photograph(data, photos.LONGEST)
    assert reduced == 1
    np.testing.assert_array_equal(picture, np.asarray(upright))


def test_a_large_photograph_is_reduced_and_says_by_how_much():
    data = encoded(Image.new("RGB", (4000, 1000), (9, 99, 199)), "JPEG")
    picture, reduced = photograph(data, 1000)
    assert picture.shape == (250, 1000, 3) and reduced == 4
    assert np.abs(picture.astype(int) - (9, 99, 199)).max() < 4


def huge():
    """A sound header of a picture of 10,000 pixels a side, and next to nothing behind it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


HOSTILE = {
    "text": (b"this is no picture", "not a picture inside"),
    "empty": (b"", "empty file"),
    "page": (b"<!DOCTYPE html><html></html>", "not a JPEG, PNG or WebP inside, but a web page"),
    "huge": (huge(), "picture larger than 8000 pixels"),
    "cut": (encoded(scene(), "JPEG")[:3000], "picture damaged or cut short"),
    "dot": (encoded(Image.new("RGB", (1, 1))), "face smaller than 8 pixels"),
    "gif": (encoded(Image.new("RGB", (99, 99)), "GIF"), "not a JPEG, PNG or WebP inside, but GIF"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_photograph_is_one_sentence(name, networks, tmp_path):
    data, reason = HOSTILE[name]
    (tmp_path / f"{name}.jpg").write_bytes(data)
    ((row,), _), *rest = reading.answers([tmp_path / f"{name}.jpg"], "whole", networks, None)
    assert row["note"] == reason and not rest
    assert reading.sentence(row) == f"{tmp_path / name}.jpg: {reason}"


def test_rows_say_what_the_networks_said_of_every_face(monkeypatch):
    """A photograph that was halved to be looked at: places and sides are those of the one that is stored."""
    sides, female = (20, 15, 100, 100), np.array([0.9, 0.9, 0.5, 0.25])
    corners = [np.array([(0, 0), (side, 0), (side, side), (0, side)], float) for side in sides]
    faces = [photos.Found(four, np.zeros((32, 32, 3), np.uint8), 1.0) for four in corners]
    years = np.array([30.04, 1, 20, 40])
    said = shipped.Answers(female=female, age=years, low=years - 5, high=years + 5)
    monkeypatch.setattr(shipped, "read", lambda reader, calibration, pixels: said)
    photo = photos.Photo(np.zeros((300, 300, 3), np.uint8), 2, faces)
    first, small, even, last = reading.rows("a.png", photo, None, None)
    assert (first["gender"], first["gender_probability"], first["note"]) == ("female", 0.9, "")
    assert (first["age"], first["age_low"], first["age_high"]) == (30, 25, 35)
    assert small["note"] == f"{reading.TOO_SMALL}: 30 pixels a side, expected at least 32" and "age" not in small
    assert (even["gender"], even["gender_probability"]) == ("male", 0.5)
    assert (last["gender"], last["gender_probability"]) == ("male", 0.75)
    assert [first[name] for name in reading.COLUMNS[2:6]] == [0, 0, 40, 40]


def test_a_folder_of_crops_is_read_without_the_detector(networks, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    for number in range(3):
        drawn(number, 96).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"text")
    drawn(4, 24).save(tmp_path / "4.png")
    words = [tmp_path, "--faces", "whole", "--networks", networks]
    out, err, code = predict(monkeypatch, capsys, *words, "--json")
    rows = json.loads(out)
    assert not code and [row["note"] for row in rows] == [
        "", "", "", "not a picture inside", "face too small: 24 pixels a side, expected at least 32",
    ]  # fmt: skip
    assert "A network's guess" in err and "drawn faces" in err
    reader, calibration = shipped.open_networks(networks)
    face = np.asarray(Image.open(tmp_path / "1.png").resize((32, 32), Image.Resampling.BILINEAR))
    expected = shipped.read(reader, calibration, face[None])
    assert rows[1]["age"] == pytest.approx(expected.age[0], abs=0.051)
    assert rows[1]["gender"] == ("female" if expected.female[0] > 0.5 else "male")
    assert rows[1]["gender_probability"] == pytest.approx(max(expected.female[0], 1 - expected.female[0]), abs=6e-4)
    assert [rows[1][name] for name in ("left", "top", "right", "bottom")] == [0, 0, 96, 96]
    out, _, _ = predict(monkeypatch, capsys, *words, "--csv")
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["age"] for row in table][:3] == [str(row["age"]) for row in rows[:3]]
    assert table[3]["age"] == "" and table[3]["note"] == "not a picture inside"


def test_faces_are_found_drawn_and_said(networks, tmp_path, monkeypatch, capsys):
    pytest.importorskip("mtcnn")
    scene().save(tmp_path / "a.png")
    Image.new("RGB", (300, 200), (70, 80, 90)).save(tmp_path / "b.png")
    words = [tmp_path / "a.png", tmp_path / "b.png", "--networks", networks, "--draw", tmp_path / "out"]
    out, _, code = predict(monkeypatch, capsys, *words)
    first, second = out.splitlines()
    assert (
        not code
        and first.startswith(f"{tmp_path}/a.png, face 1: age ")
        and second == f"{tmp_path}/b.png: no face found"
    )
    before, after = (np.asarray(Image.open(path)) for path in (tmp_path / "a.png", tmp_path / "out" / "a-faces.png"))
    assert before.shape == after.shape and (before != after).any(axis=2).sum() > 200
    with pytest.raises(UserError, match="--draw: expected a new"):
        list(reading.answers([tmp_path / "a.png"], "all", networks, tmp_path / "a.png"))
    _, _, code = predict(monkeypatch, capsys, tmp_path / "b.png", "--networks", networks)
    assert code == "gra: no face could be read in any of the pictures"


def test_a_face_far_away_is_too_small(networks, tmp_path, monkeypatch):
    scene().save(tmp_path / "a.png")
    corners = np.array([(130, 80), (158, 80), (158, 108), (130, 108)], float)
    found = photos.Found(corners, np.zeros((32, 32, 3), np.uint8), 1)
    monkeypatch.setattr(photos, "find", lambda picture, faces: [found])
    ((row,), _) = next(reading.answers([tmp_path / "a.png"], "all", networks, None))
    assert row["note"] == "face too small: 28 pixels a side, expected at least 32" and "age" not in row


def test_what_is_missing_is_said_in_one_line(networks, tmp_path, monkeypatch, capsys):
    _, _, code = predict(monkeypatch, capsys, tmp_path / "gone.jpg", "--networks", networks)
    assert code == f"gra: {tmp_path}/gone.jpg: expected a photograph, got no such file"
    _, _, code = predict(monkeypatch, capsys, tmp_path, "--networks", networks)
    assert code.startswith(f"gra: {tmp_path}: expected pictures") and code.endswith("got none")
    _, _, code = predict(monkeypatch, capsys, tmp_path, "--faces", "some", "--networks", networks)
    assert code == "gra: --faces: expected all, largest or whole, got 'some'"
    _, _, code = predict(monkeypatch, capsys, tmp_path, "--json", "--csv", "--networks", networks)
    assert code == "gra: --json, --csv: expected one of them"
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    photos.detector.cache_clear()
    scene().save(tmp_path / "a.png")
    _, _, code = predict(monkeypatch, capsys, tmp_path / "a.png", "--networks", networks)
    assert code.startswith("gra: faces: no mtcnn") and "--faces whole" in code
    photos.detector.cache_clear()
