"""Data sets as people really have them: each made case of `input_cases.csv` ends as it must, and says why.

`python tests/data/test_inputs.py` writes how each ends to reports/input-cases.csv; a test holds that to what happens.
"""

import csv
import re
import sys
import tempfile
from pathlib import Path

import input_archives
import input_pictures
import input_sets
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gralib import cli
from gralib.config import configure
from gralib.data.decoding import SIZE
from gralib.data.faces import open_faces
from gralib.data.formats import load
from gralib.data.splits import split
from gralib.errors import UserError

HERE = Path(__file__).parents[1]
WRITTEN = HERE.parent / "reports" / "input-cases.csv"
with (HERE / "input_cases.csv").open(encoding="utf-8", newline="") as table:
    CASES = {row["case"]: row for row in csv.DictReader(table)}


def made(case, folder):
    """Make a case in a folder and return where its root is."""
    maker = next(getattr(m, case) for m in (input_archives, input_pictures, input_sets) if hasattr(m, case))
    maker(folder / case)
    return folder / case / CASES[case]["root"]


def ends(case, folder):
    """Return how many faces come out of a case, what is said, and the faces (None where it is refused)."""
    root = made(case, folder)
    try:
        faces = open_faces(CASES[case]["data"], root, cache=folder / "cache", progress=False)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return 0, f"refused: {error}".replace(f"{folder}/{case}", "HERE"), None
    lines = faces.account[faces.account["status"].isin(["repaired", "excluded"])].to_numpy().tolist()
    said = "; ".join(f"{status}: {reason}: {files}" for status, reason, files in lines)
    return len(faces), f"{len(faces)} faces" + (f"; {said}" if said else ""), faces


@pytest.mark.parametrize("case", CASES)
def test_a_case_ends_as_it_must(case, tmp_path):
    count, said, faces = ends(case, tmp_path)
    expected = CASES[case]
    assert count == int(expected["faces"]), said
    assert re.search(expected["says"], said, re.DOTALL), said
    if count and not expected["says"]:
        assert said == f"{count} faces", "nothing more to be said"
    if count:
        names = load(expected["data"], made(case, tmp_path / "again")).source.names
        assert set(faces.table["path"]) <= set(names)
    with WRITTEN.open(encoding="utf-8", newline="") as table:
        written = {row["case"]: row for row in csv.DictReader(table)}
    assert written[case] == line(case, said), "python tests/data/test_inputs.py writes it anew"


def line(case, said):
    return {"case": case, "kind": CASES[case]["kind"], "right result": CASES[case]["right"], "result": said}


def head(seed, mode="RGB"):
    """The drawn head as the decoder shrinks it."""
    drawn = input_pictures.picture(seed).convert(mode).convert("RGB")
    return np.asarray(drawn.resize((SIZE, SIZE), Image.Resampling.BILINEAR)).astype(int)


@pytest.mark.parametrize(
    ("case", "mode"),
    [
        ("exif_turned", "RGB"), ("exif_turned_png", "RGB"), ("png_of_16_bits", "L"), ("jpeg_cmyk", "RGB"),
        ("webp_under_a_name_of_jpg", "RGB"), ("utk_png", "RGB"), ("tar_with_a_member_twice", "RGB"),
    ],
)  # fmt: skip
def test_the_drawn_heads_come_out_as_drawn(case, mode, tmp_path):
    """Upright, in their colours or greys; lossless kinds to the last bit, but for rounding where they are turned."""
    _, _, faces = ends(case, tmp_path)
    order = np.argsort([int(re.search(r"(\d+)(-0)?\.", path)[1]) for path in faces.table["path"]])
    for seed, place in enumerate(order):
        seed = 55 if case == "tar_with_a_member_twice" and seed == 0 else seed
        away = np.abs(faces.pixels[place].astype(int) - head(seed, mode)).mean()
        lossless = {"exif_turned_png": 0.1, "png_of_16_bits": 0, "utk_png": 0, "webp_under_a_name_of_jpg": 0}
        assert away <= lossless.get(case, 3), (seed, away)


@pytest.mark.parametrize(
    ("case", "age"),
    [("wiki_root_is_wiki", 40), ("wiki_location_from_one", 40), ("wiki_whole_called_wiki_crop", 40)],
)
def test_a_face_in_a_whole_photograph_is_cut_out_to_the_pixel(case, age, tmp_path):
    _, _, faces = ends(case, tmp_path)
    assert (faces.pixels == 200).all(), "one grey face on blue: no row and no column of blue"
    assert faces.table["age"].max() == age


def test_who_was_born_on_the_first_of_july_has_had_the_birthday(tmp_path):
    _, _, faces = ends("wiki_born_on_first_of_july", tmp_path)
    assert set(faces.table["age"]) == {40}


def test_what_is_transparent_is_laid_on_white(tmp_path):
    _, _, faces = ends("transparent_background", tmp_path)
    assert (faces.pixels[:, :7] == 255).all() and (faces.pixels[:, 9:23, 9:23] == 200).all()


def test_the_official_protocol_is_refused_where_a_fold_is_missing(tmp_path):
    _, _, faces = ends("adience_fold_missing", tmp_path)
    config = configure("smoke", dataset="adience", task="gender", protocol="official", fold=0)
    with pytest.raises(UserError, match=r"official needs the folds 0 to 4, got no face of \[2, 4\]"):
        split(config, faces.table)
    _, _, whole = ends("adience_as_downloaded", tmp_path)
    assert set(whole.table["fold"].iloc[split(config, whole.table).test]) == {0}


def test_the_copy_in_place_of_a_damaged_first_has_its_labels_and_its_own_pixels(tmp_path):
    _, _, faces = ends("first_copies_damaged", tmp_path)
    table = faces.table.set_index(faces.table["path"].str.split("/").str[-1])
    assert list(table["path"].str.split("/").str[0])[:3] == ["UTKFace_backup", "UTKFace_older", "UTKFace"]
    assert list(table["age"]) == [20.0 + i for i in range(12)]
    for seed, pixels in enumerate(faces.pixels):
        assert np.abs(pixels.astype(int) - head(seed)).mean() < 3


@pytest.mark.parametrize(("case", "code"), [("kaggle_three_copies", 0), ("zip_with_a_lock", 1), ("afad_in_parts", 1)])
def test_data_check_shows_the_inventory_and_ends_non_zero_with_nothing_usable(case, code, tmp_path):
    root = made(case, tmp_path)
    run = CliRunner().invoke(cli.app, ["data", "check", CASES[case]["data"], "--root", str(root)])
    assert run.exit_code == code, run.output
    assert re.search(CASES[case]["says"], run.output, re.DOTALL)
    assert re.search(r"found +\d+\n", run.output) and "published: " in run.output
    if code == 0:
        assert "23696 fewer than published: gra data how-to utkface" in run.output
    assert code == 0 or "gra data how-to" in str(run.exception)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, WRITTEN.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["case", "kind", "right result", "result"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(line(case, ends(case, Path(place))[1]) for case in CASES)
    sys.exit(print(WRITTEN))
