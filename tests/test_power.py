"""Power lost between any two calls of a writer: what is there afterwards is the old or the new, whole."""

import shutil

import keras
import numpy as np
import pytest
from power import events, lose, recorded

from gralib import files, synthetic
from gralib.training import checkpoint

MANY = 40


def survivors(write, before, folder, chances=6):
    """Yield the folder that is left for every moment at which the power may go, and several chances each."""
    start = shutil.copytree(before, folder / "start")
    for cut in range(events(write, start) + 1):
        for seed in range(chances):
            root, left = folder / f"{cut}-{seed}", folder / f"{cut}-{seed}-left"
            shutil.copytree(before, root)
            lose(write, root, cut, left, np.random.default_rng([cut, seed]))
            yield left


@pytest.fixture
def before(tmp_path):
    files.write_text(tmp_path / "before" / "kept" / "file.txt", "old, whole")
    return tmp_path / "before"


def test_what_was_not_synced_may_be_lost_or_torn(before, tmp_path):
    def careless(root):
        (root / "kept" / "part").write_text("new, whole")
        (root / "kept" / "part").replace(root / "kept" / "file.txt")

    found = {(left / "kept" / "file.txt").read_text() for left in survivors(careless, before, tmp_path / "x", MANY)}
    assert {"old, whole", "new, whole", "", "\0" * 10} <= found
    assert any(text and "new, whole".startswith(text) and text != "new, whole" for text in found)


def test_a_sync_of_the_file_alone_does_not_keep_its_name(before, tmp_path):
    def unnamed(root):
        with (root / "other.txt").open("w") as file:
            file.write("x")
        with (root / "other.txt").open() as file:
            files.os.fsync(file.fileno())

    left = [(found / "other.txt").exists() for found in survivors(unnamed, before, tmp_path / "x", MANY)]
    assert any(left) and not all(left[-MANY:])


@pytest.mark.parametrize("name", ["kept/file.txt", "new/folder/file.txt"])
def test_a_file_is_the_old_or_the_new_one_and_the_new_one_in_the_end(before, tmp_path, name):
    last = None
    for left in survivors(lambda root: files.write_text(root / name, "new, whole"), before, tmp_path / "x"):
        last = (left / name).read_text() if (left / name).exists() else None
        assert last in ((None, "new, whole") if name.startswith("new") else ("old, whole", "new, whole"))
    assert last == "new, whole"


def test_a_checkpoint_is_that_of_an_epoch_or_the_next(tmp_path, capsys):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    path = tmp_path / "before" / "checkpoint.npz"
    checkpoint.save(path, checkpoint.state(model), [{"epoch": 1}])

    def second(root):
        checkpoint.save(root / path.name, checkpoint.state(model), [{"epoch": 1}, {"epoch": 2}])

    last = 0
    for left in survivors(second, path.parent, tmp_path / "x"):
        last = len(checkpoint.restore(left / path.name, model))
        assert last in (1, 2)
    assert last == 2 and not capsys.readouterr().err


def test_drawn_faces_are_all_there_or_none(tmp_path):
    def draw(folder, subjects, seed):
        (folder / "inside").mkdir()
        (folder / "inside" / "face.jpg").write_bytes(b"face")

    def write(root):
        synthetic.write("utkface", root / "data" / "utkface", 11, draw=draw)

    (tmp_path / "before").mkdir()
    seen = set()
    for left in survivors(write, tmp_path / "before", tmp_path / "x"):
        if (left / "data" / "utkface").exists():
            assert (left / "data/utkface/inside/face.jpg").read_bytes() == b"face"
            assert (left / "data/utkface/SYNTHETIC.txt").read_text().startswith("The faces in this folder are drawn")
        seen.add((left / "data" / "utkface").exists())
    assert seen == {True, False}


def test_a_writer_that_is_not_interrupted_is_recorded_in_order(tmp_path):
    (tmp_path / "root").mkdir()
    with recorded(tmp_path / "root") as disk:
        files.write_text(tmp_path / "root" / "a.txt", "x")
    kinds = [kind for kind, *_ in disk.events]
    assert kinds == ["create", "sync", "move", "sync"]
