"""A student's mistakes in a notebook's parameters, made in a real kernel: each ends in one line."""

import ast

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from gralib import notebooks

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMETERS = "epochs: int = 0  # times through\npreset: str = 'smoke'  # which"
SET_UP = "from gralib.notebooks import check_parameters\n\ncheck_parameters('epochs', 'preset')\nused = epochs"
KNOWN = "the parameters are epochs, preset"


class Lab:
    """A notebook as somebody runs it in a browser: a cell at a time, changed in between, on one kernel."""

    def __init__(self, client):
        self.client, self.client.nb.cells = client, []

    def __call__(self, source):
        """Run a cell; return what it printed, or what it ended in."""
        cell = nbformat.v4.new_code_cell(source)
        self.client.nb.cells.append(cell)
        try:
            self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        except CellExecutionError:
            return "\n".join(cell.outputs[-1].traceback)
        return "".join(output.get("text", "") for output in cell.outputs)


@pytest.fixture(scope="module")
def client():
    made = NotebookClient(nbformat.v4.new_notebook(), kernel_manager_class=notebooks._own_kernel())
    with made.setup_kernel():
        yield made


@pytest.fixture
def lab(client):
    """A kernel in which nothing has been run."""
    found = Lab(client)
    found("%reset -f\nimport sys\nsys.modules.pop('gralib.notebooks', None)")
    found("get_ipython().history_manager.reset()")
    found("get_ipython().events.callbacks['pre_run_cell'].clear()")
    return found


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (PARAMETERS + "\nepoch = 2", f"UserError: epoch: unknown parameter; {KNOWN}"),
        (PARAMETERS.replace("epochs: int = 0", "epohcs: int = 3"), f"UserError: epohcs: unknown parameter; {KNOWN}"),
        (PARAMETERS.replace("epochs: int = 0", "epoch = Epochs = 3"), "UserError: Epochs, epoch: unknown parameter"),
        (PARAMETERS.replace("epochs: int = 0", "epochs: int"), "UserError: epochs: expected a value in the"),
    ],
)
def test_a_typo_in_the_parameters_is_refused_until_it_is_mended(lab, typed, said):
    for again in range(2):
        lab(typed)
        assert lab(SET_UP).startswith(said), f"time {again + 1}"
        assert lab(SET_UP).startswith(said), "the set-up cell alone, run again, does not let it pass"
    assert lab(PARAMETERS) == lab(SET_UP) == lab("used") == ""
    unknown = [name for name in ("epoch", "epohcs", "Epochs") if name in typed.replace("epochs", "")]
    told = lab(typed)
    assert told.endswith(f"unknown parameter; {KNOWN}\n") if unknown else told == "", "said where it is typed"


def test_what_others_assign_is_theirs(lab):
    lab(PARAMETERS)
    lab("epoch = 2\nanswer: float = 3.5")
    assert lab(SET_UP) == ""
    lab("rate, preset = 1, 'paper'")
    assert lab(SET_UP) == (
        "preset changed from 'smoke' to 'paper'. What was computed below goes by the old value: "
        "run those cells again.\n"
    )


def test_a_cell_says_that_changed_parameters_do_not_count_until_they_are_loaded(lab):
    later = "print('trained', used)"
    lab(PARAMETERS)
    lab(SET_UP)
    assert lab(later) == "trained 0\n"
    assert lab(PARAMETERS.replace("0", "2")) == ""
    told = "epochs changed from 0 to 2 since the cell that loads the parameters ran: "
    told += "run that cell and those below it again."
    assert lab(later) == f"{told}\ntrained 0\n"
    assert lab(later) == f"{told}\ntrained 0\n"
    assert "run those cells again" in lab(SET_UP)
    assert lab(later) == "trained 2\n"
    lab("epochs, preset = 3, 'laptop'")
    assert lab(later).startswith("epochs changed from 2 to 3, preset changed from 'smoke' to 'laptop' since the cell")
    lab("del epochs")
    assert lab(later).startswith("epochs changed from 2 to None")
    lab(PARAMETERS.replace("0", "2"))
    assert lab(later) == "trained 2\n", "set back, it counts again"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_names_its_parameters_and_leaves_them_alone(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    (own,) = (cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    declared = [name for name, _ in notebooks._names(own)]
    (call,) = (
        node
        for cell in cells
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check_parameters"
    )
    assert [ast.literal_eval(word) for word in call.args] == declared and not call.keywords
    for cell in cells:
        assert cell.source == own or not {name for name, _ in notebooks._names(cell.source)} & set(declared)


def test_papermill_and_a_browser_are_told_the_same(tmp_path):
    sources = [PARAMETERS, SET_UP, "epochs = 5", "print(used)"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "story.ipynb")
    done = nbformat.read(notebooks.execute(tmp_path / "story.ipynb", {"epochs": 4}, tmp_path / "out"), as_version=4)
    assert [o.text for o in done.cells[-1].outputs] == [
        "epochs changed from 4 to 5 since the cell that loads the parameters ran: run that cell and those below it "
        "again.\n4\n"
    ]
