"""What an archive lists, member by member: small ones made by hand."""

import io
import stat
import tarfile
import zipfile
from contextlib import ExitStack

import pytest

from gralib.data import archives

FILE, LINK, HARD, FOLDER, PIPE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE


def tar(*members):
    """Return the bytes of a tar of (name, kind, content or target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as file:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == FILE:
                info.size = len(content)
            else:
                info.linkname = content
            file.addfile(info, io.BytesIO(content) if kind == FILE else None)
    return data.getvalue()


def listed(path, data):
    """Return content of the files, and the others, that an archive of these bytes lists."""
    path.write_bytes(data)
    with ExitStack() as stack:
        listing = archives.open_archive(path, stack)
        found = {}
        for name, opener in listing.files.items():
            size, file = opener()
            found[name] = file.read()
            assert len(found[name]) == size
    return found, listing.others


def test_members_of_a_tar(tmp_path):
    data = tar(
        ("./a//b.jpg", FILE, b"b"), ("a", FOLDER, ""), ("lone", FOLDER, ""), ("c.jpg", HARD, "./a/b.jpg"),
        ("a/d.jpg", LINK, "../c.jpg"), ("a/e", LINK, "../a"), ("f", LINK, "lone/."), ("g", LINK, "nowhere"),
        ("h", PIPE, ""), ("c.jpg", FILE, b"c"), ("a/i", LINK, "."), ("j", LINK, "."), ("k", LINK, "k"),
    )  # fmt: skip
    found, others = listed(tmp_path / "x.tar", data)
    assert found == {"a/b.jpg": b"b", "c.jpg": b"c", "a/d.jpg": b"c"}
    again, nothing = archives.READ_ALREADY, "link to nothing"
    assert others == {
        "h": archives.NO_FILE, "c.jpg (before member 10)": archives.AGAIN, "a/e": again, "f": again, "g": nothing,
        "a/i": again, "j": again, "k": nothing,
    }  # fmt: skip


def test_a_chain_of_forty_links_is_followed_and_a_longer_one_is_not(tmp_path):
    links = [(f"l{i}", LINK, f"l{i + 1}") for i in range(45)]
    found, others = listed(tmp_path / "x.tar", tar(*links, ("l45", FILE, b"end")))
    assert sorted(others) == sorted(f"l{i}" for i in range(4)) and len(found) == 42


def test_tars_that_cat_joined_are_read_to_the_last(tmp_path):
    one, other = (tar((name, FILE, name.encode())) for name in ("a.jpg", "b.jpg"))
    for between in (b"", bytes(512), bytes(3 << 20)):
        found, _ = listed(tmp_path / "x.tar", one + between + other)
        assert found == {"a.jpg": b"a.jpg", "b.jpg": b"b.jpg"}
    for start in (b"", other):
        with pytest.raises(ValueError, match=r"cut short after member \d \(a\.jpg\): the end mark is missing"):
            listed(tmp_path / "x.tar", start + one[:1024])
    with pytest.raises(ValueError, match=r"a damaged header at byte 1024, after member 1 \(a\.jpg\)"):
        listed(tmp_path / "x.tar", one[:1024] + b"x" * 512 + one[1024:])


def test_a_packed_tar_is_unpacked_up_to_a_bound(tmp_path, monkeypatch):
    import bz2
    import gzip
    import lzma

    data = tar(("a.jpg", FILE, bytes(100)))
    for packer in (gzip, bz2, lzma):
        packed = packer.compress(data)
        assert listed(tmp_path / "misnamed.tar", packed)[0] == {"a.jpg": bytes(100)}
        monkeypatch.setattr(archives, "RATIO", len(data) / len(packed))
        listed(tmp_path / "x.tar", packed)
        monkeypatch.setattr(archives, "RATIO", (len(data) - 1) / len(packed))
        with pytest.raises(ValueError, match="times its size when unpacked"):
            listed(tmp_path / "x.tar", packed)
        monkeypatch.undo()


def zipped(*members, comment=b""):
    """Return the bytes of a zip of (name, content, mode)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.comment = comment
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, content)
    return data.getvalue()


def test_members_of_a_zip(tmp_path):
    plain, link = stat.S_IFREG, stat.S_IFLNK
    data = zipped(
        ("a/", b"", stat.S_IFDIR), ("a\\b.jpg", b"b", plain), ("c.jpg", b"a/b.jpg", link), ("d", b"a", link),
        ("long", b"x" * 4096, link), ("e.jpg", b"first", plain), ("e.jpg", b"second", plain), comment=b"said",
    )  # fmt: skip
    found, others = listed(tmp_path / "x.zip", data)
    assert found == {"a/b.jpg": b"b", "c.jpg": b"b", "e.jpg": b"second", "long": b"x" * 4096}
    assert others == {"d": archives.READ_ALREADY, "e.jpg (before member 7)": archives.AGAIN}
    for joined, said in ((data + data, "before its first member"), (data + b"x" * 30, "after its end")):
        with pytest.raises(ValueError, match=f"something {said}: were two archives joined"):
            listed(tmp_path / "x.zip", joined)


def test_a_member_that_is_locked_or_packed_otherwise_says_so(tmp_path):
    data = bytearray(zipped(("a.jpg", b"a", stat.S_IFREG), ("b.jpg", b"b", stat.S_IFREG)))
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 4)
    data[first + 8] |= 1
    data[second + 10 : second + 12] = (95).to_bytes(2, "little")
    found, others = listed(tmp_path / "x.zip", bytes(data))
    assert not found and list(others) == ["a.jpg", "b.jpg"]
    assert others["a.jpg"].startswith("locked with a password")
    assert others["b.jpg"].startswith("packed by a method that Python cannot read (XZ)")
    data[second + 10 : second + 12] = (77).to_bytes(2, "little")
    assert "(number 77)" in listed(tmp_path / "x.zip", bytes(data))[1]["b.jpg"]


def test_names_and_what_is_no_archive(tmp_path):
    assert archives.clean("./a//b/./c") == "a/b/c" and archives.clean("//etc/x") == "/etc/x"
    assert archives.clean("./") == "(no name)"
    assert archives.is_archive("X.TAR.GZ") and not archives.is_archive("x.rar")
    for start in (b"<!DOCTYPE html>", b"<HTML>"):
        with pytest.raises(ValueError, match="a web page"):
            listed(tmp_path / "x.zip", start)
