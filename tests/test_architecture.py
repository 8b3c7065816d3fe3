"""ARCHITECTURE.md shows the house as it is."""

import re

import pytest
from conftest import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
PICTURE, REST = TEXT.split("```")[1], TEXT.split("```")[2]
MODULES = sorted(path for path in (ROOT / "gralib").rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT / "gralib").as_posix())
def test_every_module_stands_in_the_picture(path):
    assert re.search(rf"\b{path.stem}\b", PICTURE)


def test_every_module_that_is_named_is_there():
    known = {path.relative_to(ROOT / "gralib").with_suffix("").as_posix() for path in MODULES}
    named = set(
        re.findall(r"`(?:gralib/)?((?:data|model|training|evaluation|report)/[a-z_/]+)(?:\.py|\.[a-z]+)?`", REST)
    )
    assert len(named) > 15
    assert {name for name in named if name not in known} == set()


def test_the_floors_of_the_picture_are_those_of_the_contract():
    floors = re.findall(r"^(\w+)/ ", PICTURE, re.MULTILINE)
    layers = re.search(r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)[1]
    assert [name for name in re.findall(r'"(\w+)[^"]*",', layers) if (ROOT / "gralib" / name).is_dir()] == floors
