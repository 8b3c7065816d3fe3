"""The page to play with in a browser: Voilà serves it to this machine alone; keys move a gate, and the page follows."""

import base64
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reading import huge

from gralib.data.decoding import LARGEST
from gralib.visitors import play, playpage, shipped

pytest.importorskip("voila")
connect = pytest.importorskip("websockets.sync.client").connect
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT = 120


def line_of(process, pattern):
    """Return the first match in what a process prints."""
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found[0]
    raise AssertionError(f"no {pattern} was printed")


@pytest.fixture(scope="module")
def address(networks, tmp_path_factory):
    """Where the page is served, token and all."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gralib.visitors.playserver", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path_factory.mktemp("elsewhere"),
        env={**os.environ, "GRA_NETWORKS": str(networks)},
    )  # fmt: skip
    yield line_of(process, r"http://\S+")
    process.terminate()
    process.wait(20)


def status(url, host=None):
    try:
        request = urllib.request.Request(url, headers={"Host": host} if host else {})
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return answer.status, answer.url
    except urllib.error.HTTPError as error:
        return error.code, url


def test_the_page_is_for_this_machine_and_whoever_has_the_token(address):
    page, token = address.split("?token=")
    assert page.startswith("http://127.0.0.1:") and len(token) > 30
    assert "/login" in status(page)[1]
    assert "/login" in status(f"{page}?token=wrong")[1]
    assert status(address, "evil.example")[0] == 403
    assert status(f"{page}api/kernels/00000000-0000-0000-0000-000000000000")[0] == 403
    for path in (
        "voila/files/gralib/visitors/play.py",
        "voila/files/../../../etc/passwd",
        "api/contents",
        "../../etc/passwd",
    ):
        code, where = status(f"{page}{path}?token={token}")
        assert code in (400, 403, 404) or "/login" in where, path


class Browser:
    """A page in a headless Chromium, spoken to by its debugging protocol."""

    def __init__(self, socket):
        self.socket, self.number = socket, itertools.count(1)

    def __call__(self, method, **parameters):
        number = next(self.number)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv(WAIT))).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def value(self, expression):
        return self("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression, seconds=WAIT):
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)
        return found

    def key(self, name, code):
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    def upload(self, button, paths):
        """Click a button that asks for files, and give it some."""
        self("Page.setInterceptFileChooserDialog", enabled=True)
        number = next(self.number)
        click = {"expression": f"{button}.click()", "userGesture": True}
        self.socket.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": click}))
        while (event := json.loads(self.socket.recv(WAIT))).get("method") != "Page.fileChooserOpened":
            pass
        self("DOM.setFileInputFiles", files=[str(p) for p in paths], backendNodeId=event["params"]["backendNodeId"])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


@pytest.fixture(scope="module")
def browser(address, tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("no Chromium is on this machine")
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1400,1000"]
    process = subprocess.Popen(
        [CHROMIUM, *words, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "about:blank"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    port = line_of(process, r"ws://127.0.0.1:\d+").rpartition(":")[2]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        target = next(t for t in json.load(answer) if t["type"] == "page")
    with connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
        found = Browser(socket)
        found("Page.enable")
        found("Page.navigate", url=address)
        found.until("document.querySelector('.gra-answer')?.innerText")
        yield found
    process.terminate()
    process.wait(20)


TEXT = "document.querySelector('.gra-play').innerText"
ANSWER = "document.querySelector('.gra-answer').innerText"
IMAGE = "document.querySelector('.gra-play img').src"


def handle(label):
    """Return the expression of the slider of that name."""
    rows = "[...document.querySelectorAll('.gra-play .widget-slider')]"
    return f"{rows}.find(r => r.innerText.startsWith('{label}')).querySelector('.noUi-handle')"


def picture(browser):
    source = f"fetch({IMAGE}).then(r => r.arrayBuffer()).then(b => btoa(String.fromCharCode(...new Uint8Array(b))))"
    found = browser("Runtime.evaluate", expression=source, awaitPromise=True, returnByValue=True)["result"]["value"]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found))))


def test_keys_move_a_gate_and_the_page_shows_what_python_says(browser, networks):
    face = play.Face(*shipped.open_networks(networks), play.drawn(3))
    learned = {name: round(gamma, 2) for name, gamma in face.reader.networks["gender"].card.gates.items()}
    face.gates = dict(learned)
    assert browser.value(ANSWER) == play.sentence(face.answers())
    times = []
    browser.value(f"{handle('gate of stage 1')}.focus()")
    for name, code in [("Home", 36), ("End", 35)] * 4:  # to 0 and to 1: of untrained networks a step is seen in no mask
        before, start = browser.value(IMAGE), time.monotonic()
        browser.key(name, code)
        browser.until(f"{IMAGE} != {json.dumps(before)}")
        times.append(time.monotonic() - start)
    time.sleep(0.5)
    row = f"{handle('gate of stage 1')}.closest('.widget-slider')"  # its aria-valuenow has one decimal alone
    shown = float(browser.value(f"{row}.querySelector('.widget-readout').innerText"))
    assert shown > learned["stage1_module1"]
    face.gates = {**learned, "stage1_module1": shown}
    assert browser.value(ANSWER) == play.sentence(face.answers())
    off = np.abs(picture(browser).astype(int) - face.picture(face.shares()))
    assert off.mean() < 1
    print("from key to picture, seconds:", np.round(sorted(times), 3))


def test_hostile_uploads_end_in_sentences_and_the_page_goes_on(browser, tmp_path):
    files = {"12 MiB of text.jpg": b"text" * (3 << 20), "10000 px.png": huge(), "<i>page.jpg": b"<html>"}
    files |= {"0" * 240 + ".jpg": b"a name that no window holds in one line"}
    files |= {f"empty {number}.jpg": b"" for number in range(8)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    before = browser.value(ANSWER)
    browser.upload("document.querySelector('.gra-play .jupyter-widgets.widget-upload')", sorted(tmp_path.iterdir()))
    said = browser.until(f"{TEXT}.includes('were looked at') && {TEXT}").splitlines()
    assert f"Of {len(files)} pictures the first {play.MOST} were looked at." in said
    assert f"10000 px.png: Not read: picture larger than {LARGEST} pixels." in said
    assert "12 MiB of text.jpg: Not read: not a picture inside." in said
    assert "<i>page.jpg: Not read: not a JPEG, PNG or WebP inside, but a web page." in said
    assert browser.value(ANSWER) == before
    browser.value(f"{handle('gate of stage 2')}.focus()")
    image = browser.value(IMAGE)
    browser.key("End", 35)
    browser.until(f"{IMAGE} != {json.dumps(image)}")


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (390, False), (390, True)])
def test_the_page_fits_every_window(browser, tmp_path, width, dark):
    browser("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser("Emulation.setEmulatedMedia", features=scheme)
    time.sleep(0.5)
    browser.screenshot(Path(os.environ.get("GRA_SCREENSHOTS", tmp_path)) / f"play-{width}{'-dark' * dark}.png")
    assert browser.value("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.gra-play img')].map(i => [i.title, i.getBoundingClientRect()])"
    (said, face), (told, kinds) = json.loads(browser.value(f"JSON.stringify({boxes})"))
    assert (said, told) == (playpage.PICTURE, playpage.KINDS), "what they show is said too"
    assert all(box["right"] <= width and box["width"] > 300 for box in (face, kinds))
