"""A data set describes itself in its module; one that does so wrongly is named."""

import pytest

from gralib import registry
from gralib.data import formats
from gralib.data.formats import missing
from gralib.errors import UserError
from gralib.registry import data_sets, described


def test_data_sets_are_the_modules_that_are_there_in_order():
    assert list(data_sets()) == ["adience", "afad", "fgnet", "utkface", "wikipedia"]
    assert data_sets()["fgnet"].pictures == 1002 and data_sets()["afad"].tasks[0] == "gender"


def test_a_description_is_read_as_text(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Mine."""\nimport nowhere\nX = 1\nDATA = {"title": "Mine", "tasks": ("gender",)}\nDATA.x = 2\n')
    found = described(path)
    assert (found.title, found.tasks, found.pictures, found.address, found.protocol) == ("Mine", ("gender",), 0, "", {})
    for text, said in (
        ("DATA: dict = {}", "expected DATA, a description of the data set"),
        ("X = {}", "expected DATA, a description of the data set"),
        ('DATA = {"title": "Mine", "tasks": ("beauty",)}', "DATA: 1 validation error for DataSet tasks.0 Input should"),
        (
            'DATA = {"title": "Mine", "tasks": (), "files": 1}',
            "DATA: 1 validation error for DataSet files Extra inputs",
        ),
        ("DATA = dict(title=1)", "DATA: malformed node or string"),
        ("DATA = [1]", "DATA: "),
    ):
        path.write_text(text)
        with pytest.raises(ValueError) as error:
            described(path)
        assert str(error.value).startswith(f"{path}: {said}") and "\n" not in str(error.value)


def test_what_is_missing_is_what_is_published_less_what_is_here(monkeypatch):
    from types import SimpleNamespace

    import pandas as pd

    from gralib.data.manifest import COPY

    reasons = ["", "damaged", f"{COPY}a.jpg", "picture not here"]
    manifest = SimpleNamespace(
        dataset="fgnet", rows=pd.DataFrame({"reason": reasons}), source=SimpleNamespace(synthetic=False)
    )
    assert missing(manifest) == 1000
    manifest.rows = pd.DataFrame({"reason": [""] * 1003})
    assert missing(manifest) == 0
    manifest.rows, manifest.source.synthetic = pd.DataFrame({"reason": [""]}), True
    assert missing(manifest) == 0
    assert registry.FORMATS.is_dir()


def test_faces_are_drawn_where_nothing_is_there_and_otherwise_never(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    monkeypatch.setattr(formats.synthetic, "write", lambda *words: calls.append(words) or words[1].mkdir(parents=True))
    drawn = tmp_path / "data/synthetic/fgnet"
    assert [formats.find_root("fgnet") for _ in range(2)] == [drawn] * 2
    assert calls == [("fgnet", drawn, 400, 0, None)]
    assert formats.find_root("fgnet", "mine") == tmp_path / "mine"
    (tmp_path / "data/fgnet").mkdir()
    (tmp_path / "data/fgnet/.half.part").touch()
    assert not formats.holds_files("fgnet") and formats.find_root("fgnet") == drawn
    (tmp_path / "data/fgnet/x").touch()
    assert formats.holds_files("fgnet") and formats.find_root("fgnet") == tmp_path / "data/fgnet"
    with pytest.raises(UserError, match=r"dataset: expected one of adience, .*wikipedia, got 'imdb'"):
        formats.find_root("imdb")
