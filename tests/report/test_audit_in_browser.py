"""The page of an audit in a browser: marks by keys and mouse, filters, what a reload and a file keep, its looks."""

import json
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from audited import audited
from browser import CHROMIUM, browser_page
from study_fixture import make_study

from metricloop.auditing.suspects import Suspect
from metricloop.cli.main import main
from metricloop.report.audit_page import build
from metricloop.study.marks import read_marks
from metricloop.study.staleness import Staleness

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27}
# The contrast of every text that is shown with the ground below it, as WCAG 2 computes it; the lowest ones first.
CONTRAST = """
(() => {
  const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => { const f = c.map((v) => linear(v / 255));
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const parts = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const ground = (node) => { for (let at = node; at; at = at.parentElement) {
    const c = parts(getComputedStyle(at).backgroundColor);
    if (c.length === 3 || c[3] > 0.99) return c; } return [255, 255, 255]; };
  const found = [];
  const walk = document.createTreeWalker(document.querySelector("dialog[open]") ?? document.body, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || node.closest("svg, :disabled, option, script, style")) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    found.push([Math.round((a + 0.05) / (b + 0.05) * 100) / 100, text.data.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 3);
})()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("audit") / "study")
    (folder / "audit").mkdir()
    (folder / "audit/audit.html").write_text(build(audited(folder), "drawn", folder))
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("profile") / "p") as page:
        yield page


@pytest.fixture
def page(browser, folder, tmp_path):
    """The page, without marks of a test before."""
    browser.log.clear()
    browser.look(1200, 900)
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open((folder / "audit/audit.html").as_uri())
    browser.ask("localStorage.clear()")
    reopen(browser)
    yield browser
    assert browser.log == []  # nothing on the console, nothing that the policy refused


def reopen(page):
    page.ask("globalThis.old = true")
    page.call("Page.reload")
    page.wait_for("!globalThis.old && document.readyState === 'complete'")


def press(page, *keys):
    for key in keys:
        page.press(key, CODES.get(key, ord(key.upper()[0])))


def focus_first(page):
    page.ask("choose(visible()[0], true)")


def marked(page):
    """Number of the finding -> its mark, as the page keeps them."""
    return dict(page.ask("[...marks].map(([id, one]) => [findings.get(id).number, one.mark])"))


def mouse(page, *points):
    """Press the button at the first point, move over the others, and let it go."""
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)


def on_screen(page, x, y):
    """Where a pixel of the picture in the editor is in the window."""
    found = page.ask(
        f"(() => {{ const p = new DOMPoint({x}, {y}).matrixTransform(stage.getScreenCTM()); return [p.x, p.y]; }})()"
    )
    return found[0], found[1]


def test_findings_are_marked_by_keys_and_the_marks_survive_a_reload(page):
    focus_first(page)
    press(page, "k", "m", "d", "u")  # 3 has no label that could be deleted: no mark, and the focus stays
    assert marked(page) == {1: "keep", 2: "fix", 3: "unsure"}
    assert page.ask("findingOf(document.activeElement).number") == 4
    press(page, "d")
    assert page.ask("control('told').textContent") == "4 of 7 marked: 1 keep, 1 fix, 1 delete, 1 not sure"
    assert page.ask("control('progress').value") == 4
    press(page, "ArrowLeft", "ArrowLeft", "z")
    assert marked(page) == {1: "keep", 2: "fix", 3: "unsure"}
    assert page.ask("findingOf(document.activeElement).number") == 4  # undo shows what it took back
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "k")  # the same word again takes it back
    assert marked(page) == {2: "fix", 3: "unsure"}
    outline = page.ask(
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert outline == "solid3px"
    reopen(page)
    assert marked(page) == {2: "fix", 3: "unsure"}
    assert page.ask("control('told').textContent").startswith("2 of 7 marked")
    classes = page.ask("cards.map((card) => ['fix', 'unsure'].filter((word) => card.classList.contains(word)).join())")
    assert classes == ["", "fix", "unsure", "", "", "", ""]


def test_a_close_up_is_never_larger_than_the_picture_and_w_changes_nothing_where_there_is_none(page):
    def view():
        return page.ask("editing.view")

    width, height = page.ask(
        "[audit.images[audit.findings[0].image].width, audit.images[audit.findings[0].image].height]"
    )
    page.ask("audit.findings[0].window = [10, 12, 34, 36]; NEAREST > 24 && openEditor(audit.findings[0])")
    x, y, across, down = view()
    assert x >= 0 <= y
    assert x + across <= width
    assert y + down <= height
    page.ask(f"audit.findings[0].window = [0, 0, {width}, {height}]; openEditor(audit.findings[0])")
    assert view() == [0, 0, width, height]
    press(page, "w")
    assert view() == [0, 0, width, height]
    assert page.ask(
        "[...panel.querySelectorAll('.top button')].find((one) => /Close-up/.test(one.textContent)).disabled"
    )
    page.ask("editor.close()")


def test_what_the_model_sees_is_taken_as_the_kind_of_error_asks(page):
    focus_first(page)
    press(page, "m", "m", "m")
    ones = page.ask(
        "audit.findings.slice(0, 3).map((one) =>"
        " ({ ...marks.get(one.id).to, was: one.box, name: one.label, model: one.model }))"
    )
    placed, wrong, missing = ones
    assert placed["label"] == placed["name"]
    assert placed["box"] == placed["model"]["box"] != placed["was"]
    assert wrong["label"] == wrong["model"]["label"] != wrong["name"]
    assert wrong["box"] == wrong["was"]
    assert (missing["label"], missing["box"]) == ("football", [40, 40, 60, 58])
    assert page.ask("cards[0].querySelectorAll('.box.repair').length") == 1
    assert page.ask("act({ ...audit.findings[3], kind: 'spurious' }, 'model')")
    assert marked(page) == {1: "fix", 2: "fix", 3: "fix", 4: "delete"}  # where the model sees no object
    texts = page.ask("cards.slice(0, 3).map((card) => card.querySelector('.verdict-mark').textContent)")
    assert texts == ["fix: new box", f"fix: class {wrong['label']}", "fix: adds football"]


def test_filters_and_orders(page):
    def shown():
        return page.ask("visible().map((card) => findingOf(card).number)")

    def choose(name, value):
        page.ask(f"control('{name}').value = '{value}'; control('{name}').dispatchEvent(new Event('change'))")

    assert shown() == [1, 2, 3, 4, 5, 6, 7]
    choose("kind", "placed")
    assert shown() == [1, 4, 7]
    choose("split", "test")
    assert shown() == [7]
    choose("state", "keep")
    assert shown() == []
    assert page.ask("!control('nothing').hidden")
    page.ask("control('all').click()")
    assert shown() == [1, 2, 3, 4, 5, 6, 7]
    choose("class", "football")
    assert shown() == page.ask(
        "audit.findings.filter((one) => [one.label, one.model?.label].includes('football')).map((one) => one.number)"
    )
    page.ask("control('all').click()")
    choose("sort", "kind")
    assert shown() == [1, 4, 7, 2, 5, 3, 6]
    choose("sort", "file")
    files = page.ask("visible().map((card) => findingOf(card).file)")
    assert files == sorted(files)


def test_a_box_is_dragged_and_another_drawn(page):
    focus_first(page)
    press(page, "f")
    page.wait_for("editor.open")
    x1, y1, x2, y2 = page.ask("audit.findings[0].box")
    middle = (y1 + y2) / 2
    mouse(page, on_screen(page, x2, middle), on_screen(page, x2 + 2, middle + 1), on_screen(page, x2 + 4, middle + 1))
    to = page.ask("marks.get(audit.findings[0].id).to")
    assert to["box"] == pytest.approx([x1, y1, x2 + 4, y2], abs=0.3)  # a side moves one way only
    mouse(page, on_screen(page, x1, y1), on_screen(page, x1 - 3, y1 - 2))
    to = page.ask("marks.get(audit.findings[0].id).to")
    assert to["box"] == pytest.approx([x1 - 3, y1 - 2, x2 + 4, y2], abs=0.6)
    press(page, "n")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=300, y=300)
    start, end = (x1 + 2, y1 + 2), (x1 + 9, y1 + 8)
    mouse(page, on_screen(page, *start), on_screen(page, *end))
    [added] = page.ask("marks.get(audit.findings[0].id).added")
    assert added["box"] == pytest.approx([*start, *end], abs=0.6)
    page.ask(
        "(() => { const names = panel.querySelector('select'); names.value = 'football';"
        " names.dispatchEvent(new Event('change')); })()"
    )
    assert page.ask("marks.get(audit.findings[0].id).added[0].label") == "football"
    press(page, "z", "z", "z", "z")
    assert marked(page) == {}
    press(page, "Escape")
    page.wait_for("!editor.open")
    assert page.ask("findingOf(document.activeElement).number") == 1


def test_undo_in_the_editor_shows_the_finding_that_it_took_back(page):
    focus_first(page)
    press(page, "f")
    page.wait_for("editor.open")
    press(page, "k")  # and on to the second finding
    assert page.ask("editing.finding.number") == 2
    press(page, "z")
    assert marked(page) == {}
    assert page.ask("editing.finding.number") == 1
    press(page, "Escape")
    page.wait_for("!editor.open")
    assert page.ask("findingOf(document.activeElement).number") == 1


def test_when_all_are_marked_the_page_says_what_comes_next(page):
    page.ask("cards.slice(1).forEach((card) => act(findingOf(card), 'keep'))")
    page.ask("saveMarks()")
    assert page.ask("control('done').textContent").startswith("Saved as marks.json: 6 marks.")
    page.ask("act(findingOf(cards[1]), 'unsure')")
    assert page.ask("control('done').hidden")  # the file is behind the page now
    page.ask("act(findingOf(cards[0]), 'unsure')")
    assert page.ask("control('done').textContent").startswith("All 7 are marked. Now save the marks")


def test_saved_marks_can_be_loaded_again_and_applied(page, folder, tmp_path, capsys, monkeypatch):
    focus_first(page)
    press(page, "m", "k", "m", "d", "u")
    before = page.ask("JSON.stringify([...marks])")
    page.ask("control('save').click()")
    file = tmp_path / "marks.json"
    page.wait_for("true")
    for _ in range(200):
        if file.is_file():
            break
        page.ask("new Promise((done) => setTimeout(done, 20))")
    saved = read_marks(file)
    assert [entry.mark for entry in saved.marks] == ["fix", "keep", "fix", "delete", "unsure"]
    assert saved.findings == 7
    assert page.ask("control('done').checkVisibility() && control('done').textContent").startswith(
        "Saved as marks.json: 5 marks."
    )
    page.ask("localStorage.clear()")
    reopen(page)
    assert marked(page) == {}
    page.choose_file("#file", file)
    page.wait_for("marks.size === 5")
    assert page.ask("JSON.stringify([...marks])") == before
    assert page.ask("control('shown').textContent") == "5 marks loaded."
    other = json.loads(file.read_text())
    other["marks"][0]["box"][0] += 1  # of another label than today's
    (tmp_path / "other.json").write_text(json.dumps(other))
    page.choose_file("#file", tmp_path / "other.json")
    page.wait_for("control('shown').textContent.includes('left out')")
    told = "0 marks loaded. 4 as they are here. 1 left out: of findings that are not on this page."
    assert page.ask("control('shown').textContent") == told
    monkeypatch.setattr("metricloop.study.import_labels.staleness", lambda folder: Staleness(["ingest"], [], []))
    assert main(["fix", str(file), "--dry-run", "-C", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "5 marks for 7 findings of the audit" in out
    assert "1 added, 1 removed, 1 moved, 0 renamed" in out


def test_what_two_people_decided_differently_is_decided_once_more(page, tmp_path):
    focus_first(page)
    press(page, "m", "k", "m", "d")  # one person: fix, keep, fix, delete of 1 to 4
    theirs = page.ask("JSON.parse(asFile())")
    theirs["marks"][1] |= {"mark": "delete"}
    theirs["marks"][2]["to"]["box"][0] += 2
    theirs["marks"][3] |= {"mark": "keep"}
    theirs["marks"].append(theirs["marks"][3] | page.ask("(({ id, kind, split, file, sha256, box_id, label, box }) => "
                                                         "({ id, kind, split, file, sha256, box_id, label, box }))"
                                                         "(audit.findings[4])"))  # fmt: skip
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    page.choose_file("#file", tmp_path / "theirs.json")
    page.wait_for("differing.size === 3")
    assert page.ask("control('shown').textContent") == (
        "1 mark loaded. 1 as they are here. 3 differ from the mark here, which stays until you decide."
    )
    assert page.ask("visible().map((card) => findingOf(card).number)") == [2, 3, 4]  # what is to be decided, alone
    assert marked(page) == {1: "fix", 2: "keep", 3: "fix", 4: "delete", 5: "keep"}
    texts = page.ask("visible().map((card) => card.querySelector('.theirs').firstChild.textContent.trim())")
    assert texts[::2] == ["the loaded file: delete", "the loaded file: keep"]
    assert page.ask("visible()[1].querySelectorAll('.box.loaded').length") == 1  # a box of its own, to compare
    assert page.ask("control('told').textContent").endswith("3 to decide")
    focus_first(page)
    press(page, "k")  # as before: the same word does not take the mark back here
    press(page, "d", "ArrowRight", "l")  # 3 cannot be deleted; 4 as the file says
    assert marked(page) == {1: "fix", 2: "keep", 3: "fix", 4: "keep", 5: "keep"}
    page.ask("control('state').value = 'differs'; control('state').dispatchEvent(new Event('change'))")
    assert page.ask("visible().map((card) => findingOf(card).number)") == [3]
    page.ask("visible()[0].querySelector('.theirs button').click()")
    assert page.ask("marks.get(audit.findings[2].id).to.box[0]") == theirs["marks"][2]["to"]["box"][0]
    assert page.ask("differing.size + document.querySelectorAll('.theirs').length") == 0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 900, 1440])
def test_the_page_fits_the_window_and_can_be_read(page, tmp_path, width, dark):
    page.look(width, 900, dark)
    focus_first(page)
    press(page, "m", "k", "u", "d")
    assert page.ask("document.documentElement.scrollWidth") == width
    assert page.ask(CONTRAST)[0][0] >= 4.5, page.ask(CONTRAST)
    page.ask("scrollTo(0, 0)")
    page.screenshot(tmp_path / "page.png")
    picture = cv2.imread(str(tmp_path / "page.png"))
    ground = picture[2, 2].astype(int)
    assert (ground.max() < 60) == dark
    if dark:  # no glare: hardly anything is nearly white
        assert (picture.min(axis=2) > 235).mean() < 0.02
    assert 0.02 < (np.abs(picture.astype(int) - ground).max(axis=2) > 24).mean() < 0.95
    press(page, "Enter")
    page.wait_for("editor.open")
    assert page.ask(CONTRAST)[0][0] >= 4.5, page.ask(CONTRAST)
    assert page.ask("[stage.clientWidth, stage.clientHeight].every((side) => side >= 300)")
    tools = page.ask(
        "[...panel.querySelectorAll('button')].map((one) => one.getBoundingClientRect())"
        ".map((one) => [one.left, one.right])"
    )
    assert all(0 <= left < right <= width for left, right in tools)
    press(page, "Escape")


def test_a_box_that_is_to_be_deleted_looks_unlike_all_others(page):
    focus_first(page)
    press(page, "d", "k")
    looks = page.ask(
        "[0, 1, 3].map((at) => getComputedStyle(cards[at].querySelector('.box.label')))"
        ".map((style) => [style.stroke, style.strokeDasharray === 'none'])"
    )
    assert looks == [["rgb(255, 143, 128)", False], ["rgb(0, 229, 255)", True], ["rgb(0, 229, 255)", True]]


def test_copies_open_with_both_pictures_and_no_tool_that_does_nothing(page, folder):
    """First a picture in two splits, then a label that is missing, then copies whose labels differ."""
    audit = audited(folder)
    file = str(audit.data.file[1])
    found = {
        "leak": [Suspect("leak", 0, -1, 1.0, 0, None, other=file, order=1)],
        "missing": [replace(audit.suspects["missing"][0], order=2)],
        "conflict": [Suspect("conflict", 0, -1, 1.0, 0, None, other=file, order=3)],
    }
    (folder / "audit/copies.html").write_text(build(replace(audit, suspects=found), "drawn", folder))
    page.open((folder / "audit/copies.html").as_uri())
    focus_first(page)
    press(page, "f", "d", "m")
    assert page.ask("editor.open || marks.size > 0") is False
    tools = "[...panel.querySelectorAll('.row:not(.top) button')].map((one) => one.firstChild.data)"
    keys = "[...panel.querySelectorAll('.keys kbd')].map((one) => one.textContent)"
    twins = "panel.querySelectorAll('.twin image').length"
    press(page, "Enter", "n")
    assert page.ask("editing.drawing") is False
    assert [page.ask(tools), page.ask(keys), page.ask(twins)] == [["Keep", "Not sure", "Undo"], [], 1]
    press(page, "ArrowRight")
    own = ["Keep", "Not sure", "Undo", "As the model says", "Draw a box"]
    assert [page.ask(tools), page.ask(keys), page.ask(twins)] == [own, ["m", "n", "Shift", "Alt"], 0]
    press(page, "ArrowRight")
    own.remove("As the model says")
    assert [page.ask(tools), page.ask(keys), page.ask(twins)] == [own, ["n", "Shift", "Alt"], 1]
    page.ask("editor.close(); localStorage.clear()")


def test_headings_follow_each_other(page):
    """No level is left out, for those who listen to the page."""
    levels = page.ask("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.ask(
        "[...document.querySelectorAll('select, input, button')]"
        ".every((one) => (one.labels?.length || one.ariaLabel || one.textContent.trim()))"
    )
