"""What people see while they wait: a network by words, "-" for what nobody knows, one line in a notebook."""

import nbformat
import pytest
from nbclient import NotebookClient

from gralib import notebooks
from gralib.config import configure
from gralib.progress import MARK, Bar, called


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "gender, width 4, seed 0"),
        ({"gate": 0.25, "seed": 3, "fold": 2}, "gender, width 4, gate 0.25, seed 3, fold 2"),
        ({"task": "age_category", "label_noise": 0.3}, "age category, width 4, label noise 0.3, seed 0"),
        ({"network": "levi_hassner", "modules": (2, 2, 2)}, "gender, levi hassner, modules (2, 2, 2), seed 0"),
    ],
)
def test_a_network_is_named_in_words(fields, words):
    assert called(configure("smoke", **fields)) == words


def test_what_is_not_known_yet_is_a_dash(capsys):
    with Bar(total=6, desc="runs", unit="run") as bar:
        assert str(bar).startswith("runs:   0%|") and str(bar).endswith("| 0/6 [00:00<-, -run/s]")
        bar.update(6)
    assert "6/6" in capsys.readouterr().err


def test_in_a_notebook_a_bar_is_one_output_replaced_in_place():
    source = "from gralib.progress import Bar\nfor _ in Bar(range(3), desc='gender, width 4', mininterval=0): pass"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, kernel_manager_class=notebooks._own_kernel()).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data" and output.metadata == {MARK: True}
    assert output.data["text/plain"].startswith("gender, width 4: 100%|") and "3/3" in output.data["text/plain"]
