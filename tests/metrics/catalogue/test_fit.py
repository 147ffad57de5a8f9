"""Tightness from pixels: drawn pictures with known answers, and the laws of boxes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import fit
from metricloop.metrics.contract import call_metric
from metricloop.scoring.metric_file import metrics_in

ALL = metrics_in(fit)
WITHOUT_SURROUNDINGS = {"box_tightness", "edge_support", "grabcut_tightness"}  # say something of a box with none
EACH = pytest.mark.parametrize("function", ALL.values(), ids=ALL)
TIGHT = [40, 20, 80, 60]


def frame(boxes, image):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    height, width = image.shape[:2]
    return Frame(1, width, height, boxes, np.zeros(len(boxes), np.int64), image=image)


def ask(name, boxes, image):
    return call_metric(ALL[name], frame(boxes, image))


def square(scale=1):
    """A yellow square at (40, 20, 80, 60) on a dark ground of 200 x 100."""
    image = np.full((100, 200, 3), 30, np.uint8)
    image[20:60, 40:80] = 250, 220, 60
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


def striped():
    """A grey picture with two striped rectangles, at (40, 20, 80, 60) and (120, 40, 180, 80)."""
    image = np.full((100, 200, 3), 90, np.uint8)
    for x1, y1, x2, y2 in ((40, 20, 80, 60), (120, 40, 180, 80)):
        image[y1:y2, x1:x2] = 160
        image[y1:y2:4, x1:x2] = 230
    return image


def disc(noise=12):
    """A dark disc of radius 30 around (100, 100) on bright, noisy ground of 200 x 200."""
    image = np.full((200, 200, 3), 200, np.uint8)
    cv2.circle(image, (100, 100), 30, (90, 60, 50), -1)
    return np.clip(image + np.random.default_rng(0).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["box_tightness", "search_tightness", "grabcut_tightness"])
@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (TIGHT, 1.0),
        ([35, 15, 85, 65], 40 * 40 / (50 * 50)),  # five pixels too large on every side: 0.64
        ([40, 20, 80, 70], 40 * 40 / (40 * 50)),  # ten too low: 0.8
        ([30, 20, 80, 60], 40 * 40 / (50 * 40)),  # ten too far left: 0.8
    ],
)
def test_tightness_is_the_iou_of_label_and_object(name, box, expected):
    # a line of the 64 x 64 crop more or less on each side is (1 - 2 / 64)^2 = 0.94
    assert ask(name, [box], square()) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("name", ["box_tightness", "edge_support"])
@pytest.mark.parametrize(
    "worse",
    [
        [20, 0, 100, 80],  # twice too large
        [45, 25, 75, 55],  # cuts the object
        [55, 35, 95, 75],  # slid off
        [85, 60, 115, 90],  # on the background
    ],
)
def test_a_tight_box_of_an_object_with_texture_beats_a_loose_small_or_shifted_one(name, worse):
    tight, other = ask(name, [TIGHT, worse], striped())
    assert tight > 0.7
    assert other < tight - 0.1


@pytest.mark.parametrize("name", ["weakest_side", "colour_support", "search_tightness", "box_fit", "grabcut_tightness"])
@pytest.mark.parametrize("worse", [[52, 52, 148, 148], [80, 80, 120, 120], [95, 95, 155, 155], [5, 5, 45, 45]])
def test_a_tight_box_of_a_round_object_beats_a_loose_small_shifted_or_empty_one(name, worse):
    tight, other = ask(name, [[70, 70, 130, 130], worse], disc())
    assert tight > 0.65
    assert other < tight - 0.1


def test_evidence_falls_as_a_box_grows():
    boxes = [[100 - half, 100 - half, 100 + half, 100 + half] for half in (30, 36, 42, 48)]
    for name in ("colour_support", "search_tightness", "box_fit", "grabcut_tightness", "enclosure"):
        assert (np.diff(ask(name, boxes, disc())) < 0.02).all(), name
        first, *_, last = ask(name, boxes, disc())
        assert last < first - 0.1, name


def test_the_weakest_side_is_the_wrong_one_of_four():
    tight, one_side_off, all_off = ask("weakest_side", [TIGHT, [40, 20, 80, 80], [20, 0, 100, 80]], square())
    assert tight > 0.7
    # below y = 60 is flat ground; inside, the nearest edge is 20 of 60 pixels away, and a strip is a tenth wide
    assert one_side_off == pytest.approx(0.5, abs=0.01)
    assert all_off == pytest.approx(0.5, abs=0.01)


def test_colours_of_a_tight_box_begin_at_its_sides_and_of_an_empty_one_nowhere():
    # inside strip: chance about 1; outside: about 0; blurred over the side by two pixels of the eight
    tight, empty = ask("colour_support", [TIGHT, [120, 20, 160, 60]], square())
    assert tight > 0.85
    assert empty == 0.5


def test_enclosure_is_high_at_the_object_and_none_around_it():
    tight, loose = ask("enclosure", [TIGHT, [20, 5, 100, 75]], square())
    assert tight > 0.8
    assert loose < 0.05


def test_box_fit_is_the_weighted_sum_of_its_parts():
    image, boxes = disc(), [[60, 65, 140, 140]]
    parts = [ask(name, boxes, image)[0] for name in ("colour_support", "enclosure", "search_tightness")]
    edges = (ask("box_fit", boxes, image)[0] - 0.4 * parts[0] - 0.1 * parts[1] - 0.1 * parts[2]) / 0.4
    assert ask("weakest_side", boxes, image)[0] <= edges <= 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("box_tightness", 0.0),  # no contour
        ("edge_support", 0.5),
        ("weakest_side", 0.5),
        ("colour_support", 0.5),  # one colour, as common inside as outside
        ("enclosure", 0.0),  # nothing to cross
        ("search_tightness", 0.0),  # no place better than another
        ("box_fit", 0.4),  # 0.4 x 0.5 + 0.4 x 0.5
    ],
)
def test_a_flat_image_says_nothing_for_a_box(name, expected):
    assert ask(name, [TIGHT], np.full((100, 200, 3), 90, np.uint8)) == pytest.approx(expected)


@EACH
def test_a_box_below_four_pixels_and_one_outside_the_image_have_no_score(function):
    boxes = [[10, 10, 13.9, 50], [10, 10, 50, 13.9], [30, 30, 20, 20], [300, 20, 340, 60], [40, -90, 80, -40]]
    assert np.isnan(call_metric(function, frame(boxes, square()))).all()


@EACH
def test_a_box_of_four_pixels_has_one(function):
    assert np.isfinite(call_metric(function, frame([[58, 38, 62, 42]], square()))).all()


@EACH
def test_a_box_far_larger_than_its_image_is_none_and_takes_no_memory(function):
    assert np.isnan(call_metric(function, frame([[-1e6, -1e6, 1e6, 1e6]], square()))).all()


@EACH
def test_a_box_that_fills_the_image_has_no_surroundings(function):
    (score,) = call_metric(function, frame([[0, 0, 200, 100]], square()))
    assert np.isfinite(score) if function.spec.name in WITHOUT_SURROUNDINGS else np.isnan(score)


@EACH
def test_a_box_partly_beyond_the_image_keeps_its_range(function):
    (score,) = call_metric(function, frame([[-10, 20, 80, 60]], square()))
    assert 0 <= score <= 1


def test_a_side_on_the_border_is_not_held_against_a_box():
    """The square cut off by the left border of the picture, as an object that is only half in it."""
    cut = np.ascontiguousarray(square()[:, 60:])  # it reaches from x = 0 to 20 now
    for name in ("weakest_side", "colour_support", "search_tightness", "box_fit"):
        whole, half = ask(name, [TIGHT], square())[0], ask(name, [[0, 20, 20, 60]], cut)[0]
        assert half > whole - 0.1, name


@EACH
def test_scores_lie_between_none_and_one_whatever_the_picture(function):
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    corner = rng.uniform(-20, 100, (12, 2))
    scores = call_metric(function, frame(np.hstack([corner, corner + rng.uniform(1, 60, (12, 2))]), image))
    known = scores[~np.isnan(scores)]
    assert len(known)
    assert ((known >= 0) & (known <= 1)).all()


@EACH
def test_the_order_of_boxes_and_the_company_of_others_do_not_matter(function):
    boxes = [[70, 70, 130, 130], [52, 52, 148, 148], [95, 95, 155, 155]]
    together = call_metric(function, frame(boxes, disc()))
    np.testing.assert_array_equal(call_metric(function, frame(boxes[::-1], disc())), together[::-1])
    alone = [call_metric(function, frame([box], disc()))[0] for box in boxes]
    np.testing.assert_array_equal(alone, together)


@EACH
def test_a_picture_of_twice_the_size_scores_the_same(function):
    boxes = np.array([TIGHT, [30, 10, 90, 70]])
    np.testing.assert_allclose(
        call_metric(function, frame(2 * boxes, square(2))), call_metric(function, frame(boxes, square())), atol=0.06
    )


@EACH
def test_scores_repeat_whatever_opencv_drew_before_and_leave_the_picture_alone(function):
    image = disc()
    before = image.copy()
    first = call_metric(function, frame([[60, 60, 140, 140]], image))
    cv2.setRNGSeed(12345)
    np.testing.assert_array_equal(call_metric(function, frame([[60, 60, 140, 140]], image)), first)
    np.testing.assert_array_equal(image, before)


@EACH
def test_a_read_only_picture_and_no_boxes_are_legal(function):
    one = frame([], square())
    one.image.flags.writeable = False
    assert call_metric(function, one).shape == (0,)
    assert call_metric(function, replace(one, boxes=np.float32([TIGHT]), labels=np.array([0]))).shape == (1,)
