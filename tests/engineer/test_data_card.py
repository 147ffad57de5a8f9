"""What is said of a data set and of errors, on data small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from small_dataset import make

from metricloop.data.tables import TableError, write_json, write_table
from metricloop.engineer.data_card import data_card
from metricloop.engineer.error_card import error_card, error_change, read_errors
from metricloop.evaluation.error_types import KINDS, Error, Errors
from metricloop.training.evaluate_models import SEED_PREDICTIONS


def plain(text):
    return text.replace("\u00a0", " ")


POOL = [
    (100, 100, "video", [(0, 0, 20, 20, 0), (40, 40, 60, 60, 0), (40, 40, 60, 60, 0)]),  # sizes 20 %, two are equal
    (100, 100, "video", [(10, 10, 90, 90, 1)]),  # 80 %
    (200, 100, "alone", [(10, 10, 110, 35, 0)]),  # 2500 of 20000 pixels: 35.4 %; 50 px; four times as wide as high
    (100, 100, "empty", []),
]


def test_the_whole_card():
    # Quantiles of five values lie at 0, 0.2, 1, 2, 3, 3.8 and 4 of their order: 35.4 + 0.8 * (80 - 35.4) = 71.1.
    assert (
        plain(data_card(make(POOL), 0.5))
        == """\
- 4 images, 5 boxes, 2 classes; a subset holds 2 images (50 %)
- images without a box: 1 (25.0 %)
- image sizes, width x height in px: 100 x 100 (75 %), 200 x 100 (25 %)
- groups (videos or near-copies): 3; the median one has 1 image, the largest 2
- boxes that touch the border of their image: 20.0 %
- doubles: 1 pair of the same class with an IoU above 0.9, 1 of them exactly equal; 40.0 % of the boxes are in one
- suspicious by their coordinates: nothing; every box has an area, lies in its image and leaves some of it free

| quantiles | least | 5 % | 25 % | median | 75 % | 95 % | most |
| --- | --- | --- | --- | --- | --- | --- | --- |
| boxes per image | 0 | 0 | 1 | 1 | 2 | 3 | 3 |
| object size | 20.0 % | 20.0 % | 20.0 % | 20.0 % | 35.4 % | 71.1 % | 80.0 % |
| object size, px | 20.0 | 20.0 | 20.0 | 20.0 | 50.0 | 74.0 | 80.0 |
| width / height | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 | 3.40 | 4.00 |

Object size is the root of the box's share of its image's area.

| object size | below 2 % | 2 to 5 % | 5 to 10 % | 10 to 20 % | 20 to 30 % | 30 to 50 % | 50 to 75 % | 75 % or more |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| boxes | 0.0 % | 0.0 % | 0.0 % | 0.0 % | 60.0 % | 20.0 % | 0.0 % | 20.0 % |

| class | boxes | of all boxes | images | median object size |
| --- | --- | --- | --- | --- |
| panda | 4 | 80.0 % | 2 | 20.0 % |
| football | 1 | 20.0 % | 1 | 80.0 % |"""
    )


def test_boxes_that_can_hardly_be_right_are_counted():
    nan = float("nan")
    card = plain(
        data_card(
            make(
                [
                    (100, 100, "a", [(10, 10, 11, 40, 0), (5, 5, 5, 30, 0), (30, 30, 20, 40, 0), (nan, 0, 9, 9, 0)]),
                    (100, 100, "b", [(0, 0, 99, 98, 0), (50, 50, 101, 80, 0)]),
                ]
            ),
            0.25,
        )
    )
    assert (
        "- suspicious by their coordinates: 1 box with coordinates that are no numbers, 2 boxes without an area, "
        "1 box less than 2 px wide or high, 1 box reaching out of the image and 1 box over 95 % of the image\n"
    ) in card
    assert "| panda | 6 | 100.0 % | 2 |" in card
    assert "- groups (videos or near-copies): none, every image stands alone" in card


def test_doubles_are_of_the_same_class_and_image():
    twice = [(10, 10, 50, 50, 0), (10, 10, 50, 51, 0), (10, 10, 50, 50, 1)]  # IoU 40 / 41 with the first
    apart = [(10, 10, 50, 50, 0), (10, 10, 50, 60, 0)]  # IoU 0.8
    card = plain(data_card(make([(100, 100, "a", twice), (100, 100, "b", apart)]), 0.25))
    assert "doubles: 1 pair of the same class with an IoU above 0.9, 0 of them exactly equal; 40.0 % of" in card
    card = data_card(make([(100, 100, "a", apart)]), 0.25)
    assert "doubles: none, no two boxes of a class overlap with an IoU above 0.9" in card


def test_many_image_sizes_are_summed_up():
    images = [(100 + 10 * k, 200 - 10 * k, str(k), []) for k in range(11)]
    assert "px: 11 different; width 100 to 200, median 150; height 100 to 200, median 150" in data_card(
        make(images), 0.25
    )
    mostly = [(100, 100, str(k), []) for k in range(20)] + images[1:7]
    card = plain(data_card(make(mostly), 0.25))  # 20 + 3 of 26 images
    assert "px: 100 x 100 (77 %), 110 x 190 (4 %), 120 x 180 (4 %), 130 x 170 (4 %), and 3 others" in card


def test_classes_beyond_the_thirtieth_are_summed():
    names = tuple(f"class{k}" for k in range(33))
    boxes = [(10, 10, 30, 30, k) for k in range(33)] + [(50, 50, 90, 90, k) for k in range(29)]
    lines = plain(data_card(make([(100, 100, "a", boxes)], names), 0.25)).splitlines()
    assert lines[-2] == "| class29 | 1 | 1.6 % | 1 | 20.0 % |"
    assert lines[-1] == "| 3 more classes | 3 | 4.8 % | 1 | 20.0 % |"


def test_class_names_are_foreign_words():
    names = ("evil | name\n\n# New heading \x1b[2J" + "x" * 100, "fine")
    card = data_card(make([(100, 100, "a", [(10, 10, 30, 30, 0)])], names), 0.25)
    row = next(line for line in card.splitlines() if "evil" in line)
    assert row.count("|") == 6
    assert "\x1b" not in card
    assert not any(line.startswith("#") for line in card.splitlines())
    assert len(row) < 90
    assert "| fine | 0 | 0.0\u00a0% | 0 | \u2013 |" in card


def test_a_pool_without_boxes_or_images_has_a_card_too():
    assert data_card(make([]), 0.25) == "The pool holds no images."
    card = plain(data_card(make([(64, 48, "a", [])]), 0.25))
    assert "- 1 image, 0 boxes, 2 classes; a subset holds 1 image (25 %)" in card
    assert "object size," not in card


def test_file_names_are_never_told():
    assert "secret" not in data_card(make(POOL), 0.5)


def errors(correct, objects=40, threshold=0.5, per_image=(), **counts):
    counts = dict.fromkeys(KINDS, 0) | counts
    detections = correct + sum(number for kind, number in counts.items() if kind != "missed")
    return Errors(counts, correct, objects, detections, threshold, per_image)


def test_error_card():
    box = (0.0, 0.0, 1.0, 1.0)
    images = ((Error("missed", box, 1, None), Error("missed", box, 0, None)), (Error("background", box, 1, 0.9),))
    pair = [
        errors(20, threshold=0.25, per_image=images, missed=2, background=1),
        errors(22, threshold=0.4, missed=5, duplicate=3),
    ]
    card = plain(error_card(pair, ("panda", "foot|ball"), {"panda": 0.25}))
    lines = card.splitlines()
    assert lines[0] == (
        "2 detectors, 40 labelled objects. Detections count from the score with the best F1 (IoU 0.5), 0.25 to 0.40: "
        "23.0 a detector, of which 21.0 are correct (52.5 % of the objects)."
    )
    assert "| missed | 3.5 | 8.8 % | an object that no detection finds, misnames or places badly |" in lines
    assert "| duplicate | 1.5 | 3.8 % |" in card
    assert "| background | 0.5 | 1.2 % |" in card
    assert "| both | 0.0 | 0.0 % |" in card
    # The football first: two of the three errors that are told one by one, over two detectors.
    assert lines[-4:] == [
        "| class | AP | duplicate | classification | localisation | both | background | missed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| foot/ball | \u2013 | 0.0 | 0.0 | 0.0 | 0.0 | 0.5 | 0.5 |",
        "| panda | 0.250 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.5 |",
    ]
    assert "class of the wrong detection" not in error_card(pair, ("panda",))
    with pytest.raises(ValueError, match="no errors were given"):
        error_card([], ("panda",))


def test_error_change():
    before = [errors(20, missed=10, background=4), errors(21, missed=13, background=4)]
    after = [errors(30, missed=6, background=4, duplicate=1)]
    assert error_change(after, before).splitlines() == [
        "- correct: 20.5 -> 30.0 (+9.5, more)",
        "- duplicate: 0.0 -> 1.0 (+1.0, more)",
        "- classification: 0.0 -> 0.0 (±0.0, as many)",
        "- localisation: 0.0 -> 0.0 (±0.0, as many)",
        "- both: 0.0 -> 0.0 (±0.0, as many)",
        "- background: 4.0 -> 4.0 (±0.0, as many)",
        "- missed: 11.5 -> 6.0 (\u22125.5, fewer)",
    ]


def write_results(folder, rows, seeds, block="random.0"):
    """rows: (seed, image_id, x1, y1, x2, y2, score, label)."""
    columns = dict(zip(SEED_PREDICTIONS.names, map(list, zip(*rows, strict=True)), strict=True))
    write_table(folder / "results" / block / "predictions.parquet", SEED_PREDICTIONS, columns)
    write_json(folder / "results" / block / "metrics.json", {"seeds": {str(seed): {} for seed in seeds}})


def test_errors_are_read_from_results_seed_by_seed(tmp_path):
    search = make(POOL, split="search")
    rows = [
        (0, 20, 10, 10, 90, 90, 0.75, 1),  # hits
        (0, 10, 0, 0, 20, 20, 0.5, 0),  # hits
        (0, 40, 5, 5, 50, 50, 0.5, 0),  # on the empty image
        (2, 30, 10, 10, 110, 35, 0.9, 1),  # a panda taken for a football
    ]
    write_results(tmp_path, rows, [0, 1, 2, 10])
    found = read_errors(tmp_path, ["random.0"], search)
    assert [one.correct for one in found] == [2, 0, 0, 0]
    assert [one.counts["missed"] for one in found] == [3, 5, 4, 5]
    assert found[0].number.tolist() == [2, 0, 1, 1]
    assert found[2].per_image[2] == (Error("classification", (10, 10, 110, 35), 1, pytest.approx(0.9)),)


def test_results_on_other_images_are_refused(tmp_path):
    write_results(tmp_path, [(0, 50, 0, 0, 9, 9, 0.5, 0)], [0])
    with pytest.raises(TableError, match="predicts image 50, which the search split lacks"):
        read_errors(tmp_path, ["random.0"], make(POOL))
    with pytest.raises(TableError, match=r"random\.1.* does not exist"):
        read_errors(tmp_path, ["random.1"], make(POOL))


def test_the_order_of_boxes_changes_nothing():
    turned = [(width, height, group, boxes[::-1]) for width, height, group, boxes in POOL]
    assert data_card(make(turned), 0.5) == data_card(make(POOL), 0.5)
    assert data_card(replace(make(POOL), group=np.array(["a", "b", "c", "d"], object)), 0.5) != data_card(
        make(POOL), 0.5
    )
