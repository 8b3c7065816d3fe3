"""JupyterLab as `make lab` starts it: what it saves after reading is what was there before."""

import re
import shutil
import subprocess

import nbformat
import pytest
from conftest import ROOT
from traitlets import import_item

playserver = pytest.importorskip("gralib.visitors.playserver")
largefilemanager = pytest.importorskip("jupyter_server.services.contents.largefilemanager")


def command():
    """Return what `make lab` starts."""
    return subprocess.run(["make", "-n", "lab", "ENV="], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_notebook_read_and_saved_is_the_same_bytes(tmp_path):
    manager = largefilemanager.LargeFileManager(root_dir=str(tmp_path))
    manager.pre_save_hook = import_item(re.search(r"--ContentsManager\.pre_save_hook=(\S+)", command())[1])
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, tmp_path)
        model = manager.get(path.name)
        model["content"]["metadata"]["language_info"] = {"name": "python", "version": "3.11.2", "file_extension": ".py"}
        for number, cell in enumerate(model["content"]["cells"]):
            cell["metadata"] |= {"execution": {"iopub.status.busy": "2026"}, "scrolled": True, "trusted": True}
            if cell["cell_type"] == "code":
                cell["execution_count"] = number
                cell["outputs"] = [nbformat.v4.new_output("stream", text="figures made while reading")]
        manager.save(model, path.name)
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_as_much_can_be_uploaded_as_to_the_page():
    assert f"'websocket_max_message_size': {playserver.LONGEST}" in command()


def test_what_is_no_notebook_is_saved_as_it_is(tmp_path):
    from gralib.notebooks import without_outputs

    model = {"type": "file", "content": "text", "format": "text"}
    without_outputs(model=model, path="a.txt", contents_manager=None)
    assert model == {"type": "file", "content": "text", "format": "text"}
    asked = {"type": "notebook", "content": None}
    without_outputs(model=asked)
    assert asked == {"type": "notebook", "content": None}
