"""The drawn faces: the same seed gives the same bytes, the layout has the real one's flaws, age and gender show."""

import dataclasses
import re
from collections import Counter
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gralib.ages import MAX_AGE
from gralib.errors import UserError
from gralib.synthetic import layouts, write
from gralib.synthetic.drawing import draw_face
from gralib.synthetic.layouts import LAYOUTS, sample_ages
from gralib.synthetic.person import Subject

REGULAR = re.compile(r"(\d+)_([01])_([0-4])_(\d{17})\.jpg\.chip\.jpg")
SUBJECTS = 95


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def person(seed: int, **traits) -> Subject:
    return dataclasses.replace(Subject.draw_at_random(np.random.default_rng(seed), f"s{seed}"), **traits)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("data") / "set"
    return folder, write("utkface", folder, subjects=SUBJECTS, seed=0)


@pytest.fixture(scope="module")
def names(written) -> list[str]:
    return [p.name for p in sorted((written[0] / "UTKFace").iterdir())]


def test_a_face_is_an_rgb_picture_of_the_size_asked_for():
    for size in (16, 64, 100):
        picture = draw_face(person(1), 30, np.random.default_rng(0), size)
        assert (picture.mode, picture.size) == ("RGB", (size, size))


def test_the_same_rng_draws_the_same_face_and_another_another():
    first, same, other = (np.asarray(draw_face(person(1), 30, np.random.default_rng(s))) for s in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_every_age_of_a_subject_looks_different():
    faces = [np.asarray(draw_face(person(2), age, np.random.default_rng(0)), float) for age in range(0, 117, 4)]
    for young, old in pairwise(faces):
        assert np.abs(young - old).mean() > 0.1
    assert np.abs(faces[0] - faces[8]).mean() > 10
    assert np.abs(faces[8] - faces[20]).mean() > 10


@pytest.mark.parametrize("age", [0, 1.5, MAX_AGE])
def test_the_ends_of_the_age_range_are_drawn(age):
    for seed in range(8):
        face = np.asarray(draw_face(person(seed), age, np.random.default_rng(0), 16))
        assert face.shape == (16, 16, 3) and face.std() > 5


@pytest.mark.parametrize(("age", "size", "parameter"), [(-1, 64, "age"), (117, 64, "age"), (30, 15, "size")])
def test_an_age_or_size_out_of_range_is_refused(age, size, parameter):
    with pytest.raises(ValueError, match=f"^{parameter}: expected [^\n]*$"):
        draw_face(person(0), age, np.random.default_rng(0), size)


def test_ages_are_spread_as_in_utkface():
    ages = sample_ages(np.random.default_rng(0), 20000)
    assert ages.shape == (20000,)
    assert ages.min() == 0
    assert 105 < ages.max() <= MAX_AGE
    assert 0.44 < ((ages >= 20) & (ages < 40)).mean() < 0.54
    assert (ages < 5).mean() > (ages[ages < 10] >= 5).mean() * (ages < 10).mean()  # the bump of small children
    assert 0.01 < (ages >= 80).mean() < 0.06


def test_subjects_cover_both_genders_all_codes_and_many_skin_tones():
    people = [person(seed) for seed in range(300)]
    assert 110 < sum(p.gender == "male" for p in people) < 190
    assert {p.race for p in people} == set(range(5))
    lightness = [sum(p.skin) / 3 for p in people]
    assert min(lightness) < 90
    assert max(lightness) > 215


def test_the_number_of_files_is_returned(written):
    folder, files = written
    assert files == len(contents(folder))


def test_the_same_seed_gives_the_same_bytes_and_more_subjects_extend_them(written, tmp_path):
    write("utkface", tmp_path / "few", subjects=20, seed=0)
    write("utkface", tmp_path / "again", subjects=20, seed=0)
    write("utkface", tmp_path / "other", subjects=11, seed=1)
    few, again, all_ = contents(tmp_path / "few"), contents(tmp_path / "again"), contents(written[0])
    assert few == again
    del few["SYNTHETIC.txt"]
    assert few.items() <= all_.items()
    assert not (set(contents(tmp_path / "other")) - {"SYNTHETIC.txt"}) & set(few)


def test_names_follow_the_rule_but_for_the_known_flaws(names):
    odd = [name for name in names if not REGULAR.fullmatch(name)]
    forms = {
        r"\d+_[01]_\d{17}\.jpg\.chip\.jpg": 2,  # no race
        r"\d+_[01]_[0-4]_\d{16}\.jpg\.chip\.jpg": 1,
        r"\d+_[01]_[0-4]_\d{18}\.jpg\.chip\.jpg": 1,
        r"\d+_[01]_[0-4]_\d{17} \.jpg\.chip\.jpg": 1,
        r"\d+_[01]_[0-4]_\d{17}jpg\.chip\.jpg": 1,  # no dot
    }
    assert {form: sum(bool(re.fullmatch(form, name)) for name in odd) for form in forms} == forms
    assert len(odd) == 6
    assert all(int(name.split("_")[0]) <= MAX_AGE for name in names)


def test_a_subject_has_two_to_five_pictures(names):
    assert 2 * SUBJECTS <= len(names) <= 5 * SUBJECTS + SUBJECTS // 28 + 1


def test_copies_disagree_on_age_or_gender_now_and_then(written):
    by_bytes: dict[bytes, list[str]] = {}
    for name, data in contents(written[0] / "UTKFace").items():
        by_bytes.setdefault(data, []).append(name)
    copies = [[name.split("_") for name in same] for same in by_bytes.values() if len(same) > 1]
    assert [len(same) for same in copies] == [2] * 4  # subjects 10, 38, 66, 94
    assert sum(a[0] != b[0] for a, b in copies) == 2
    assert sum(a[1] != b[1] for a, b in copies) == 1
    assert all(abs(int(a[0]) - int(b[0])) < 9 for a, b in copies)


def test_a_copy_that_disagrees_on_age_stays_within_the_ages_there_are():
    for age in (0, 60, MAX_AGE - 5, MAX_AGE):
        for seed in range(8):
            named = layouts._copy_name(person(1), age, 1, np.random.default_rng(seed))
            other = int(named.split("_")[0])
            assert 3 <= abs(other - age) <= 8 and 0 <= other <= MAX_AGE
            assert other > age or age + 8 > MAX_AGE


def test_a_few_time_stamps_are_shared_by_different_pictures(written, names):
    stamps = Counter(m[4] for m in map(REGULAR.fullmatch, names) if m)
    shared = [stamp for stamp, times in stamps.items() if times > 1]
    assert len(shared) == 2  # subjects 9 and 89 with the one before
    for stamp in shared:
        assert len({p.read_bytes() for p in (written[0] / "UTKFace").glob(f"*{stamp}*")}) == 2


def test_pictures_open_but_for_a_cut_one_and_a_text(written):
    broken = []
    for path in sorted((written[0] / "UTKFace").iterdir()):
        try:
            with Image.open(path) as picture:
                picture.load()
                assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (64, 64))
        except OSError:
            broken.append(path.read_bytes()[:3])
    assert sorted(broken) == [b"404", b"\xff\xd8\xff"]


def test_a_note_says_that_the_faces_are_drawn(written):
    note = (written[0] / "SYNTHETIC.txt").read_text(encoding="utf-8")
    for said in ("drawn", "gralib.synthetic", "seed 0", f"{SUBJECTS} subjects", f"{written[1]} files"):
        assert said in note
    assert note.count(". ") + note.count(".\n") == 2


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"^[^\n]*set: expected [^\n]*$"):
        write("utkface", tmp_path / "set", subjects=11)
    assert contents(tmp_path) == {str(Path("set", "mine.txt")): b"mine"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_draws_the_same_bytes_again_and_more_subjects_keep_them(layout, tmp_path):
    write(layout, tmp_path / "few", subjects=11)
    write(layout, tmp_path / "again", subjects=11)
    write(layout, tmp_path / "more", subjects=13)
    few, again, more = (contents(tmp_path / name) for name in ("few", "again", "more"))
    assert few == again
    pictures = {name: data for name, data in few.items() if name.lower().endswith(".jpg")}
    assert len(pictures) >= 22
    assert pictures.items() <= more.items()
    assert not any(b"Created on" in data[:128] for name, data in few.items() if name.endswith(".mat")), "no time stamp"


def test_an_empty_folder_is_filled_and_nothing_else_is_left(tmp_path):
    (tmp_path / "set").mkdir()
    write("utkface", tmp_path / "set", subjects=11)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert (tmp_path / "set" / "SYNTHETIC.txt").is_file()


@pytest.mark.parametrize(("other", "outcome"), [(0, nullcontext()), (1, pytest.raises(OSError, match="not empty"))])
def test_two_processes_may_draw_the_same_set_at_once(other, outcome, tmp_path, monkeypatch):
    draw = LAYOUTS["utkface"]

    def slowly(folder, subjects, seed):
        draw(folder, subjects, seed)
        monkeypatch.setitem(LAYOUTS, "utkface", draw)
        write("utkface", tmp_path / "set", 11, other)  # the other process was quicker

    monkeypatch.setitem(LAYOUTS, "utkface", slowly)
    with outcome:
        write("utkface", tmp_path / "set", 11, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("gralib.synthetic.layouts.draw_face", fail)
    with pytest.raises(UserError, match="set: could not be written: disk full"):
        write("utkface", tmp_path / "set", subjects=11)
    assert not list(tmp_path.iterdir())


def test_an_unknown_layout_and_too_few_subjects_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^layout: expected one of [a-z, ]+, got 'morph'$"):
        write("morph", tmp_path / "set")
    with pytest.raises(ValueError, match=r"^subjects: expected at least 11, got 3$"):
        write("utkface", tmp_path / "set", subjects=3)
    assert not list(tmp_path.iterdir())


def test_age_and_gender_can_be_learnt_from_grey_pictures_of_32_pixels():
    rng = np.random.default_rng(7)
    people = [person(1000 + k) for k in range(600)]  # one picture each: the split is by subject
    ages = sample_ages(rng, len(people))
    faces = [draw_face(who, age, rng, 32).convert("L") for who, age in zip(people, ages, strict=True)]
    x = np.stack([np.asarray(face, float).ravel() / 255 for face in faces])
    male = np.array([who.gender == "male" for who in people])
    train, test = np.arange(600) < 420, np.arange(600) >= 420

    ridge = make_pipeline(StandardScaler(), Ridge(alpha=1000)).fit(x[train], ages[train])
    error = np.abs(ridge.predict(x[test]) - ages[test]).mean()
    constant = np.abs(np.median(ages[train]) - ages[test]).mean()
    assert error < 0.75 * constant

    grown = ages >= 20
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=100))
    logistic.fit(x[train & grown], male[train & grown])
    assert logistic.score(x[test & grown], male[test & grown]) >= 0.8
