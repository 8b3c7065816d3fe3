"""Nobody's files can crash a loader, fill the memory, run code, or write where they should not."""

import bz2
import json
import re
import struct
import zipfile
import zlib

import fuzz
import fuzz_kept
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gralib import files
from gralib.config import configure
from gralib.data import sources
from gralib.data.faces import decode, open_faces
from gralib.data.formats import adience, afad, fgnet, load, utkface, wikipedia
from gralib.errors import FailedTraining, UserError
from gralib.report import figures
from gralib.training import checkpoint, experiment, fit, records
from gralib.visitors import shipped

quick = settings(max_examples=200, deadline=2000, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
def test_hundreds_of_broken_trees_end_in_rows_or_one_line(tmp_path):
    ends = fuzz.hostile(tmp_path, 150, seed=1)["ends"]
    read = sum(count for end, count in ends.items() if end.endswith(": read"))
    assert read > 60 and 150 - read > 6


KEPT = {
    "records": lambda folder, asked: fuzz_kept.of_records(fuzz_kept.record_of_the_project()),
    "protocol": lambda folder, asked: fuzz_kept.of_protocol(ROOT / "reports/protocol.yaml"),
    "networks": lambda folder, asked: fuzz_kept.of_networks(asked("tiny_network")),
    "pixels": lambda folder, asked: fuzz_kept.of_pixels(folder / "sound"),
}


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.slow
def test_what_we_wrote_is_read_as_it_was_made_anew_or_refused_when_damaged(kind, request, tmp_path):
    ends = fuzz_kept.kept(KEPT[kind](tmp_path, request.getfixturevalue), tmp_path / "tried", 24, seed=1)["ends"]
    assert sum(ends.values()) == 24
    assert sum(count for end, count in ends.items() if not end.endswith(": read")) > 12


def test_an_upload_is_taken_or_named(networks, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", networks)
    monkeypatch.setattr("gralib.visitors.photos.find", lambda picture, faces="all": [])  # the detector takes its time
    ends = fuzz_kept.kept(fuzz_kept.of_uploads(networks), tmp_path, 60, seed=1)["ends"]
    shipped.open_networks.cache_clear()
    assert set(ends) == {"page: taken", "page: refused", "predict: taken", "predict: refused"}


@quick
@given(st.binary(max_size=400))
def test_any_bytes_are_a_picture_or_a_reason(data):
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        result = decode(start + data, "0 0 9 9")
        assert isinstance(result, str) or result.shape == (32, 32, 3)


@quick
@given(st.text(max_size=60))
def test_any_name_is_a_row(text):
    for name in (text, f"{text}.jpg", f"20_0_0_2017{text}.jpg"):
        *_, status, reason = utkface.read_name(name)
        assert (status == "kept") != bool(reason)
    row = afad.read_path(f"{text}/111/12-3.jpg")
    assert row.status == "kept" or row.reason


@quick
@given(st.one_of(st.binary(max_size=300), st.lists(st.floats(), max_size=140).map(lambda x: f"{{{x}}}".encode())))
def test_any_bytes_are_landmarks_a_fold_a_struct_or_one_line(data):
    for read in (fgnet.read_points, adience.read_fold, wikipedia.read_mat):
        try:
            read(data, "the-file")
        except UserError as error:
            assert str(error).startswith("the-file: expected") and len(str(error).splitlines()) == 1


def png(width, height):
    """A picture whose header claims more than there is."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8001, 60000, 2**31 - 1])
def test_a_picture_that_claims_to_be_huge_is_not_unpacked(side):
    assert decode(png(side, 2)) == "picture larger than 8000 pixels"


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "HEAVIEST", 1000)
    name = "20_0_0_20170112213500901.jpg.chip.jpg"
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(5000))
    source = load("utkface", tmp_path / "bomb.zip").source
    with (
        source.reader() as read,
        pytest.raises(UserError, match=rf"bomb\.zip: {name}: expected a readable file, got larger"),
    ):
        read(name)
    with pytest.raises(UserError, match=r"bomb\.zip: 1 pictures, none usable; most: file cannot be read: larger"):
        open_faces("utkface", tmp_path / "bomb.zip", tmp_path / "cache", progress=False)


class Payload:
    """An object whose unpickling would create a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_weights_that_hold_code_are_refused_and_not_run(tmp_path):
    model = fit.build(configure("smoke", width=2))
    bomb = np.empty(1, dtype=object)
    bomb[0] = Payload(tmp_path / "ran")
    np.savez(tmp_path / "weights.npz", a0=bomb, history=bomb)
    with pytest.raises(UserError, match=r"weights\.npz: expected the weights of this network, got "):
        checkpoint.load_weights(model, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", "cut"])
def test_a_damaged_checkpoint_starts_the_training_anew(tmp_path, capsys, content):
    config = configure("smoke", width=2)
    model = fit.prepare(config, 2)
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, checkpoint.state(model), [{"epoch": 1}])
    assert checkpoint.restore(path, model) == [{"epoch": 1}]
    path.write_bytes(path.read_bytes()[:5000] if content == "cut" else content)
    assert checkpoint.restore(path, model) == []
    assert f"{path}: damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "record.json",
            lambda t: t.replace('"schema_version": 3', '"schema_version": 2'),
            "schema_version: expected 3",
        ),
        ("record.json", lambda t: re.sub(r'"seconds": [\d.]+', '"seconds": NaN', t), "seconds: "),
        ("record.json", lambda t: t.replace('"fingerprint": "', '"fingerprint": "../'), "fingerprint: "),
        ("record.json", lambda t: t.replace("made-up", "made\udcff"), "record.json: Invalid JSON: invalid unicode"),
        (
            "predictions.csv.bz2",
            lambda t: t.rsplit("\n", 2)[0] + "\n",
            "expected .* rows of numbers, one a test face",
        ),
        ("predictions.csv.bz2", lambda t: t.rsplit(",", 1)[0] + ",\n", "1 outputs that are no number"),
        ("predictions.csv.bz2", lambda t: t.rsplit(",", 1)[0] + ",somebody\n", "1 outputs that are no number"),
        ("predictions.csv.bz2", lambda t: t.replace("p_female", "p_male"), "columns ..p_male.., not ..p_female.."),
        ("predictions.csv.bz2", lambda t: t.replace("\n0,", "\n-1,", 1), "whole numbers"),
        ("predictions.csv.bz2", lambda t: t.replace("\n0,", f"\n{2**63 - 1},", 1), "rows that no table of faces has"),
        ("predictions.csv.bz2", lambda t: t.replace("\n0,", "\n9999999,", 1), "expected the faces of .*out-of-bounds"),
        ("predictions.csv.bz2", None, "got no file"),
        ("history.csv", lambda t: t.replace("train_loss", "loss\udcff"), "expected a table written with the run"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused_with_its_path(made_up, tmp_path, name, change, message):
    run, other = made_up(tmp_path, "gender"), made_up(tmp_path, "age_category")
    path = run.folder / name
    if change:
        text = unzipped(path)
        assert change(text) != text
        data = change(text).encode(errors="surrogateescape")
        records.add(
            run.folder, name, bz2.compress(data) if name.endswith("bz2") else data
        )  # with a checksum that agrees
    else:
        path.unlink()
    runs, problems = records.gather([tmp_path])
    assert [found.folder for found in runs] == [other.folder] and len(problems) == 1
    assert (str(path) if "the faces of" not in message else run.folder.name) in problems[0]
    assert re.search(message, problems[0]) and "\n" not in problems[0], problems[0]


def unzipped(path):
    """The text of a file of a run."""
    data = path.read_bytes()
    return (bz2.decompress(data) if path.suffix == ".bz2" else data).decode()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("record.json", lambda t: t.replace('"synthetic": true', '"synthetic": false')),
        ("record.json", lambda t: re.sub(r'"chosen_epoch": \d+', '"chosen_epoch": 3', t)),
        ("predictions.csv.bz2", lambda t: t.replace("p_female", "p_male")),
        ("../faces", lambda t: t.replace(",male,", ",female,", 1)),
        ("history.csv", lambda t: "".join(t.splitlines(keepends=True)[:2])),
        ("SHA256SUMS", lambda t: t.replace("  history.csv", " history.csv")),
        ("SHA256SUMS", lambda t: t.replace("  history.csv", "  ../../history.csv")),
    ],
)
def test_a_record_edited_by_hand_is_named(made_up, tmp_path, name, change):
    path = made_up(tmp_path, "gender").folder / name
    path = next((tmp_path / "faces").iterdir()) if name == "../faces" else path
    text = unzipped(path)
    assert change(text) != text
    path.write_bytes(bz2.compress(change(text).encode()) if path.suffix == ".bz2" else change(text).encode())
    runs, problems = records.gather([tmp_path])
    expected = "expected (the checksums|names of)" if name == "SHA256SUMS" else "changed since it was written"
    assert not runs and len(problems) == 1 and re.match(f"{path}: {expected}", problems[0])


@pytest.mark.parametrize("content", [bz2.compress(bytes(2**20)), bz2.compress(b"a")[:-1], b"", b"text"])
def test_a_table_that_unpacks_to_gigabytes_or_not_at_all_is_refused(made_up, tmp_path, monkeypatch, content):
    monkeypatch.setattr("gralib.training.packed.LARGEST", 2**19)
    run = made_up(tmp_path, "gender")
    records.add(run.folder, "predictions.csv.bz2", content)
    runs, problems = records.gather([tmp_path])
    assert not runs and problems[0].startswith(f"{run.folder}/predictions.csv.bz2: expected ")


def test_a_failed_training_is_marked_named_and_tried_again(faces, tmp_path, monkeypatch, made_up):
    config = configure("smoke", task="gender", width=2, epochs=3)

    def diverges(*_):
        raise FailedTraining("the loss is no number after epoch 1")

    monkeypatch.setattr(experiment, "_train", diverges)
    with pytest.raises(FailedTraining):
        experiment.run(config, faces, tmp_path)
    run_id = config.run_id(faces.fingerprint)
    _, problems = records.gather([tmp_path])
    assert problems == [f"{tmp_path / run_id / 'failed.json'}: failed: the loss is no number after epoch 1"]
    assert json.loads((tmp_path / run_id / "failed.json").read_text())["config"]["width"] == 2
    assert made_up(tmp_path, config).folder.name == run_id
    runs, problems = records.gather([tmp_path])
    assert len(runs) == 1 and not problems


@pytest.mark.parametrize("write", ["text", "arrays", "figure"])
def test_a_full_disk_is_said_in_one_line_and_leaves_what_was_there(tmp_path, monkeypatch, write):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    writers = {
        "text": lambda path, what: files.write_text(path, what),
        "arrays": lambda path, what: checkpoint.save(path, [np.zeros(len(what))]),
        "figure": lambda path, what: figures.save(figures.canvas(what, ""), path),
    }
    path = tmp_path / f"file.{'svg' if write == 'figure' else 'npz'}"
    writers[write](path, "old")
    before = path.read_bytes()
    monkeypatch.setattr("numpy.savez" if write == "arrays" else "os.fsync", full)
    with pytest.raises(UserError, match=r"file\....: could not be written: No space left on device"):
        writers[write](path, "newer")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
