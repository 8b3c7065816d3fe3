"""What is listed becomes rows, in whatever container: random trees of copies, links, hidden things and damage."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from input_tools import cut_inside, jpg, picture

from gralib import synthetic
from gralib.config import TASKS
from gralib.data.decoding import HARMLESS, _decode_any, decode
from gralib.data.faces import open_faces
from gralib.data.formats import load
from gralib.errors import UserError

some = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
many = settings(some, max_examples=150)
TABLES = ("wiki.mat", "_data.txt", ".pts")
ENDINGS = (".tar", ".tar.gz", ".tar.xz", ".zip")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small drawn set of each layout: its tables and a dozen pictures, by name."""
    found = {}
    for name in TASKS:
        home = tmp_path_factory.mktemp("sound") / name
        synthetic.write(name, home, subjects=11)
        files = {f.relative_to(home).as_posix(): f.read_bytes() for f in sorted(home.rglob("*")) if f.is_file()}
        pictures = [n for n in files if n.lower().endswith(".jpg")][8:20]
        found[name] = {n: files[n] for n in files if n in pictures or n.endswith(TABLES)}
    return found


def grown(draw, files):
    """Return a tree as (name, bytes or the target of a link) with things added that lie in real folders too."""
    tree = dict(files)
    names = [name for name in files if not name.endswith("wiki.mat")]  # two of those are refused
    odd = st.sampled_from(["copy", "browser", "hidden", "bin", "link", "folder link", "lost link", "circle", "note"])
    for i, kind in enumerate(draw(st.lists(odd, max_size=6))):
        name = draw(st.sampled_from(names))
        folder, _, last = name.rpartition("/")
        tree |= {
            "copy": {f"again{i}/{name}": files[name]},
            "browser": {f"{name.rpartition('.')[0]} ({i}).{name.rpartition('.')[2]}": files[name]},
            "hidden": {f"{folder}/.{last}": files[name]},
            "bin": {f".Trash-1000/files{i}/{last}": files[name], f"{folder}/@eaDir/{last}": files[name]},
            "link": {f"links{i}/{last}": "../" + name},
            "folder link": {f"linked{i}": folder or "."},
            "lost link": {f"{folder}/lost{i}.jpg": "../nowhere.jpg"},
            "circle": {f"{folder}/circle{i}": f"circle{i}"},
            "note": {f"{folder}/note{i}.txt": b"a note"},
        }[kind]
    return {name.lstrip("/"): data for name, data in tree.items()}


def unpack(tree, home):
    for name, data in tree.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(data) if isinstance(data, str) else path.write_bytes(data)
    return home


def pack(tree, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in tree.items():
                info = zipfile.ZipInfo("x")
                info.filename = name.replace("/", "\\") if len(tree) % 2 else name
                info.external_attr = (stat.S_IFLNK if isinstance(data, str) else stat.S_IFREG) << 16
                archive.writestr(info, data)
        return path
    with tarfile.open(path, "w:" + path.suffix.lstrip(".").replace("tar", "")) as tar:
        for name, data in tree.items():
            member = tarfile.TarInfo("./" + name if len(tree) % 2 else name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
            member.size = 0 if isinstance(data, str) else len(data)
            tar.addfile(member, None if isinstance(data, str) else io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", TASKS)
def test_what_the_file_system_lists_is_what_the_rows_are(sound, name):
    @some
    @given(st.data())
    def check(data):
        with TemporaryDirectory() as place:
            home = unpack(grown(data.draw, sound[name]), Path(place) / "set")
            listed = set()
            for folder, folders, files in os.walk(home):
                links = [f for f in folders if (Path(folder) / f).is_symlink()]
                listed |= {(Path(folder) / f).relative_to(home).as_posix() for f in files + links}
            rows = load(name, home).rows
        unread = listed - set(rows["path"])
        assert all(n.endswith(TABLES) for n in unread), unread
        extra = rows[~rows["path"].isin(listed)]
        assert (extra["status"] == "excluded").all(), "what a table names that is not here"

    check()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", TASKS)
def test_another_container_gives_the_same_rows_and_faces(sound, name, ending):
    @settings(some, max_examples=6)
    @given(st.data())
    def check(data):
        tree = grown(data.draw, sound[name])
        with TemporaryDirectory() as place:
            home, packed = unpack(tree, Path(place) / "set"), pack(tree, Path(place) / f"set{ending}")
            expected, found = (load(name, root).rows.set_index("path").sort_index() for root in (home, packed))
            assert found.equals(expected), found.compare(expected)
            plain, other = (open_faces(name, root, Path(place) / "c", progress=False) for root in (home, packed))
        assert other.fingerprint == plain.fingerprint and len(plain) > 0
        assert other.account.equals(plain.account)

    check()


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_archive_cut_anywhere_is_refused_or_whole(sound, ending):
    """Only zeros after a tar's end mark may be missing."""
    with TemporaryDirectory() as place:
        whole = pack(sound["afad"], Path(place) / f"whole{ending}").read_bytes()
        count = len(load("afad", Path(place) / f"whole{ending}").rows)
        cut = Path(place) / f"cut{ending}"

        @many
        @given(st.one_of(st.integers(0, len(whole) - 1), st.integers(len(whole) - 10_300, len(whole) - 1)))
        def check(end):
            cut.write_bytes(whole[: max(end, 0)])
            try:
                assert len(load("afad", cut).rows) == count
                assert ending == ".tar" and not whole[end:].strip(b"\0")
            except UserError as error:
                assert "expected a whole archive" in str(error)

        check()


@pytest.mark.parametrize("name", TASKS)
def test_one_damaged_picture_costs_one_row(sound, name):
    """In a folder, and inside an archive whose other members are whole."""

    @settings(some, max_examples=8)
    @given(st.data())
    def check(data):
        tree = dict(sound[name])
        with TemporaryDirectory() as place:
            before = open_faces(name, unpack(tree, Path(place) / "a"), Path(place) / "c", progress=False)
            broken = data.draw(st.sampled_from(before.table["path"].tolist()))
            cut = len(tree[broken]) // 2
            tree[broken] = data.draw(st.sampled_from([b"", b"no picture", tree[broken][:cut], bytes(500)]))
            root = pack(tree, Path(place) / f"b{data.draw(st.sampled_from(ENDINGS))}")
            after = open_faces(name, root, Path(place) / "c", progress=False)
        left = before.table["path"] != broken
        assert after.table["path"].tolist() == before.table["path"][left].tolist()
        assert np.array_equal(after.pixels, before.pixels[left])

    check()


PICTURES = [
    jpg(1), jpg(2, (200, 200)), jpg(3, (200, 120), progressive=True), jpg(im=picture(4, mode="L")),
    jpg(im=picture(5, mode="CMYK")), jpg(6, (150, 150), restart_marker_blocks=3),
]  # fmt: skip


@many
@given(st.sampled_from(PICTURES), st.data())
def test_a_damaged_jpeg_has_the_first_decoders_verdict(data, drawn):
    """What simplejpeg refuses is excluded; what it takes has Pillow's pixels."""
    at = drawn.draw(st.integers(len(data) // 4, len(data) - 3))
    damaged = drawn.draw(
        st.sampled_from([
            data[:at], data[:at] + b"\xff\xd9", cut_inside(data), data[:at] + data[at + 40 :],
            data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :], data + b"trailing",
        ])
    )  # fmt: skip
    result = decode(damaged)
    try:
        simplejpeg.decode_jpeg(damaged, "CMYK" if data is PICTURES[4] else "RGB")
    except ValueError as error:
        if not HARMLESS.match(str(error)):
            assert result == "picture damaged or cut short"
    else:
        assert isinstance(result, np.ndarray) and np.array_equal(result, _decode_any(damaged, None, (32, 32)))
