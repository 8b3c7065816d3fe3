"""The five loaders: genuine names and files, made trees with their flaws, and faults that end in one clear line."""

import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from gralib import cli, synthetic
from gralib.config import TASKS
from gralib.data import copies, matlab
from gralib.data.faces import decode, open_faces
from gralib.data.formats import adience, afad, fgnet, load, utkface, wikipedia
from gralib.data.manifest import Row, account, summary
from gralib.errors import UserError


@pytest.fixture(scope="module", params=TASKS)
def twin(request, tmp_path_factory):
    """A synthetic data set in each native layout."""
    folder = tmp_path_factory.mktemp("twins") / request.param
    synthetic.write(request.param, folder, subjects=80)
    return request.param, folder


def picture(side=64, colour=(200, 100, 50), kind="JPEG"):
    held = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(held, kind)
    return held.getvalue()


def reasons(manifest):
    return account(manifest.rows).set_index("reason")["files"].to_dict()


# ---- every layout


def test_a_twin_loads_and_is_known_to_be_drawn(twin, tmp_path):
    name, folder = twin
    faces = open_faces(name, folder, cache=tmp_path, progress=False)
    assert faces.synthetic
    assert len(faces) > 150
    assert faces.table["group"].notna().all()
    assert not faces.table["path"].duplicated().any()


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip"])
def test_an_archive_gives_the_same_faces_as_the_folder(twin, ending, tmp_path):
    name, folder = twin
    archive = tmp_path / f"{name}{ending}"
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as out:
            for file in files:
                out.write(file, file.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if ending == ".tar.gz" else "w") as out:
            for file in reversed(files):
                out.add(file, file.relative_to(folder))
    packed, plain = (open_faces(name, root, cache=tmp_path / "c", progress=False) for root in (archive, folder))
    assert packed.fingerprint == plain.fingerprint


TWIN_REASONS = {
    "fgnet": {"no landmark file", "landmark file without 68 points", "not a picture", "Thumbs.db, left by Windows"},
    "afad": {
        "Thumbs.db, left by Windows",
        "age folder is no number",
        "gender folder neither 111 nor 112: gender unknown",
        "not a picture",
    },
    "wikipedia": {
        "age not from 0 to 100",
        "gender unknown",
        "no face found",
        "face score at most 1",
        "a second face",
        "fits the rule, picture not here",
        "not a picture",
    },
    "adience": {"picture not here", "not a picture"},
}


def test_a_twin_has_the_flaws_of_the_real_set(twin):
    name, folder = twin
    if name in TWIN_REASONS:
        assert set(reasons(load(name, folder))) - {""} == TWIN_REASONS[name]


@pytest.mark.parametrize("name", TASKS)
def test_files_of_something_else_end_in_one_line(name, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"expected|no usable picture") as error:
        open_faces(name, tmp_path, cache=tmp_path / "c", progress=False)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


# ---- real files


def test_real_fgnet(shared, tmp_path):
    faces = open_faces("fgnet", shared / "fgnet.tar", cache=tmp_path, progress=False)
    found = summary(faces.table)
    assert (found["pictures"], found["subjects"], found["ages"]) == (1002, 82, "0-69")
    assert faces.table["gender"].isna().all()
    decades = (faces.table["age"] // 10).value_counts().sort_index().tolist()
    assert decades == [371, 339, 144, 79, 46, 15, 8]


def test_real_adience(shared, tmp_path):
    manifest = load("adience", shared / "adience.tar")
    everyone = summary(manifest.rows)
    assert (everyone["pictures"], everyone["groups"], everyone["official folds"]) == (19_370, 168, 5)
    assert everyone["groups in two folds"] == 0
    present = manifest.rows["reason"] != "picture not here"
    assert present.sum() == 17_095
    both = manifest.kept["age_group"].notna() & manifest.kept["gender"].notna()
    assert both.sum() == 14_950
    assert manifest.kept["crop"].isna().all(), "64-pixel copies are no published frames"


def test_real_wiki_mat_accounts_for_every_row_without_pictures(shared):
    manifest = load("wikipedia", shared / "wikipedia")
    found = reasons(manifest)
    assert len(manifest.rows) == 62_328
    assert found["fits the rule, picture not here"] == 38_138
    with pytest.raises(UserError, match=r"62328 rows, no usable picture; most: fits the rule, picture not here"):
        open_faces("wikipedia", shared / "wikipedia", progress=False)


def test_real_afad_names(shared, tmp_path):
    names = pd.read_csv(shared / "splits/afad/coral_afad_test.csv")
    rows = [afad.read_path(f"AFAD-Full/{path}") for path in names["path"]]
    assert {row.status for row in rows} == {"kept"}
    assert [row.gender for row in rows] == names["gender"].tolist()
    assert [row.age - 15 for row in rows] == names["age"].tolist()


# ---- each layout by itself


@pytest.mark.parametrize(
    ("path", "age", "gender", "group", "status"),
    [
        ("AFAD-Full/39/112/406208-0.jpg", 39, "female", "406208", "kept"),
        ("39/111/406208-1.jpg", 39, "male", "406208", "kept"),
        ("AFAD-Full/39/113/406208-0.jpg", 39, None, "406208", "repaired"),
        ("AFAD-Full/old/112/406208-0.jpg", None, None, None, "excluded"),
        ("AFAD-Full/139/112/406208-0.jpg", None, None, None, "excluded"),
        ("AFAD-Full/39/112/Thumbs.db", None, None, None, "excluded"),
        ("AFAD-Full/39/112/portrait.jpg", None, None, None, "excluded"),
        ("README.txt", None, None, None, "excluded"),
    ],
)
def test_afad_paths(path, age, gender, group, status):
    row = afad.read_path(path)
    assert (row.age, row.gender, row.group, row.status) == (age, gender, group, status)


def test_afad_says_why_a_file_is_no_face_and_which_files_are_one_face():
    reasons = [afad.read_path(f"39/112/{name}").reason for name in ("portrait.jpg", "406208-0.gif")]
    assert reasons == ["name without photo", "picture of a kind that is not read (gif): convert it to JPEG or PNG"]
    paths = ("AFAD-Full/39/112/406208-0.jpg", "39/112/406208-0 (1).jpg", "39/112/portrait.jpg")
    one, copy, other = (afad._candidate(path) for path in paths)
    assert one.key == copy.key == ("39", "112", "406208", "0") and one.rank < copy.rank
    assert other.key != one.key and other.row.status == "excluded"


def test_the_published_numbers_of_pictures():
    formats = (utkface, afad, fgnet, adience, wikipedia)
    assert [f.DATA["pictures"] for f in formats] == [23_708, 164_432, 1_002, 19_370, 62_328]


def test_the_summary_of_a_manifest_by_hand():
    rows = [Row("a", 3.0, None, "male", "g", "s", 0, crop="1 2 3 4"), Row("b", 40.0, "38-43", "female", "g", "t", 1),
            Row("c", None, "38-43", None, "h", "t", 1)]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(Row._fields))
    assert summary(table) == {
        "pictures": 3, "subjects": 2, "groups": 2, "official folds": 2, "groups in two folds": 1, "ages": "3-40",
        "cut out of larger pictures": 1, "with one of the eight age groups": 2, "with age group and gender": 1,
        "male": 1, "female": 1,
    }  # fmt: skip
    assert summary(table.assign(subject=None, fold=None, age=None, crop=None)[:1]) == {
        "pictures": 1, "groups": 1, "male": 1,
    }  # fmt: skip


def test_fgnet_crops_to_the_landmarks(tmp_path):
    """A face drawn at known places comes out in the middle; 67 points set the picture aside."""
    home = tmp_path / "FGNET"
    (home / "images").mkdir(parents=True)
    (home / "points").mkdir()
    photo = np.zeros((200, 300, 3), dtype="uint8")
    photo[80:140, 200:260] = 255
    points = np.random.default_rng(0).uniform((200, 80), (260, 140), (68, 2))
    points[:2] = (200, 80), (260, 140)
    for name, count in (("001A02", 68), ("001A03", 67), ("001A16a", 68)):
        Image.fromarray(photo).save(home / "images" / f"{name}.JPG")
        lines = "\n".join(f"{x} {y}" for x, y in points[:count])
        (home / "points" / f"{name.lower()}.pts").write_text(f"version: 1\nn_points: {count}\n{{\n{lines}\n}}\n")
    (home / "points" / "002a09.pts").write_text("{}")
    manifest = load("fgnet", tmp_path)
    refused = {reason: files for reason, files in reasons(manifest).items() if reason}
    assert refused == {"landmark file without 68 points": 1, "landmarks without a picture": 1}
    assert manifest.kept["age"].tolist() == [2, 16]
    assert manifest.kept["crop"].tolist() == ["191 65 269 143"] * 2
    face = open_faces("fgnet", tmp_path, cache=tmp_path / "c", progress=False).pixels[0]
    assert face[8:28, 6:26].min() > 200
    assert face[:3].max() < 60


@pytest.mark.parametrize(
    "text",
    ["{ 1 2 3 }", "no braces", "{ nan " + "1 " * 135 + "}", "{ 100000 " + "1 " * 135 + "}", "{ " + "1 2 " * 67 + "}"],
)
def test_fgnet_landmark_files_are_checked(text):
    with pytest.raises(UserError, match=r"x\.pts: expected 68 points, got \d+"):
        fgnet.read_points(text.encode(), "x.pts")


def test_fgnet_landmark_files_in_the_folders_nearest_come_first():
    names = ["001a02.pts", "other/001a02.pts", "a/b/points/001a02.pts", "a/points/001a02.pts"]
    assert fgnet._nearest("a/b/001A02.JPG", names) == [names[2], names[3], names[0], names[1]]


def test_fgnet_landmarks_of_twenty_pictures_are_judged_by_the_published_sizes():
    known = list(fgnet.published().items())[:20]
    shapes = {f"{name.upper()}.JPG": size for name, size in known}
    assert fgnet._not_as_published(shapes) == set()
    assert fgnet._not_as_published(dict(list(shapes.items())[:19])) is None
    doubled = {path: (2 * size[0], 2 * size[1]) if i < 3 else size for i, (path, size) in enumerate(shapes.items())}
    assert fgnet._not_as_published(doubled) == set(list(shapes)[:3])
    cut = {path: (size[0], size[1] // 2) if i < 5 else size for i, (path, size) in enumerate(shapes.items())}
    assert fgnet._not_as_published(cut) == set(list(shapes)[:5]), "three in four are enough"
    path = list(shapes)[5]
    assert fgnet._not_as_published(cut | {path: (shapes[path][0], 9)}) is None


@pytest.mark.parametrize(("pictures", "outside", "everyone"), [(19, 1, False), (19, 2, True), (20, 2, False)])
def test_fgnet_landmarks_outside_one_picture_in_twenty_set_all_aside(pictures, outside, everyone):
    inside, out = (np.linspace((20.0, 20.0), (end, 80.0), 68) for end in (80, 120))
    points = {f"{i}.jpg": out if i < outside else inside for i in range(pictures)}
    found = fgnet._resized(points, dict.fromkeys(points, (100, 110)))
    assert found == set(list(points)[: pictures if everyone else outside])


FOLD = "user_id\toriginal_image\tface_id\tage\tgender\tx\n"


@pytest.mark.parametrize(
    ("age", "gender", "group", "sex", "status"),
    [
        ("(25, 32)", "f", "25-32", "female", "kept"),
        ("(0, 2)", "u", "0-2", None, "kept"),
        ("(38, 42)", "m", None, "male", "kept"),
        ("35", "m", None, "male", "kept"),
        ("None", "", None, None, "excluded"),
        ("(8, 23)", "f", None, "female", "kept"),
    ],
)
def test_adience_labels(age, gender, group, sex, status):
    line = {"user_id": "1@N0", "original_image": "a.jpg", "face_id": "3", "age": age, "gender": gender}
    row = adience.read_line(line, "x.jpg", 2, None, present=True)
    assert (row.age_group, row.gender, row.status, row.fold, row.subject) == (group, sex, status, 2, "1@N0/3")


def test_adience_fold_files_are_checked():
    with pytest.raises(UserError, match=r"fold_0_data\.txt: expected columns .*; missing age"):
        adience.read_fold(FOLD.replace("\tage", "").encode(), "fold_0_data.txt")
    line = adience.read_fold((FOLD + "1@N0\ta.jpg\n").encode(), "fold_0_data.txt")[0]
    assert (line["user_id"], line["age"], line["line"]) == ("1@N0", None, "2")


@pytest.mark.parametrize(("first", "second"), [("3", "3"), ("3", "4"), ("4", "3")])
def test_two_fold_files_of_one_number_are_copies_or_refused(first, second, tmp_path):
    for folder, face in (("a", first), ("b", second)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fold_0_data.txt").write_text(FOLD + f"1@N0\ta.jpg\t{face}\t(0, 2)\tf\t0\n")
        where = tmp_path / "aligned" / "1@N0" / f"landmark_aligned_face.{face}.a.jpg"
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(picture(64))
    if first != second:
        with pytest.raises(UserError, match=r"expected one fold_0_data\.txt, found two that differ: a/fold_0.*, b/"):
            load("adience", tmp_path)
    else:
        rows = load("adience", tmp_path).rows.set_index("path")
        assert rows.loc["b/fold_0_data.txt", "reason"] == adience.COPY + "a/fold_0_data.txt"
        assert rows.loc["aligned/1@N0/landmark_aligned_face.3.a.jpg", "status"] == "kept"


@pytest.mark.parametrize(("side", "crop"), [(816, adience.CENTRE), (64, None)])
def test_adience_crops_published_frames_and_no_others(side, crop, tmp_path):
    (tmp_path / "fold_0_data.txt").write_text(FOLD + "1@N0\ta.jpg\t3\t(0, 2)\tf\t0\n" * 2)
    where = tmp_path / "aligned" / "1@N0" / "landmark_aligned_face.3.a.jpg"
    where.parent.mkdir(parents=True)
    where.write_bytes(picture(side))
    manifest = load("adience", tmp_path)
    assert manifest.kept["crop"].tolist() == [crop]
    assert reasons(manifest)["named twice"] == 1


def wiki(**changes):
    places = np.empty((1, 2), dtype=object)
    places[0, :] = [np.array([[1, 1, 40, 40]])] * 2
    struct = {
        "dob": np.array([[723671.0, 723671.0]]),
        "photo_taken": np.array([[2009.0, 2009.0]]),
        "full_path": np.array([["01/1_a.jpg", "01/2_b.jpg"]], dtype=object),
        "gender": np.array([[1.0, 0.0]]),
        "name": np.array([["Ann", "Ben"]], dtype=object),
        "face_location": places,
        "face_score": np.array([[4.0, 4.0]]),
        "second_face_score": np.array([[np.nan, np.nan]]),
    } | changes
    held = io.BytesIO()
    savemat(held, {"wiki": {k: v for k, v in struct.items() if v is not None}})
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wiki(gender=None), "no field of name gender"),
        (wiki(gender=np.array([[1.0]])), r"of one length, got lengths \[1, 2\]"),
        (b"not a MATLAB file", "expected a MATLAB file with a struct 'wiki'"),
        (wiki()[:200], "expected a MATLAB file with a struct 'wiki'"),
    ],
)
def test_a_damaged_wiki_mat_is_named_with_what_was_expected(data, message):
    with pytest.raises(UserError, match=message) as error:
        wikipedia.read_mat(data, "wiki.mat")
    assert str(error.value).startswith("wiki.mat: ")


def test_a_matlab_file_without_the_struct():
    held = io.BytesIO()
    savemat(held, {"imdb": 1})
    with pytest.raises(UserError, match=r"wiki\.mat: .*the struct is missing"):
        wikipedia.read_mat(held.getvalue(), "wiki.mat")


@pytest.mark.parametrize("value", [0, 200, 0xFFFFFFFF])
def test_no_number_in_a_wiki_mat_leads_the_reader_out_of_its_tables(value):
    """scipy indexes by what a file says, unchecked: a process of its own would die here."""
    code = (
        "import sys; from gralib.data.formats.wikipedia import read_mat; from gralib.errors import UserError\n"
        "data, value = sys.stdin.buffer.read(), int(sys.argv[1]).to_bytes(4, 'little')\n"
        "for at in range(128, len(data), 4):\n"
        "    try: read_mat(data[:at] + value + data[at + 4:], 'wiki.mat')\n"
        "    except UserError as error: assert str(error).startswith('wiki.mat: expected'), error\n"
    )
    words = [sys.executable, "-c", code, str(value)]
    done = subprocess.run(words, input=wiki(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: d[:124] + b"\0\2IM" + d[128:], "no header of a MATLAB 5 file"),
    (lambda d: d[:126] + b"XX" + d[128:], "no header"),
    (lambda d: d[:100], "no header"),
    (lambda d: d[:132] + (2**31).to_bytes(4, "little") + d[136:], "instead of a matrix"),
    (lambda d: d[:144] + bytes([5]) + d[145:], "a matrix of class 5"),
    (lambda d: d + b"\x0f\0\0\0\x04\0\0\0abcd", "Error -3"),
])  # fmt: skip
def test_what_is_no_sound_matlab_file_is_said(change, said):
    data = wiki()
    matlab.check(data)
    with pytest.raises((ValueError, zlib.error, struct.error), match=said):
        matlab.check(change(data))


def test_bytes_behind_the_last_whole_number_of_an_element_are_left_out():
    walk = matlab._Walk(struct.pack("<IIiih6x", 5, 10, 3, -4, 7), "<")
    assert walk.integers(5) == [3, -4] and walk.at == 24


def test_compressed_and_nested_variables_are_looked_through():
    held = io.BytesIO()
    savemat(held, {"a": np.array([[1 + 2j, 3]]), "b": np.array([["x", "long text"]], object)}, do_compression=True)
    matlab.check(held.getvalue())
    deep = np.array([[1.0]])
    for _ in range(matlab.DEEPEST + 1):
        cell = np.empty((1, 1), object)
        cell[0, 0] = deep
        deep = cell
    held = io.BytesIO()
    savemat(held, {"deep": deep})
    with pytest.raises(ValueError, match="instead of a matrix"):
        matlab.check(held.getvalue())


def test_wikipedias_rule_at_its_edges(tmp_path):
    """Scores of 1 and above, ages of 0, 100 and beyond, a gender unknown, no face, a second face: which are used."""
    rows = [("at", 4, 1.0, np.nan, 1), ("above", 4, 1.001, np.nan, 1), ("none", 4, -np.inf, np.nan, 1),
            ("two", 4, 4, 0.1, 1), ("unknown", 4, 4, np.nan, np.nan), ("newborn", 0, 4, np.nan, 1),
            ("unborn", -1, 4, np.nan, 1), ("hundred", 100, 4, np.nan, 0), ("older", 101, 4, np.nan, 0)]  # fmt: skip
    names, years, first, second, gender = zip(*rows, strict=True)
    paths = np.array([[f"01/{name}_1.jpg" for name in names]], dtype=object)
    places = np.empty((1, len(rows)), dtype=object)
    places[0, :] = [np.array([[1, 1, 40, 40]])] * len(rows)
    born = 723671.0  # in May 1981
    data = wiki(dob=np.full((1, len(rows)), born), photo_taken=np.array([[1981.0 + y for y in years]]),
                full_path=paths, gender=np.array([gender]), name=paths, face_location=places,
                face_score=np.array([first]), second_face_score=np.array([second]))  # fmt: skip
    (tmp_path / "wiki_crop" / "01").mkdir(parents=True)
    (tmp_path / "wiki_crop" / "wiki.mat").write_bytes(data)
    for name in names:
        (tmp_path / "wiki_crop" / "01" / f"{name}_1.jpg").write_bytes(picture())
    manifest = load("wikipedia", tmp_path)
    why = {
        path.rsplit("/", 1)[-1].split("_")[0]: reason for path, reason in manifest.rows[["path", "reason"]].to_numpy()
    }
    assert why == {
        "at": "face score at most 1", "above": "", "none": "no face found", "two": "a second face",
        "unknown": "gender unknown", "newborn": "", "unborn": "age not from 0 to 100", "hundred": "",
        "older": "age not from 0 to 100",
    }  # fmt: skip
    assert manifest.kept["age"].tolist() == [4, 0, 100]
    assert manifest.kept["gender"].tolist() == ["male", "male", "female"]


@pytest.mark.parametrize(("folder", "crop"), [("wiki", "0 0 40 40"), ("wiki_crop", None)])
def test_wikipedia_crops_whole_pictures_only(folder, crop, tmp_path):
    home = tmp_path / folder
    (home / "01").mkdir(parents=True)
    (home / "wiki.mat").write_bytes(wiki())
    (home / "01" / "1_a.jpg").write_bytes(picture())
    (home / "01" / "9_z.jpg").write_bytes(picture())
    manifest = load("wikipedia", tmp_path)
    assert manifest.kept[["path", "age", "gender", "group"]].to_numpy().tolist() == [
        [f"{folder}/01/1_a.jpg", 28, "male", "ann"]
    ]
    assert manifest.kept["crop"].tolist() == [crop]
    assert reasons(manifest)["fits the rule, picture not here"] == reasons(manifest)["not in wiki.mat"] == 1


def test_wikipedia_crops_beside_the_table_come_before_others(tmp_path):
    top = tmp_path / "wiki_crop"
    for home in ("earlier", "later"):
        (top / home / "01").mkdir(parents=True)
        (top / home / "01" / "1_a.jpg").write_bytes(picture())
    (top / "later" / "wiki.mat").write_bytes(wiki())
    assert load("wikipedia", tmp_path).kept["path"].tolist() == ["wiki_crop/later/01/1_a.jpg"]
    (top / "later" / "wiki.mat").rename(top / "earlier" / "wiki.mat")
    assert load("wikipedia", tmp_path).kept["path"].tolist() == ["wiki_crop/earlier/01/1_a.jpg"]


def test_the_age_on_the_first_of_july():
    from datetime import date

    june, first, second = (date(1981, month, day).toordinal() + 366 for month, day in ((6, 30), (7, 1), (7, 2)))
    assert [wikipedia.age(born, 2009) for born in (june, first, second)] == [28, 28, 27]
    assert np.isnan(wikipedia.age(np.nan, 2009)) and np.isnan(wikipedia.age(first, np.inf))


# ---- faults


def test_a_name_that_points_outside_is_set_aside_and_nothing_is_written(tmp_path):
    archive = tmp_path / "faces.tar"
    with tarfile.open(archive, "w") as out:
        for name in ("39/112/1-0.jpg", "../39/112/2-0.jpg", "/39/112/3-0.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(picture())
            out.addfile(member, io.BytesIO(picture()))
    faces = open_faces("afad", archive, cache=tmp_path / "c", progress=False)
    assert len(faces) == 1
    assert faces.account.set_index("reason")["files"]["name points outside the archive"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "faces.tar"]


def test_a_zip_cut_in_half_is_named(twin, tmp_path):
    name, _ = twin
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as out:
        out.writestr("39/112/1-0.jpg", picture() * 20)
    (tmp_path / "half.zip").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.zip: expected a whole archive"):
        load(name, tmp_path / "half.zip")


def test_a_header_of_60000_pixels_is_set_aside_unread():
    data = bytearray(picture(kind="PNG"))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert "larger than 8000 pixels" in decode(bytes(data))


@pytest.mark.parametrize(
    ("crop", "where"), [("0 0 32 32", 0), ("32 0 64 32", 1), ("-16 0 16 32", 0), ("48 0 80 32", 1)]
)
def test_a_crop_is_cut_out_and_moved_inside(crop, where):
    halves = np.zeros((64, 64, 3), dtype="uint8")
    halves[:, 32:] = 255
    held = io.BytesIO()
    Image.fromarray(halves).save(held, "PNG")
    face = decode(held.getvalue(), crop)
    assert face.shape == (32, 32, 3)
    assert (face.mean() > 128) == bool(where)


@pytest.mark.parametrize("crop", ["70 0 90 20", "20 20 10 30", "-9 -9 0 0"])
def test_a_crop_outside_the_picture_is_set_aside(crop):
    assert decode(picture(), crop) == "crop outside the picture"


def test_data_check_says_what_is_missing(tmp_path):
    (tmp_path / "wiki.mat").write_bytes(wiki())
    run = CliRunner().invoke(cli.app, ["data", "check", "wikipedia", "--root", str(tmp_path)])
    assert run.exit_code == 1, run.output
    assert re.search(r"fits the rule, picture not here +2\n", run.output)
    assert "gra data how-to wikipedia" in run.output
    run = CliRunner().invoke(cli.app, ["data", "check", "wikipedia", "--root", str(tmp_path), "--json"])
    assert json.loads(run.output)["all rows"]["pictures"] == 2


def test_copies_by_a_browser_are_told_from_what_no_table_names(tmp_path):
    (tmp_path / "fold_0_data.txt").write_text(FOLD + "1@N0\ta.jpg\t3\t(0, 2)\tf\t0\n")
    where = tmp_path / "aligned" / "1@N0"
    where.mkdir(parents=True)
    for name in ("3.a.jpg", "3.a (1).jpg", "4.b.jpg"):
        (where / f"landmark_aligned_face.{name}").write_bytes(picture())
    rows = load("adience", tmp_path).rows.set_index("path")["reason"]
    first = "aligned/1@N0/landmark_aligned_face.3.a.jpg"
    assert rows[first] == "" and rows[first.replace(".jpg", " (1).jpg")] == f"copy of {first}"
    assert rows[first.replace("3.a", "4.b")] == "in no fold file"
    (tmp_path / "wiki_crop" / "01").mkdir(parents=True)
    (tmp_path / "wiki_crop" / "wiki.mat").write_bytes(wiki())
    for name in ("1_a.jpg", "1_a - Copy.jpg"):
        (tmp_path / "wiki_crop" / "01" / name).write_bytes(picture())
    rows = load("wikipedia", tmp_path / "wiki_crop").rows.set_index("path")["reason"]
    assert rows["01/1_a - Copy.jpg"] == "copy of 01/1_a.jpg"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b (1).jpg", "a/b.jpg"), ("a/b - Copy.jpg", "a/b.jpg"), ("a/b - Copy (2).jpg", "a/b.jpg"),
        ("a/Copy of b.jpg", "a/b.jpg"), ("a/b_copy2.png", "a/b.png"), ("a/b - Kopie.jpg", "a/b.jpg"),
        ("a/b-checkpoint.jpg", "a/b.jpg"), ("a/b_1.jpg", "a/b_1.jpg"), ("copy/b.jpg", "copy/b.jpg"),
    ],
)  # fmt: skip
def test_the_marks_of_copies(name, expected):
    assert copies.original(name) == expected


@pytest.mark.parametrize(
    ("name", "race"),
    [
        ("25_1_0_20170117155030725.jpg.chip.jpg", "White"),
        ("25_1_3_20170117155030725.jpg.chip.jpg", "Indian"),
        ("25_1_4_20170117155030725.jpg.chip.jpg", "Others"),
        ("25_1_7_20170117155030725.jpg.chip.jpg", None),
        ("39_1_20170116174525125.jpg.chip.jpg", None),
        ("notes.txt", None),
    ],
)
def test_race_is_read_where_utkface_gives_it(name, race):
    assert utkface.race_of(name) == race


def test_only_utkface_has_a_race(twin):
    name, folder = twin
    assert load(name, folder).kept["race"].notna().any() == (name == "utkface")


def test_in_the_wild_nothing_but_pictures_with_labels_is_a_whole_photograph(tmp_path):
    held = io.BytesIO()
    Image.new("RGB", (90, 60)).save(held, "JPEG")
    for name in ("20_0_0_20170112213500901.jpg", "30_1_0_20170112213500902.jpg", "portrait.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(held.getvalue())
    assert load("utkface", tmp_path).rows.set_index("path")["reason"].to_dict() == {
        "20_0_0_20170112213500901.jpg": utkface.WHOLE,
        "30_1_0_20170112213500902.jpg": utkface.WHOLE,
        "portrait.jpg": "name without age, gender, race and date",
        "notes.txt": "not a picture",
    }


def test_names_that_agree_in_age_alone_are_no_copies(tmp_path):
    names = [f"20_{gender}_0_2017011221350090{n}.jpg.chip.jpg" for gender, n in ((0, 1), (1, 1), (0, 2))]
    for name in names:
        (tmp_path / name).write_bytes(picture())
    assert sorted(load("utkface", tmp_path).kept["path"]) == sorted(names)
