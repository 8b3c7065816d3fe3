"""What the made data sets of `input_cases.csv` are made of: drawn heads, names and tables; nobody is shown."""

import io
import tarfile
import zipfile
from datetime import date

import numpy as np
from PIL import Image, ImageDraw
from scipy.io import savemat

HEAD = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score"


def picture(seed=0, size=(96, 96), mode="RGB"):
    """A drawn head, upright: dark hair above, light skin, red mouth below; so that turning it shows."""
    rng = np.random.default_rng(seed)
    w, h = size
    im = Image.new("RGB", size, tuple(int(v) for v in rng.integers(60, 200, 3)))
    d = ImageDraw.Draw(im)
    d.ellipse((w * 0.2, h * 0.15, w * 0.8, h * 0.95), fill=(225, 180, 150))
    d.pieslice((w * 0.2, h * 0.05, w * 0.8, h * 0.75), 180, 360, fill=(40, 25, 20))
    for x in (0.38, 0.62):
        d.ellipse((w * (x - 0.04), h * 0.48, w * (x + 0.04), h * 0.54), fill=(20, 20, 60))
    d.ellipse((w * 0.4, h * 0.74, w * 0.6, h * 0.8), fill=(200, 40, 50))
    for _ in range(12):
        x, y = rng.integers(0, w), rng.integers(0, h)
        d.point((x, y), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return im.convert(mode) if mode != "RGB" else im


def jpg(seed=0, size=(96, 96), im=None, **options):
    out = io.BytesIO()
    (im or picture(seed, size)).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def png(im):
    out = io.BytesIO()
    im.save(out, "PNG")
    return out.getvalue()


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def utk(age=20, gender=0, race=0, number=1, end=".jpg.chip.jpg"):
    return f"{age}_{gender}_{race}_20170112{number:09}{end}"


def some_utk(n=12, start=0):
    return {utk(20 + i, i % 2, i % 5, 100000 + start + i): jpg(start + i) for i in range(n)}


def tree(folder, files):
    for name, data in files.items():
        put(folder / name, data)


def tar_of(path, files, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def points(box):
    """68 landmarks that fill a box."""
    left, top, right, bottom = box
    xs = np.linspace(left, right, 68)
    ys = np.linspace(top, bottom, 68)
    body = "\n".join(f"{x:.2f} {y:.2f}" for x, y in zip(xs, ys, strict=True))
    return f"version: 1\nn_points: 68\n{{\n{body}\n}}\n".encode()


def matlab_day(year, month, day):
    return date(year, month, day).toordinal() + 366


def wiki_mat(rows):
    """rows of (dob, taken, path, gender, name, location, score, second)."""
    fields = ("dob", "photo_taken", "full_path", "gender", "name", "face_location", "face_score", "second_face_score")
    struct_ = {}
    for f, column in zip(fields, zip(*rows, strict=True), strict=True):
        text = f in ("full_path", "name", "face_location")
        cells = np.empty((1, len(rows)), dtype=object if text else float)
        for i, v in enumerate(column):
            cells[0, i] = np.array(v, dtype=float) if f == "face_location" else v
        struct_[f] = cells
    out = io.BytesIO()
    savemat(out, {"wiki": struct_})
    return out.getvalue()


def wiki_rows(n=12, **change):
    rows = []
    for i in range(n):
        row = {"dob": matlab_day(1950 + i, 3, 5), "taken": 1990, "path": f"{i:02}/{1000 + i}_{1950 + i}-03-05_1990.jpg"}
        row |= {"gender": float(i % 2), "name": f"Person {i}", "location": [[33.0, 33.0, 64.0, 64.0]]}
        row |= {"score": 3.0, "second": np.nan}
        row |= {k: (v(i) if callable(v) else v) for k, v in change.items()}
        rows.append(tuple(row.values()))
    return rows


def adience_lines(fold, n=4):
    groups = ("(0, 2)", "(4, 6)", "(8, 12)", "(15, 20)", "(25, 32)", "(38, 43)", "(48, 53)", "(60, 100)")
    faces = [(fold * 10 + i, i) for i in range(n)]
    return [
        [f"{10000000 + k}@N01", f"{900 + k}_ab_o.jpg", str(k), groups[(fold + i) % 8], "mf"[i % 2], *"0000000"]
        for k, i in faces
    ]


def adience(folder, folds=range(5), pictures="aligned", prefix="landmark_aligned_face", bom=False, size=64):
    for fold in folds:
        lines = adience_lines(fold)
        text = "\n".join([HEAD, *("\t".join(x) for x in lines), ""])
        put(folder / f"fold_{fold}_data.txt", (b"\xef\xbb\xbf" if bom else b"") + text.encode())
        for u, image, face, *_ in lines:
            put(folder / pictures / u / f"{prefix}.{face}.{image}", jpg(int(face), (size, size)))


def whole(i):
    """A whole photograph, 128 px, face (grey 200) only in the pixels 33 to 64 of MATLAB, that is 32:64."""
    a = np.zeros((128, 128, 3), np.uint8)
    a[..., 2] = 255
    a[32:64, 32:64] = (200, 200, 200)
    return png(Image.fromarray(a))


def fg(f, images="FGNET/images", where="FGNET/points", name="{:03}A{}.JPG", scale=1):
    for i in range(12):
        im = Image.new("RGB", (400 // scale, 500 // scale), (0, 0, 255))
        im.paste((200, 200, 200), tuple(v // scale for v in (130, 150, 270, 330)))
        put(f / images / name.format(i + 1, i + 10), jpg(im=im))
        put(f / where / f"{i + 1:03}a{i + 10}.pts", points((150, 180, 250, 300)))


def cut_inside(data):
    """Take a tenth out of the scan, keep the end mark: a download that lost a block."""
    start = data.index(b"\xff\xda") + 14
    n = len(data) - start
    return data[: start + n // 3] + b"\xff\xd9"


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
