"""UTKFace in folders and archives as people really have them; `input_cases.csv` says what is right."""

import io
import os
import struct
import tarfile
import zipfile

from input_tools import jpg, picture, png, put, some_utk, tar_of, tree, utk, zip_of


def link_to_folder(f):
    tree(f / "UTKFace/part1", some_utk(12))
    tree(f.parent / "_elsewhere/part2", some_utk(12, 100))
    (f / "UTKFace/part2").symlink_to(f.parent / "_elsewhere/part2", target_is_directory=True)


def link_is_everything(f):
    tree(f / "store/UTKFace", some_utk(12))
    (f / "root").mkdir()
    (f / "root/UTKFace").symlink_to(f / "store/UTKFace", target_is_directory=True)


def tars_joined_by_cat(f):
    f.mkdir(parents=True)
    tar_of(f / "p1.tar", {f"part1/{k}": v for k, v in some_utk(12).items()})
    tar_of(f / "p2.tar", {f"part2/{k}": v for k, v in some_utk(12, 100).items()})
    (f / "UTKFace.tar").write_bytes((f / "p1.tar").read_bytes() + (f / "p2.tar").read_bytes())
    (f / "p1.tar").unlink()
    (f / "p2.tar").unlink()


def tar_cut_in_a_header(f):
    f.mkdir(parents=True)
    tar_of(f / "whole.tar", some_utk(12))
    with tarfile.open(f / "whole.tar") as tar:
        at = tar.getmembers()[5].offset
    (f / "UTKFace.tar").write_bytes((f / "whole.tar").read_bytes()[: at + 100])
    (f / "whole.tar").unlink()


def tar_with_hard_links(f):
    tree(f / "UTKFace", some_utk(12))
    first = sorted((f / "UTKFace").iterdir())[0]
    os.link(first, f / "UTKFace" / utk(36, 1, 0, 999))
    with tarfile.open(f / "UTKFace.tar", "w") as tar:
        tar.add(f / "UTKFace", "UTKFace")


def tar_with_a_member_twice(f):
    f.mkdir(parents=True)
    files = some_utk(12)
    tar_of(f / "UTKFace.tar", files)
    with tarfile.open(f / "UTKFace.tar", "a") as tar:
        name = next(iter(files))
        info = tarfile.TarInfo(name)
        data = jpg(55)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def zip_with_backslashes(f):
    f.mkdir(parents=True)
    with zipfile.ZipFile(f / "archive.zip", "w") as z:
        for name, data in some_utk(12).items():
            info = zipfile.ZipInfo("x")
            info.filename = f"UTKFace\\{name}"
            z.writestr(info, data)


def zip_of_an_unknown_method(f):
    f.mkdir(parents=True)
    with zipfile.ZipFile(f / "UTKFace.zip", "w") as z:
        for name, data in some_utk(12).items():
            z.writestr(name, data)
    raw = bytearray((f / "UTKFace.zip").read_bytes())
    for sign, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = 0
        while (i := raw.find(sign, start)) >= 0:
            raw[i + at : i + at + 2] = struct.pack("<H", 9)
            start = i + 4
    (f / "UTKFace.zip").write_bytes(raw)


def utk_png(f):
    tree(f / "UTKFace", {k.replace(".jpg.chip.jpg", ".png"): png(picture(i)) for i, k in enumerate(some_utk(12))})


def archive_beside_jpeg(f):
    tree(f / "UTKFace", {k.replace(".jpg.chip.jpg", ".jpeg"): v for k, v in some_utk(12).items()})
    tar_of(f / "part2.tar", some_utk(12, 100))


def other_packers(f):
    f.mkdir(parents=True)
    tar_of(f / "UTKFace.tar.xz", some_utk(12), "w:xz")


def tar_with_a_bad_header(f):
    f.mkdir(parents=True)
    tar_of(f / "whole.tar", some_utk(12))
    raw = bytearray((f / "whole.tar").read_bytes())
    with tarfile.open(f / "whole.tar") as tar:
        at = tar.getmembers()[5].offset
    raw[at + 100] ^= 1
    (f / "UTKFace.tar").write_bytes(raw)
    (f / "whole.tar").unlink()


def tar_of_a_deduplicated_folder(f):
    files = some_utk(12)
    tree(f / "UTKFace", files)
    names = sorted(files)
    for k in range(0, 12, 2):
        (f / "UTKFace" / names[k + 1]).unlink()
        os.link(f / "UTKFace" / names[k], f / "UTKFace" / names[k + 1])
    with tarfile.open(f / "UTKFace.tar", "w") as tar:
        tar.add(f / "UTKFace", "UTKFace")


def links_in_a_circle(f):
    tree(f / "UTKFace", some_utk(12))
    (f / "UTKFace/again").symlink_to(f, target_is_directory=True)
    (f / "self").symlink_to(f / "self")
    (f / "gone").symlink_to(f / "nowhere")


def things_that_are_no_files(f):
    tree(f / "UTKFace", some_utk(12))
    os.mkfifo(f / "UTKFace" / utk(30, 0, 0, 999))


def tar_without_end_mark(f):
    f.mkdir(parents=True)
    tar_of(f / "whole.tar", some_utk(12))
    with tarfile.open(f / "whole.tar") as tar:
        tar.getmembers()
        end = tar.offset
    (f / "UTKFace.tar").write_bytes((f / "whole.tar").read_bytes()[:end])
    (f / "whole.tar").unlink()


def tar_with_links(f):
    tree(f / "UTKFace", some_utk(12))
    (f / "UTKFace" / utk(30, 0, 0, 999)).symlink_to(next(iter(some_utk(1))))
    (f / "UTKFace" / utk(31, 0, 0, 999)).symlink_to("/etc/hostname")
    (f / "again").symlink_to("UTKFace")
    with tarfile.open(f / "UTKFace.tar", "w") as tar:
        for name in ("UTKFace", "again"):
            tar.add(f / name, f"./{name}")


def tar_gz_that_is_a_tar(f):
    f.mkdir(parents=True)
    tar_of(f / "UTKFace.tar.gz", some_utk(12))


def tar_gz_cut(f):
    f.mkdir(parents=True)
    tar_of(f / "whole.tgz", some_utk(12), "w:gz")
    (f / "UTKFace.tar.gz").write_bytes((f / "whole.tgz").read_bytes()[:-20])
    (f / "whole.tgz").unlink()


def zips_joined_by_cat(f):
    f.mkdir(parents=True)
    for i in (1, 2):
        zip_of(f / f"p{i}", some_utk(12, 100 * i))
    (f / "UTKFace.zip").write_bytes((f / "p1").read_bytes() + (f / "p2").read_bytes())
    (f / "p1").unlink()
    (f / "p2").unlink()


def archive_beside_notes(f):
    f.mkdir(parents=True)
    tar_of(f / "UTKFace.tar", some_utk(12))
    put(f / "README.txt", b"from a friend")
    put(f / ".DS_Store", b"Bud1")


def webp_under_a_name_of_jpg(f):
    for i, k in enumerate(some_utk(12)):
        out = io.BytesIO()
        picture(i).save(out, "WEBP", lossless=True)
        put(f / "UTKFace" / k, out.getvalue())


def gif_under_a_name_of_jpg(f):
    for i, k in enumerate(some_utk(12)):
        out = io.BytesIO()
        picture(i).save(out, "GIF")
        put(f / "UTKFace" / k, out.getvalue())


def web_pages_for_pictures(f):
    tree(f / "UTKFace", dict.fromkeys(some_utk(12), b"\n<html><body>429 too many requests</body></html>"))


def zip_with_a_lock(f):
    f.mkdir(parents=True)
    zip_of(f / "UTKFace.zip", some_utk(12))
    raw = bytearray((f / "UTKFace.zip").read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (i := raw.find(sign, start)) >= 0:
            raw[i + at] |= 1
            start = i + 4
    (f / "UTKFace.zip").write_bytes(raw)


def zip_with_one_bad_member(f):
    f.mkdir(parents=True)
    zip_of(f / "UTKFace.zip", some_utk(12))
    raw = bytearray((f / "UTKFace.zip").read_bytes())
    raw[300] ^= 1
    (f / "UTKFace.zip").write_bytes(raw)


def archive_in_an_archive(f):
    f.mkdir(parents=True)
    tar_of(f / "inner.tar", some_utk(12))
    zip_of(f / "archive.zip", {"UTKFace/UTKFace.tar": (f / "inner.tar").read_bytes()})
    (f / "inner.tar").unlink()
