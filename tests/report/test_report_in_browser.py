"""The report and the page of a metric as a browser shows them: at three widths, light and dark, by keyboard."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from browser import CHROMIUM, browser_page
from journal_fixture import write_journal
from study_fixture import arm, arms, make_study, write_detections

from metricloop.data.tables import SUBSET, read_table
from metricloop.metrics.contract import Spec
from metricloop.report import metric_page
from metricloop.report.study_page import write_report
from metricloop.scoring.scores import Scores
from metricloop.study.try_metric import SampleResult, read_try_inputs

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
LONG = "two_witnesses_of_every_object_x_spread_over_the_pool"
WIDTHS = (390, 900, 1440)
NAMES = "[...document.querySelectorAll('.comparison tbody:first-of-type tr th')].map(cell => cell.textContent)"
CAPTION = "document.querySelector('dialog .caption').textContent"
# Every text whose contrast to the colour behind it is below WCAG's AA: 4.5, or 3 for large text.
FAINT = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === 255) return colour.slice(0, 3);
    }
  };
  const texts = [...document.querySelectorAll('body *')].filter(node =>
    [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()) &&
    !['SCRIPT', 'STYLE', 'title'].includes(node.tagName) && node.checkVisibility() && !node.closest('.unseen, .skip'));
  return texts.map(node => {
    const style = getComputedStyle(node), size = parseFloat(style.fontSize);
    const ink = rgba(node instanceof SVGElement ? style.fill : style.color).slice(0, 3);
    const [high, low] = [light(ink), light(behind(node))].sort((a, b) => b - a);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    return [node.textContent.trim().slice(0, 40), node.className, (high + 0.05) / (low + 0.05), large ? 3 : 4.5];
  }).filter(([, , ratio, needed]) => ratio < needed);
})()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """With a long name, a language model's ideas, curves, and detections before and after."""
    folder = tmp_path_factory.mktemp("study")
    entries = arms()
    entries.insert(1, arm(LONG, "treatment", 0.331, 0.1, "better", metric=LONG))
    make_study(folder, entries=entries)
    write_detections(folder, {"random": 12.0, LONG: 0.0, "oracle": 1.0})
    write_journal(folder)
    confirmed = {
        "study": "drawn", "split": "test", "reason": None, "test_images": 8, "seeds": {},
        "arms": {"baseline": {"arm": "random", "mAP": [0.2], "mAR": [0.4]},
                 "winner": {"arm": LONG, "mAP": [0.3], "mAR": [0.5]}},
        "gain": {"winner": {"mAP": {"abs": 0.1, "rel": 0.5, "ci95": [0.02, 0.18], "p": 0.01}}},
    }  # fmt: skip
    (folder / "confirmation.json").write_text(json.dumps(confirmed))
    return write_report(folder, folder / "pictures")


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """The page of `metricloop try`, of a made-up score of images."""
    folder = make_study(tmp_path_factory.mktemp("tried"))
    inputs, count = read_try_inputs(folder), 32
    scores = Scores(np.arange(count), np.full(count, -1), np.linspace(-1, 5, count), ("ValueError: none",))
    result = SampleResult(inputs.pool, scores, read_table(folder / "subsets/object_count.parquet", SUBSET))
    spec, rules = Spec(LONG, "image", ("image",)), [("held", "varies", "one of 3"), ("broke", "no boxes", "IndexError")]
    page = metric_page.build(result, inputs, spec, {"name": "best", "direction": "higher"}, rules, f"{LONG}.py")
    return metric_page.write_page(folder, LONG, page)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(params=["report", "tried"])
def address(request):
    return request.getfixturevalue(request.param).as_uri()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_fits_its_window_reads_well_and_complains_of_nothing(browser, address, width, dark):
    browser.log.clear()
    browser.look(width, 900, dark)
    browser.open(address)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask(FAINT) == []
    assert browser.ask("document.querySelectorAll('button.zoom').length") > 5
    assert browser.log == []


def test_no_table_of_a_card_is_cut_off_on_a_phone(browser, report):
    """What is wider than its box must be in a box that scrolls."""
    browser.look(390, 800)
    browser.open(report.as_uri())
    outside = browser.ask(
        "[...document.querySelectorAll('main *')].filter(node => node.getBoundingClientRect().right > 391 "
        "&& !node.closest('.scroll')).map(node => node.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_a_table_is_sorted_by_keyboard(browser, report):
    browser.look(1200, 900)
    browser.open(report.as_uri())
    before = browser.ask(NAMES)
    browser.ask("[...document.querySelectorAll('.comparison .sort')].find(b => b.textContent === 'mAP ± sd').focus()")
    said = "document.querySelector('.comparison [aria-sort]')?.getAttribute('aria-sort')"
    browser.press("Enter", 13)
    assert browser.ask(NAMES) == [LONG, "object_count", "tightness", "random"]  # 0.331, 0.301, 0.242, 0.231
    assert browser.ask(said) == "descending"
    browser.press(" ", 32)
    assert browser.ask(NAMES) == ["random", "tightness", "object_count", LONG]
    assert browser.ask(said) == "ascending"
    assert browser.ask("document.querySelector('[role=status]').textContent") == "Sorted by mAP ± sd, ascending"
    browser.press("Enter", 13)
    assert browser.ask(NAMES) == before
    assert browser.ask(said) is None


@pytest.mark.parametrize(
    ("heading", "last"),
    [("Gain in mAP", "random"), ("p (Holm)", "random"), ("Arm", LONG)],
)
def test_what_has_no_number_comes_last_and_names_sort_as_words(browser, report, heading, last):
    browser.look(1200, 900)
    browser.open(report.as_uri())
    button = f"[...document.querySelectorAll('.comparison .sort')].find(b => b.textContent === '{heading}')"
    browser.ask(f"{button}.click()")
    assert browser.ask(NAMES)[-1] == last
    controls = "[...document.querySelectorAll('.controls tr')].map(row => row.textContent.trim().slice(0, 8))"
    assert browser.ask(controls)[0] == "Controls"
    browser.ask(f"{button}.click()")  # the other way round
    assert browser.ask(controls)[0] == "Controls"


def test_a_picture_opens_large_by_keyboard(browser, report):
    browser.look(1200, 900)
    browser.open(report.as_uri())
    browser.ask("document.querySelector('.thumbs .zoom').focus()")
    small = browser.ask("document.querySelector('.thumbs .zoom svg').getBoundingClientRect().width")
    browser.press("Enter", 13)
    assert browser.ask("document.querySelector('dialog').open")
    assert browser.ask("document.activeElement.className") == "view"
    width = "document.querySelector('dialog svg').getBoundingClientRect().width"
    large, first = browser.ask(width), browser.ask(CAPTION)
    assert large > 3 * small
    assert "score" in first
    browser.press("+", 187)
    assert browser.ask(width) == pytest.approx(1.5 * large, rel=0.01)
    browser.press("-", 189)
    browser.press("ArrowRight", 39)
    assert browser.ask(CAPTION) != first
    browser.press("ArrowLeft", 37)
    assert browser.ask(CAPTION) == first
    browser.press("Escape", 27)
    assert not browser.ask("document.querySelector('dialog').open")
    assert browser.ask("document.activeElement === document.querySelector('.thumbs .zoom')")


def test_every_picture_and_plot_says_what_it_is(browser, report):
    browser.look(1200, 900)
    browser.open(report.as_uri())
    said = browser.ask(
        f"[...document.querySelectorAll('.zoom')].map(button => {{ button.click(); return {CAPTION}; }})"
    )
    assert len(said) > 40
    assert min(map(len, said)) > 20
    assert f"{LONG}: Histogram of {LONG}: 31 images with a score, 8 of them kept" in said
    browser.press("Escape", 27)


def test_a_plot_opens_large_with_its_labels(browser, report):
    browser.look(1200, 900)
    browser.open(report.as_uri())
    size = "parseFloat(getComputedStyle(document.querySelector('{} text')).fontSize)"
    browser.ask("document.querySelector('article .curves').closest('button').click()")
    factor = browser.ask("document.querySelector('dialog .plot').style.zoom")
    assert float(factor) > 1.5
    assert browser.ask("document.querySelector('dialog .plot').getBoundingClientRect().right") <= 1200
    assert browser.ask(size.format("dialog .plot")) > 0
    browser.press("Escape", 27)


def test_saved_files_are_whole(browser, report):
    """The browser's own view of a link: the file holds every image of the subset."""
    browser.open(report.as_uri())
    link = f"document.querySelector('a[download=\"{LONG}.csv\"]').href"
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(browser.ask(link).partition(",")[2]).decode())))
    assert len(rows) == 8
    assert set(rows[0]) == {"draw", "image_id", "file", "boxes_kept", "boxes_left_out"}


def test_on_paper_there_are_no_buttons_and_nothing_is_cut(browser, report):
    browser.open(report.as_uri())
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.call("Emulation.setDeviceMetricsOverride", width=700, height=990, deviceScaleFactor=1, mobile=False)
    try:
        assert browser.ask("document.documentElement.scrollWidth") <= 700
        assert browser.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert (
            browser.ask("getComputedStyle(document.querySelector('.thumbs')).gridTemplateColumns.split(' ').length")
            == 6
        )
        assert len(base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])) > 20_000
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
