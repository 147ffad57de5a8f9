"""Looks of an object: values worked out by hand on drawn pictures, and the laws of boxes."""

import cv2
import numpy as np
import pytest

from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import crop
from metricloop.metrics.contract import call_metric
from metricloop.scoring.metric_file import metrics_in

ALL = metrics_in(crop)
EACH = pytest.mark.parametrize("function", ALL.values(), ids=ALL)


def frame(boxes, image):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    height, width = image.shape[:2]
    return Frame(1, width, height, boxes, np.zeros(len(boxes), np.int64), image=image)


def ask(name, boxes, image):
    return call_metric(ALL[name], frame(boxes, image))


def white_square():
    image = np.zeros((128, 128, 3), np.uint8)
    image[32:96, 32:96] = 255
    return image


def test_contrast_is_one_without_a_common_colour_and_none_without_a_difference():
    np.testing.assert_allclose(ask("object_contrast", [[32, 32, 96, 96], [44, 44, 80, 80]], white_square()), [1, 0])


def test_contrast_of_a_box_that_is_half_background():
    # half of the box is white, all of its ring black: sum sqrt(p q) = sqrt(1/2 * 1), score sqrt(1 - 0.7071) = 0.5412
    image = np.zeros((192, 192, 3), np.uint8)
    image[64:128, 64:96] = 255
    assert ask("object_contrast", [[64, 64, 128, 128]], image) == pytest.approx(0.5412, abs=1e-3)


def test_contrast_is_of_colour_not_of_grey():
    # (200, 0, 0) and (0, 102, 0) both have luma 60
    image = np.zeros((192, 192, 3), np.uint8)
    image[:] = 0, 102, 0
    image[64:128, 64:128] = 200, 0, 0
    assert ask("object_contrast", [[64, 64, 128, 128]], image) == pytest.approx(1, abs=1e-3)


def test_contrast_sees_what_a_mean_does_not():
    # black and white rows in the box, their mean grey around it
    image = np.full((192, 192, 3), 128, np.uint8)
    image[64:128, 64:128] = 0
    image[64:128:2, 64:128] = 255
    assert ask("object_contrast", [[64, 64, 128, 128]], image) == pytest.approx(1, abs=1e-3)


def test_contrast_leaves_out_what_lies_beyond_the_image():
    # white on the left of a black picture, the box on the white: only the right of its ring is in the image, and black
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, :64] = 255
    scores = ask("object_contrast", [[0, 0, 64, 64], [0, 0, 128, 64]], image)
    assert scores[0] == pytest.approx(1)
    assert np.isnan(scores[1])  # it fills the image


def test_sharpness_of_stripes_and_of_a_flat_box():
    # columns 0, 10, 0, 10, ...: |-2 x 0 + 10 + 10| = 20 or -20 everywhere (OpenCV mirrors at the border), squared 400
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 1::2] = 10
    assert ask("object_sharpness", [[0, 0, 64, 64]], image) == pytest.approx(400)
    assert ask("object_sharpness", [[0, 0, 64, 64]], np.full((64, 64, 3), 77, np.uint8)) == 0


def test_sharpness_falls_with_blur():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    images = [noise, *(cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1, 2, 4))]
    scores = [ask("object_sharpness", [[20, 20, 100, 100]], image)[0] for image in images]
    assert (np.diff(scores) < 0).all()


def test_brightness_is_the_mean_luma_of_the_box():
    # .299 x 100 + .587 x 50 + .114 x 200 = 82.05, 82 of 255
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:60, 20:60] = 100, 50, 200
    np.testing.assert_allclose(ask("object_brightness", [[20, 20, 60, 60], [70, 70, 90, 90]], image), [82 / 255, 0])
    # half in, half out
    assert ask("object_brightness", [[20, 0, 60, 40]], image) == pytest.approx(82 / 255 / 2, abs=2e-3)


@pytest.mark.parametrize(("levels", "bits"), [(1, 0.0), (2, 1.0), (4, 2.0), (16, 4.0)])
def test_entropy_of_equally_common_levels(levels, bits):
    image = np.repeat(np.arange(64) * levels // 64 * (256 // levels), 64).reshape(64, 64).astype(np.uint8)
    assert ask("object_entropy", [[0, 0, 64, 64]], np.dstack([image] * 3)) == pytest.approx(bits)


@EACH
def test_a_box_below_four_pixels_and_one_outside_the_image_have_no_score(function):
    boxes = [[10, 10, 13.9, 50], [30, 30, 20, 20], [300, 20, 340, 60], [130, 40, 170, 80], [-1e6, -1e6, 1e6, 1e6]]
    assert np.isnan(call_metric(function, frame(boxes, white_square()))).all()


@EACH
def test_a_box_of_four_pixels_and_one_partly_beyond_the_image_have_one(function):
    assert np.isfinite(call_metric(function, frame([[30, 30, 34, 34], [-20, 100, 40, 160]], white_square()))).all()


@EACH
def test_the_order_of_boxes_does_not_matter_and_none_are_legal(function):
    image = np.random.default_rng(1).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    boxes = [[10, 10, 60, 50], [40, 30, 110, 90]]
    scores = call_metric(function, frame(boxes, image))
    np.testing.assert_array_equal(call_metric(function, frame(boxes[::-1], image)), scores[::-1])
    assert scores[0] != scores[1]
    assert call_metric(function, frame([], image)).shape == (0,)


@EACH
def test_a_picture_of_twice_the_size_scores_the_same(function):
    small = np.random.default_rng(2).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    once, twice = (cv2.resize(small, None, fx=k, fy=k, interpolation=cv2.INTER_CUBIC) for k in (8, 16))
    box = np.array([[20, 16, 148, 144]])
    expected = call_metric(function, frame(box, once))
    np.testing.assert_allclose(call_metric(function, frame(2 * box, twice)), expected, rtol=0.03)
