"""The other four sets as people really have them; `input_cases.csv` says what is right."""

import io
import shutil
import tarfile

import numpy as np
from input_tools import adience, fg, jpg, matlab_day, picture, png, points, put, whole, wiki_mat, wiki_rows
from PIL import Image

from gralib.data.formats.fgnet import published


def adience_as_downloaded(f):
    adience(f)
    with tarfile.open(f / "aligned.tar.gz", "w:gz") as tar:
        tar.add(f / "aligned", "aligned")
    shutil.rmtree(f / "aligned")


def adience_faces_folder(f):
    adience(f, pictures="faces", prefix="coarse_tilt_aligned_face")


def adience_fold_missing(f):
    adience(f, folds=(0, 1, 3))


def adience_two_picture_folders(f):
    adience(f)
    for p in sorted((f / "aligned").rglob("*.jpg")):
        put(f / "aligned_backup" / p.relative_to(f / "aligned"), jpg(4000 + int(p.name.split(".")[1])))


def wiki_root_is_wiki(f):
    rows = wiki_rows()
    put(f / "wiki/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki" / r[2], whole(i))


def wiki_crop_inside_wiki(f):
    rows = wiki_rows()
    put(f / "wiki/wiki_crop/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki/wiki_crop" / r[2], jpg(i, (100, 100)))


def wiki_location_from_one(f):
    rows = wiki_rows()
    put(f / "wiki/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki" / r[2], whole(i))


def wiki_born_on_first_of_july(f):
    rows = wiki_rows(dob=matlab_day(1950, 7, 1))
    put(f / "wiki_crop/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki_crop" / r[2], jpg(i))


def wiki_placeholder_pixels(f):
    rows = wiki_rows()
    put(f / "wiki_crop/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki_crop" / r[2], jpg(i, (1, 1)) if i < 3 else jpg(i))


def fgnet_resized_pictures(f):
    fg(f, scale=2)


def fgnet_of_published_sizes(f, enlarged):
    """24 pictures of the published sizes, the first few enlarged by a tenth away from their landmarks."""
    for i, (name, size) in enumerate(list(published().items())[:24]):
        now = tuple(round(1.1 * side) for side in size) if i < enlarged else size
        put(f / f"FGNET/images/{name.upper()}.JPG", jpg(i, now))
        put(f / f"FGNET/points/{name}.pts", points((100, 150, 290, 380)))


def fgnet_a_little_enlarged(f):
    fgnet_of_published_sizes(f, 24)


def fgnet_three_a_little_enlarged(f):
    fgnet_of_published_sizes(f, 3)


def fgnet_first_landmarks_damaged(f):
    fg(f)
    fg(f, "backup/images", "backup/points")
    put(f / "FGNET/points/001a10.pts", b"version: 1")


def fgnet_lower_case_one_folder(f):
    fg(f, images="fg-net", where="fg-net", name="{:03}a{}.jpg")


def afad_full_and_lite(f):
    for i in range(24):
        name = f"{18 + i % 10}/{111 + i % 2}/{1000 + i}-0.jpg"
        put(f / "AFAD-Full" / name, jpg(i))
        put(f / "AFAD-Lite" / name, jpg(i))


def exif_turned(f):
    for i in range(24):
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = picture(i).transpose(Image.Transpose.ROTATE_90)
        put(f / f"AFAD-Full/{18 + i % 10}/{111 + i % 2}/{1000 + i}-0.jpg", jpg(im=turned, exif=exif))


def fgnet_twice(f):
    fg(f)
    fg(f, images="backup/images", where="backup/points")


def afad_browser_copies(f):
    for i in range(12):
        put(f / f"AFAD-Full/{18 + i}/111/{1000 + i}-0.jpg", jpg(i))
        put(f / f"AFAD-Full/{18 + i}/111/{1000 + i}-0 ({i + 1}).jpg", jpg(i))


def wiki_whole_called_wiki_crop(f):
    rows = wiki_rows()
    put(f / "wiki_crop/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        wide = Image.new("RGB", (192, 128), (0, 0, 255))
        wide.paste(Image.open(io.BytesIO(whole(i))), (0, 0))
        put(f / "wiki_crop" / r[2], png(wide))


def wiki_cut_out_called_wiki(f):
    rows = wiki_rows(location=[[133.0, 133.0, 164.0, 164.0]])
    put(f / "wiki/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki" / r[2], jpg(i, (56, 56)))


def wiki_nobody_can_tell(f):
    rows = wiki_rows()
    put(f / "pictures/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "pictures" / r[2], jpg(i))


def wiki_both_releases(f):
    for name in ("wiki", "wiki_crop"):
        put(f / name / "wiki.mat", wiki_mat(wiki_rows()))


def wiki_one_date_missing(f):
    rows = wiki_rows(dob=lambda i: np.nan if i == 3 else matlab_day(1950, 7, 2))
    put(f / "wiki_crop/wiki.mat", wiki_mat(rows))
    for i, r in enumerate(rows):
        put(f / "wiki_crop" / r[2], jpg(i))


def afad_in_parts(f):
    for part in ("aa", "ab"):
        put(f / f"AFAD-Full.tar.xz{part}", b"\xfd7zXZ\0" + bytes(99))


def wiki_packed_otherwise(f):
    put(f / "wiki_crop.7z", b"7z\xbc\xaf")


def web_page_for_an_archive(f):
    put(f / "wiki_crop.tar", b"<!DOCTYPE html><html><title>Virus scan warning</title>")


def adience_with_byte_order_mark(f):
    adience(f, bom=True)


def adience_one_line_cut(f):
    adience(f)
    text = (f / "fold_4_data.txt").read_bytes()
    (f / "fold_4_data.txt").write_bytes(text[: text.rindex(b"\t(")])


def adience_two_versions_of_a_fold(f):
    adience(f)
    put(f / "old/fold_0_data.txt", (f / "fold_1_data.txt").read_bytes())
