"""What the tests share: drawn faces in UTKFace's layout, and the real ones where they are at hand."""

from pathlib import Path

import pytest

from gralib import backend
from gralib.datasets import synthetic
from gralib.faces import open_faces

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

backend.start(1)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder of synthetic faces, flaws included."""
    folder = tmp_path_factory.mktemp("drawn") / "utkface"
    synthetic.write("utkface", folder, subjects=120, seed=0)
    return folder


@pytest.fixture(scope="session")
def faces(drawn, tmp_path_factory):
    """The same, decoded."""
    return open_faces("utkface", drawn, cache=tmp_path_factory.mktemp("cache"), progress=False)


@pytest.fixture(scope="session")
def real_utkface():
    """The genuine UTKFace archive, research-only and never in the repository."""
    path = SHARED / "utkface.tar"
    if not path.exists():
        pytest.skip("the real UTKFace pictures are not on this machine")
    return path
