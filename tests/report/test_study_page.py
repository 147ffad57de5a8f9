"""The report: it shows what the study has, and it is one page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from journal_fixture import idea, journal, proposed, write_journal
from study_fixture import RECIPE, arms, headline, make_study

from metricloop.comparison.comparison_file import OtherVersionError
from metricloop.data.tables import SUBSET, read_table
from metricloop.figures import subset_changes
from metricloop.report.arm_section import changes
from metricloop.report.html import policy
from metricloop.report.report_data import read_report_data
from metricloop.report.study_page import build, write_report
from metricloop.text import numbers


class Page(HTMLParser):
    """Open tags must close in order; remembers ids, links to them, and every attribute that could load something."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                (self.anchors if (value or "").startswith("#") else self.loads).append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def confirm(folder: Path, numbers: dict, reason: str | None = None, gain: dict | None = None) -> None:
    rest = {"study": "drawn", "split": "test", "test_images": 200, "seeds": {}, "gain": gain or {}}
    (folder / "confirmation.json").write_text(json.dumps({**rest, "reason": reason, "arms": numbers}))


def page_as_it_is(folder: Path) -> str:
    return build(read_report_data(folder, folder / "pictures"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("study"))
    arms = {"baseline": {"arm": "random", "mAP": [0.9, 0.92], "mAR": [0.95, 0.95]},
            "winner": {"arm": "object_count", "mAP": [0.98765, 0.98765], "mAR": [0.99, None]}}  # fmt: skip
    change = {"abs": 0.07765, "rel": 0.0853, "ci95": [0.061, 0.094], "p": 0.0004}
    confirm(folder, arms, gain={"winner": {"mAP": change, "mAR": change}})
    with (folder / "data/problems.csv").open("a") as stream:
        stream.write("<script>alert(1)</script>.jpg,empty file,left out\n")
    return folder


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return write_report(study, study / "pictures").read_text()


def test_page_is_whole_and_needs_nothing_else(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {anchor[1:] for anchor in parsed.anchors} <= set(parsed.ids)
    assert parsed.loads
    assert all(load.startswith(("data:image/jpeg;base64,", "data:text/csv;")) for load in parsed.loads)
    assert not parsed.tags & {"link", "iframe", "img"}
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    assert policy(script).replace("'", "&#39;") in page
    assert "url(" not in page
    assert "@import" not in page
    assert len(page) < 2_000_000


def test_page_shows_every_arm_and_its_numbers(page: str) -> None:
    for entry in arms():
        assert entry["name"] in page
    for text in (
        "One of 2 metrics beats",
        "+0.070 (+30\u00a0%)",
        "+0.040 to +0.100",
        "14 to 20 seeds would probably be enough to decide.",
        "both metrics",  # the mean gain
        "+0.041 (+20\u00a0%)",
        "+0.011 to +0.071",
        "3 seeds of random, 3 of every other arm",  # the notes below the table
        "this p is below 0.05",
        RECIPE,
        "truncated",
    ):
        assert text in page
    assert page.count("<article ") == 2  # one for each metric's arm
    assert page.count('<span class="badge better">') == 4  # object_count twice, the oracle, the mean
    assert page.count('class="strip better') == 3  # two winners and the legend
    assert page.count('class="thumb"') == 24
    assert "ValueError: nothing to count" in page  # a metric that failed says why
    assert "missing" in page
    assert "12.4\u00a0%" in page  # realised rates


def test_the_article_is_named_where_its_metrics_have_a_mean_gain(page: str, tmp_path: Path) -> None:
    told = "“We employed ChatGPT as an ML Engineer”</a> (Encord, 2023), whose metrics of labels are among those tried"
    assert told not in page  # the only mean is that of all metrics
    folder = make_study(tmp_path)
    file = folder / "comparison.json"
    content = json.loads(file.read_text())
    content["headlines"].append(headline("article", ["object_count", "tightness"], 0.04))
    file.write_text(json.dumps(content))
    assert build(read_report_data(folder, folder / "pictures")).count(told) == 1


def test_each_picture_is_stored_once(page: str) -> None:
    stored = re.findall(r'<image id="(p\d+)"', page)
    used = re.findall(r'<use href="#(p\d+)"', page)
    assert len(stored) == len(set(stored))
    assert set(stored) == set(used)
    assert len(used) > len(stored)


def test_numbers_of_the_test_split_stand_in_their_own_section(page: str) -> None:
    start = page.index('<h2 id="confirmation">')
    section = page[start : page.index("</section>", start)]
    for text in (
        "Confirmed: object_count beats a random sample of the same size on the test split: +0.078 mAP (+9\u00a0%)",
        "0.988",  # mean mAP of the winner
        "+0.056",  # expected: 0.8 of its gain of 0.07 on the search split
        "+0.061 to +0.094",
        "<0.001",
        "200 images",
    ):
        assert text.replace("<", "&lt;") in section, text
    assert "0.988" not in page.replace(section, "")


def test_page_says_what_became_of_the_test_split(study: Path, tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    read = [page_as_it_is(folder)]
    confirm(folder, {}, "no metric is better than the baseline on the search split")
    read.append(page_as_it_is(folder))
    assert "The test split has not been used yet." in read[0]
    assert "The test split stayed closed: no metric is better than the baseline on the search split." in read[1]
    assert not any('id="confirmation"' in text for text in read)
    assert not any("opened" in text for text in read)


def test_page_tells_of_every_opening_of_the_test_split(tmp_path: Path) -> None:
    """An opening without a result; then a result that no longer opens it; then one that does, after two openings."""
    folder = make_study(tmp_path)
    opened = [{"opened": f"2026-11-2{day}T04:29:13+00:00", "arms": ["random"], "seeds": {}} for day in (6, 7)]
    (folder / "opened.jsonl").write_text(json.dumps(opened[0]) + "\n")
    text = page_as_it_is(folder)
    assert "The test split was opened 1 time (2026-11-26), and no result of it is recorded." in text
    assert "not been used" not in text
    confirm(folder, {}, "confirm.when is never")
    assert "For earlier results it was opened 1 time (2026-11-26)." in page_as_it_is(folder)
    opened[1]["arms"] = ["object_count"]
    confirm(folder, {"winner": {"arm": "object_count", "mAP": [0.9], "mAR": [0.9]}})
    (folder / "opened.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in opened))
    assert "The test split was opened 1 time before: 2026-11-26 (random)." in page_as_it_is(folder)


def test_a_study_of_another_version_has_no_page(tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    file = folder / "comparison.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "looks"}))
    with pytest.raises(OtherVersionError, match=r"comparison\.json was written by another version.*no looks"):
        write_report(folder, folder / "pictures")


def test_an_arm_with_far_more_boxes_is_marked(tmp_path: Path) -> None:
    entries = arms()
    entries[1]["boxes_ratio"] = 1.31
    folder = make_study(tmp_path, entries=entries)
    text = build(read_report_data(folder, folder / "pictures"))
    assert text.count('<abbr class="apart" title="+31 % boxes against the baseline') == 1
    assert "object_count (+31\u00a0%)." in text


def test_foreign_text_is_escaped(page: str) -> None:
    assert page.count("<script") == 1  # its own
    assert "&lt;script&gt;alert(1)" in page


def test_missing_subset_and_pictures_are_said_not_fatal(study: Path, tmp_path: Path) -> None:
    folder = make_study(tmp_path)
    (folder / "subsets/tightness.parquet").unlink()
    text = build(read_report_data(folder, tmp_path / "elsewhere"))
    assert "subsets/tightness.parquet" in text
    assert "dvc pull" in text
    assert 'class="thumb"' not in text
    assert Page(text).open == []


def test_same_study_same_page(study: Path, page: str) -> None:
    assert build(read_report_data(study, study / "pictures")) == page


def test_change_counts_images_with_a_mistake(study: Path) -> None:
    """Every third box is moved: the line must agree with a count by hand over images.parquet and truth.parquet."""
    read = read_report_data(study, study / "pictures")
    spoilt = {int(read.data.image_id[read.data.box_row[b]]) for b in np.flatnonzero(read.data.box_id % 3 == 0)}
    share = sum(int(i) in spoilt for i in read.pool.image_id) / len(read.pool)
    choice = subset_changes.FirstDraw(
        images=np.arange(len(read.pool)) < 4, boxes=np.ones(len(read.pool.box_id), bool), draws=1
    )
    subset = read_table(study / "subsets/object_count.parquet", SUBSET)
    line = next(line for line in changes(study, subset, choice, read.pool) if line.name == "Images with a mistake")
    assert line.pool == numbers.percent(share, 1)
    assert line.subset == numbers.percent(sum(int(i) in spoilt for i in read.pool.image_id[:4]) / 4, 1)


def page_of(folder: Path, events: list[dict] | None = None) -> str:
    make_study(folder)
    write_journal(folder, events)
    return build(read_report_data(folder, folder / "pictures"))


def test_ideas_of_the_language_model_stand_in_a_tree(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    parsed = Page(text)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {anchor[1:] for anchor in parsed.anchors} <= set(parsed.ids)
    assert [name for name in parsed.ids if name.startswith("idea-")] == [
        "idea-1-object_count", "idea-2-crowded", "idea-2-copy_of_count", "idea-1-tightness", "idea-1-edges",
        "idea-2-late",
    ]  # fmt: skip
    assert "#arm-object_count" in parsed.anchors
    assert "#arm-edges" not in parsed.anchors  # refused: there is no arm to go to
    for words in (
        "Ran after 1 repair.",
        "Refused after 2 repairs.",
        "<b>no boxes</b>",
        "not trained, because late fails on 12 of 400 images",
        "predicted +0.030",
        "Its lesson, recorded on 2026-11-20 with the numbers of that time:",
        "ran after 1 repair",
        "3/6 (19 to 81\u00a0%)",
    ):
        assert words in text, words
    assert re.search(r"Its lesson:</span> <q>Counting finds what is missing", text)


def test_numbers_of_an_idea_are_those_of_the_comparison(tmp_path: Path) -> None:
    """The journal has what the model was told then; the page must not contradict itself."""
    events = journal()
    for entry in events:
        if entry["event"] == "measured" and entry["suggestion"] == "object_count":
            entry["gain"] = entry["gain"] | {"abs": 0.555, "rel": 2.4}
    text = page_of(tmp_path, events)
    assert "0.555" not in text
    assert re.search(r'id="idea-1-object_count".*?\+0\.070 mAP \(\+30', text, re.DOTALL)


def test_words_of_a_model_are_shown_as_words(tmp_path: Path) -> None:
    evil = idea("evil", "family", 0.1, hypothesis="<script>alert(1)</script>\x1b[2J" + "long " * 1000)
    text = page_of(tmp_path, proposed(1, evil))
    assert text.count("<script") == 1  # the page's own
    assert "&lt;script&gt;alert(1)&lt;/script&gt;?[2J" in text
    assert text.count("long ") < 420  # of 1000: about 2000 characters
    assert "Nothing is decided yet." in text


def test_no_ideas_no_section(page: str, tmp_path: Path) -> None:
    assert 'id="model"' not in page
    assert 'id="model"' not in page_of(tmp_path, [])


def test_a_refusal_tells_why_repairs_ended(tmp_path: Path) -> None:
    events = [entry for entry in journal() if entry["round"] == 1]
    for entry in events:
        if entry["event"] == "refused":
            entry["reason"] = "varies: every score is 0; not repaired: max_tokens is reached"
    assert "Refused after 2 repairs: varies: every score is 0; not repaired: max_tokens is reached." in page_of(
        tmp_path, events
    )
