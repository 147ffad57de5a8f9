"""The worked assignments are the same every time, and keep the truth to themselves."""

import csv
import hashlib
import random
from collections import Counter

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from metricloop.takehome.assignment import read_assignment
from metricloop.takehome.assignments import defects, headlines
from metricloop.takehome.assignments.surfaces import DEFECTS, draw, png

WORKED = {"headlines": headlines, "defects": defects}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Both assignments, by name."""
    folder = tmp_path_factory.mktemp("assignments")
    for name, module in WORKED.items():
        module.write(folder / name)
    return {name: folder / name for name in WORKED}


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", WORKED)
def test_it_is_the_same_every_time_and_another_one_with_another_seed(written, tmp_path, name):
    WORKED[name].write(tmp_path / "again")
    assert digest(tmp_path / "again") == digest(written[name])
    WORKED[name].write(tmp_path / "other", seed=1)
    assert digest(tmp_path / "other").keys() == digest(written[name]).keys()
    assert digest(tmp_path / "other")["data/train.csv"] != digest(written[name])["data/train.csv"]


@pytest.mark.parametrize(
    ("name", "file", "beginning"),
    [
        ("headlines", "data/train.csv", "856cb267fb42"),
        ("headlines", "data/pages/page-1.html", "57b4033961e8"),
        ("defects", "data/train/0000.png", "1ab4935713d4"),
    ],
)
def test_it_is_the_same_on_every_machine(written, name, file, beginning):
    """Recorded conversations hold answers to these very files."""
    assert digest(written[name])[file].startswith(beginning)


@pytest.mark.parametrize(
    ("name", "train", "held_out", "unseen"), [("headlines", 1500, 300, 120), ("defects", 600, 120, 200)]
)
def test_sizes_and_labels(written, name, train, held_out, unseen):
    assignment = read_assignment(written[name])
    assert assignment.front.name == name
    assert [len(assignment.train), len(assignment.held_out), len(assignment.unseen)] == [train, held_out, unseen]
    for part in (assignment.train, assignment.held_out, assignment.unseen):
        shares = Counter(label for _, label in part)
        assert set(shares) == set(assignment.front.labels)
        assert 0.33 < max(shares.values()) / len(part) < 0.5  # always naming one label is a baseline, and a weak one


@pytest.mark.parametrize("name", WORKED)
def test_the_truth_is_not_in_the_data(written, name):
    assert {path.name for path in written[name].iterdir()} == {"ASSIGNMENT.md", "data", "truth"}
    data = {path.name: path.read_bytes() for path in (written[name] / "data").rglob("*") if path.is_file()}
    assert not {"held_out.csv", "unseen.csv"} & set(data)
    truth = digest(written[name] / "truth")
    assert not set(truth.values()) & set(digest(written[name] / "data").values())


def test_no_headline_is_shown_before_it_is_asked_for(written):
    """Neither as it is nor by its letters alone; and the pages hold none of the held-out ones."""
    folder = written["headlines"]
    train = {row["text"] for row in rows(folder / "data" / "train.csv")}
    held_out = {row["text"] for row in rows(folder / "truth" / "held_out.csv")}
    unseen = {row["text"] for row in rows(folder / "truth" / "unseen.csv")}
    parts = [train, held_out, unseen]
    assert sum(map(len, parts)) == len(train | held_out | unseen) == 1920
    letters = [{headlines.plain(text) for text in part} for part in parts]
    assert sum(map(len, letters)) == len(set.union(*letters)) == 1920
    pages = " ".join(BeautifulSoup(p.read_text(), "html.parser").get_text() for p in (folder / "data").rglob("*.html"))
    assert not [text for text in held_out if text in " ".join(pages.split())]


def test_the_pages_hold_every_item_with_its_text(written):
    """Found as the assignment describes it: the attribute data-id, no advertisement, the headline alone."""
    folder = written["headlines"]
    found, shown = {}, Counter()
    for page in sorted((folder / "data" / "pages").iterdir()):
        for element in BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select("[data-id]"):
            if "sponsored" not in element.get("class", ()):
                text = " ".join(element.select_one("a, .headline").get_text().split())
                assert found.setdefault(element["data-id"], text) == text
                shown[element["data-id"]] += 1
    assert found == {row["item"]: row["text"] for row in rows(folder / "truth" / "unseen.csv")}
    assert max(shown.values()) > 1  # some are repeated


def test_what_makes_the_pages_hard_is_there(written):
    pages = [path.read_text(encoding="utf-8") for path in sorted((written["headlines"] / "data" / "pages").iterdir())]
    assert len(pages) == 8
    assert all('sponsored" data-id="ad' in page and "<script>" in page for page in pages)
    assert all("<article" in page and "<!--" in page for page in pages[:-1])
    assert "<article" not in pages[-1]  # the other layout
    for sign in ("&nbsp;", "&#36;", "<em>"):
        assert any(sign in page for page in pages)


def test_a_label_is_drawn_at_random_now_and_then(monkeypatch):
    """About five in a hundred, of which two thirds are wrong."""
    kept = []
    original = headlines.phrase

    def phrase(chance, pattern):
        kept.append(next(label for label, patterns in headlines.PATTERNS.items() if pattern in patterns))
        return f"{original(chance, pattern)} {len(kept)}{'x' * len(kept)}"  # no two equal, so that none is left out

    monkeypatch.setattr(headlines, "phrase", phrase)
    drawn = headlines.draw(random.Random(0), 1500)
    wrong = sum(label != true for (_, label), true in zip(drawn, kept, strict=True))
    assert 0.02 < wrong / 1500 < 0.05


def test_no_picture_is_shown_before_it_is_asked_for(written):
    pictures = list(written["defects"].rglob("*.png"))
    assert len({path.read_bytes() for path in pictures}) == len(pictures) == 920


def test_pictures_are_grey_and_small(written):
    for path in list(written["defects"].rglob("*.png"))[::40]:
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == ((64, 64), "L")


def test_a_picture_is_read_as_it_was_drawn(tmp_path):
    drawn = draw(np.random.RandomState(3), "dent")
    (tmp_path / "a.png").write_bytes(png(drawn))
    assert (np.asarray(Image.open(tmp_path / "a.png")) == drawn).all()


@pytest.mark.parametrize("label", DEFECTS)
def test_a_defect_is_drawn_on_a_surface(label):
    """The same surface with a defect differs from it in a part of the picture; varied light moves its mean."""
    plain, means = [draw(np.random.RandomState(n), "none").astype(int) for n in range(30)], []
    for number, surface in enumerate(plain):
        changed = (draw(np.random.RandomState(number), label) != surface).mean()
        assert changed == 0 if label == "none" else 0.002 < changed < 0.35
        means.append(surface.mean())
    assert max(means) - min(means) > 50
