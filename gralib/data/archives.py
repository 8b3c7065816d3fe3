"""Archives that are read in place and never unpacked: all that one lists, and how its files are opened.

What is listed is closed: a tar's end mark is demanded, tars joined by `cat` are read to the last, and links, members of
one name and what cannot be unpacked are listed with the reason why they are no files.
"""

import bz2
import gzip
import io
import lzma
import posixpath
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, NamedTuple

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
RATIO = 1000
"""A packed tar may unpack to so many times its size (zlib's own limit is 1032); files of zeros only do more."""
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, KeyError,
    NotImplementedError, OSError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip
"""What the standard library raises on damaged archives."""
PACKED: dict[bytes, Callable[..., IO[bytes]]] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open, b"BZh": bz2.open}  # type: ignore[dict-item]
"""How packed tars start, whatever their name ends in."""
METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
BLOCK = tarfile.BLOCKSIZE
NO_FILE = "a device, a pipe or another thing that is no file"
READ_ALREADY = "link to a folder that is read already"
AGAIN = "replaced by a later member of the same name"


Opener = Callable[[], tuple[int, IO[bytes]]]
"""Yields size in bytes and content of a file."""


class Listing(NamedTuple):
    """All that is listed but folders: how to open the files, by name, and why the others are none."""

    files: dict[str, Opener]
    others: dict[str, str]


class _Found:
    """Members of an archive as they are met; a later one of a name replaces the earlier, as unpacking does."""

    def __init__(self) -> None:
        self.files: dict[str, Opener] = {}
        self.others: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.folders: set[str] = set()

    def make_room(self, name: str, number: int) -> None:
        """Put aside an earlier member of this name; `number` is the place of the later."""
        before = [known.pop(name) for known in (self.files, self.others, self.links) if name in known]
        if before:
            self.others[f"{name} (before member {number})"] = AGAIN

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link; its target counts from its own folder."""
        self.links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))

    def closed(self) -> Listing:
        """Read links to files of the archive as those files, as a file system does; say where the others lead."""
        whole = {"/".join(name.split("/")[:i]) for name in self.files for i in range(1, name.count("/") + 1)}
        for name, target in self.links.items():
            for _ in range(40):  # a chain of links; as many as Linux follows
                target = target if target in self.files else self.links.get(target, target)
            if target in self.files:
                self.files[name] = self.files[target]
            elif target in whole | self.folders | {"."}:
                self.others[name] = READ_ALREADY
            else:
                self.others[name] = "link to nothing"
        return Listing(self.files, self.others)


def is_archive(name: str) -> bool:
    """Tell whether the name is that of an archive we read."""
    return name.lower().endswith(ARCHIVES)


def open_archive(path: Path, stack: ExitStack) -> Listing:
    """Return what an archive lists; it stays open as long as `stack`. Raises one of DAMAGED for a damaged one."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[:5].lower() in (b"<!doc", b"<html"):
        raise ValueError("a web page: download it again, by hand")
    if start.startswith(b"PK") or path.suffix.lower() == ".zip":
        return _zip_listing(stack.enter_context(zipfile.ZipFile(path)), path)
    file = stack.enter_context(path.open("rb"))
    opener = next((opener for magic, opener in PACKED.items() if start.startswith(magic)), None)
    return _tar_listing(_unpacked(opener, file, path, stack) if opener else file)


def _unpacked(opener: Callable[..., IO[bytes]], file: IO[bytes], path: Path, stack: ExitStack) -> IO[bytes]:
    """Unpack a whole tar into a nameless file: it is read in any order, and each step back would do it anew."""
    most = RATIO * path.stat().st_size
    plain = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    with opener(file) as packed:
        while block := packed.read(1 << 20):
            plain.write(block)
            if plain.tell() > most:
                raise ValueError(f"more than {RATIO} times its size when unpacked")
    plain.seek(0)
    return plain


def clean(name: str) -> str:
    """Return a member's name as a folder would list it: without '.' and doubled slashes."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts) or "(no name)"


def _tar_listing(file: IO[bytes]) -> Listing:
    found = _Found()
    for number, (tar, member) in enumerate(_tar_members(file), start=1):
        name = clean(member.name)
        if member.isdir():
            found.folders.add(name)
            continue
        found.make_room(name, number)
        if member.isfile():
            found.files[name] = lambda tar=tar, member=member: (member.size, tar.extractfile(member))  # type: ignore[misc]
        elif member.islnk():
            found.links[name] = clean(member.linkname)
        elif member.issym():
            found.link(name, member.linkname)
        else:
            found.others[name] = NO_FILE
    return found.closed()


def _tar_members(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield every member of a tar, and of the tars that `cat` joined to it.

    Raises ValueError where a header is damaged or the end mark is missing: tarfile itself would end there in silence.
    """
    end, start, number, last = file.seek(0, io.SEEK_END), 0, 0, "the start"
    while start < end or not end:
        file.seek(start)
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115
        for member in tar:
            number, last = number + 1, f"member {number + 1} ({member.name})"
            yield tar, member
        file.seek(tar.offset)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise ValueError(f"cut short after {last}: the end mark is missing")
        if block.strip(b"\0"):
            raise ValueError(f"a damaged header at byte {tar.offset}, after {last}")
        start = _after_zeros(file)


def _after_zeros(file: IO[bytes]) -> int:
    """Return where the blocks of zeros end that begin here."""
    while block := file.read(1 << 20):
        if rest := block.lstrip(b"\0"):
            at = file.tell() - len(rest)
            return at - at % BLOCK
    return file.tell()


def _zip_listing(archive: zipfile.ZipFile, path: Path) -> Listing:
    infos, found = archive.infolist(), _Found()
    if infos and min(info.header_offset for info in infos) > 0:
        raise ValueError("something before its first member: were two archives joined? Give each by itself")
    with path.open("rb") as file:
        file.seek(-22 - len(archive.comment), io.SEEK_END)
        if file.read(4) != b"PK\5\6":
            raise ValueError("something after its end: were two archives joined? Give each by itself")
    for number, info in enumerate(infos, start=1):
        raw = info.filename.replace("\\", "/")  # the separator of some Windows tools
        name = clean(raw)
        if raw.endswith("/"):
            found.folders.add(name)
            continue
        found.make_room(name, number)
        if reason := _locked(info):
            found.others[name] = reason
        elif stat.S_ISLNK(info.external_attr >> 16) and info.file_size < 4096:
            with suppress(*DAMAGED):
                found.link(name, archive.read(info).decode("utf-8", "surrogateescape"))
            if name not in found.links:
                found.others[name] = "link that cannot be read"
        else:
            found.files[name] = lambda info=info: (info.file_size, archive.open(info))  # type: ignore[misc]
    return found.closed()


def _locked(info: zipfile.ZipInfo) -> str:
    """Return why a member of a zip cannot be unpacked here, or nothing."""
    if info.flag_bits & 0x1:
        return "locked with a password: unpack it with that, or pack it without"
    if info.compress_type in READ_METHODS:
        return ""
    method = METHODS.get(info.compress_type, f"number {info.compress_type}")
    return f"packed by a method that Python cannot read ({method}): unpack it with the tool that packed it"
