"""UTKFace from names to pixels: genuine irregular names, damaged files, archives, the cache."""

import io
import os
import shutil
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from gralib.data import decoding
from gralib.data import faces as faces_module
from gralib.data.faces import decode, open_faces
from gralib.data.formats import load
from gralib.data.formats.utkface import read_name
from gralib.data.manifest import Manifest, Row, excluded
from gralib.data.sources import open_source
from gralib.errors import UserError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("100_0_0_20170112213500903.jpg.chip.jpg", (100, "male", "kept")),
        ("26_1_2_20170116184515488.jpg", (26, "female", "kept")),
        ("14_0_0_2017011022340900.jpg.chip.jpg", (14, "male", "repaired")),
        ("28_1_2_201701161846515488.jpg.chip.jpg", (28, "female", "repaired")),
        ("38_0_1_201701162330572788.jpg.chip.jpg", (38, "male", "repaired")),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", (24, "male", "repaired")),
        ("55_0_0_20170116232725357jpg.chip.jpg", (55, "male", "repaired")),
        ("39_1_20170116174525125.jpg.chip.jpg", (39, None, "repaired")),
        ("61_1_20170109142408075.jpg.chip.jpg", (61, None, "repaired")),
        ("61_1_20170109150557335.jpg.chip.jpg", (61, None, "repaired")),
        ("116_0_0_20170112213500903.jpg.chip.jpg", (116, "male", "kept")),
        ("117_0_0_20170112213500903.jpg.chip.jpg", (None, None, "excluded")),
        ("20_3_0_20170112213500903.jpg.chip.jpg", (None, None, "excluded")),
        ("portrait.jpg", (None, None, "excluded")),
        ("_0_0_20170112213500903.jpg.chip.jpg", (None, None, "excluded")),
        ("SYNTHETIC.txt", (None, None, "excluded")),
    ],
)
def test_names(name, expected):
    age, gender, _, status, reason = read_name(name)
    assert (age, gender, status) == expected
    assert (reason == "") == (status == "kept")


def test_every_real_file_is_accounted_for(real_utkface):
    manifest = load("utkface", real_utkface)
    counts = manifest.rows["status"].value_counts().to_dict()
    assert counts == {"kept": 23_700, "repaired": 8}
    assert manifest.kept["gender"].value_counts().sum() == 23_705
    assert (manifest.kept["age"].min(), manifest.kept["age"].max()) == (1, 116)
    assert not manifest.source.synthetic


@pytest.fixture
def folder(tmp_path):
    """Two good pictures and one of each kind of trouble."""
    root = tmp_path / "pictures"
    root.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    for name in ("20_0_0_20170112213500901.jpg.chip.jpg", "30_1_0_20170112213500902.jpg.chip.jpg"):
        Image.fromarray(noise).save(root / name)
    whole = (root / "20_0_0_20170112213500901.jpg.chip.jpg").read_bytes()
    (root / "40_0_0_20170112213500903.jpg.chip.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "50_0_0_20170112213500904.jpg.chip.jpg").write_text("not a picture at all")
    (root / "60_0_0_20170112213500905.jpg.chip.jpg").write_bytes(b"")
    (root / "holiday.jpg").write_bytes(whole)
    (root / "notes.txt").write_text("hello")
    return root


def test_damaged_files_are_set_aside_by_reason_and_the_good_ones_load(folder, tmp_path):
    faces = open_faces("utkface", folder, cache=tmp_path / "cache", progress=False)
    assert list(faces.table["age"]) == [20, 30]
    assert faces.pixels.shape == (2, 32, 32, 3)
    assert faces.pixels.dtype == np.uint8
    reasons = faces.account.set_index("reason")["files"].to_dict()
    assert reasons["picture damaged or cut short"] == 1
    assert reasons["not a picture inside"] == reasons["empty file"] == 1
    assert reasons["name without age, gender, race and date"] == 1
    assert reasons["not a picture"] == 1
    assert faces.account.query("status == 'found'")["files"].item() == 7 == faces.account["files"].sum() / 2
    assert faces.account.loc[faces.account["reason"] == "", "status"].tolist() == ["kept", "found"]


def test_a_huge_header_is_set_aside_unread(tmp_path):
    Image.new("L", (9000, 1)).save(tmp_path / "wide.png")
    assert decode((tmp_path / "wide.png").read_bytes()) == "picture larger than 8000 pixels"


def test_grey_and_transparent_pictures_become_rgb(tmp_path):
    for mode in ("L", "RGBA", "P", "CMYK"):
        path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
        Image.new(mode, (40, 40)).save(path)
        assert decode(path.read_bytes()).shape == (32, 32, 3)


def test_the_cache_is_used_again_and_made_anew_when_a_picture_changes(folder, tmp_path):
    def opened():
        return open_faces("utkface", folder, cache=tmp_path / "cache", progress=False)

    first = opened()
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")}
    again = opened()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")} == stamps
    assert again.fingerprint == first.fingerprint
    pd.testing.assert_frame_equal(again.table, first.table)
    Image.new("RGB", (64, 64), "red").save(folder / "20_0_0_20170112213500901.jpg.chip.jpg")
    changed = opened()
    assert changed.fingerprint != first.fingerprint
    assert (changed.pixels[0, :, :, 0] > 200).all()


def test_other_pixels_of_the_same_files_have_another_fingerprint(folder, tmp_path, monkeypatch):
    first = open_faces("utkface", folder, cache=tmp_path / "one", progress=False)
    decoded = faces_module.decode
    monkeypatch.setattr(
        faces_module, "decode", lambda *given: 255 - done if isinstance(done := decoded(*given), np.ndarray) else done
    )
    other = open_faces("utkface", folder, cache=tmp_path / "other", progress=False)
    pd.testing.assert_frame_equal(other.table, first.table)
    assert np.array_equal(other.pixels, 255 - first.pixels)
    assert other.fingerprint != first.fingerprint


def pack(folder, target):
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"UTKFace/{path.name}")
    else:
        with tarfile.open(target, "w:gz" if target.name.endswith("gz") else "w") as archive:
            archive.add(folder, "UTKFace")


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "zip"])
@pytest.mark.parametrize("inside", [False, True], ids=["the archive", "a folder with the archive"])
def test_archives_are_read_in_place(folder, tmp_path, ending, inside):
    download = tmp_path / "download"
    download.mkdir()
    pack(folder, download / f"UTKFace.{ending}")
    root = download if inside else download / f"UTKFace.{ending}"
    packed = open_faces("utkface", root, cache=tmp_path / "cache", progress=False)
    plain = open_faces("utkface", folder, cache=tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(packed.pixels, plain.pixels)
    assert list(packed.table["digest"]) == list(plain.table["digest"])
    assert sorted(p.name for p in download.iterdir()) == [f"UTKFace.{ending}"]


def test_missing_empty_and_unusable_roots_are_named(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 half of it")
    (tmp_path / "cut.tar").write_bytes(b"x" * 700)
    (tmp_path / "faces.pdf").write_bytes(b"x")
    for name, message in {
        "nowhere": "not found; expected a folder",
        "empty": "the folder is empty",
        "cut.zip": "expected a whole archive",
        "cut.tar": "expected a whole archive",
        "faces.pdf": "expected a folder or one of",
    }.items():
        with pytest.raises(UserError, match=rf"{name}: {message}"):
            open_source(tmp_path / name)
    shutil.copy(tmp_path / "cut.zip", folder / "UTKFace.zip")
    with pytest.raises(UserError, match="expected pictures or a single archive"):
        open_source(folder)


def test_a_folder_without_a_usable_name_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="1 rows, no usable picture; most: name without age"):
        open_faces("utkface", tmp_path, cache=tmp_path / "cache")
    with pytest.raises(UserError, match=r"dataset: expected one of adience, .*, got 'imdb'"):
        load("imdb", tmp_path)


def test_drawn_faces_stay_synthetic_when_they_are_moved(drawn, tmp_path):
    inner = open_faces("utkface", drawn / "UTKFace", cache=tmp_path, progress=False)
    assert inner.synthetic, "the marker file is one folder up, the pictures know by themselves"


def test_the_synthetic_twin_has_the_flaws_of_the_real_set(faces):
    reasons = faces.account.set_index("reason")["files"].to_dict()
    assert reasons["date not of 17 digits"] == 2
    assert reasons["odd ending of the name"] == 2
    assert reasons["one of gender and race missing: gender unknown"] == 2
    assert reasons["picture damaged or cut short"] == 1
    assert reasons["not a picture inside"] == 1
    assert faces.synthetic
    assert faces.table["digest"].duplicated().any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": 130.0}, "a.jpg: expected an age from 0 to 116"),
        ({"gender": "f"}, "a.jpg: expected a gender of male, female or none"),
        ({"status": "lost"}, "a.jpg: expected a status of"),
        ({"status": "repaired"}, "a.jpg: expected a reason"),
        ({"age": None, "gender": None}, "a.jpg: expected a label"),
        ({"age_group": "21-24"}, "a.jpg: expected an age group"),
        ({"crop": "1 2 3"}, "a.jpg: expected a crop of four numbers"),
    ],
)
def test_the_manifest_refuses_what_breaks_its_rules(folder, change, message):
    row, source = Row("a.jpg", age=3.0, gender="male"), open_source(folder)
    others = [excluded(name, "of no interest") for name in source.names]
    Manifest.of("utkface", source, [row, *others])
    with pytest.raises(UserError, match=message):
        Manifest.of("utkface", source, [row._replace(**change), *others])
    with pytest.raises(UserError, match="expected columns"):
        Manifest("utkface", source, pd.DataFrame([{"path": "a.jpg"}]))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (200, 200), (301, 417), (816, 640), (33, 700)])
@pytest.mark.parametrize("crop", [None, "3 5 30 31", "-9 20 150 190"])
def test_the_quick_way_through_a_jpeg_gives_the_pixels_of_the_slow_one(monkeypatch, mode, width, height, crop):
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, len(mode)), dtype=np.uint8)
    picture = Image.fromarray(noise.squeeze(), mode).resize((width, height), Image.Resampling.BICUBIC)
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=88)
    quick = decode(held.getvalue(), crop)

    monkeypatch.setattr(decoding, "_decode_jpeg", lambda *_: None)
    slow = decode(held.getvalue(), crop)
    assert isinstance(quick, np.ndarray) or quick == slow == "crop outside the picture"
    np.testing.assert_array_equal(quick, slow)


@pytest.mark.parametrize("crop", ["100 0 150 800", "0 100 800 150", "300 300 364 364"])
def test_a_crop_of_a_large_jpeg_is_decoded_as_finely_as_it_needs(crop):
    """A narrow part of a photograph, which as a whole could be read reduced: pixels as from all of it."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(noise).resize((800, 800), Image.Resampling.BICUBIC).save(held, "JPEG", quality=90)
    with Image.open(held) as picture:
        fine = picture.resize((32, 32), Image.Resampling.BILINEAR, box=tuple(map(int, crop.split())))
    np.testing.assert_array_equal(decode(held.getvalue(), crop), np.asarray(fine))


def test_a_file_without_a_row_is_refused_by_name(folder):
    source = open_source(folder)
    rows = [excluded(name, "of no interest") for name in source.names]
    assert len(Manifest.of("utkface", source, rows).rows) == len(source.names)
    assert len(Manifest.of("utkface", source, rows[1:], tables=[rows[0].path]).rows) == len(source.names) - 1
    with pytest.raises(UserError, match=rf"{rows[-1].path}: expected a row for every file, got none for 1$"):
        Manifest.of("utkface", source, rows[:-1])


def test_a_folder_that_may_not_be_read_is_a_row(folder, monkeypatch):
    (folder / "locked").mkdir()
    scan = os.scandir

    def guarded(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    rows = load("utkface", folder).rows.set_index("path")["reason"]
    assert rows["locked"] == "folder that cannot be read: Permission denied" and len(rows) == 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_is_stood_upright_as_pillow_does(orientation, kind):
    rng = np.random.default_rng(orientation)
    blocks = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1))).astype("uint8")
    exif = Image.Exif()
    exif[0x0112] = orientation
    held = io.BytesIO()
    Image.fromarray(blocks).save(held, kind, exif=exif, quality=95)
    with Image.open(held) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(decode(held.getvalue()).astype(int) - np.asarray(upright)).max() <= 2
    whole, corner = decode(held.getvalue()), decode(held.getvalue(), "0 0 64 64")
    np.testing.assert_array_equal(whole, corner)
