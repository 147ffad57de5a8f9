"""What the report shows of trials and subsets: curves, detections before and after, files to save."""

import base64
import csv
import io
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_dataset import make
from study_fixture import arm, arms, comparison, make_study, write_detections

from metricloop.comparison.arm_rows import map_gain
from metricloop.data.frame import Detections
from metricloop.data.loading import load
from metricloop.data.tables import SUBSET, read_table, write_table
from metricloop.evaluation.error_types import find_errors
from metricloop.report import downloads, image_gallery
from metricloop.report.before_after import marks, most
from metricloop.report.curve_figures import smooth, still_falling
from metricloop.report.downloads import subset_file, table_file
from metricloop.report.forest_plot import forest_plot, seed_gains
from metricloop.report.report_data import read_report_data
from metricloop.report.study_page import build
from metricloop.report.trial_results import read_trials


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The baseline's detections are 30 px off, those of object_count are the labels themselves."""
    folder = make_study(tmp_path_factory.mktemp("study"))
    write_detections(folder, {"random": 30.0, "object_count": 0.0})
    return folder


@pytest.fixture(scope="module")
def page(study):
    return build(read_report_data(study, study / "pictures"))


def rows_of(download):
    head, _, data = download.href.partition(",")
    assert head == "data:text/csv;charset=utf-8;base64"
    return list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))


def test_precision_of_an_arm_has_the_area_that_evaluate_measured(study):
    read = read_report_data(study, study / "pictures")
    trials = read_trials(study, read.plan, read.search, "object_count")
    measured = json.loads((study / "results/object_count.0/metrics.json").read_text())["seeds"]["0"]["mAP50"]
    assert 0.3 < measured < 1
    assert trials.precision[0.5].mean() == pytest.approx(measured)


def test_loss_is_the_mean_over_seeds(study):
    """The fixture's loss is 2 * 0.95^i + 0.1 * seed, of three seeds."""
    read = read_report_data(study, study / "pictures")
    loss = read_trials(study, read.plan, read.search, "random").loss
    assert loss == pytest.approx(2 * 0.95 ** np.arange(30) + 0.1, rel=1e-6)


def test_an_arm_without_files_has_no_curves(study):
    read = read_report_data(study, study / "pictures")
    assert read_trials(study, read.plan, read.search, "nobody") == read_trials(study, {"blocks": {}}, read.search, "x")
    assert read_trials(study, read.plan, read.search, "tightness").precision is None  # it has no matches


def test_the_page_shows_the_curves(page):
    assert page.count('class="curves"') == 2 + 1 + 2  # both of all arms, precision of one arm, losses of two
    assert "IoU 0.75" in page
    assert re.search(r"Over the last fifth of the iterations the loss of random fell by \d+", page)


def test_a_smooth_curve_ends_with_the_last_iteration_and_keeps_the_mean():
    x, y = smooth(np.arange(1000.0), points=60)
    assert len(x) == len(y) == 60
    assert x[-1] == 1000
    assert np.diff(x, prepend=0) @ y == pytest.approx(np.arange(1000.0).sum())


@pytest.mark.parametrize(("loss", "fell"), [([1.0] * 20, 0), ([2.0] * 8 + [1.0] * 2, 0.5), ([1.0] * 9, None)])
def test_how_far_the_loss_still_falls(loss, fell):
    assert still_falling(np.array(loss)) == (None if fell is None else pytest.approx(fell))


def test_seeds_of_an_arm_lie_around_its_gain():
    for entry in arms()[1:]:
        assert np.mean(seed_gains(entry)) == pytest.approx(map_gain(entry), abs=1e-4)
    drawn = forest_plot(comparison())["rows"][0]["strip"]
    assert drawn.count('class="seed"') == 3


def test_before_and_after_counts_images_by_errors(page, study):
    """Moved by 30 of 64 pixels, no label is found; the others find all. Images without a label differ in nothing."""
    search = load(study / "data", study / "pictures", "search")
    labelled = int((search.counts > 0).sum())
    assert 0 < labelled < len(search)
    said = f"{labelled} have fewer errors with object_count, 0 have more, and {len(search) - labelled} have as many"
    assert said in page
    assert "Fewer errors with object_count" in page
    assert "More errors with object_count" not in page
    assert page.count('class="beside"') == min(4, labelled)


def test_marks_of_an_image(study):
    """A right detection, a false alarm, and a missed label: by hand on one image with labels."""
    search = load(study / "data", study / "pictures", "search")
    row = int(np.argmax(search.counts >= 2))
    own, label = search.boxes[search.slice(row)], search.labels[search.slice(row)]
    found = [Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))] * len(search)
    boxes = np.stack([own[0], [0, 0, 2, 2]]).astype(np.float32)
    found[row] = Detections(boxes, np.array([0.9, 0.9], np.float32), np.array([label[0], label[0]]))
    outlines, said = marks(search, row, found[row], find_errors(search, found))
    kinds = sorted(outline.kind for outline in outlines)
    assert kinds == sorted(["hit", "wrong", "truth"] + ["missed"] * (len(own) - 1))
    assert said == f"1 of {len(own)} objects found, 1 wrong"


def test_a_detection_in_a_crowd_region_is_neither_right_nor_wrong():
    labelled = make([(64, 64, "a", [(0, 0, 20, 20, 0), (30, 30, 60, 60, 0)])], split="search")
    search = replace(labelled, crowd=np.array([False, True]))
    found = Detections(np.array([[0, 0, 20, 20], [32, 32, 50, 50]], np.float32), np.array([0.9, 0.9]), np.zeros(2, int))
    outlines, said = marks(search, 0, found, find_errors(search, [found]))
    assert said == "1 of 1 object found"
    assert sorted(outline.kind for outline in outlines) == ["hit", "truth"]


def test_the_most_changed_image_of_every_group_comes_first():
    """Groups a (5, 4), b (1), c (-3): b's before a's second; what did not change for the better is left out."""
    assert most(np.array([5, 4, 1, -3, 0]), np.array(["a", "a", "b", "c", "d"])).tolist() == [0, 2, 1]


def test_the_saved_table_is_unrounded_and_holds_no_formula():
    evil = arm("=1+1", "treatment", 0.2999999, 0.0699999, "better", metric="m")
    first, second = rows_of(table_file(comparison([arms()[0], evil])))
    assert first["arm"] == "random"
    assert first["gain"] == first["p"] == ""
    assert second["arm"] == "'=1+1"
    assert float(second["gain"]) == 0.0699999
    assert float(second["gain_low"]) == pytest.approx(0.0399999)


def test_a_saved_subset_says_which_boxes_are_left_out(tmp_path):
    folder = make_study(tmp_path)
    pool = read_report_data(folder, folder / "pictures").pool
    row = int(np.argmax(pool.counts >= 2))
    boxes = pool.box_id[pool.slice(row)][:2]
    empty = int(pool.image_id[np.argmax(pool.counts == 0)])
    image = int(pool.image_id[row])
    values = [
        (0, image, int(boxes[0]), 0, 0, 9, 9, 0, "keep"),
        (0, image, int(boxes[1]), 0, 0, 9, 9, 0, "mask"),
        (0, empty, *[None] * 6, "none"),
    ]
    columns = dict(zip(SUBSET.names, map(list, zip(*values, strict=True)), strict=True))
    write_table(tmp_path / "s.parquet", SUBSET, columns)
    saved = subset_file("x", read_table(tmp_path / "s.parquet", SUBSET), pool)
    assert (saved.name, saved.about) == ("x.csv", "its images as CSV")
    rows = {int(each["image_id"]): each for each in rows_of(saved)}
    assert rows[image]["boxes_kept"] == "1"
    assert rows[image]["boxes_left_out"] == str(boxes[1])
    assert rows[image]["file"] == pool.file[row]
    assert rows[empty]["boxes_kept"] == "0"
    assert rows[empty]["boxes_left_out"] == ""


def test_of_many_draws_only_the_first_is_carried(study, monkeypatch):
    pool = read_report_data(study, study / "pictures").pool
    subset = read_table(study / "subsets/random.parquet", SUBSET)  # 3 draws of 8 images
    assert len(rows_of(subset_file("random", subset, pool))) == 24
    assert subset_file("random", subset, pool).about.endswith("(all 3 draws)")
    monkeypatch.setattr(downloads, "MOST_ROWS", 23)
    few = subset_file("random", subset, pool)
    assert {each["draw"] for each in rows_of(few)} == {"0"}
    assert few.about.endswith("(the first of 3 draws)")


def test_the_policy_stands_there_in_words(page):
    assert "The best quarter of the pool&#39;s images by object_count." in page
    assert "The best quarter of the pool&#39;s images by the mean tightness of their objects." in page


def test_the_verdict_ends_with_what_to_do_next_in_the_workspace(page, study):
    """The commands hold no path of this machine: the page may be read elsewhere."""
    start = page.index("Next, in the workspace")
    section = page[start : page.index("</ul>", start)]
    commands = re.findall(r"<code>(.*?)</code>", section)
    assert 1 <= len(commands) <= 3
    assert all(command.startswith("metricloop ") and " -C ." in command for command in commands)
    assert str(study) not in page


def test_a_study_whose_settings_cannot_be_read_has_no_advice(tmp_path):
    folder = make_study(tmp_path)
    (folder / "params.yaml").write_text("nonsense: 1\n")
    assert "Next, in the workspace" not in build(read_report_data(folder, folder / "pictures"))


def test_many_pictures_are_stored_smaller_and_none_is_lost(study, monkeypatch):
    """Six pictures of noise, 700 px high: stored 640 px high, smaller, and at last 150 px high whatever they take."""
    pool = read_report_data(study, study / "pictures").pool
    big = np.random.default_rng(0).integers(0, 255, (700, 900, 3)).astype(np.uint8)
    monkeypatch.setattr(image_gallery, "read_picture", lambda *_: big)
    stored = {}
    for limit in (10**9, 1_000_000, 1):
        monkeypatch.setattr(image_gallery, "MOST_BYTES", limit)
        gallery = image_gallery.Gallery(pool)
        assert all(gallery.read(pool, row) for row in range(6))
        uris = re.findall(r'href="data:image/jpeg;base64,([^"]+)"', gallery.store())
        stored[limit] = [height_of(base64.b64decode(uri)) for uri in uris]
        assert limit == 1 or sum(len(base64.b64decode(uri)) for uri in uris) <= limit
    assert stored[10**9] == [640] * 6
    assert set(stored[1_000_000]) < {480, 360, 240}
    assert stored[1] == [150] * 6


def height_of(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[0]
