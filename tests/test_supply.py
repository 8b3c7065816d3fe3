"""What is handed on: licences of the lock as it is, advisories by known answers, a Containerfile of the lock."""

import csv
import json
import zipfile

import advisories
import container
import pytest
from conftest import ROOT
from packages import locked

from gralib import doctor
from gralib.errors import UserError
from gralib.report import release


def test_every_locked_package_has_a_licence_and_no_other():
    with (ROOT / "reports/licences.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"]: row["version"] for row in rows} == locked()
    assert [row["name"] for row in rows if not row["licence"] or row["licence"].startswith("not ")] == []


def test_the_list_of_parts_says_licences_and_is_of_the_lock():
    parts = release.parts_list((ROOT / "requirements.lock").read_text(), {"keras": "Apache 2.0"})["components"]
    assert {part["name"].lower(): part["version"] for part in parts} == locked()
    assert len({part["bom-ref"] for part in parts}) == len(parts)
    (keras,) = (part for part in parts if part["name"] == "keras")
    assert keras["licenses"] == [{"license": {"name": "Apache 2.0"}}] and keras["hashes"][0]["alg"] == "SHA-256"
    assert all("licenses" not in part for part in parts if part["name"] != "keras")


def advisory(name, events, identity="PYSEC-1", **more):
    spans = [{"type": "ECOSYSTEM", "events": events}]
    affected = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": spans}
    return {"id": identity, "modified": "2026-03-04T05:06:07Z", "affected": [affected], **more}


@pytest.mark.parametrize(("events", "hit"), [
    ([{"introduced": "0"}, {"fixed": "1.5"}], False),
    ([{"introduced": "0"}, {"fixed": "1.5.1"}], True),
    ([{"introduced": "1.5"}], True),
    ([{"introduced": "1.5.0.post1"}], False),
    ([{"introduced": "0"}, {"last_affected": "1.5"}], True),
    ([{"introduced": "0"}, {"last_affected": "1.4"}], False),
    ([{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.4"}, {"fixed": "1.10"}], True),
    ([{"fixed": "1.2"}, {"introduced": "0"}], False),
])  # fmt: skip
def test_a_version_is_in_a_range_or_not(tmp_path, events, hit):
    (tmp_path / "one.json").write_text(json.dumps(advisory("Some_Thing", events)))
    found = advisories.audit(tmp_path / "one.json", {"some-thing": "1.5", "other": "1"})
    assert found["vulnerable"] == ({"some-thing": ["PYSEC-1"]} if hit else {})
    assert found["audited"] == 2 and found["until"] == "2026-03-04"


YAML = """
id: PYSEC-2
modified: 2026-05-06T00:00:00Z
affected:
- package: {ecosystem: PyPI, name: thing}
  versions: ['1.0', '2']
"""


def test_a_snapshot_may_be_an_archive_of_either_kind_and_what_was_withdrawn_is_no_finding(tmp_path):
    always = [{"introduced": "0"}]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.json", json.dumps(advisory("thing", always, withdrawn="2026-01-01T00:00:00Z")))
        archive.writestr("b.yaml", YAML)
        archive.writestr("c.json", json.dumps(advisory("thing", always, "NPM-1") | {"affected": [
            {"package": {"ecosystem": "npm", "name": "thing"}, "versions": ["1.0"]}]}))  # fmt: skip
        archive.writestr("README.md", "advisories")
    found = advisories.audit(tmp_path / "all.zip", {"thing": "1.0"})
    assert found["vulnerable"] == {"thing": ["PYSEC-2"]} and found["advisories"] == 3
    assert found["until"] == "2026-05-06" and len(found["sha256"]) == 64
    (tmp_path / "all.jsonl").write_text("\n".join(json.dumps(advisory("thing", always, f"P-{i}")) for i in range(2)))
    assert advisories.audit(tmp_path / "all.jsonl", {"thing": "1.0"})["vulnerable"] == {"thing": ["P-0", "P-1"]}


@pytest.mark.parametrize("text", ["", "[]", "{}", "no json", '{"id": "x"}', "[1]"])
def test_another_file_is_no_snapshot_and_says_so_in_one_line(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=r"x\.json: expected advisories of the OSV format"):
        advisories.audit(tmp_path / "x.json", {"thing": "1"})
    with pytest.raises(UserError, match="expected advisories"):
        advisories.audit(tmp_path / "gone.zip", {"thing": "1"})


def test_the_containerfile_builds_the_lock_on_a_python_that_is_accepted():
    steps = container.steps((ROOT / "Containerfile").read_text())
    assert [step.name for step in steps] == ["FROM", "WORKDIR", "COPY", "RUN", "COPY", "RUN", "RUN", "CMD"]
    version = tuple(map(int, steps[0].words.split(":")[1].split("-")[0].split(".")))
    assert version in doctor.PYTHONS
    assert "--require-hashes -r requirements.lock" in steps[3].words and "requirements.lock" in steps[2].words.split()
    assert "--no-index -e ." in steps[5].words


def test_the_steps_of_a_containerfile_are_done_in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "context" / "sub").mkdir(parents=True)
    (tmp_path / "context" / "a.txt").write_text("a")
    (tmp_path / "context" / "sub" / "b.txt").write_text("b")
    image = container.Image(tmp_path / "image", tmp_path / "context")
    for step in container.steps("# x\nWORKDIR /study\nCOPY a.txt ./\nCOPY . .\nRUN cat a.txt \\\n sub/b.txt > c.txt\n"):
        image.do(step)
    assert (tmp_path / "image/study/c.txt").read_text() == "ab"
    with pytest.raises(SystemExit, match="RUN false failed"):
        image.do(container.Step("RUN", "false"))
    with pytest.raises(SystemExit, match="expected FROM"):
        image.do(container.Step("EXPOSE", "80"))
