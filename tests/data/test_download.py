"""Downloads against a server on this machine: whole, interrupted, wrong."""

import hashlib
import http.server
import threading

import pytest

from gralib.config import TASKS
from gralib.data import download
from gralib.data.download import BLOCK, fetch, how_to
from gralib.errors import UserError
from gralib.registry import DataSet

CONTENT = bytes(range(256)) * 4000


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file; knows Range, and drops the line once when told to."""

    drop = ignores = lengthless = False
    asked: list = []  # noqa: RUF012

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        Server.asked.append(start)
        if self.path != "/faces.zip":
            self.send_error(404)
            return
        if start >= len(CONTENT) and not Server.ignores:
            self.send_error(416)
            return
        start = 0 if Server.ignores else start
        self.send_response(206 if start else 200)
        if not Server.lengthless:
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT) // 2 if Server.drop else len(CONTENT)
        Server.drop = False
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setattr("gralib.errors.ROOT", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/README.md").write_text("# x\n\n## FG-NET\n\nPut it at `data/fgnet/x`.\n")
    Server.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_file_comes_whole_and_is_not_fetched_twice(address, tmp_path):
    (path,) = fetch("fgnet", f"{address}/faces.zip", hashlib.sha256(CONTENT).hexdigest())
    assert path == tmp_path / "data/fgnet/faces.zip"
    assert path.read_bytes() == CONTENT
    fetch("fgnet", f"{address}/faces.zip", hashlib.sha256(CONTENT).hexdigest())
    assert Server.asked == [0]


def test_an_interrupted_download_goes_on(address, tmp_path):
    Server.drop = True
    with pytest.raises(UserError, match=r"faces\.zip: expected the file, got no answer: .*IncompleteRead"):
        fetch("fgnet", f"{address}/faces.zip")
    assert not (tmp_path / "data/fgnet/faces.zip").exists()
    (path,) = fetch("fgnet", f"{address}/faces.zip")
    assert path.read_bytes() == CONTENT
    first, second = Server.asked
    assert first == 0
    assert 0 <= len(CONTENT) // 2 - second < BLOCK


def test_a_wrong_hash_leaves_nothing(address, tmp_path):
    with pytest.raises(UserError, match="hash"):
        fetch("fgnet", f"{address}/faces.zip", "0" * 64)
    assert not (tmp_path / "data/fgnet/faces.zip").exists()


def test_no_such_file_and_no_server(address):
    with pytest.raises(UserError, match="404"):
        fetch("fgnet", f"{address}/other.zip")
    with pytest.raises(UserError, match="got no answer"):
        fetch("fgnet", "http://127.0.0.1:9/faces.zip")


@pytest.mark.parametrize("name", TASKS)
def test_every_data_set_says_how_to_get_it(name):
    text = how_to(name)
    for word in ("http", "research", f"`data/{name}/", " MB" if name != "afad" else " GB"):
        assert word in text


def test_what_needs_a_form_is_not_fetched():
    with pytest.raises(UserError, match="adience: cannot be fetched without a person; see gra data how-to adience"):
        fetch("adience")
    with pytest.raises(UserError, match="dataset: expected one of adience"):
        how_to("imdb")


def test_what_no_section_says_the_module_says(address, monkeypatch):
    monkeypatch.setattr(download, "data_sets", lambda: {
        name: DataSet(title=name.upper(), tasks=("gender",), get=get)
        for name, get in (("fgnet", ""), ("a", "Ask."), ("b", ""))
    })  # fmt: skip
    assert how_to("fgnet") == "FG-NET\n\nPut it at `data/fgnet/x`."
    assert how_to("a") == "Ask." and how_to("b") == "B: nobody wrote down how to get it; its files go into `data/b/`"


def test_what_a_server_makes_of_a_wish_for_the_rest(address, tmp_path, capsys):
    part = tmp_path / "data/fgnet/.faces.zip.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    Server.ignores = True  # what was asked for: it sends all from the start
    (path,) = fetch("fgnet", f"{address}/faces.zip")
    Server.ignores = False
    assert path.read_bytes() == CONTENT and not part.exists()
    path.unlink()
    part.write_bytes(CONTENT[:1000])
    Server.lengthless = True  # it does not say how much is left
    assert "100%" in capsys.readouterr().err
    (path,) = fetch("fgnet", f"{address}/faces.zip")
    assert "%" not in capsys.readouterr().err
    Server.lengthless = False
    assert path.read_bytes() == CONTENT and Server.asked[-1] == 1000
    path.unlink()
    part.write_bytes(CONTENT)
    (path,) = fetch("fgnet", f"{address}/faces.zip")  # 416: nothing is left
    assert path.read_bytes() == CONTENT and Server.asked[-1] == len(CONTENT)
