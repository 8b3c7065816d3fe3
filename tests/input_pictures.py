"""UTKFace with copies, odd pictures and photographs; `input_cases.csv` says what is right."""

import io

import numpy as np
from input_tools import cut_inside, jpg, picture, png, put, some_utk, tree, utk
from PIL import Image


def mac_zip_unpacked(f):
    files = some_utk(12)
    tree(f / "UTKFace", files)
    double = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60)
    for name in files:
        put(f / "__MACOSX/UTKFace" / f"._{name}", double)
    put(f / "UTKFace/.DS_Store", b"Bud1")


def hidden_folders(f):
    files = some_utk(12)
    tree(f / "UTKFace", files)
    one = next(iter(files.items()))
    put(f / "UTKFace/.ipynb_checkpoints" / one[0].replace(".jpg.chip.jpg", ".jpg.chip-checkpoint.jpg"), jpg(1001))
    put(f / ".Trash-1000/files" / utk(99, 1, 1, 424242), jpg(1002))


def browser_copies(f):
    files = some_utk(12)
    tree(f / "UTKFace", files)
    a, b, c = list(files)[:3]
    put(f / "UTKFace" / a.replace(".chip.jpg", ".chip (1).jpg"), files[a])
    put(f / "UTKFace" / b.replace(".chip.jpg", ".chip - Copy.jpg"), jpg(2000))
    put(f / "UTKFace" / c.replace(".chip.jpg", ".chip_aug0.jpg"), jpg(2001))


def kaggle_three_copies(f):
    files = some_utk(12)
    for where in ("UTKFace", "utkface_aligned_cropped/UTKFace", "utkface_aligned_cropped/crop_part1"):
        tree(f / where, files)


def first_copies_damaged(f):
    files = some_utk(12)
    for where in ("UTKFace", "UTKFace_backup", "UTKFace_older"):
        tree(f / where, files)
    one, two, *_ = files
    put(f / "UTKFace" / one, cut_inside(files[one]))
    put(f / "UTKFace" / two, b"")
    put(f / "UTKFace_backup" / two, b"")


def utk_in_the_wild_beside_aligned(f):
    files = some_utk(12)
    tree(f / "UTKFace", files)
    lines = []
    for i, name in enumerate(files):
        whole = name.replace(".chip.jpg", "")
        put(f / "part1" / whole, jpg(i, (400, 300)))
        lines.append(whole + " " + " ".join(f"{150 + j} {100 + j}" for j in range(68)))
    put(f / "landmark_list_part1.txt", "\n".join(lines).encode())


def jpeg_scan_cut_with_end_mark(f):
    tree(f / "UTKFace", {k: cut_inside(jpg(i, (200, 200))) for i, k in enumerate(some_utk(12))})


def png_of_16_bits(f):
    for i, k in enumerate(some_utk(12)):
        grey = np.asarray(picture(i, mode="L")).astype(np.uint16) * 257
        put(f / "UTKFace" / k, png(Image.fromarray(grey)))


def jpeg_cmyk(f):
    tree(f / "UTKFace", {k: jpg(im=picture(i).convert("CMYK")) for i, k in enumerate(some_utk(12))})


def copies_with_words_before(f):
    files = some_utk(12)
    tree(f / "UTKFace", files | {f"Copy of {name}": data for name, data in list(files.items())[:3]})


def only_the_copies(f):
    tree(f / "UTKFace", {k.replace(".chip.jpg", ".chip (1).jpg"): v for k, v in some_utk(12).items()})


def only_altered_pictures(f):
    tree(f / "UTKFace", {k.replace(".chip.jpg", ".chip_flip.jpg"): v for k, v in some_utk(12).items()})


def utk_in_the_wild_alone(f):
    tree(f / "part1", {k.replace(".chip.jpg", ""): jpg(i, (400, 300)) for i, k in enumerate(some_utk(12))})


def exif_turned_png(f):
    for i, k in enumerate(some_utk(12)):
        exif = Image.Exif()
        exif[0x0112] = 6
        out = io.BytesIO()
        picture(i).transpose(Image.Transpose.ROTATE_90).save(out, "PNG", exif=exif)
        put(f / "UTKFace" / k, out.getvalue())


def transparent_background(f):
    """The head is opaque; its surroundings are red, fully transparent."""
    for k in some_utk(12):
        clear = np.zeros((96, 96, 4), np.uint8)
        clear[..., 0] = 255
        clear[24:72, 24:72] = (200, 200, 200, 255)
        put(f / "UTKFace" / k, png(Image.fromarray(clear)))


def png_with_a_bad_checksum(f):
    files = {k: png(picture(i)) for i, k in enumerate(some_utk(12))}
    name = next(iter(files))
    files[name] = files[name][:-20] + bytes([files[name][-20] ^ 1]) + files[name][-19:]
    tree(f / "UTKFace", files)


def progressive_jpeg_cut(f):
    for i, k in enumerate(some_utk(12)):
        put(f / "UTKFace" / k, cut_inside(jpg(i, (200, 200), progressive=True)) if i < 3 else jpg(i))


def same_pixels_other_bytes(f):
    for i in range(40):
        data = jpg(i)
        put(f / "UTKFace" / utk(20 + i, i % 2, 0, 100000 + i), data)
        put(f / "UTKFace" / utk(20 + i, i % 2, 0, 900000 + i), data[:2] + b"\xff\xfe\x00\x0aoptimize" + data[2:])
