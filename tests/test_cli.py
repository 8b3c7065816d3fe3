"""The command `gra`, as a user meets it."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
from conftest import ROOT
from PIL import Image

from gralib import cli, doctor
from gralib.config import configure
from gralib.evaluation import measures
from gralib.training import grids


@pytest.fixture
def gra(monkeypatch, capfd):
    """A function that calls the command in this process: its exit status, and what it printed.

    A line that it ends with is printed and status 1, as Python does it; two tests below start a process of their own.
    """

    def call(*words, root=ROOT):
        monkeypatch.setattr("gralib.errors.ROOT", Path(root))
        monkeypatch.setattr(sys, "argv", ["gra", *words])
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capfd.readouterr()
        code, said = (1, f"{done.value.code}\n") if isinstance(done.value.code, str) else (done.value.code or 0, "")
        return SimpleNamespace(returncode=code, stdout=out, stderr=err + said)

    return call


@pytest.mark.parametrize(
    "words", [[], ["data"], ["run"], ["report"], ["data", "check"], ["notebook"], ["keep"], ["grid"], ["records"]]
)
def test_help_explains(words, gra):
    result = gra(*words, "--help")
    assert result.returncode == 0
    assert "Usage:" in result.stdout


def test_help_and_import_load_nothing_heavy():
    code = "import sys, gralib.cli; print({'keras', 'tensorflow', 'pandas', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_data_check_accounts_for_every_file(drawn, tmp_path, gra):
    files = sum(p.is_file() for p in drawn.rglob("*"))
    result = gra("data", "check", "utkface", "--root", str(drawn), "--json", root=tmp_path)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["synthetic"]
    assert sum(row["files"] for row in answer["account"]) == 2 * files
    table = gra("data", "check", "utkface", "--root", str(drawn), root=tmp_path)
    assert "picture damaged or cut short" in table.stdout
    assert "synthetic faces" in table.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "check", "utkface", "--root", "nowhere"], "nowhere: not found; expected a folder"),
        (
            ["data", "check", "imdb", "--root", "."],
            "dataset: expected one of adience, afad, fgnet, utkface, wikipedia, got 'imdb'",
        ),
        (
            ["data", "synthesize", "--layout", "morph", "--out", "x"],
            "layout: expected one of adience, afad, fgnet, utkface, wikipedia, got 'morph'",
        ),
        (
            ["run", "--task", "age"],
            "task: expected 'gender', 'age_category', 'age_regression' or 'age_group', got 'age'",
        ),
        (
            ["run", "--dataset", "fgnet", "--task", "gender"],
            "task: expected one of age_category, age_regression on fgnet",
        ),
        (["run", "--task", "gender", "--set", "fold=5"], "fold: expected 0 to 4, got 5"),
        (
            ["run", "--task", "gender", "--set", "protocol=official"],
            "protocol: official is for folds 0 to 4 of adience",
        ),
        (["data", "how-to", "morph"], "dataset: expected one of adience"),
        (["data", "fetch", "utkface"], "utkface: cannot be fetched without a person"),
        (["run", "--task", "gender", "--preset", "big"], "preset: expected one of smoke, laptop, paper, got 'big'"),
        (["run", "--task", "gender", "--set", "widht=3"], "widht: unknown; the fields are"),
        (["run", "--task", "gender", "--set", "width"], "width: expected NAME=VALUE"),
        (["run", "--task", "gender", "--set", "gate=1.5"], "gate"),
        (["data", "check", "lfw"], "dataset: expected one of adience, afad, fgnet, utkface, wikipedia, got 'lfw'"),
        (["grid", "gates"], "grid: expected one of gate_ablation, attention_types"),
        (["grid", "depth", "--dataset", "fgnet"], "task: expected one of age_category, age_regression on fgnet"),
        (["grid", "depth", "earlier_methods", "--part", "99"], "part: expected 1 to 11, got 99"),
        (["grid", "earlier_methods", "--root", "nowhere"], "nowhere: not found; expected a folder"),
        (["orientation", "nothing"], "nothing: no finished run of that name"),
        (["notebook", "atlas"], "not found; the notebooks are adience, afad, age_decomposition, attention_types"),
        (["notebook", "utkface", "-p", "sead=1"], "sead: unknown parameter; the parameters are data_root, preset"),
        (["run", "--task", "gender", "--set", "preset=smoke"], "preset: expected no --set for it; --preset decides it"),
        (["run", "--task", "gender", "--set", "dataset=afad"], "dataset: expected no --set for it; --dataset decides"),
        (["run", "--task", "gender", "--set", "width=2", "--set", "width=3"], "width: expected one value, got two"),
        (["grid", "depth", "--set", "preset=smoke"], "preset: expected no --set for it; --preset decides it"),
        (["grid", "depth", "--set", "seed=1"], "seed: expected no --set for it; --seeds decides it"),
        (["grid", "depth", "--set", "gate=0.5"], "gate: expected no --set for it; the grid depth decides it"),
        (["grid", "depth", "--set", "name=1"], "name: unknown; the fields are version, preset, recipe, dataset"),
        (
            ["grid", "depth", "--dataset", "utkfaces"],
            "dataset: expected one of adience, afad, fgnet, utkface, wikipedia, got",
        ),
        (["notebook", "utkface", "-p", "seed=1", "-p", "seed=2"], "seed: expected one value, got two"),
        (["data", "check", "utkface", "--root", "~nobody-of-that-name/x"], "x: expected a path; no such home"),
        (["keep", "nothing"], "nothing: no finished run of that name"),
        (["grid", "depth", "--workers", "0"], "--workers: expected greater than or equal to 1, got '0'"),
        (["run", "--task", "gender", "--folds=many"], "--folds: expected a valid integer, got 'many'"),
        (["run", "--dataest", "utkface"], "No such option: --dataest (Possible options: --dataset, --task)"),
        (["grid"], "Missing argument 'NAME...'"),
        (["run"], "Missing option '--task'"),
        (["grids", "depth"], "No such command 'grids'. Did you mean 'grid'?"),
        (["protocol", "run", "--dataset", "utkfaces"], "dataset: expected one of adience, afad, fgnet, utkface"),
        (["data", "synthesize", "--subjects", "5", "--out", "x"], "subjects: expected at least 11, got 5"),
        (["records", "import", "nowhere"], "nowhere: expected a folder of runs, such as runs/"),
        (["reproduce", "c4"], "c4: expected a claim (C1, C2, "),
        (["predict", "~/nobody.jpg"], "/nobody.jpg: expected a photograph, got no such file"),
        (["predict", "x.jpg", "--draw", "~nobody-of-that-name/x"], "x: expected a path; no such home"),
    ],
)
def test_a_mistake_ends_in_one_line(words, message, gra):
    result = gra(*words)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.startswith("gra: ")
    assert result.stderr.count("\n") == 1


def test_a_kind_of_progress_that_there_is_not_is_refused(drawn, twins, gra):
    words = ["run", "--task", "gender", "--root", str(drawn), "--preset", "smoke", "--progress", "loud"]
    result = gra(*words, root=twins)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("gra: progress: expected bar, lines or none")


def test_a_home_in_quotes_is_a_home(drawn, tmp_path, monkeypatch, gra):
    (tmp_path / "it's faces").symlink_to(drawn)
    monkeypatch.setenv("HOME", str(tmp_path))
    result = gra("data", "check", "utkface", "--root", "~/it's faces", "--json", root=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["synthetic"]


def test_what_nobody_foresaw_is_one_line_too_and_its_place_is_shown_when_asked_for(tmp_path):
    code = "from gralib import cli; from gralib.training import records; records.find = lambda *_: 1 / 0; cli.main()"
    plain, shown = (
        subprocess.run([sys.executable, "-c", code, "keep", "x", *more], cwd=ROOT, capture_output=True, text=True)
        for more in ([], ["--debug"])
    )
    assert plain.returncode == shown.returncode == 1
    expected = "gra: ZeroDivisionError: division by zero; nobody foresaw this: call it again with --debug to see where"
    assert plain.stderr == expected + "\n"
    assert "Traceback" in shown.stderr and "keep_command" in shown.stderr


def test_figures_are_drawn_whatever_windows_the_environment_asks_for():
    code = "from gralib import cli; cli.app = lambda **_: __import__('gralib.report.figures') and None; cli.main()"
    env = {**os.environ, "MPLBACKEND": "foo"}
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_grid_says_beforehand_what_is_left(drawn, tmp_path, gra):
    words = ["grid", "depth", "--root", str(drawn), "--preset", "smoke", "--seeds", "2", "--dry-run"]
    result = gra(*words, root=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "depth: 24 runs, 0 done, 24 left: none finished yet" in result.stderr
    assert result.stdout == ""
    part = gra(*words[:2], "gate_ablation", *words[2:], "--part", "2", root=tmp_path)
    assert "depth, gate_ablation, part 2 of 6: 6 runs, 0 done" in part.stderr


def test_a_part_of_a_grid_is_that_part(drawn, tmp_path, gra, monkeypatch):
    asked, parts = [], grids.parts_of(grids.configs_of("depth", 2, "utkface", "smoke"))
    monkeypatch.setattr("gralib.training.batch.finished", lambda configs, faces: asked.append(configs) or {})
    words = ["grid", "depth", "--root", str(drawn), "--preset", "smoke", "--seeds", "2", "--dry-run", "--part"]
    for part in ("1", "3"):
        gra(*words, part, root=tmp_path)
    assert asked == [parts[0], parts[2]]


def test_which_runs_a_claim_takes_is_printed(gra):
    result = gra("reproduce", "C10", "--dry-run")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) >= 5 and result.stdout.startswith(
        "utkface gender seed 0 fold 0: utkface-gender-"
    )


def test_finished_runs_of_a_grid_are_named_and_kept(drawn, tmp_path, made_up, gra):
    configs = grids.configs_of("orientation", 2, "utkface", "smoke")
    for config in configs:
        made_up(tmp_path / "runs", config, skill=0.3)
    words = ["orientation", "--root", str(drawn), "--preset", "smoke", "--seeds", "2"]
    result = gra("grid", *words, root=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "orientation: 4 runs, 4 done, 0 left: about 0 minutes" in result.stderr
    names = result.stdout.split()
    assert sorted(names) == sorted(p.name for p in (tmp_path / "runs").glob("*-*"))
    kept = gra("keep", *names[:2], root=tmp_path)
    assert kept.stdout.split() == [str(tmp_path / "reports/records" / name) for name in names[:2]], kept.stderr
    assert all((tmp_path / "reports/records" / name / "record.json").exists() for name in names[:2])


def test_synthesize_writes_a_set_and_refuses_to_overwrite_it(tmp_path, gra):
    out = str(tmp_path / "set")
    assert gra("data", "synthesize", "--subjects", "11", "--out", out).returncode == 0
    again = gra("data", "synthesize", "--subjects", "11", "--out", out)
    assert again.returncode == 1
    assert "expected no such folder or an empty one" in again.stderr


def test_with_nothing_downloaded_faces_are_drawn(tmp_path, monkeypatch):
    from gralib import synthetic
    from gralib.data.formats import find_root

    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)

    def quicker(layout, folder, *_):
        folder.mkdir(parents=True)  # another process, just before us
        raise FileExistsError

    def full(layout, folder, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic, "write", full)
    with pytest.raises(OSError, match="No space left"):
        find_root("utkface")
    monkeypatch.setattr(synthetic, "write", quicker)
    assert find_root("utkface") == tmp_path / "data/synthetic/utkface"
    assert find_root("utkface", "elsewhere") == tmp_path / "elsewhere"
    (tmp_path / "data/utkface").mkdir()
    (tmp_path / "data/utkface/.UTKFace.tar.gz.part").touch()
    assert find_root("utkface").parent.name == "synthetic"
    (tmp_path / "data/utkface/UTKFace.tar.gz").touch()
    assert find_root("utkface") == tmp_path / "data/utkface"


def test_two_that_draw_the_same_faces_at_once_both_find_them(tmp_path, monkeypatch):
    from gralib import synthetic
    from gralib.data import formats
    from gralib.data.formats import find_root

    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    write = synthetic.write

    def second(layout, folder, *_):
        """Draw while another process is quicker: the folder is there when this one wants to make it."""
        rename = type(folder).replace

        def late(part, target):
            monkeypatch.setattr(type(folder), "replace", rename)
            write(layout, tmp_path / "quicker", subjects=11)
            rename(tmp_path / "quicker", target)
            return rename(part, target)

        monkeypatch.setattr(type(folder), "replace", late)
        return write(layout, folder, subjects=11)

    monkeypatch.setattr(synthetic, "write", second)
    place = find_root("utkface")
    assert (place / "SYNTHETIC.txt").exists()
    assert [p.name for p in place.parent.iterdir()] == ["utkface"], "nothing unfinished is left"
    assert formats.load("utkface", place).source.synthetic


@pytest.mark.parametrize("words", [[], ["data"], ["records"], ["protocol"]])
def test_a_group_without_a_command_shows_its_help(words, gra):
    result = gra(*words)
    assert result.returncode == 1 and not result.stdout
    assert result.stderr.startswith("Usage: ") and "Commands:" in result.stderr


def test_a_home_stands_for_itself_in_every_path(networks, tmp_path, monkeypatch, gra):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (64, 64), (200, 160, 140)).save(tmp_path / "me.png")
    words = ["predict", "~/me.png", "--faces", "whole", "--networks", "~/networks", "--draw", "~/out/drawn.png"]
    (tmp_path / "networks").symlink_to(networks)
    result = gra(*words)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path}/me.png, face 1: age ")
    assert (tmp_path / "out/drawn.png").exists() and not list(ROOT.glob("~*"))
    code = "from gralib import cli; cli.main()"
    elsewhere = subprocess.run(
        [sys.executable, "-c", code, "predict", "~/me.png", "--faces", "whole"], cwd=ROOT, capture_output=True,
        text=True, env={**os.environ, "GRA_NETWORKS": "~/networks"},
    )  # fmt: skip
    assert elsewhere.stdout == result.stdout
    imported = gra("records", "import", "~/networks")
    assert "~/networks: expected a folder of runs" in imported.stderr


def test_what_is_stopped_says_so_in_one_line(tmp_path):
    code = "from gralib import cli, datacli; from gralib.data import download\n" \
           "def how_to(name): raise KeyboardInterrupt\n" \
           "download.how_to = how_to; cli.main()"  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code, "data", "how-to", "utkface"], cwd=ROOT, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (130, "gra: stopped; call it again to go on\n")


def test_a_finished_run_is_found_and_what_it_scores_stands_beside_the_constant(drawn, tiny_run, tmp_path, gra):
    run = tiny.copied(tiny_run("age category, separable"), tmp_path / "runs")
    chosen = {**tiny.SETTINGS, "network": "separable"}
    settings = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    result = gra("run", "--task", "age_category", "--preset", "smoke", "--root", str(drawn), *settings, root=tmp_path)
    assert result.stdout == f"{run.record.run_id}\n", result.stderr
    scores = measures.scores_of(run)
    lines = [line for line in result.stderr.splitlines() if line.startswith("synthetic faces: ")]
    assert [line.split()[2] for line in lines] == list(scores)
    score, line = scores["category_mae_years"], lines[list(scores).index("category_mae_years")]
    assert f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}], constant predictor {score.floor:.3f}" in line


def test_runs_of_a_grid_that_fail_are_named_after_those_that_do_not(drawn, tmp_path, monkeypatch, gra):
    done = SimpleNamespace(record=SimpleNamespace(run_id="a-run"))
    monkeypatch.setattr("gralib.training.batch.run_grid", lambda *_: ([done], ["b-run: broke", "c-run: too"]))
    result = gra("grid", "depth", "--root", str(drawn), "--preset", "smoke", "--seeds", "1", root=tmp_path)
    assert (result.returncode, result.stdout) == (1, "a-run\n")
    assert result.stderr.endswith("gra: b-run: broke; c-run: too\n")


def test_turned_faces_are_those_of_the_runs_own_data_set(monkeypatch, gra):
    run = SimpleNamespace(record=SimpleNamespace(config=configure("smoke", dataset="afad")))
    monkeypatch.setattr("gralib.training.records.made_here", lambda name: run if name == "a-run" else None)
    monkeypatch.setattr("gralib.data.faces.open_faces", lambda *asked: asked)
    monkeypatch.setattr("gralib.training.perturb.probe", lambda run, faces: ("probed", faces))
    assert gra("orientation", "a-run", "--root", "here").stdout == "('probed', ('afad', 'here'))\n"


def test_checks_say_every_file_they_wrote(monkeypatch, gra):
    monkeypatch.setattr("gralib.model.checks.write", lambda: ["equations", "layers"])
    monkeypatch.setattr("gralib.report.paper.write", lambda: ["a figure"])
    assert gra("checks").stdout.split("\n") == ["equations", "layers", "a figure", ""]


@pytest.mark.parametrize(("words", "published"), [([], False), (["--publish"], True)])
def test_the_report_is_made_without_looking_for_waste_and_then_with_it_again(words, published, monkeypatch, gra):
    asked = []
    monkeypatch.setattr("gralib.report.pages.build", lambda publish: asked.append((publish, gc.isenabled())) or "here")
    assert gra("report", *words).stdout == "here\n"
    assert asked == [(published, False)] and gc.isenabled()
    monkeypatch.setattr("gralib.report.pages.build", lambda publish: 1 / 0)
    assert gra("report", *words).returncode == 1 and gc.isenabled()


def test_a_notebook_is_run_with_its_parameters_and_published_where_asked(monkeypatch, gra):
    asked = []
    monkeypatch.setattr("gralib.notebooks.execute", lambda *given: asked.append(given) or "done.ipynb")
    monkeypatch.setattr("gralib.report.notebooks.publish", lambda *given: asked.append(given) or "published")
    assert gra("notebook", "depth", "-p", "seeds=2", "--out", "here").stdout == "done.ipynb\n"
    assert gra("notebook", "depth", "--publish").stdout == "done.ipynb\npublished\n"
    assert asked == [
        ("notebooks/depth.ipynb", {"seeds": 2}, "here"), ("notebooks/depth.ipynb", {}, "build/notebooks/depth"),
        ("done.ipynb", "reports/notebooks/depth.ipynb"),
    ]  # fmt: skip


def test_the_doctor_says_what_to_mend_and_quickly_nothing_else(monkeypatch, gra):
    found = [doctor.ok("python", "3.11"), doctor.note("git", "none"), doctor.problem("disk", "full", "make room")]
    monkeypatch.setattr(doctor, "look", lambda quick: found)
    whole, quick = gra("doctor"), gra("doctor", "--quick")
    assert whole.returncode == quick.returncode == 1
    assert whole.stderr == quick.stderr == "gra: doctor: mend first: disk\n"
    assert [line.split()[1] for line in whole.stdout.splitlines()] == ["python", "git", "disk"]
    assert [line.split()[1] for line in quick.stdout.splitlines()] == ["git", "disk"]
    monkeypatch.setattr(doctor, "look", lambda quick: found[:1])
    result = gra("doctor", "--quick")
    assert (result.returncode, result.stdout) == (0, "")


def test_what_came_from_elsewhere_is_counted(monkeypatch, gra):
    monkeypatch.setattr("gralib.training.exchange.merge", lambda folder: (["a", "b"], ["c"]))
    result = gra("records", "import", "there")
    assert result.stdout == "a\nb\n"
    assert result.stderr == "2 runs imported; already here with the same predictions: 1\n"
    monkeypatch.setattr("gralib.training.exchange.merge", lambda folder: ([], ["c"]))
    assert gra("records", "import", "there").stdout == ""


def test_a_file_that_the_system_refuses_is_named(monkeypatch, gra):
    def full(publish):
        raise OSError(28, "No space left on device", "reports/a.md")

    monkeypatch.setattr("gralib.report.pages.build", full)
    assert gra("report").stderr == "gra: reports/a.md: No space left on device\n"
