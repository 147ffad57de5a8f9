"""The page of an audit as text: what it says, what it holds for its scripts, and how large it is."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from audited import audited
from study_fixture import make_study

from metricloop.auditing.run import Audit
from metricloop.auditing.suspects import Suspect
from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.report.audit_findings import findings, shortened
from metricloop.report.audit_page import build
from metricloop.report.audit_pictures import pictures, window


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("audit") / "a study")


def data_of(page):
    """What the page holds for its scripts."""
    return json.loads(html.unescape(re.search(r'<div id="findings" hidden>(.*?)</div>', page, re.DOTALL)[1]))


def test_findings_stand_in_the_order_in_which_they_are_to_be_fixed(folder):
    audit = audited(folder)
    listed = findings(audit)
    assert [it.order for it in listed] == [1, 2, 3, 4, 5, 6, 7]
    # without an order: the worst of each kind, then the second of each, the more suspicious first
    unordered = {kind: [replace(it, order=0) for it in own] for kind, own in audit.suspects.items()}
    listed = findings(replace(audit, suspects=unordered))
    assert [(it.kind, it.suspicion) for it in listed] == [
        ("placed", 0.9), ("class", 0.9), ("missing", 0.9), ("placed", 0.8), ("missing", 0.8), ("class", 0.7),
        ("placed", 0.7),
    ]  # fmt: skip


def test_a_page_says_what_is_known_and_what_is_guessed(folder):
    page = build(audited(folder), "drawn", folder)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "7 findings \u2013 about 3 min of work, those first" in text  # 5 x 0.5 + 2 x 0.2 min
    assert "wrong in about 71 % of such cases" in text
    assert len(re.findall(r"wrong in about \d", text)) == 4
    assert text.count("how many of such cases are wrong cannot be told") == 3  # no probability is known
    assert "(its score 0.80)" in text
    assert "test split" in text
    assert "and 1 more" not in text
    assert "1 more box like this" in text
    assert "no kind of error stands out here" in text  # why a kind is silent
    assert "62 %" in text
    assert f"metricloop fix marks.json -C '{folder}'" in html.unescape(page)


def test_a_probability_next_to_zero_is_no_evidence(folder):
    audit = audited(folder)
    bare = {kind: [replace(it, probability=0.004) for it in own] for kind, own in audit.suspects.items()}
    page = build(replace(audit, suspects=bare), "drawn", folder)
    assert "wrong in about" not in page
    assert page.count("how many of such cases are wrong cannot be told") == 7
    small = {kind: [replace(it, probability=0.01) for it in own] for kind, own in audit.suspects.items()}
    assert build(replace(audit, suspects=small), "drawn", folder).count("wrong in about 1") == 7


def test_the_keys_name_the_model_only_where_one_was_asked(folder):
    asked = audited(folder)
    assert asked.model
    assert "<kbd>m</kbd> as the model says" in build(asked, "drawn", folder)
    assert "<kbd>m</kbd>" not in build(replace(asked, model=None), "drawn", folder)


def test_a_page_without_findings_says_how_to_look_anyway(folder):
    none = replace(audited(folder), suspects={})
    assert "metricloop audit -C x --least 0" in build(none, "drawn", folder, "metricloop audit -C x --least 0")
    assert "To see the most suspicious" not in build(none, "drawn", folder)


def test_the_data_of_the_scripts_tell_exactly_which_label_is_meant(folder):
    audit = audited(folder)
    found = data_of(build(audit, "drawn", folder))
    by_order = {it.order: it for own in audit.suspects.values() for it in own}
    assert [one["number"] for one in found["findings"]] == [1, 2, 3, 4, 5, 6, 7]
    for one in found["findings"]:
        it = by_order[one["number"]]
        assert (one["kind"], one["split"]) == (it.kind, it.split)
        assert one["file"] == audit.data.file[it.row]
        assert one["sha256"] == audit.data.sha256[it.row]
        if it.box >= 0:
            assert np.float32(one["box"]).tolist() == audit.data.boxes[it.box].tolist()
            assert one["box_id"] == audit.data.box_id[it.box]
        else:
            assert one["box"] is one["box_id"] is one["label"] is None
    assert len({one["id"] for one in found["findings"]}) == 7
    assert found["classes"] == ["panda", "football"]
    again = data_of(build(audit, "drawn", folder))
    assert again["audit"] == found["audit"]  # marks in the browser survive the same audit made again
    assert data_of(build(audit, "other", folder))["audit"] != found["audit"]


def test_words_of_strangers_cannot_end_the_data_or_the_page(folder, tmp_path):
    audit = audited(folder)
    evil = "</div><script>alert(1)</script>&amp;.png"
    data = replace(audit.data, class_names=("panda", evil))
    page = build(replace(audit, everything=data), "</title><script>", folder)
    assert page.count("<script") == 1
    assert evil in data_of(page)["classes"]


def test_links_lead_from_the_page_to_the_pictures(folder):
    page = build(audited(folder), "drawn", folder)
    addresses = re.findall(r'<a href="(\.\.[^"]+)"', page)
    assert len(addresses) == 7
    assert all((folder / "audit" / unquote(address)).resolve().is_file() for address in addresses)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("images/a.jpg", "a.jpg"),
        ("a" * 30, "a" * 30),
        ("BloodImage_00001_jpg.rf.702a01b7ac8d4bd6d31c4a4d5d8e7f1e.jpg", "BloodImage_0\u2026c4a4d5d8e7f1e.jpg"),
    ],
)
def test_long_names_are_shortened_in_the_middle(name, short):
    assert shortened(name) == short
    assert len(shortened(name)) <= 30


def stored(tmp_path, frames):
    """A data set with pictures of noise, which JPEG cannot make small."""
    rng = np.random.default_rng(3)
    digests = []
    for frame in frames:
        path = tmp_path / f"{frame.image_id}.jpg"
        cv2.imwrite(str(path), rng.integers(0, 255, (frame.height, frame.width, 3)).astype(np.uint8))
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return replace(pool_of(frames), root=tmp_path, sha256=np.array(digests, object))


def decoded(uri):
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)


def many(tmp_path, number, side):
    """Pictures with one finding each."""
    box = np.array([[10, 10, 60, 50]], np.float32)
    data = stored(tmp_path, [Frame(row, side, side, box, np.zeros(1, int), ("panda",)) for row in range(number)])
    return data, [Suspect("spurious", row, row, 0.9, 0, None) for row in range(number)]


def test_pictures_stay_within_a_limit(tmp_path):
    data, found = many(tmp_path, 12, 300)
    limit = 400_000
    made = pictures(data, found, limit)
    size = sum(map(len, made.close_ups)) + sum(map(len, made.whole.values()))
    assert 0.5 * limit < size <= limit
    assert len(made.whole) == 12
    (tmp_path / "3.jpg").unlink()
    made = pictures(data, found, limit)
    assert made.close_ups[3] is None
    assert 3 not in made.whole


def test_a_close_up_holds_the_label_and_the_box_of_the_model_where_they_touch():
    frame = Frame(1, 400, 300, np.array([[100, 100, 140, 120]], np.float32), np.zeros(1, int), ("panda",))
    data = pool_of([frame])
    # 2.5 times the longer side, 40 px, about the middle (120, 110)
    assert window(data, Suspect("placed", 0, 0, 0.9, 0, None)) == (70, 60, 170, 160)
    near = window(data, Suspect("placed", 0, 0, 0.9, 0, ((130.0, 90.0, 180.0, 130.0), 0, 0.5)))
    assert near == (40, 10, 240, 210)  # around 100-180, 90-130
    far = window(data, Suspect("placed", 0, 0, 0.9, 0, ((300.0, 200.0, 350.0, 250.0), 0, 0.5)))
    assert far == (70, 60, 170, 160)
    assert window(data, Suspect("repeated", 0, -1, 0.9, 0, None, other="b.jpg")) == (0, 0, 400, 300)


def test_a_close_up_of_a_tiny_object_has_the_pixels_of_the_file(tmp_path):
    box = np.array([[700, 300, 709, 308]], np.float32)
    data = stored(tmp_path, [Frame(1, 1000, 600, box, np.zeros(1, int), ("fighter",))])
    it = Suspect("spurious", 0, 0, 0.9, 0, None)
    shown = pictures(data, [it])
    assert shown.windows == [(692, 292, 716, 316)]  # 24 px, eight times as large on a card
    assert shown.cuts == [(544, 144, 864, 464)]
    assert decoded(shown.close_ups[0]).shape == (320, 320, 3)
    few = pictures(data, [it], most_bytes=4_000)  # too few for 320 px: a smaller part, and no smaller pixels
    x1, y1, x2, y2 = few.cuts[0]
    assert x2 - x1 < 320
    assert decoded(few.close_ups[0]).shape == (y2 - y1, x2 - x1, 3)
    large = pictures(replace(data, boxes=np.array([[100, 100, 500, 400]], np.float32)), [it])
    assert large.cuts == large.windows == [(0, 0, 1000, 600)]  # 2.5 sides of the box


def test_copies_with_different_labels_are_shown_where_these_differ(tmp_path):
    both, one = np.array([[10, 10, 60, 60], [500, 300, 520, 320]], np.float32), np.array([[10, 10, 60, 60]], np.float32)
    data = stored(
        tmp_path, [Frame(k, 1000, 600, own, np.zeros(len(own), int), ("f",)) for k, own in ((1, both), (2, one))]
    )
    for row, other in ((0, "2.jpg"), (1, "1.jpg")):
        assert window(data, Suspect("conflict", row, -1, 1.0, 0, None, other=other)) == (485, 285, 535, 335)
    assert window(data, Suspect("conflict", 0, -1, 1.0, 0, None, other="gone.jpg")) == (0, 0, 1000, 600)


def test_a_close_up_shows_the_label_in_question_over_the_others_and_below_the_model(folder):
    audit = audited(folder)
    it = audit.suspects["placed"][0]
    page = build(audit, "drawn", folder)
    card = page[page.index('data-id="placed-') : page.index("</article>")]
    drawn = re.findall(r'<rect class="box (\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', card)
    own = audit.data.counts[it.row]
    assert [kind for kind, *_ in drawn] == [*["other"] * (own - 1), "label", "model"]
    x1, y1, x2, y2 = audit.data.boxes[it.box].tolist()
    assert [float(value) for value in drawn[-2][1:]] == [x1, y1, x2 - x1, y2 - y1]
    assert [float(value) for value in drawn[-1][1:]] == [x1 + 1, y1 + 1, x2 - x1, y2 - y1]


def test_a_picture_with_a_copy_shows_the_labels_of_the_copy(tmp_path):
    frames = [Frame(1, 100, 50, np.array([[10, 10, 30, 30]], np.float32), np.zeros(1, int), ("panda",)),
              Frame(2, 200, 100, np.array([[20, 20, 60, 80]], np.float32), np.zeros(1, int), ("panda",))]  # fmt: skip
    data = stored(tmp_path, frames)
    conflict = Suspect("conflict", 0, -1, 1.0, 0, None, other="2.jpg")
    model = {"folds": 2, "iterations": 3, "mAP": 0.25, "mAP_of_truth": None}
    page = build(Audit(data, [], None, {"conflict": [conflict]}, model, {}, []), "copies")
    assert 'class="box copy" x="10.0" y="10.0" width="20.0" height="30.0"' in page  # half as large
    assert "labels of the copy" in page
    assert data_of(page)["findings"][0]["copy"] == [[10, 10, 30, 40]]
    link = re.search(r'right: <a href="([^"]+)"[^>]* title="2.jpg">2.jpg</a>', page)
    assert (Path("audit") / unquote(link[1])).resolve() == tmp_path / "2.jpg"
    repeated = Audit(data, [], None, {"repeated": [replace(conflict, kind="repeated")]}, model, {}, [])
    assert data_of(build(repeated, "copies"))["findings"][0]["copy"] == []  # equal labels: not drawn a second time


def shown_beside(page):
    """Of each other picture on the page: its part that is shown, (x, y, width, height), and its size in the page."""
    twins = re.findall(r'<a class="twin".*?</a>', page, re.DOTALL)
    return [
        (re.search(r'viewBox="([^"]+)"', one)[1], decoded(re.search(r'href="(data:[^"]+)"', one)[1]).shape)
        for one in twins
    ]


@pytest.mark.parametrize(
    ("kind", "marks", "says"),
    [
        ("conflict", ["keep", "fix", "unsure"], "Fix adds a box that the picture on the left lacks"),
        ("leak", ["keep", "unsure"], "The study leaves out the picture on the right. Delete one of the two files"),
        ("repeated", ["keep", "unsure"], "Delete one of the two files from your data set"),
    ],
)
def test_copies_stand_side_by_side_with_what_to_do_and_only_the_marks_that_do_something(tmp_path, kind, marks, says):
    frame = Frame(1, 100, 50, np.array([[0, 0, 100, 50]], np.float32), np.zeros(1, int), ("panda",))
    data = stored(tmp_path, [frame])
    cv2.imwrite(str(tmp_path / "left out.jpg"), np.zeros((100, 200, 3), np.uint8))  # of a leak: not in the data set
    it = Suspect(kind, 0, -1, 1.0, 0, None, probability=1.0, other="left out.jpg")
    alike, gone = replace(it, probability=None), replace(it, other="gone.jpg")
    page = build(Audit(data, [], None, {kind: [it, alike, gone]}, None, {}, []), "copies")
    assert shown_beside(page) == [("0 0 200 100", (100, 200, 3))] * 2
    assert page.count("The other picture cannot be read.") == 1
    cards = re.findall(r"<article.*?</article>", page, re.DOTALL)
    buttons = [re.findall(r'<button type="button" class="(\w+)" [^>]*aria-pressed', card) for card in cards]
    assert buttons == [one["offers"] for one in data_of(page)["findings"]] == [marks] * 3
    assert all(says in card and "wrong in about" not in card for card in cards)
    assert ["The two files are equal." in card for card in cards] == [True, False, True]
    assert ["The two pictures look alike" in card for card in cards] == [False, True, False]


def test_of_a_larger_copy_the_same_part_is_shown(tmp_path):
    boxes = np.array([[500, 300, 520, 320]], np.float32)
    frames = [Frame(1, 1000, 600, boxes, np.zeros(1, int), ("f",)),
              Frame(2, 2000, 1200, boxes[:0], np.zeros(0, int), ("f",))]  # fmt: skip
    it = Suspect("conflict", 0, -1, 1.0, 0, None, other="2.jpg")
    made = pictures(stored(tmp_path, frames), [it])
    assert made.windows == [(485, 285, 535, 335)]
    assert made.others[0].window == (970, 570, 1070, 670)
    assert decoded(made.others[0].uri).shape == (100, 100, 3)
