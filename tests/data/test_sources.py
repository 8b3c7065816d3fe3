"""What lies in a folder or an archive, by its name: a picture that is read, or why not; and what is read of it."""

import os
import zipfile

import pytest
from PIL import Image

from gralib.data import shapes, sources
from gralib.data.sources import open_source
from gralib.errors import UserError


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a/FACE.JPG", ""),
        ("a\\face.webp", ""),
        ("a/face.jpg.part", "half a download: get it again"),
        ("face.heic", "picture of a kind that is not read (heic): convert it to JPEG or PNG"),
        ("b/faces.tar.gz", "archive inside: unpack it, or give it by itself as --root"),
        *[(f"faces.{end}", "part of an archive: join the parts (cat) into one file and give that")
          for end in ("tar.aa", "zip.001", "z01", "r00", "part1.rar", "tar.gz.part01", "7z.002")],
        ("faces.rar", "packed in a way that is not read: repack it as one of .tar, .tar.gz, .tgz, .tar.xz, .txz, "
                      ".tar.bz2, .tbz2, .zip"),
        ("a/Thumbs.db", "Thumbs.db, left by Windows"),
        ("notes.txt", "not a picture"),
    ],
)  # fmt: skip
def test_why_a_name_is_no_picture(name, reason):
    assert sources.no_picture(name) == reason


@pytest.mark.parametrize("name", ["/a.jpg", "\\a.jpg", "a/../b.jpg", "..\\b.jpg", "..", "C:\\a.jpg"])
def test_a_name_that_leads_out_is_unsafe(name):
    assert sources.unsafe(name)
    assert not any(map(sources.unsafe, ("a.jpg", "a/b..jpg", ".a.jpg", "a:b.jpg"[2:], "ab:c.jpg")))


def test_what_lies_beside_the_set_and_what_is_in_it(tmp_path):
    for name in ("b/2.jpg", "b/10.jpg", "a.png", ".hidden.jpg", ".Trash/3.jpg", "@eaDir/4.jpg", ".../5.jpg", "a/x.zst"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    source = open_source(tmp_path)
    assert source.names == (".../5.jpg", "a/x.zst", "a.png", "b/10.jpg", "b/2.jpg")
    assert source.others == {
        ".Trash/3.jpg": "in .Trash, a hidden folder or bin", ".hidden.jpg": "hidden file",
        "@eaDir/4.jpg": "in @eaDir, a hidden folder or bin", "gone.jpg": "link to nothing",
        "loop": "link to a folder that is read already",
        "pipe.jpg": "a device, a pipe or another thing that is no file",
    }  # fmt: skip
    assert (source.path, source.archive, source.synthetic) == (tmp_path, None, False)
    assert source.hint.startswith("; a/x.zst: packed in a way that is not read")
    with source.reader() as read:
        assert read("b/2.jpg") == b"b/2.jpg"
        with pytest.raises(sources.Unreadable) as error:
            read("b/3.jpg")
    assert error.value.reason == "file cannot be read: No such file or directory"


def test_a_folder_with_one_archive_in_it_lists_both(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("a.txt", "in/b.jpg", ".c.jpg", "gone"):
            archive.writestr(name, f"packed {name}")
    assert open_source(tmp_path).path == open_source(tmp_path).archive == tmp_path / "set.zip"
    for name in ("a.txt", "z.txt"):
        (tmp_path / name).write_text(f"beside {name}")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "lost").symlink_to("nowhere")
    source = open_source(tmp_path)
    assert (source.path, source.archive) == (tmp_path, tmp_path / "set.zip")
    assert source.names == ("./a.txt", "a.txt", "gone", "in/b.jpg", "z.txt")
    nothing = "link to nothing"
    assert source.others == {"./gone": nothing, ".c.jpg": "hidden file", "lost": nothing}
    with source.reader() as read:
        assert [read(name) for name in ("./a.txt", "a.txt", "z.txt")] == [
            b"beside a.txt", b"packed a.txt", b"beside z.txt",
        ]  # fmt: skip


def test_the_stamp_differs_as_soon_as_a_file_does_and_not_by_what_lies_beside(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    os.utime(tmp_path / "a.jpg", ns=(0, 5))
    first = open_source(tmp_path).stamp
    (tmp_path / ".hidden").write_bytes(b"b")
    assert open_source(tmp_path).stamp == first
    os.utime(tmp_path / "a.jpg", ns=(0, 6))
    later = open_source(tmp_path).stamp
    (tmp_path / "a.jpg").write_bytes(b"ab")
    os.utime(tmp_path / "a.jpg", ns=(0, 6))
    larger = open_source(tmp_path).stamp
    (tmp_path / "SYNTHETIC.txt").write_bytes(b"")
    assert len({first, later, larger, open_source(tmp_path).stamp}) == 4
    assert open_source(tmp_path).synthetic


def test_a_file_of_more_than_the_limit_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(bytes(2 << 20))
    monkeypatch.setattr(sources, "HEAVIEST", 2 << 20)
    with open_source(tmp_path).reader() as read:
        assert len(read("a.jpg")) == 2 << 20
        (tmp_path / "a.jpg").write_bytes(bytes((2 << 20) + 1))
        with pytest.raises(sources.Unreadable) as error:
            read("a.jpg")
    assert error.value.reason == "file cannot be read: larger than 2 MiB"
    assert sources.Unreadable(tmp_path, "b/a.jpg", ValueError("no 'a.jpg' here")).reason == (
        "file cannot be read: damaged in the archive"
    )


def test_what_is_no_source_is_said(tmp_path):
    for name, said in (("gone", "not found; expected a folder of pictures"), ("a.txt", "expected a folder or one of"),
                       ("empty", "the folder is empty")):  # fmt: skip
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "a.txt").write_text("")
        with pytest.raises(UserError, match=f"{name}: {said}"):
            open_source(tmp_path / name)
    (tmp_path / "two").mkdir()
    for name in ("a.zip", "b.tar"):
        (tmp_path / "two" / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"a single archive, found both or several: a\.zip, b\.tar; "):
        open_source(tmp_path / "two")
    (tmp_path / "two" / "b.tar").rename(tmp_path / "two" / "b.jpg")
    with pytest.raises(UserError, match=r"a single archive, found both or several: a\.zip; "):
        open_source(tmp_path / "two")


def test_some_names_are_spread_over_all_and_a_face_is_nearly_square():
    assert shapes.some("abcdefghij", 3) == ["a", "e", "i"]
    assert shapes.some("abc", 3) == shapes.some("abc", 8) == ["a", "b", "c"]
    assert shapes.some("", 8) == []
    assert shapes.square((100, 95)) and shapes.square((95, 100)) and not shapes.square((100, 94))


def test_sizes_are_of_the_pictures_that_can_be_read(tmp_path):
    for number, name in enumerate("ac", 1):
        Image.new("RGB", (10 * number, 7)).save(tmp_path / f"{name}.png")

    def read(name):
        if name == "b.png":
            raise sources.Unreadable(tmp_path, name, "cut short")
        return (tmp_path / name).read_bytes()

    assert shapes.sizes(read, ["a.png", "b.png", "c.png"]) == {"a.png": (10, 7), "c.png": (20, 7)}
