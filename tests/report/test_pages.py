"""The committed pages beside those that the committed records give now: every word and number, figures left out."""

import os
import shutil
import subprocess

import pandas as pd
import pytest
from conftest import ROOT

from gralib.evaluation.ruledates import RuleDate, rule_dates
from gralib.report import evidence, figures, pages

WRITTEN = (".md", ".csv", ".tex", ".json")
LINKED = ("records", "notebooks", "figures", "about")
"""Below reports/: what the report reads, or others write."""


def committed_dates():
    """Return when each rule was committed, as the committed table says."""
    table = pd.read_csv(ROOT / "reports/tables/claims.csv", keep_default_na=False)
    return {row["id"]: RuleDate(row["rule_commit"], row["rule_date"]) for row in table.to_dict(orient="records")}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project folder with what the report is made from, rules dated as the committed table says, and no drawing."""
    (tmp_path / "reports").mkdir()
    for path in ROOT.iterdir():
        if path.name != "reports":
            (tmp_path / path.name).symlink_to(path)
    for path in (ROOT / "reports").iterdir():
        if path.is_dir() and path.name in LINKED:
            shutil.copytree(path, tmp_path / "reports" / path.name, copy_function=os.symlink)
        elif path.is_file():
            (tmp_path / "reports" / path.name).symlink_to(path)
    shutil.copytree(ROOT / "reports/tables", tmp_path / "reports/tables")
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    monkeypatch.setattr(evidence, "rule_dates", committed_dates)
    monkeypatch.setattr(figures, "save", lambda drawn, path: path)
    return tmp_path


def test_the_committed_pages_are_those_of_the_committed_records(root):
    """Fails where records, rules or pages changed and `gra report --publish` was not called."""
    pages.build(publish=True)
    for place in sorted(p.relative_to(ROOT) for p in (ROOT / "reports").rglob("*") if p.suffix in WRITTEN):
        if "records" not in place.parts and (root / place).exists():
            assert (root / place).read_text() == (ROOT / place).read_text(), place
    made, committed = (
        {p.relative_to(folder) for p in (folder / "reports").rglob("*") if p.suffix in WRITTEN}
        for folder in (root, ROOT)
    )
    assert made == committed, "no page is missing, and none is new"


def test_the_committed_dates_of_rules_are_those_of_the_history():
    asked = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    if subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() != "false":
        pytest.skip("no whole history here: it dates the rules on the pages")
    assert rule_dates() == committed_dates()
