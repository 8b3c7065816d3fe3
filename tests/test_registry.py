"""A data set describes itself in its module; one that does so wrongly is named."""

import pytest

from gralib import registry
from gralib.data.formats import missing
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
