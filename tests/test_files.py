"""Checksums tell whether files are as they were written, and what is written is whole, readable and alone."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from gralib import files
from gralib.errors import UserError


def test_a_file_is_written_whole_with_its_folder_and_nothing_beside(tmp_path):
    path = tmp_path / "a/b/c.txt"
    files.write_text(path, "é")
    files.write_text(path, "later")
    assert path.read_bytes() == b"later" and path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    files.write_text(path, "before")
    monkeypatch.setattr(files, "put", lambda part, path: (tmp_path / "gone").stat())
    with pytest.raises(UserError, match=r"c\.txt: could not be written: No such file or directory"):
        files.write_text(path, "after")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_synced_and_a_file_system_that_cannot_sync_is_no_fault(tmp_path, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(opened):
        synced.append(str(Path(f"/proc/self/fd/{opened}").readlink()))
        return real(opened)

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "part/in").mkdir(parents=True)
    (tmp_path / "part/in/x").write_text("x")
    files.put(tmp_path / "part", tmp_path / "whole")
    assert synced == [str(tmp_path / place) for place in ("part/in", "part/in/x", "part")] + [str(tmp_path)]
    del synced[:]
    files.make_folder(tmp_path / "p/q")
    assert synced == [str(tmp_path), str(tmp_path / "p")]

    def fail(number):
        def fsync(opened):
            raise OSError(number, "no")

        return fsync

    monkeypatch.setattr(os, "fsync", fail(errno.EINVAL))
    files.write_text(tmp_path / "a", "a")
    monkeypatch.setattr(os, "fsync", fail(errno.EIO))
    with pytest.raises(UserError, match="a: could not be written: no"):
        files.write_text(tmp_path / "a", "b")
    assert (tmp_path / "a").read_text() == "a"


def test_checksums_are_written_read_and_held_against_the_files(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "beside").write_bytes(b"y")
    folder = tmp_path / "run"
    sums = {"z": hashlib.sha256(b"z").hexdigest(), "../beside": hashlib.sha256(b"y").hexdigest()}
    files.write_text(folder / "z", "z")
    assert files.digests(folder, sums) == sums
    files.write_sums(folder, sums)
    assert (folder / "SHA256SUMS").read_text() == "".join(f"{value}  {name}\n" for name, value in sums.items())
    assert files.sums_of(folder, "nothing") == sums
    files.check_sums(folder, sums)
    assert files.path_of(folder, "../beside") == tmp_path / "beside"
    (tmp_path / "beside").write_bytes(b"Y")
    with pytest.raises(UserError) as error:
        files.check_sums(folder, sums)
    now = hashlib.sha256(b"Y").hexdigest()
    assert str(error.value) == (
        f"{tmp_path}/beside: changed since it was written; expected SHA-256 {sums['../beside']}, got {now}"
    )
    (tmp_path / "beside").unlink()
    assert files.digest(tmp_path / "beside") == files.NO_FILE
    for text in ("no sums", None):
        (folder / "SHA256SUMS").unlink() if text is None else files.write_text(folder / "SHA256SUMS", text)
        with pytest.raises(UserError, match="run/SHA256SUMS: expected a run"):
            files.sums_of(folder, "a run")
