"""The cache is believed only if its bytes are those once written; else pictures are decoded again, with one line."""

import json
import multiprocessing

import numpy as np
import pytest

from gralib.data.faces import open_faces
from gralib.errors import UserError


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def invert(path):
    data = bytearray(path.read_bytes())
    data[-3072:] = bytes(255 - value for value in data[-3072:])
    path.write_bytes(data)


def claim(path):
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "files": {name: "0" * 64 for name in meta["files"]}}))


def change(path, **said):
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))


FAULTS = {
    "inverted": ("pixels.npy", invert),
    "zeroed": ("pixels.npy", lambda path: path.write_bytes(bytes(path.stat().st_size))),
    "cut": ("pixels.npy", cut),
    "empty": ("pixels.npy", lambda path: path.write_bytes(b"")),
    "no pixels": ("pixels.npy", lambda path: path.unlink()),
    "table changed": ("table.csv", lambda path: path.write_text(path.read_text().replace("male", "female", 1))),
    "table cut": ("table.csv", cut),
    "no pairs": ("pairs.csv", lambda path: path.unlink()),
    "account changed": ("account.csv", lambda path: path.write_text("status,reason,files\n")),
    "no meta": ("meta.json", lambda path: path.unlink()),
    "meta empty": ("meta.json", lambda path: path.write_text("")),
    "meta cut": ("meta.json", cut),
    "meta of another kind": ("meta.json", lambda path: path.write_text("[1]")),
    "meta without files": ("meta.json", lambda path: path.write_text('{"rule": "x", "synthetic": true}')),
    "meta of other files": ("meta.json", claim),
    "meta of another rule": ("meta.json", lambda path: change(path, rule="(9, 9)")),
    "meta without rule": ("meta.json", lambda path: path.write_text(path.read_text().replace('"rule"', '"rulf"'))),
    "meta that leaves open who drew": ("meta.json", lambda path: change(path, synthetic=None)),
}


@pytest.fixture
def opened(drawn, tmp_path):
    """A function that opens the drawn faces with a cache of its own."""
    return lambda: open_faces("utkface", drawn, cache=tmp_path / "cache", progress=False)


def folder_in(tmp_path):
    return next((tmp_path / "cache").glob("utkface-*"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_cache_is_made_again(fault, opened, faces, tmp_path, capsys):
    opened()
    assert capsys.readouterr().err == ""
    name, damage = FAULTS[fault]
    damage(folder_in(tmp_path) / name)
    again = opened()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert name in lines[0] or fault == "meta of other files"
    assert "decoding the pictures again" in lines[0]
    assert again.fingerprint == faces.fingerprint
    np.testing.assert_array_equal(again.pixels, faces.pixels)
    assert opened().fingerprint == faces.fingerprint
    assert capsys.readouterr().err == ""
    assert [p.name for p in (tmp_path / "cache").iterdir() if not p.name.startswith(".lock-")] == [
        folder_in(tmp_path).name
    ], "nothing damaged or half-made is left"


def test_pixels_in_use_stay_what_they_were_while_the_cache_is_made_again(opened, faces, tmp_path):
    held = opened()
    (folder_in(tmp_path) / "meta.json").unlink()
    opened()
    np.testing.assert_array_equal(held.pixels, faces.pixels)


def test_what_a_killed_process_left_is_removed(opened, tmp_path):
    opened()
    left = tmp_path / "cache" / f".{folder_in(tmp_path).name}-abc/new"
    left.mkdir(parents=True)
    (folder_in(tmp_path) / "meta.json").unlink()
    opened()
    assert not left.parent.exists()


def test_a_cache_that_cannot_be_written_is_named(drawn, tmp_path):
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(UserError, match=r"cache: could not be written"):
        open_faces("utkface", drawn, cache=tmp_path / "cache", progress=False)


def _fingerprint(root, cache):
    return open_faces("utkface", root, cache=cache, progress=False).fingerprint


def test_several_at_once_make_one_cache(opened, faces, drawn, tmp_path):
    opened()
    invert(folder_in(tmp_path) / "pixels.npy")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(_fingerprint, [(drawn, tmp_path / "cache")] * 3)
    assert set(found) == {faces.fingerprint}
    assert len(list((tmp_path / "cache").glob("utkface-*"))) == 1
