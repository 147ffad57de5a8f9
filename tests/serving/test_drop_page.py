"""The page at `/` as a browser shows it: a photo is chosen or dropped, boxes appear where they should."""

import json

import cv2
import numpy as np
import pytest
from browser import CHROMIUM, browser_page
from fake_detector import FakeDetector, png
from running_server import running

from metricloop.serving.app import create_app
from metricloop.serving.limits import Limits

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
BOXES = "[...document.querySelectorAll('.box')].map((box) => box.textContent)"
FRAMES = """[...document.querySelectorAll('.box')].map((box) => {
  const [outer, inner] = [document.getElementById('photo'), box].map((one) => one.getBoundingClientRect());
  return [inner.left - outer.left, inner.top - outer.top, inner.width, inner.height].map((x, i) =>
    x / (i % 2 ? outer.height : outer.width));
})"""
DROP = """(() => {{
  const bytes = Uint8Array.from(atob({data}), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], {name}));
  document.body.dispatchEvent(new DragEvent("drop", {{dataTransfer: transfer, bubbles: true, cancelable: true}}));
}})()"""


@pytest.fixture(scope="module")
def server():
    limits = Limits(file_bytes=50_000)
    with running(create_app(FakeDetector(), limits), limits) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(96, 64, seed=5))
    return path


def test_a_chosen_photo_gets_its_boxes_and_the_slider_chooses_among_them(page, server, photo):
    page.log.clear()
    page.look(1200, 850)
    page.open(server)
    page.choose_file("#file", photo)
    page.wait_for(f"{BOXES}.length == 2")
    assert page.ask(BOXES) == ["panda 90 %", "koala 50 %"]
    assert page.ask("document.getElementById('said').textContent") == "2 objects; 1 more below this score"
    found = FakeDetector.found(cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB))
    shares = found.boxes[:2] / [96, 64, 96, 64]
    np.testing.assert_allclose(page.ask(FRAMES), shares, atol=0.01)
    for value, left in [("0.05", 3), ("0.6", 1), ("1", 0)]:
        slider = "document.getElementById('score')"
        page.ask(f"({slider}.value = {value}, {slider}.dispatchEvent(new Event('input')))")
        assert len(page.ask(BOXES)) == left
    assert page.ask("document.getElementById('said').textContent") == "No objects; 3 more below this score"
    assert page.log == []  # nothing failed, and the content policy stopped nothing


def test_the_slider_begins_at_the_score_that_fits_the_detector(page, photo):
    detector = FakeDetector()
    detector.facts["best_score"] = 0.6312
    with running(create_app(detector), Limits()) as port:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait_for("document.getElementById('least').textContent == '0.63'")
        page.choose_file("#file", photo)
        page.wait_for(f"{BOXES}.length == 1")
        assert page.ask("document.getElementById('said').textContent") == "1 object; 2 more below this score"


def test_a_dropped_photo_is_taken_and_a_text_refused_in_words(page, server):
    import base64

    page.open(server)
    for data, name in [(png(), "a.png"), (b"hello", "<img src=x onerror=alert(1)>.png")]:
        text = json.dumps(base64.b64encode(data).decode())
        page.ask(DROP.format(data=text, name=json.dumps(name)))
        page.wait_for("!document.getElementById('main').classList.contains('busy')")
    problem = page.ask("document.getElementById('problem').textContent")
    assert problem == "Not a readable picturePicture 1 of 1: not a picture; send JPEG, PNG, WebP, GIF, BMP or TIFF."
    assert page.ask("document.getElementById('result').hidden") is True
    page.ask(DROP.format(data=json.dumps(base64.b64encode(png()).decode()), name='"a.png"'))
    page.wait_for("document.getElementById('problem').hidden && !document.getElementById('result').hidden")


def test_a_kind_that_the_browser_cannot_show_still_gets_its_boxes(page, server, tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(cv2.imencode(".tif", np.full((40, 60, 3), 200, np.uint8))[1].tobytes())
    page.open(server)
    page.choose_file("#file", path)
    page.wait_for(f"{BOXES}.length == 2")
    page.wait_for("document.getElementById('photo').naturalWidth == 60")


def test_it_is_usable_by_keyboard(page, server, photo):
    page.open(server)
    page.choose_file("#file", photo)
    page.wait_for(f"{BOXES}.length == 2")
    reached = []
    for _ in range(6):
        page.press("Tab", 9)
        reached.append(page.ask("document.activeElement.id || document.activeElement.textContent"))
    assert reached == ["Documentation", "About this detector", "file", "score", "panda90 %", "koala50 %"]
    assert page.ask("[...document.querySelectorAll('.box')].map((box) => box.classList.contains('on'))") == [
        False,
        True,
    ]


@pytest.mark.parametrize("path", ["", "docs"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_the_window_in_both_colours(page, server, photo, tmp_path, width, dark, path):
    page.log.clear()
    page.look(width, 844, dark)
    page.open(server + path)
    if not path:
        page.choose_file("#file", photo)
        page.wait_for(f"{BOXES}.length == 2")
    page.screenshot(tmp_path / "page.png")
    picture = cv2.imread(str(tmp_path / "page.png"))
    assert picture.shape == (844, width, 3)
    assert (picture[2, 2].mean() < 60) == dark
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    assert page.log == []
