"""Files of one photograph: found as one by one would find them, linked, and what they say of labels."""

from dataclasses import replace

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gralib.data import repeats
from gralib.data.faces import open_faces
from gralib.data.repeats import LOOSER, RULE, Rule, hashes, numbers, pairs, under
from gralib.data.splits import groups
from gralib.errors import UserError
from gralib.report import label_floor as floor


def photographs(n, seed=0):
    """Unrelated pictures, as smooth as photographs: (n, 32, 32, 3)."""
    small = np.random.default_rng(seed).integers(40, 200, (n, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.BICUBIC)) for p in small])


def linked(pixels):
    """Return the photographs' numbers of faces whose files all differ."""
    return numbers(under(pairs(pixels), RULE), pd.Series(range(len(pixels)))).tolist()


def one_by_one(pixels, rule):
    """Return what `pairs` should find among distinct pictures, comparing each with each."""
    codes = hashes(pixels)
    return {
        (a, b)
        for a in range(len(pixels))
        for b in range(a + 1, len(pixels))
        if (int(codes[a]) ^ int(codes[b])).bit_count() <= rule.bits
        and np.abs(pixels[a].astype(int) - pixels[b]).mean() < rule.difference
    }


def test_the_hash_is_that_of_imagehash(faces):
    expected = [np.packbits(imagehash.phash(Image.fromarray(face)).hash).tobytes() for face in faces.pixels[:300]]
    assert [code.tobytes() for code in hashes(faces.pixels[:300])] == expected


@pytest.mark.parametrize("rule", [RULE, LOOSER, Rule(7, 40.0)], ids=str)
def test_no_pair_is_missed_and_none_made_up(rule):
    pixels = photographs(60).astype(int)
    noise = np.random.default_rng(1).normal(0, 1, (240, 32, 32, 3)) * np.arange(240)[:, None, None, None] / 10
    pixels = np.clip(np.concatenate([pixels, pixels[np.arange(240) % 60] + noise]), 0, 255).astype(np.uint8)
    found = pairs(np.unique(pixels, axis=0), rule)
    expected = one_by_one(np.unique(pixels, axis=0), rule)
    assert len(expected) > 50
    assert set(zip(found["first"], found["second"], strict=True)) == expected


def test_copies_are_paired_with_the_first_only_and_nothing_is_quadratic_in_them():
    face, other = photographs(2)
    pixels = np.concatenate([np.stack([other, face, np.clip(face, 0, 252) + 3]), np.repeat(face[None], 5000, axis=0)])
    found = pairs(pixels)
    assert len(found) == 1 + 5000
    assert set(found["first"]) == {1}
    assert found.loc[found["second"] != 2, ["bits", "difference"]].to_numpy().sum() == 0
    assert linked(pixels) == [0, 1, 1] + [1] * 5000


def test_a_chain_of_three_is_one_photograph():
    face, other = photographs(2).astype(int)
    pixels = np.stack([face, other, np.clip(face, 0, 240) + 8, np.clip(face, 0, 240) + 4]).astype(np.uint8)
    near = under(pairs(pixels), RULE)
    assert list(zip(near["first"], near["second"], strict=True)) == [(0, 3), (2, 3)], "the ends are too far apart"
    assert linked(pixels) == [0, 1, 0, 0]


def test_one_file_shown_twice_is_one_photograph_whatever_its_crops():
    assert numbers(pairs(photographs(3)), pd.Series(["b", "a", "b"])).tolist() == [0, 1, 0]


def test_blank_pictures_are_like_those_of_nearly_their_colour_only():
    blank = np.broadcast_to(np.array([10, 13, 90, 200], np.uint8)[:, None, None, None], (4, 32, 32, 3))
    assert linked(blank) == [0, 0, 1, 2]
    assert linked(np.concatenate([blank, photographs(1)])) == [0, 0, 1, 2, 3]


def test_only_pictures_of_nearly_one_brightness_are_compared():
    """Others would use up the `MATCHES` of a picture with one hash."""
    pixels = np.clip(photographs(4)[:, None].astype(int) // 2 + np.arange(0, 120, 5)[:, None, None, None], 0, 255)
    pixels = pixels.reshape(-1, 32, 32, 3).astype(np.uint8)
    light = pixels.mean(axis=(1, 2, 3))
    found = list(repeats._candidates(hashes(pixels), light, 12.0, np.zeros(len(pixels), np.int64)))
    a, b = (np.concatenate([ends[side] for ends in found]) for side in (1, 2))
    assert len(a) > 100 and np.abs(light[a] - light[b]).max() <= 12


def test_more_bits_than_the_bands_find_are_refused():
    for bits in (8, 9):
        with pytest.raises(AssertionError, match="the bands find no pairs beyond"):
            pairs(photographs(2), Rule(bits, 6.0))


@pytest.mark.parametrize("kind", ["blank", "series"])
def test_many_pictures_with_one_hash_stay_bounded(kind):
    rng = np.random.default_rng(0)
    shape = (3000, 1, 1, 3) if kind == "blank" else (3000, 32, 32, 3)
    pixels = np.clip(photographs(1).astype(int) * (kind == "series") + rng.integers(0, 9, shape), 0, 255)
    pixels = np.broadcast_to(pixels, (3000, 32, 32, 3)).astype(np.uint8)
    found = pairs(pixels)
    assert len(found) <= 3000 * repeats.MATCHES, "not 4.5 million"
    assert set(linked(pixels)) == {0}


def test_160_000_pictures_are_no_trouble():
    first, second = np.random.default_rng(0).integers(0, 2000, (2, 160_000))
    halves = photographs(2000) // 2
    pixels = halves[first] + halves[second]
    pixels[150_000:] = pixels[:10_000] + 1
    number = numbers(under(pairs(pixels), RULE), pd.Series(range(160_000)))
    assert (number[150_000:] == number[:10_000]).all()
    assert len(np.unique(number)) > 140_000


def test_other_jpeg_quality_is_one_photograph_and_other_people_are_not(drawn, tmp_path):
    names = sorted((drawn / "UTKFace").glob("*.chip.jpg"))[100:160:5]
    (tmp_path / "set").mkdir()
    for i, name in enumerate(names):
        with Image.open(name) as picture:
            picture.save(tmp_path / f"set/20_0_0_201701122135009{i:02d}.jpg.chip.jpg", quality=95)
            if i % 4 == 0:
                picture.save(tmp_path / f"set/30_0_0_201701122135008{i:02d}.jpg.chip.jpg", quality=60)
    faces = open_faces("utkface", tmp_path / "set", cache=tmp_path / "cache", progress=False)
    assert faces.table["digest"].is_unique
    groups = faces.table.groupby("picture")["age"].agg(sorted).tolist()
    assert sorted(groups) == [[20.0]] * 9 + [[20.0, 30.0]] * 3


def test_another_rule_is_another_fingerprint(drawn, tmp_path, monkeypatch, faces):
    monkeypatch.setattr(repeats, "RULE", Rule(4, 5.5))
    other = open_faces("utkface", drawn, cache=tmp_path, progress=False)
    assert other.fingerprint != faces.fingerprint
    pd.testing.assert_frame_equal(other.table, faces.table)


def test_the_label_floor_of_a_small_table():
    table = pd.DataFrame(
        {
            "picture": [0, 0, 1, 1, 1, 2, 3, 3],
            "group": None,
            "age": [20, 30, 5, 5, 6, 99, 40, np.nan],
            "gender": ["male", "female", "male", "male", "male", "male", "male", None],
        }
    )
    found = floor.label_floor(table).set_index("quantity")
    assert found["value"].round(6).to_dict() == {
        "pairs whose age differs": 0.75,  # 1 of 1 and 2 of 3
        "difference of age in a pair, years": (10 + 0 + 1 + 1) / 4,
        "least possible age MAE, years": (5 + 5 + 0 + 0 + 1) / 5,
        "best possible gender accuracy": 0.8,
    }
    assert found["n"].tolist() == [4, 4, 5, 5]
    assert (found["photographs"] == 2).all()
    assert (found["low"] <= found["value"]).all() and (found["value"] <= found["high"]).all()
    genders = floor.label_floor(table.assign(age=np.nan)).set_index("quantity")
    assert genders.index.tolist() == ["best possible gender accuracy"], "of a set without ages, genders alone"
    assert genders.loc["best possible gender accuracy", "value"] == 0.8


def test_distances_of_like_and_of_unrelated_pairs_one_by_one(faces):
    few = replace(faces, pixels=faces.pixels[:120], table=faces.table.iloc[:120])
    close, unrelated = floor.distances(few)
    pairs_of = set(zip(close["first"], close["second"], strict=True))
    assert pairs_of == one_by_one(few.pixels, Rule(LOOSER.bits, 256.0))
    codes, number = hashes(few.pixels), groups(few.table)
    drawn = np.random.default_rng(0).integers(0, 120, (2, floor.DRAWS)).T
    apart = [(a, b) for a, b in drawn if number[a] != number[b]]
    assert 0.5 * floor.DRAWS < len(unrelated) == len(apart) < floor.DRAWS
    for (a, b), row in list(zip(apart, unrelated.itertuples(), strict=True))[::500]:
        assert row.bits == (int(codes[a]) ^ int(codes[b])).bit_count()
        assert row.difference == pytest.approx(np.abs(few.pixels[a].astype(int) - few.pixels[b]).mean(), abs=1e-4)


def test_the_label_floor_is_written_with_its_figure(faces, tmp_path):
    table, figure = floor.write(replace(faces, synthetic=False), tmp_path)
    assert (table, figure) == (tmp_path / floor.TABLE, tmp_path / floor.FIGURE)
    expected = floor.label_floor(faces.table)
    pd.testing.assert_frame_equal(pd.read_csv(table), expected.assign(data="utkface"), check_dtype=False, rtol=1e-4)
    assert len(expected) == 4 and figure.read_text().rstrip().endswith("</svg>")


def test_the_label_floor_is_not_made_from_drawn_faces(faces, tmp_path):
    with pytest.raises(UserError, match="expected real faces"):
        floor.write(faces, tmp_path)
    assert floor.label_floor(faces.table.drop_duplicates("picture")).empty


def test_the_real_photographs_and_their_labels(real_faces, tmp_path):
    strict = under(real_faces.pairs, RULE)
    assert set(one_by_one(real_faces.pixels[:400], RULE)) <= set(
        zip(real_faces.pairs["first"], real_faces.pairs["second"], strict=True)
    )
    assert (len(strict), len(real_faces.pairs)) == (928, 1015)
    table, figure = floor.write(real_faces, tmp_path)
    found = pd.read_csv(table).set_index("quantity")
    assert found["value"].round(3).tolist() == [0.677, 4.061, 2.051, 0.967]
    assert (found["photographs"] == 819).all()
    assert "<image" not in figure.read_text()
