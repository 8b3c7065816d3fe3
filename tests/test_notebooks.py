"""Every notebook is kept clean, and executed from a fresh kernel with tiny parameters, its results asserted."""

import json
import re
import subprocess
import sys

import nbformat
import pandas as pd
import papermill
import pytest
from conftest import ROOT
from papermill.exceptions import PapermillExecutionError

from gralib import notebooks, synthetic
from gralib.config import TASKS, TITLES, configure_tasks
from gralib.data.faces import open_faces
from gralib.errors import UserError
from gralib.evaluation import search
from gralib.report import answers
from gralib.report.notebooks import ROUTE, SHOWS_FACES
from gralib.training import grids

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_every_cell_that_draws_faces_is_known_to_be_one():
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and re.search(r"pixels\[|imshow", cell.source):
                assert any(call in cell.source for call in SHOWS_FACES) or "masks_of" in cell.source, (
                    path,
                    cell.source,
                )


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def stored(request):
    return nbformat.read(request.param, as_version=4)


def test_is_stored_without_outputs(stored):
    for cell in stored.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_prose_comes_before_every_code_cell_and_cells_are_short(stored):
    for before, cell in zip(stored.cells, stored.cells[1:], strict=False):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown"
            assert len(cell.source.splitlines()) <= 24
            assert "class " not in cell.source


def test_has_at_most_ten_explained_parameters(stored):
    cells = [c for c in stored.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    lines = cells[0].source.splitlines()
    assert len(lines) <= 10
    assert all(re.match(r"\w+: (int|str|float|bool) = .+  # .+", line) for line in lines)


def test_no_measured_number_stands_in_the_prose(stored):
    for cell in stored.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\d+\.\d+ ?(%|years)", cell.source)


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def seen_by_git(names):
    """Return those of the files that git would list as new if they were in the checkout."""
    asked = ["git", "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(asked, cwd=ROOT, input="\n".join(names), capture_output=True, text=True).stdout
    return set(names) - set(ignored.splitlines())


def execute(name, tmp_path, monkeypatch, **parameters):
    monkeypatch.setenv("GRA_ROOT", str(tmp_path))
    before = files_in(tmp_path)
    page = notebooks.execute(ROOT / "notebooks" / f"{name}.ipynb", parameters, tmp_path / "out")
    assert {p.name for p in tmp_path.glob("*out*")} == {"out.ipynb"}, "nothing half-written is left"
    if (ROOT / ".git").exists():
        assert seen_by_git(files_in(tmp_path) - before - {"out.ipynb"}) == set(), "reading leaves the checkout clean"
    return nbformat.read(page.with_suffix(".ipynb"), as_version=4)


def result(notebook, ending):
    """Return the text of the cell whose source ends like that."""
    cell = next(c for c in notebook.cells if c.cell_type == "code" and c.source.rstrip().endswith(ending))
    return next(o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result")


def html(notebook, ending):
    """Return the page of the cell whose source ends like that."""
    cell = next(c for c in notebook.cells if c.cell_type == "code" and c.source.rstrip().endswith(ending))
    return next(o.data["text/html"] for o in cell.outputs if "text/html" in o.get("data", {}))


def stream(notebook):
    """Return all that the cells printed."""
    return "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))


def figures_of(notebook):
    return sum("image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", []))


def said_of(notebook, *claims):
    """Assert that the answer's cell says of claims what their pages say, word for word."""
    cell = next(c for c in notebook.cells if c.cell_type == "code" and "answer(" in c.source)
    (output,) = cell.outputs
    shown = output.data["text/markdown"]
    for claim in claims:
        page = (ROOT / f"reports/claims/{claim}.md").read_text()
        block = page.partition("**Claim.**")[2].split("\n\n")[:4]
        assert block[-1].startswith("**What stays open.** ") and "\n\n".join(block).strip() in shown
    assert shown.count("**Verdict.**") == len(claims)


def open_exercises(notebook):
    """Return how many exercises the last cell says are open."""
    return "".join(o.get("text", "") for o in notebook.cells[-1].outputs).count("put your answer in place of None.")


def test_start_moves_a_gate_and_shows_the_route(tmp_path, monkeypatch, networks):
    monkeypatch.setenv("GRA_NETWORKS", str(networks))
    done = execute("start", tmp_path, monkeypatch)
    assert any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for c in done.cells
               for o in c.get("outputs", []))  # fmt: skip
    assert figures_of(done) == 1
    (route,) = next(c for c in done.cells if c.source.endswith("Markdown(committed_route())")).outputs
    lines = route.data["text/markdown"].splitlines()[2:]
    assert re.findall(r"\((\w+)\.ipynb\)", "".join(lines)) == list(ROUTE)
    assert set(ROUTE) == {path.stem for path in NOTEBOOKS}
    verdicts = pd.read_csv(ROOT / "reports/tables/claims.csv").groupby("id")["verdict"].first()
    named = re.findall(r"\b(C\d+) \*\*(.+?)\*\*", "".join(lines))
    assert dict(named) == {claim: verdicts[claim] for claim, _ in named} and len(named) > 20
    assert open_exercises(done) == 3


@pytest.mark.slow
def test_model_tour_adds_up_to_33_019_013(tmp_path, monkeypatch):
    done = execute("model_tour", tmp_path, monkeypatch)
    assert result(done, "pd.Series(counted)").split() == [
        "blocks", "added", "up", "33019013", "counted", "by", "Keras", "33019013",
        "of", "which", "gates", "3", "dtype:", "int64",
    ]  # fmt: skip
    assert result(done, "trunk).max())") == "0.0"
    assert result(done, 'masks["mixed"]).max())') == "0.0"
    assert "gate 0    0.0\ngate 1    0.0" in result(done, 'name="difference")')
    assert result(done, "gate_values(model)") == "{'stage1_module1': 0.5, 'stage2_module1': 0.5, 'stage3_module1': 0.5}"
    assert figures_of(done) == 5
    *_, by_hand, by_layer, _ = result(done, "pd.Series(steps).astype(float).round(4)").splitlines()
    assert by_hand.split()[-1] == by_layer.split()[-1]
    said_of(done, "C1", "C2", "C3")
    assert open_exercises(done) == 3


@pytest.mark.xdist_group("recipe")
@pytest.mark.slow
def test_the_recipe_is_searched_and_judged_without_test_faces(tmp_path, monkeypatch, drawn, made_up):
    """The search trains one of two draws; what the same calls would train of the other runs is read back."""
    changes, store = {"width": 2, "epochs": 1, "train_faces": 200}, tmp_path / "runs"
    chosen_ones = [f(task, **changes) for f in (search.final, search.longer) for task in search.DRAWN]
    for config in {search.configs(**changes)[1], *chosen_ones, *search.knock_outs("gender", **changes).values(),
                   *search.rate_tries(1, **changes).values()}:  # fmt: skip
        made_up(store, config, skill=0.3)
    before = len(list(store.glob("*/record.json")))
    tiny = {**changes, "draws": 2, "seeds": 1, "methods": 1, "workers": 1, "store": str(store)}
    done = execute("recipe", tmp_path, monkeypatch, data_root=str(drawn), **tiny)
    assert len(list(store.glob("*/record.json"))) == before + 1
    assert "sit out" in result(done, ".assign(data=kind)").splitlines()[3]
    assert figures_of(done) == 2
    (chosen,) = next(c for c in done.cells if c.source.endswith("Markdown(recipe.chosen())")).outputs
    assert chosen.data["text/markdown"].strip() in (ROOT / "reports/experiments/recipe.md").read_text()
    assert open_exercises(done) == 3
    scores = result(done, "search.scores_of([by_config[config] for config in final]).assign(data=kind)")
    assert "category_mae_years" in scores and "synthetic faces" in scores
    assert result(done, "for key, config in tries.items()}).assign(data=kind)").count("gra_net") == 3
    assert "category_mae_years" in result(done, "search.scores_of(longer_runs).assign(data=kind)")


STORIES = {
    # scores that must be there, figures, pictures of faces kept for the report
    "utkface": (["gender accuracy", "age MAE, both networks, expected age"], 16, ["faces", "masks", "worst"]),
    "afad": (["gender accuracy", "age MAE, both networks, expected age"], 15, ["faces", "worst"]),
    "wikipedia": (["gender balanced accuracy", "age MAE, both networks, expected age"], 15, ["faces", "worst"]),
    "fgnet": (["age category accuracy", "age MAE, both networks, expected age"], 12, ["faces", "worst"]),
    "adience": (["age group accuracy, one-off", "if every group stands for its middle"], 10, ["faces"]),
}


ANSWERS = {
    "utkface": ("C10", "C12", "C21"), "fgnet": ("C14", "C9"), "afad": ("C13",), "wikipedia": ("C13",),
    "adience": ("C10",), "gate_ablation": ("C4", "C15"), "attention_types": ("C5", "C19"), "label_noise": ("C6",),
    "depth": ("C7", "C16"), "age_decomposition": ("C9",), "earlier_methods": ("C11",), "orientation": ("C8",),
}  # fmt: skip
"""The claims that a notebook answers at its end."""
TRAINS = ("utkface", "gender")
"""The story and task that train; the cells of the others that do are the same, and read finished runs back."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in STORIES])
@pytest.mark.slow
def test_a_story_runs_from_top_to_bottom(name, tmp_path, monkeypatch, made_up):
    wanted, pictures, kept = STORIES[name]
    folder = tmp_path / "drawn"
    synthetic.write(name, folder, subjects=120)
    settings = {"epochs": 2, "width": 2, "train_faces": 128}
    faces = open_faces(name, folder, cache=tmp_path / "cache", progress=False)
    for task, config in configure_tasks(name, "smoke", **settings).items():
        if (name, task) != TRAINS:
            made_up(tmp_path / "runs", config, skill=0.3, data=faces)
    tiny = {"data_root": str(folder), **settings, "store": str(tmp_path / "runs")}
    done = execute(name, tmp_path, monkeypatch, **tiny)
    assert f"{TITLES[name]}, synthetic faces, smoke preset, seed 0" in result(done, "study.label")
    scores = html(done, "precision=3)")
    assert all(name in scores for name in wanted)
    assert scores.count("synthetic") >= len(TASKS[name])
    assert html(done, "contradictions(faces.table))").count("<td>0</td>") >= 2, "our split shares nothing"
    assert figures_of(done) == pictures
    said_of(done, *ANSWERS[name])
    assert open_exercises(done) == 3
    found = sorted(p.name for p in (tmp_path / "build/faces").iterdir())
    assert found == [f"synthetic-{name}-{picture}.png" for picture in kept]
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == len(TASKS[name])


@pytest.fixture(scope="module")
def grid_runs(tmp_path_factory):
    """A store for the runs of grids: those that two grids ask for are trained once."""
    return tmp_path_factory.mktemp("grids") / "runs"


@pytest.mark.xdist_group("grid")
@pytest.mark.slow
def test_gate_ablation_trains_its_grid(tmp_path, monkeypatch, drawn, made_up, grid_runs):
    """Two of its runs are trained, which the orientation's grid asks for too; the others are read back."""
    changes = {"epochs": 1, "width": 2, "train_faces": 128}
    asked = grids.configs_of("gate_ablation", 1, "utkface", "smoke", **changes)
    trained = set(asked) & set(grids.configs_of("orientation", 1, "utkface", "smoke", **changes))
    for config in set(asked) - trained:
        made_up(grid_runs, config, skill=0.3)
    tiny = {"data_root": str(drawn), **changes, "store": str(grid_runs)}
    done = execute("gate_ablation", tmp_path, monkeypatch, workers=1, **tiny)
    assert len(trained) == 2 and "6 runs, 4 done, 2 left: " in stream(done)
    assert result(done, "\nproblems") == "[]"
    assert len(list(grid_runs.glob("*/record.json"))) == 6
    for setting in ("gate 0 (naive attention)", "gate 1/4", "gate 1 (trunk alone)", "trainable gate"):
        assert f">{setting}<" in html(done, "precision=3)")
    assert "synthetic" in html(done, "precision=3)")
    assert figures_of(done) == 5
    assert first_output(done, 'first_picture(["C4", "C15"], drawings.gate_effect);')
    live = next(c for c in done.cells if "Live(" in c.source)
    assert "6 runs finished so far" in [o.get("data", {}).get("text/plain") for o in live.outputs]
    assert html(done, "precision=4)").count("no verdict: synthetic faces") == 5
    said_of(done, *ANSWERS["gate_ablation"])
    assert open_exercises(done) == 3


def first_output(notebook, ending):
    """Tell whether the cell with that end shows a picture, and says that the claims' runs are still to come if so."""
    outputs = next(c for c in notebook.cells if c.cell_type == "code" and c.source.endswith(ending)).outputs
    said = [o.data["text/markdown"] for o in outputs if "text/markdown" in o.get("data", {})]
    known = bool(answers.committed().first("C4")["value"] == answers.committed().first("C4")["value"])
    assert [word for text in said for word in re.findall("not run yet", text)] == ([] if known else ["not run yet"])
    return any("image/png" in o.get("data", {}) for o in outputs)


GRIDS = {"attention_types": 3, "label_noise": 3, "depth": 3, "age_decomposition": 3, "earlier_methods": 3}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_of_finished_runs_is_read_back(name, tmp_path, monkeypatch, drawn, made_up):
    configs = grids.configs_of(name, 2, "utkface", "smoke", epochs=3)
    for config in configs:
        made_up(tmp_path / "runs", config, skill=0.3)
    parameters = {"data_root": str(drawn), "epochs": 3, "seeds": 2, "store": str(tmp_path / "runs")}
    done = execute(name, tmp_path, monkeypatch, **parameters)
    assert f"{len(configs)} runs, {len(configs)} done, 0 left: about 0 minutes" in stream(done)
    scores = html(done, "precision=3)")
    assert scores.count("synthetic") == len(grids.GRIDS[name].settings)
    differences = html(done, "precision=4)")
    assert differences.count("no verdict: synthetic faces") == len(grids.GRIDS[name].settings) - 1
    assert not re.search(r"<td[^>]*>(better|worse|inside the noise)<", differences)
    assert figures_of(done) == GRIDS[name]
    said_of(done, *ANSWERS[name])
    assert open_exercises(done) == 3


@pytest.mark.xdist_group("grid")
@pytest.mark.slow
def test_orientation_reads_changed_faces(tmp_path, monkeypatch, drawn, grid_runs):
    tiny = {"data_root": str(drawn), "epochs": 1, "width": 2, "train_faces": 128, "store": str(grid_runs)}
    done = execute("orientation", tmp_path, monkeypatch, **tiny)
    assert result(done, "\nproblems") == "[]"
    assert len(list(grid_runs.glob("*/orientation.csv.bz2"))) == 2
    assert html(done, "precision=3)").count("synthetic") == 2 * 12
    assert figures_of(done) == 4
    said_of(done, *ANSWERS["orientation"])
    assert open_exercises(done) == 3


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("utkface", {"sead": 1}, "sead: unknown parameter; the parameters are data_root, preset, seed"),
        ("utkface", {"preset": "huge"}, "preset: expected one of smoke, laptop, paper, got 'huge'"),
        ("utkface", {"width": -1}, "width: expected greater than or equal to 1"),
        ("utkface", {"data_root": "/nowhere"}, "/nowhere: not found; expected a folder of pictures"),
        ("model_tour", {"depth": 3}, "depth: unknown parameter; the parameters are width, attention"),
    ],
)
def test_a_wrong_parameter_handed_to_papermill_fails_at_once(name, parameters, message, tmp_path, monkeypatch, drawn):
    given = {"data_root": str(drawn), **parameters} if name == "utkface" else parameters
    monkeypatch.setenv("GRA_ROOT", str(tmp_path))
    source, out = ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "out.ipynb"
    with pytest.raises(PapermillExecutionError) as error:
        papermill.execute_notebook(str(source), str(out), given, kernel_name="python3", progress_bar=False)
    assert message in str(error.value)


def story(path, *sources):
    """Write a notebook of code cells, the first of which holds its parameters."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


def test_the_kernel_is_this_interpreter_whatever_others_call_python3(tmp_path, monkeypatch):
    (tmp_path / "kernels/python3").mkdir(parents=True)
    spec = {"argv": ["/usr/bin/false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (tmp_path / "kernels/python3/kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "foo")
    story(tmp_path / "story.ipynb", "seed: int = 0  # seed", "import sys, matplotlib.pyplot; sys.executable")
    done = nbformat.read(notebooks.execute(tmp_path / "story.ipynb", {}, tmp_path / "out").with_suffix(".ipynb"), 4)
    assert done.cells[1].outputs[0].data["text/plain"] == repr(sys.executable)


def test_a_kernel_that_dies_is_one_line_and_leaves_nothing(tmp_path):
    story(tmp_path / "story.ipynb", "seed: int = 0  # seed", "import os; os._exit(1)")
    with pytest.raises(UserError, match=r"^story\.ipynb: its kernel died, perhaps of too little memory: "):
        notebooks.execute(tmp_path / "story.ipynb", {}, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["story.ipynb"]


def test_a_cell_that_fails_is_named_and_what_ran_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GRA_ROOT", str(tmp_path))
    with pytest.raises(
        UserError, match=r"^model_tour.ipynb, cell \d+: ValueError: width: expected at least 1 channel, got 0$"
    ):
        notebooks.execute(ROOT / "notebooks/model_tour.ipynb", {"width": 0}, tmp_path / "out")
    assert [p.name for p in tmp_path.glob("*out*")] == ["out.ipynb"]
