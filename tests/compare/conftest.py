"""A headless Chromium, spoken to as W3C WebDriver says; and truth with results whose numbers are known."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

KEYS = {"ArrowRight": "\ue014", "ArrowLeft": "\ue012", "Tab": "\ue004", "Enter": "\ue007"}
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One page in a headless Chromium."""

    def __init__(self, port):
        self._base = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        options = {"args": arguments, "binary": shutil.which("chromium") or shutil.which("google-chrome")}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self._session = f"/session/{self._ask('POST', '/session', {'capabilities': wanted})['sessionId']}"

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def _do(self, method, path, body=None):
        return self._ask(method, self._session + path, body)

    def open(self, url):
        self._do("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What a piece of JavaScript returns."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def _find(self, selector):
        return self._do("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]

    def click(self, selector):
        """A real click, which fails if something lies over the element."""
        self._do("POST", f"/element/{self._find(selector)}/click", {})

    def press(self, key):
        """A real key, to whatever has the focus."""
        each = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
        self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": each}]})

    def choose(self, selector, value):
        """An option of a select."""
        self._do("POST", f"/element/{self._find(f'{selector} option[value=%s]' % json.dumps(value))}/click", {})

    def text(self, selector):
        return self._do("GET", f"/element/{self._find(selector)}/text")

    def emulate(self, width, height, scheme="light"):
        """A screen of this size in CSS pixels whose owner likes light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        likes = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._devtools("Emulation.setEmulatedMedia", likes)

    def _devtools(self, command, parameters):
        return self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self):
        """The whole page as PNG."""
        size = self._devtools("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self._devtools("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        return base64.b64decode(shot["data"])

    def complaints(self):
        """Errors and warnings of the page."""
        log = self._do("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] in ("SEVERE", "WARNING")]

    def close(self):
        self._do("DELETE", "")


@pytest.fixture(scope="session")
def browser():
    """A browser; a test that needs one is skipped where there is none."""
    driver = shutil.which("chromedriver")
    if driver is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([driver, f"--port={port}"], stdout=quiet, stderr=quiet)
    try:
        yield _started(port)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _started(port):
    last = time.monotonic() + 30
    while True:
        try:
            return Browser(port)
        except urllib.error.URLError:
            if time.monotonic() > last:
                raise
            time.sleep(0.1)


PICTURES = {1: 1, 2: 2, 3: 4, 4: 6}  # id -> people


def _person(image_id, number, count):
    """An annotation of somebody with all joints, upright, in a column of a 320 x 200 picture."""
    random = np.random.default_rng(10 * image_id + number)
    width = 300 / count
    x = 10 + width * (number + 0.15 + 0.7 * random.random(17))
    y = 20 + 160 * random.random(17)
    joints = np.stack([x, y, np.full(17, 2.0)], axis=1).round(1)
    return {
        "id": 100 * image_id + number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": joints.reshape(-1).tolist(),
        "bbox": [10 + width * number, 20, width, 160],
        "area": 160 * width,
    }


@pytest.fixture(scope="session")
def truth():
    """COCO labels of four pictures with 1, 2, 4 and 6 people."""
    images = [
        {
            "id": i,
            "file_name": f"{i}.jpg",
            "width": 320,
            "height": 200,
            "annotation_level": "even" if i % 2 == 0 else "odd",
        }
        for i in PICTURES
    ]
    people = [_person(i, n, count) for i, count in PICTURES.items() for n in range(count)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}


def _found(annotation, score=0.9, apart=0.0):
    joints = np.reshape(annotation["keypoints"], (17, 3)) * [1, 1, 0.5] + [apart, 0, 0]
    return {
        "image_id": annotation["image_id"],
        "category_id": 1,
        "keypoints": joints.reshape(-1).tolist(),
        "score": score,
    }


@pytest.fixture(scope="session")
def perfect(truth):
    """Results that are the truth."""
    return [_found(annotation) for annotation in truth["annotations"]]


@pytest.fixture(scope="session")
def crowded_out(truth):
    """Results that are the truth on pictures of one or two people, and find nobody else."""
    return [_found(a) for a in truth["annotations"] if PICTURES[a["image_id"]] <= 2]


@pytest.fixture(scope="session")
def folder(tmp_path_factory, truth, perfect, crowded_out):
    """gt.json, good.json, weak.json and images/ with plain pictures, whose blue says which it is."""
    tmp_path = tmp_path_factory.mktemp("comparison")
    for name, content in (("gt", truth), ("good", perfect), ("weak", crowded_out)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "images").mkdir()
    for number in PICTURES:
        Image.new("RGB", (320, 200), (90, 120, 60 * number)).save(tmp_path / "images" / f"{number}.jpg")
    return tmp_path
