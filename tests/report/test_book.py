"""The report as pages and the book made of them, from made-up runs; no training."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from typer.testing import CliRunner

from gralib import reproduce
from gralib.cli import app
from gralib.config import configure
from gralib.errors import UserError
from gralib.evaluation.claims import COLUMNS
from gralib.evaluation.protocol import load
from gralib.evaluation.rules import Condition
from gralib.evaluation.verdicts import VERDICTS
from gralib.metrics import METRICS
from gralib.report import about, datasets, levels, local, machine, notebooks, pages, plots, release, text
from gralib.report.evidence import open_book
from gralib.report.first import what_was_trained
from gralib.training import records

INPUTS = ("claims.yaml", "protocol.yaml", "contradictions.yaml", "changes.yaml", "literature.csv", "yardsticks.csv",
          "exploratory.yaml", "equations.json", "checklist.yaml", "licences.csv")  # fmt: skip
SEEDS = range(5)


def make_root(folder):
    """Return an empty project folder with what the report is written from."""
    (folder / "reports").mkdir(parents=True)
    for name in INPUTS:
        shutil.copy(ROOT / "reports" / name, folder / "reports")
    for name in ("figures", "tables", "about"):
        shutil.copytree(ROOT / "reports" / name, folder / "reports" / name)
    (folder / "data").mkdir()
    for name in ("data/README.md", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "gralib").symlink_to(ROOT / "gralib")
    for name in ("notebooks", "book"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = make_root(tmp_path / "project")
    monkeypatch.setattr("gralib.errors.ROOT", folder)
    monkeypatch.setattr("gralib.report.notebooks.ROOT", folder)
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory, made_up):
    """A project in which C10 is supported: five seeds far above the constant, and synthetic and recipe runs beside."""
    folder = make_root(tmp_path_factory.mktemp("judged"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gralib.errors.ROOT", folder)
        patch.setattr("gralib.report.notebooks.ROOT", folder)
        protocol = load()
        contrast = protocol.rules["C10"].contrasts[0]
        for seed in SEEDS:
            config = protocol.runs_of(contrast, contrast.pairs[0][0], seed, "tuned")[0]
            made_up(folder / records.KEPT, config, synthetic=False, skill=0.4)
        made_up(folder / records.KEPT, configure("laptop", tuning=True), synthetic=False, skill=0.4)
        made_up(folder / records.STORE, "gender")
        pages.build()
        yield folder


def built(folder, name="build/report"):
    return {p.relative_to(folder / name).as_posix(): p.read_bytes() for p in (folder / name).rglob("*") if p.is_file()}


def test_nothing_run_reads_not_run_and_calculations_stand(root):
    first = pages.build().read_text()
    assert first.count("**not run**") == 17 and "**not testable** (C13)" in first
    assert "Nothing yet that decides: no run that rules ask for is recorded." in first
    assert "| [C2](claims/C2.md) |" in first and "33,019,013" in first
    claim = (root / "build/report/claims/C4.md").read_text()
    assert "gra reproduce C4" in claim and "no run yet" in claim
    assert "Where it would flip" not in claim and "The difference" not in claim
    moved = (root / "build/report/about/changes.md").read_text()
    assert "The 152 runs of the first round" in moved
    line = next(line for line in moved.splitlines() if "C11.md" in line)
    assert "| partly | **not run** |" in line and "Levi and Hassner" in line
    assert "| not asked |" in next(line for line in moved.splitlines() if "C15.md" in line)


@pytest.mark.parametrize(
    ("known", "said"),
    [([], "no run that rules ask for is"), (["b", "x"], "1 of the 3 runs that rules ask for is"),
     (["a", "b"], "2 of the 3 runs that rules ask for are")],
)  # fmt: skip
def test_runs_that_decide_nothing_yet_are_counted(known, said):
    protocol = SimpleNamespace(all_configs=lambda: ["a", "b", "c"])
    book = SimpleNamespace(counted=[], protocol=protocol, known=known)
    assert what_was_trained(book).endswith(f"decides: {said} recorded.")


def test_the_same_records_give_the_same_bytes_and_the_checkout_stays_clean(judged):
    before, committed = built(judged), built(judged, "reports")
    pages.build()
    assert built(judged) == before
    assert built(judged, "reports") == committed
    assert len(before) > 80


def test_what_is_published_does_not_depend_on_this_machine(judged, tmp_path, monkeypatch):
    def published(folder):
        monkeypatch.setattr("gralib.errors.ROOT", folder)
        pages.build(publish=True)
        return built(folder, "reports")

    other = tmp_path / "elsewhere" / "clone"
    shutil.copytree(judged, other, symlinks=True, ignore=shutil.ignore_patterns("build", "runs"))
    with_runs = shutil.copytree(judged, tmp_path / "here", symlinks=True)
    assert (with_runs / "runs").is_dir()
    assert published(other) == published(with_runs)
    text = (other / "reports/about/runs.md").read_text()
    assert "synthetic" not in text and "(../records/" in text


def test_a_judged_claim_shows_number_rule_figure_flips_command_and_runs(judged):
    page = (judged / "build/report/claims/C10.md").read_text()
    row = pd.read_csv(judged / "build/report/tables/claims.csv").set_index(["id", "role"]).loc[("C10", "primary")]
    assert row["verdict"] == "supported" and row["seeds"] == 5
    found = text.estimate(row["value"], row["low"], row["high"], "shares")
    assert f"**Verdict.** **supported**: {found}, 5 seeds" in page
    for part in ("## The rule", "## The difference", "## Its parts", "## Where it would flip", "gra reproduce C10",
                 "without the test faces of fold 4", "rule committed", "](../figures/C10.svg)"):  # fmt: skip
        assert part in page
    for run_id in row["run_ids"].split():
        assert f"(../about/runs.md#{run_id})" in page
        assert f'<a id="{run_id}"></a>' in (judged / "build/report/about/runs.md").read_text()
    assert found in (judged / "build/report/README.md").read_text()
    assert found in (judged / "build/report/experiments/earlier-methods.md").read_text()


def test_what_was_looked_at_afterwards_is_marked_and_decides_nothing(judged):
    page = (ROOT / "reports/claims/C21.md").read_text()
    seen = page.partition("## Looked at afterwards")[2].partition("\n## ")[0]
    asked = yaml.safe_load((ROOT / "reports/exploratory.yaml").read_text())["C21"]["contrasts"]
    assert "**Exploratory**: no rule asked for it" in seen and seen.count(" points [") == len(asked)
    assert not any(verdict in seen for verdict in VERDICTS)
    assert not set(pd.read_csv(ROOT / "reports/tables/claims.csv")["what"]) & {entry["what"] for entry in asked}
    without = (judged / "build/report/claims/C21.md").read_text()  # made-up faces have no such label
    assert "## Looked at afterwards" not in without


def test_recipe_runs_and_synthetic_ones_are_no_results(judged):
    runs = pd.read_csv(judged / "build/report/tables/runs.csv").set_index("run")
    assert sorted(runs["role"]) == ["claim"] * 5 + ["other", "recipe search"]
    chose = runs.index[runs["role"] == "recipe search"][0]
    places = {name for name, data in built(judged).items() if name.endswith(".md") and chose.encode() in data}
    assert places == {"about/runs.md", "experiments/recipe.md"}
    claims = json.loads((judged / "build/report/claims.json").read_text())["claims"]
    used = {run for claim in claims for one in claim["comparisons"] for run in one["runs"]}
    assert used == set(runs.index[runs["role"] == "claim"])
    dataset = (judged / "build/report/datasets/utkface.md").read_text()
    assert "## Other runs" in dataset and "| synthetic |" in dataset


def test_other_runs_are_those_that_no_rule_asks_for(monkeypatch):
    def run(name, dataset="utkface", tuning=False, synthetic=False):
        config = SimpleNamespace(dataset=dataset, tuning=tuning, asked=name == "ruled")
        return SimpleNamespace(record=SimpleNamespace(run_id=name, config=config, synthetic=synthetic))

    runs = [run("drawn", synthetic=True), run("real"), run("ruled"), run("kept"), run("counted", synthetic=True),
            run("search", tuning=True, synthetic=True), run("elsewhere", "fgnet", synthetic=True)]  # fmt: skip
    monkeypatch.setattr(local, "is_standard", lambda run: True)
    monkeypatch.setattr(local, "is_kept", lambda run: run.record.run_id == "kept")
    monkeypatch.setattr(local, "studies", list)
    monkeypatch.setattr(local, "_study", lambda run: run.record.run_id)
    protocol = SimpleNamespace(scores_of=lambda config: ["accuracy"] if config.asked else [])
    book = SimpleNamespace(runs=runs, counted=[runs[4]], protocol=protocol)
    assert local.on_this_machine(book, "utkface").splitlines()[-2:] == ["drawn", "real"]
    assert local.on_this_machine(book, "afad") == ""


def test_an_axis_of_differences_says_its_unit_and_shows_the_margin():
    row = {"unit": "years", "score": "age_mae", "margin": 0.2, "low": -0.1, "high": 0.1, "value": 0, "detectable": 0.1}
    assert plots._end([row]) == pytest.approx(0.4)
    assert plots._end([row | {"high": 0.5}]) == pytest.approx(0.54)
    assert plots.panel_of(row) == "better by, years of age error"
    assert plots.panel_of(row | {"unit": "shares", "score": "accuracy"}) == "better by, points of accuracy"


def test_levels_and_differences_of_a_claim_come_from_the_same_seeds(judged):
    book = open_book("build/report", False)
    assert book.seeds("C1") == (), "a calculation has none"
    contrast = book.rule("C10").contrasts[0]
    from gralib.report.levels import level_of

    one = level_of(book, contrast, contrast.pairs[0][0], book.seeds("C10"))
    assert one.value - one.constant == pytest.approx(book.first("C10")["value"])
    assert set(one.run_ids) == set(book.first("C10")["run_ids"].split())
    single = level_of(book, contrast, contrast.pairs[0][0], [0])
    from gralib.report.levels import interval_in_words

    assert interval_in_words(single) == "one fold, so no interval over folds"


def test_every_page_and_the_table_say_the_same_verdict(judged):
    claims = machine.Claims.model_validate_json((judged / "build/report/claims.json").read_text()).claims
    first = (judged / "build/report/README.md").read_text()
    for claim in claims:
        own = (judged / f"build/report/claims/{claim.id}.md").read_text()
        assert re.search(r"\*\*Verdict\.\*\* \*\*(.+?)\*\*", own)[1] == claim.verdict
        (line,) = re.findall(rf"^\| \[{claim.id}\]\(.*$", first, re.MULTILINE)
        assert f"| **{claim.verdict}** |" in line
    written = [page for page in (judged / "build/report").rglob("*.md") if page.stem not in about.KEPT]
    words = {word for page in written for word in re.findall(r"\*\*((?:not )?[a-z]+)\*\*", page.read_text())}
    assert words - set(VERDICTS) <= {"validation faces"}


def test_links_of_the_pages_lead_somewhere(judged):
    for page in (judged / "build/report").rglob("*.md"):
        for link in set(re.findall(r"\]\(([^)#]+)", page.read_text())):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page}: {link}"


def test_a_damaged_record_is_named_on_the_first_page(root, made_up):
    run = made_up(root / records.STORE, "gender")
    (run.folder / "history.csv").write_text("")
    assert f"- {run.folder}/history.csv: changed since it was written" in pages.build().read_text()


def test_what_an_earlier_report_left_goes_and_nothing_else(root, made_up):
    stale = ("claims/C99.md", "figures/C99.svg", "tables/old.csv")
    for name in (*stale, "records/x/record.json", "figures/benchmarks-growth.svg"):
        (root / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "reports" / name).write_text("x")
    pages.build(publish=True)
    assert not any((root / "reports" / name).exists() for name in stale)
    for name in ("records/x/record.json", "figures/benchmarks-growth.svg", "protocol.yaml"):
        assert (root / "reports" / name).exists()


def prose(path):
    """Yield the strings of a module that are words for a reader, docstrings left out."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.FormattedValue) and node.format_spec:
            skipped |= {id(part) for part in ast.walk(node.format_spec)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def test_no_digit_is_typed_into_prose():
    named = r"\bC\d+\b|(Fig|Eq)\. \d|claims/C\d+"
    axes = ("drawings", "figures", "gridfigures", "label_floor", "questions")  # and equations, no sentences
    drawn = {f"{name}.py" for name in axes}
    for path in sorted(p for p in (ROOT / "gralib/report").glob("*.py") if p.name not in drawn):
        for words in prose(path):
            if len(re.findall(r"[A-Za-z]{2,}", words)) > 1 and " " in words:
                assert not re.search(r"\d", re.sub(named, "", words)), f"{path.name}: {words!r}"


@pytest.mark.parametrize(("value", "unit", "said"), [
    (0.0123, "shares", "+1.2 points"), (-0.0123, "shares", "−1.2 points"), (0.204, "years", "+0.20 years"),
    (-1.5, "doublings", "−1.50 doublings"), (float("nan"), "years", "–"), (33019013, "", "33,019,013"),
])  # fmt: skip
def test_differences_carry_sign_and_unit(value, unit, said):
    assert text.difference(value, unit) == said


@pytest.mark.parametrize(
    ("low", "high", "unit", "said"),
    [
        (-0.00976, -0.000137, "shares", "[−1.0, −0.01]"),
        (-0.0004, 0.004, "shares", "[−0.04, +0.4]"),
        (-0.3, 0.004, "years", "[−0.30, +0.004]"),
        (-0.000045, 0.000002, "shares", "[−0.005, +0.0002]"),
        (0.0, 0.01, "shares", "[+0.0, +1.0]"),
        (float("nan"), float("nan"), "shares", "no interval"),
    ],
)
def test_the_ends_of_an_interval_show_their_side_of_zero(low, high, unit, said):
    assert text.spread(low, high, unit) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (-2.5, "-2.5"), (0.0123, "0.012"), (1234.6, "1,235"), (float("nan"), "–")]
)
def test_a_calculation_is_a_plain_number(value, said):
    assert text.plain(value) == said


def test_more_than_ten_runs_open_on_a_click():
    ten = [f"[{i}](runs.md#{i})" for i in range(1, 11)]
    assert text.cell_of(ten) == " ".join(ten)
    more = text.cell_of([*ten, "[11](runs.md#11)"])
    assert re.fullmatch(r"<details><summary>11 runs</summary> (\[\d+\]\(runs\.md#\d+\) ?){11}</details>", more)


@pytest.mark.parametrize(("folds", "shut"), [(10, False), (11, True)])
def test_more_than_ten_folds_of_a_data_set_open_on_a_click(monkeypatch, folds, shut):
    runs = [SimpleNamespace(record=SimpleNamespace(run_id=f"run{i}", config=SimpleNamespace(fold=i)), converged=True)
            for i in range(folds)]  # fmt: skip
    monkeypatch.setattr(datasets, "plain_runs", lambda book, name: runs)
    book = SimpleNamespace(to_run=lambda page, run_id: f"runs.md#{run_id}")
    study = SimpleNamespace(runs={"age_category": runs, "gender": runs[:2]})
    said = datasets._runs(book, "fgnet", study)
    assert "age category, fold [0](runs.md#run0), [1]" in said and f"[{folds - 1}](runs.md#run{folds - 1});" in said
    assert said.startswith("<details>\n<summary>The runs</summary>") == shut == ("</details>" in said)


def test_a_run_that_did_not_train_is_left_out_of_a_level_and_counted():
    def say(contrast, condition, seed, recipe):
        record = SimpleNamespace(run_id=f"run{seed}", config=configure("smoke", seed=seed))
        run = SimpleNamespace(record=record, converged=seed != 1)
        return [run], SimpleNamespace(values=np.array([0.5 + seed / 10]), constant=np.array([0.25]))

    book = SimpleNamespace(say=say, protocol=SimpleNamespace(general=SimpleNamespace(folds={"utkface": 5})))
    found = levels.level_of(book, SimpleNamespace(dataset="utkface", score="accuracy"), Condition(), range(3))
    assert (found.value, found.seeds, found.constant) == (pytest.approx(0.6), 2, 0.25)
    assert found.not_trained == 1 and found.run_ids == ("run0", "run1", "run2")


def test_a_verdict_flips_with_margin_level_and_fold():
    from gralib.report import flips

    row = {"value": 0.012, "low": 0.001, "high": 0.023, "low_90": 0.004, "high_90": 0.02, "p": 0.04, "folds": 5,
           "rule": "non-inferiority", "margin": 0.01, "unit": "shares"}  # fmt: skip
    assert [case.verdict for case in flips._margins(row)] == ["supported", "supported"]
    worse = {**row, "value": -0.008, "low": -0.012, "high": -0.004, "verdict": "contradicted"}
    assert [case.verdict for case in flips._margins(worse)] == ["contradicted", "supported"]
    assert flips._distance(worse) == "An end of the interval is 0.2 points from where the verdict changes."
    sure = {**row, "value": 0.3, "low": 0.25, "high": 0.35, "verdict": "supported"}
    for rule, distance in (("non-inferiority", 26), ("superiority", 25), ("sign", 25)):
        assert f"is {distance}.0 points from" in flips._distance({**sure, "rule": rule})
    same = {**row, "rule": "superiority", "value": 0.0, "low": -0.004, "high": 0.007, "verdict": "contradicted"}
    assert "is 0.3 points from" in flips._distance(same), "its upper end from the margin; its lower from zero: 0.4"


def test_a_fold_is_left_out_by_the_bounds_of_the_look_that_decided(monkeypatch):
    from gralib.report import flips

    protocol, asked = load(), []
    monkeypatch.setattr(flips, "evaluate", lambda *given: asked.append(given[-2:]) or {})
    book, rule = SimpleNamespace(protocol=protocol, known={}), protocol.rules["C4"]
    flips._folds(book, rule, {"seeds_run": 5})
    assert asked[0] == ([1, 2, 3, 4], (0.5,)) and len(asked) == 5
    flips._folds(book, rule, {"seeds_run": 10})
    assert asked[-1] == ([0, 1, 2, 3, 5, 6, 7, 8], (0.5, 1.0))


def test_a_claim_is_reproduced_from_exactly_its_runs(judged):
    asked = reproduce.asked("C10")
    assert {one.before.record.run_id for one in asked} == set(open_book("x", False).first("C10")["run_ids"].split())
    assert [one.config.seed for one in asked] == list(SEEDS)
    waiting = reproduce.asked("C4")
    assert len(waiting) == len(load().configs("C4")) and sum(one.before is not None for one in waiting) == 5
    (run,) = reproduce.asked(asked[0].before.record.run_id)
    assert reproduce.compared(run.before, run.before).endswith(": identical")
    other = reproduce.asked("C10")[1].before
    assert reproduce.compared(run.before, other).endswith("other test faces than before")
    with pytest.raises(UserError, match="expected a claim"):
        reproduce.asked("C99")
    for claim, instead in (("C2", "gra checks makes it again"), ("C13", "its page says why")):
        with pytest.raises(UserError, match=f"^{claim}: expected a claim with runs, this one has none; {instead}$"):
            reproduce.asked(claim)
    result = CliRunner().invoke(app, ["reproduce", "C10", "--dry-run"])
    assert result.exit_code == 0 and result.stdout.count("utkface gender seed") == 5


def test_a_published_notebook_has_no_faces_times_paths_or_injected_cell(tmp_path):
    picture = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    widget = nbformat.v4.new_output("display_data", {notebooks.WIDGET: {"model_id": "1"}, "text/plain": "0/6"})
    bar = nbformat.v4.new_output("display_data", {"text/plain": "6/6 [00:12]"}, metadata={"progress": True})
    lines = nbformat.v4.new_output("stream", text=f"<object at 0x7f00aa> in {notebooks.ROOT}/runs\n")
    warning = nbformat.v4.new_output("stream", name="stderr", text="red")
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nThe losses by **epoch**."),
        nbformat.v4.new_code_cell('preset: str = "smoke"  # size\nseed: int = 0  # of all',
                                  metadata={"tags": ["parameters"], "papermill": {"duration": 1.5}}),
        nbformat.v4.new_code_cell('# Parameters\npreset = "laptop"\n', metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell("figures.losses(history)", outputs=[picture, widget, bar, lines, warning]),
        nbformat.v4.new_code_cell("figures.keep_faces(sheet, 'utkface', 'worst', False)", outputs=[picture]),
    ]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {"start_time": "2026"}})
    nbformat.write(notebook, tmp_path / "story.ipynb")
    found = nbformat.read(notebooks.publish(tmp_path / "story.ipynb", tmp_path / "out.ipynb"), as_version=4)
    nbformat.validate(found)
    assert [cell.cell_type for cell in found.cells] == ["markdown", "code", "code", "code"]
    assert found.cells[1].source == 'preset: str = "laptop"  # size\nseed: int = 0  # of all'
    assert found.cells[2].metadata["mystnb"]["image"]["alt"] == "The losses by epoch."
    assert found.cells[2].outputs[1].text == "<object > in runs\n"
    assert len(found.cells[2].outputs) == 2
    assert [o.text for o in found.cells[3].outputs] == [notebooks.LEFT_OUT]
    assert "papermill" not in (tmp_path / "out.ipynb").read_text()


def test_executed_notebooks_agree_with_the_report():
    table = pd.read_csv(ROOT / "reports/tables/claims.csv").groupby("id")["verdict"].first()
    for path in sorted((ROOT / "reports/notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                said = output.get("text", "") or str(output.get("data", {}).get("text/markdown", ""))
                for claim, verdict in re.findall(rf"\b(C\d+)\b[^\n]*?\b({'|'.join(VERDICTS)})\b", said):
                    assert table[claim] == verdict, f"{path.name}: {claim}"


def test_claims_for_machines_follow_their_schema(judged):
    assert list(pd.read_csv(judged / "build/report/tables/claims.csv")) == COLUMNS
    written = json.loads((judged / "build/report/claims.schema.json").read_text())
    assert written == machine.Claims.model_json_schema()
    assert json.loads((ROOT / "reports/claims.schema.json").read_text()) == written
    data = json.loads((judged / "build/report/claims.json").read_text())
    assert [claim["id"] for claim in data["claims"]] == [f"C{i}" for i in range(1, 22)]
    data["claims"][0]["verdict"] = "reproduced"
    with pytest.raises(ValueError, match="verdict"):
        machine.Claims.model_validate(data)


def test_latex_is_for_two_columns_and_compiles(judged, tmp_path):
    table, parts = ((judged / f"build/report/tables/{name}.tex").read_text() for name in ("claims", "claim-parts"))
    assert parts.count(r"\begin{table*}") == parts.count(r"\end{table*}") > 1
    assert max(part.count(r"\\") for part in parts.split(r"\end{table*}")) <= machine.LINES + 1, "fits a page"
    assert table.startswith(r"\begin{table*}") and r"\toprule" in table and "33,019,013" in table
    assert all(f"\nC{i} &" in table for i in range(1, 22))
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("no TeX on this machine: the table was not compiled")
    paper = (
        r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}" + table + parts + r"\end{document}"
    )
    (tmp_path / "paper.tex").write_text(paper)
    done = subprocess.run([latex, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_the_report_loads_no_keras(judged):
    said = "from gralib.report.pages import build; build(); import sys; print(*{'keras', 'jax'} & {*sys.modules})"
    environment = {**os.environ, "GRA_ROOT": str(judged), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", said], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_parts_list_names_every_locked_package():
    found = release.parts_list((ROOT / "requirements.lock").read_text())
    names = {part["name"] for part in found["components"]}
    assert {"keras", "tensorflow", "numpy", "sphinx"} <= names
    assert all(part["hashes"] and part["version"] for part in found["components"])


def test_the_archive_is_the_same_bytes_twice(root):
    with pytest.raises(UserError, match="make book builds it"):
        release.pack()
    (root / "build/book").mkdir(parents=True)
    (root / "build/book/index.html").write_text("<p>book</p>")
    first = release.pack().read_bytes()
    os.utime(root / "build/book/index.html", (0, 0))
    assert release.pack().read_bytes() == first
    with tarfile.open(release.pack()) as packed:
        modes = {entry.name: entry.mode for entry in packed}
    assert set(modes.values()) == {0o644}
    for name in ("build/book/index.html", "reports/protocol.yaml", "requirements.lock", "build/sbom.cdx.json"):
        assert f"gra-net-reproduced/{name}" in modes


def test_how_to_cite_agrees_everywhere():
    import tomllib

    import yaml

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    meta, citation = (
        json.loads((ROOT / "codemeta.json").read_text()),
        yaml.safe_load((ROOT / "CITATION.cff").read_text()),
    )
    assert meta["version"] == project["version"]
    assert meta["name"] == citation["title"]
    assert meta["referencePublication"]["url"] == citation["references"][0]["url"]


def make_book(folder: Path) -> Path:
    """Build the book of a project folder with warnings as errors; return it."""
    words = ["-q", "-W", "-b", "html", "-c", "book", "-d", "build/doctrees", "build/report", "build/book"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "build/book"


@pytest.fixture(scope="module")
def book(judged):
    """The book of a project with an executed notebook."""
    pytest.importorskip("sphinx_book_theme", reason="the extra 'book' is not installed")
    shown = nbformat.v4.new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2\n")])
    story = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A story\n\nWith $x^2$."), shown])
    (judged / "build/notebooks").mkdir(parents=True, exist_ok=True)
    nbformat.write(story, judged / "build/notebooks/story.ipynb")
    pages.build()
    return make_book(judged)


def test_the_book_is_the_same_bytes_from_another_folder(book, judged, tmp_path):
    other = tmp_path / "another" / "folder"
    shutil.copytree(judged, other, symlinks=True, ignore=shutil.ignore_patterns("build/book", "doctrees"))
    shutil.rmtree(other / "build/book")
    again = make_book(other)
    first, second = ({p.relative_to(d): p.read_bytes() for d in (place,) for p in d.rglob("*") if p.is_file()}
                     for place in (book, again))  # fmt: skip
    assert {str(name) for name in first} == {str(name) for name in second}
    assert [str(name) for name in first if first[name] != second[name]] == []


def test_links_of_the_book_resolve_and_nothing_is_asked_of_others(book):
    ids = {page: set(re.findall(r'\bid="([^"]+)"', page.read_text())) for page in book.rglob("*.html")
           if "_static" not in page.parts}  # fmt: skip
    assert len(ids) > 50
    for page in ids:
        for kind, link in re.findall(r'<(?:a|link|img|script)\b[^>]*?\b(href|src)="([^"]+)"', page.read_text()):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                assert kind == "href" and not re.search(rf'<link[^>]+href="{re.escape(link)}"', page.read_text()), link
                continue
            file = (page.parent / target.partition("?")[0]).resolve() if target else page.resolve()
            assert file.exists(), f"{page}: {link}"
            if anchor and file in ids:
                assert anchor in ids[file], f"{page}: {link}"


def test_verdicts_are_badges_tables_sort_and_the_sidebar_follows_folders(book):
    first, claim = ((book / name).read_text() for name in ("index.html", "claims/C10.html"))
    assert first.count('class="verdict verdict-not-run"') >= 10
    assert 'class="verdict verdict-supported"' in claim
    assert re.search(r'<table class="[^"]*sortable', first)
    for section in ("Claims", "Experiments", "Data sets", "Notebooks", "About"):
        assert re.search(rf"toctree-l1[^>]*><a[^>]*>{section}</a>", first), section
    waiting = (book / "claims/C4.html").read_text()
    for file in ("notebooks/gate_ablation.ipynb", "reports/protocol.yaml"):
        assert f'href="../_files/{file}"' in waiting
    assert not re.search("verdict-(supported|contradicted|inconclusive)", waiting)  # the words of its rule are none
    assert "The 5 runs recorded so far" in waiting and waiting.count("no verdict yet") == 5
    scores = (book / "datasets/utkface.html").read_text()
    assert re.search(r"Runs of GRA_Net, here and below.*?runs.html#utkface", scores)
    story = (book / "notebooks/story.html").read_text()
    assert "<math" in story and not re.search(r"<script[^>]*mathjax", story.lower())


def test_a_verdict_has_one_colour_in_figures_and_pages():
    style = (ROOT / "book/_static/book.css").read_text()
    for verdict, colour in plots.COLOURS.items():
        if verdict != "not run":  # an outline
            assert f".verdict-{verdict.replace(' ', '-')} {{ background: {colour}; }}" in style
    assert set(plots.COLOURS) == set(VERDICTS) == set(about.VERDICT_WORDS)


def test_an_axis_says_better_of_scores_alone():
    names = ("accuracy", "category_mae_years", "feature_growth", "mask_position_share")
    axes = [plots.panel_of({"score": name, "unit": METRICS[name].unit}) for name in names]
    assert axes == ["better by, points of accuracy", "better by, years of age error", "more, doublings",
                    "more, points of the masks’ variance"]  # fmt: skip


def test_the_first_sentence_counts_what_the_table_holds(judged):
    first = (judged / "build/report/README.md").read_text()
    sentence = re.search(r"\*\*What came out\.\*\* (.+)", first)[1]
    rows = re.findall(r"^\| \[(C\d+)\].*\| \*\*(.+?)\*\*", first, re.MULTILINE)
    assert len(rows) == 21
    named = {}
    for count, verdict, ids in re.findall(r"(\d+) (?:is|are) \*\*(.+?)\*\* \((.+?)\)", sentence):
        assert int(count) == len(ids.split(", "))
        named |= dict.fromkeys(ids.split(", "), verdict)
    assert named == dict(rows)
    trained = re.search(r"\*\*What was trained\.\*\* Behind the verdicts stand (\d+) runs on real", first)
    assert int(trained[1]) == len(SEEDS)


def test_the_ladder_of_widths_names_what_is_not_run(judged):
    text = (judged / "build/report/experiments/widths.md").read_text()
    gender, years = text.split("\n## ")[1:]
    assert gender.startswith("Gender accuracy") and years.startswith("Age MAE of the category network")
    assert re.findall(r"^\| (width \d+) \|", gender, re.MULTILINE) == ["width 8"]
    assert "**not run**: width 4, width 16 and width 32." in gender
    assert "**not run**: width 4, width 8, width 16 and width 32." in years


def test_notebooks_run_here_and_pictures_of_faces_are_shown_here_alone(root):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Ours")])
    mine, committed = root / "build/notebooks/depth.ipynb", root / "reports/notebooks/depth.ipynb"
    for path in (mine, committed, root / "build/faces/a.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, mine)
    nbformat.write(notebook, mine.with_stem("orientation"))
    (root / "build/faces/a.png").write_bytes(b"a face")

    def shown():
        pages.build()
        return {name: data for name, data in built(root).items() if name.startswith(("notebooks/", "faces/"))}

    found = shown()
    assert found["faces/a.png"] == b"a face" and b"# Ours" in found["notebooks/depth.ipynb"]
    assert "notebooks/depth-here.ipynb" not in found
    committed.write_text(notebooks.cleaned(mine))
    notebook.cells[0].source = "# Newer"
    nbformat.write(notebook, mine.with_stem("orientation"))
    once = shown()
    assert set(once) == set(found), "the same as the committed one: once"
    assert b"# Newer" in once["notebooks/orientation.ipynb"]
    notebook.cells[0].source = "# Theirs"
    nbformat.write(notebook, committed)
    found = shown()
    assert b"# Theirs" in found["notebooks/depth.ipynb"] and b"# Ours" in found["notebooks/depth-here.ipynb"]


def test_a_page_that_cannot_be_written_is_named_and_the_others_are(root, monkeypatch):
    def broken(book):
        raise UserError("a-run: its predictions do not fit")

    monkeypatch.setattr(pages.experiments, "write", broken)
    first = pages.build().read_text()
    assert "experiments: a-run: its predictions do not fit" in first
    assert (root / "build/report/claims/C4.md").exists() and not (root / "build/report/experiments").exists()
