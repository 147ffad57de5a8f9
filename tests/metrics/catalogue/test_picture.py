"""Light and colour of whole images: numbers worked out by hand, plain NumPy references, and laws."""

import doctest

import cv2
import numpy as np
import pytest

from metricloop.data.frame import Frame
from metricloop.data.pictures import decode, decode_small, reduction_for
from metricloop.metrics.catalogue import picture
from metricloop.metrics.catalogue._small import SIDE
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in

METRICS = metrics_in(picture)
HEIGHT, WIDTH = 72, SIDE  # nothing is resampled


def frame(image, boxes=()):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Frame(1, image.shape[1], image.shape[0], boxes, np.zeros(len(boxes), int), image=image)


def say(function, image):
    (score,) = call_metric(function, frame(image))
    return score


def plain(colour=(0, 0, 0), height=HEIGHT, width=WIDTH):
    return np.full((height, width, 3), colour, np.uint8)


def halves(left, right):
    image = plain(left)
    image[:, WIDTH // 2 :] = right
    return image


def blocks(seed=0):
    """Random colours in blocks of 2 x 2, which the halved picture keeps."""
    small = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 2, WIDTH // 2, 3), dtype=np.uint8)
    return small.repeat(2, axis=0).repeat(2, axis=1)


def photo(height=480, width=640, seed=1):
    """A smooth picture of any size, the same scene at all of them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)


def luma_of(image):
    """Rec. 601 on one's own: OpenCV rounds the weights to 15 bits, so single pixels may differ by a level."""
    return np.rint(image @ np.array([0.299, 0.587, 0.114]))


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(picture)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("brightness", halves((0, 0, 0), (255, 255, 255)), 0.5),
        ("brightness", plain((0, 0, 255)), 29 / 255),  # .114 * 255 = 29.07, rounded
        ("perceived_brightness", plain((0, 0, 255)), 0.068**0.5),
        ("perceived_brightness", plain((100, 100, 100)), 100 / 255),  # the weights add up to 1
        (
            "perceived_brightness",
            halves((200, 0, 0), (0, 0, 0)),
            0.241**0.5 * 100 / 255,
        ),  # of the mean, not the mean of
        ("contrast", halves((20, 20, 20), (80, 80, 80)), 30 / 255),
        ("rms_contrast", halves((20, 20, 20), (80, 80, 80)), 30 / 50),
        ("dynamic_range", halves((20, 20, 20), (80, 80, 80)), 60 / 255),
        ("entropy", halves((20, 20, 20), (80, 80, 80)), 1.0),
        ("entropy", plain((20, 20, 20)), 0.0),
        ("saturation", halves((50, 50, 50), (255, 0, 0)), 0.5),
        ("saturation", plain((0, 0, 0)), 0.0),
        ("saturation", plain((100, 50, 75)), 128 / 255),  # 255 * 50 / 100 = 127.5, rounded
        ("colourfulness", plain((90, 90, 90)), 0.0),
        # rg is 100 and -100, yb 50 and 50: deviations 100 and 0, means 0 and 50
        ("colourfulness", halves((100, 0, 0), (0, 100, 0)), 100 + 0.3 * 50),
        # yb is -200 and 0: deviation 100, mean -100
        ("colourfulness", halves((0, 0, 200), (0, 0, 0)), 100 + 0.3 * 100),
    ],
)
def test_by_hand(name, image, expected):
    assert say(METRICS[name], image) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("share", "level"), [(0.005, 10), (0.02, 240)])
def test_darkness_is_the_level_that_all_but_one_percent_stay_below(share, level):
    image = plain((10, 10, 10)).reshape(-1, 3)
    image[: round(share * len(image))] = 240
    assert say(picture.highlights, image.reshape(HEIGHT, WIDTH, 3)) == level / 255


@pytest.mark.parametrize(("share", "level"), [(0.04, 240), (0.06, 10)])
def test_lightness_is_what_the_level_of_the_darkest_twentieth_lacks_to_white(share, level):
    image = plain((240, 240, 240)).reshape(-1, 3)
    image[: round(share * len(image))] = 10
    assert say(picture.shadows, image.reshape(HEIGHT, WIDTH, 3)) == 1 - level / 255


@pytest.mark.parametrize(("level", "expected"), [(0, 1), (2, 1), (3, 0), (252, 0), (253, 1), (255, 1)])
def test_clipping_begins_at_2_and_253(level, expected):
    assert say(picture.clipping, plain((level, level, level))) == expected


def test_percentiles_are_those_of_numpy():
    grey = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    p5, p95, p99 = (np.percentile(grey, p, method="inverted_cdf") / 255 for p in (5, 95, 99))
    assert say(picture.highlights, image) == p99
    assert say(picture.shadows, image) == 1 - p5
    assert say(picture.dynamic_range, image) == pytest.approx(p95 - p5)


def test_luma_metrics_are_those_of_plain_formulas():
    image = blocks()
    luma = luma_of(image)
    p = np.bincount(luma.astype(int).ravel(), minlength=256) / luma.size
    assert say(picture.brightness, image) == pytest.approx(luma.mean() / 255, abs=1e-3)
    assert say(picture.contrast, image) == pytest.approx(luma.std() / 255, abs=1e-3)
    assert say(picture.rms_contrast, image) == pytest.approx(luma.std() / luma.mean(), abs=1e-3)
    assert say(picture.entropy, image) == pytest.approx(-(p[p > 0] * np.log2(p[p > 0])).sum(), abs=0.02)
    assert say(picture.clipping, image) == pytest.approx(((luma <= 2) | (luma >= 253)).mean(), abs=1e-3)


def test_colour_metrics_are_those_of_plain_formulas():
    image = blocks()
    r, g, b = image.astype(float).transpose(2, 0, 1)
    rg, yb = r - g, (r + g) / 2 - b
    colourful = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert say(picture.colourfulness, image) == pytest.approx(colourful, rel=1e-9)
    high, low = image.max(axis=2).astype(float), image.min(axis=2)
    assert say(picture.saturation, image) == pytest.approx(((high - low) / np.maximum(high, 1)).mean(), abs=1e-3)
    weighed = (np.array([0.241, 0.691, 0.068]) * image.reshape(-1, 3).mean(axis=0) ** 2).sum() ** 0.5 / 255
    assert say(picture.perceived_brightness, image) == pytest.approx(weighed, rel=1e-9)


def radial(loss, level=200.0):
    """Light that falls off to level * (1 - loss) in the corners, in blocks of 2 x 2; and its r^2."""
    y, x = np.arange(HEIGHT // 2) - (HEIGHT // 2 - 1) / 2, np.arange(WIDTH // 2) - (WIDTH // 2 - 1) / 2
    squared = y[:, None] ** 2 + x[None] ** 2
    squared /= squared.max()
    light = np.rint(level * (1 - loss * squared)).astype(np.uint8)
    return np.repeat(light[..., None], 3, axis=2).repeat(2, axis=0).repeat(2, axis=1), squared, light


@pytest.mark.parametrize("loss", [0.0, 0.2, 0.6, -0.2])
def test_vignetting_is_the_slope_over_the_mean(loss):
    image, squared, light = radial(loss)
    slope = np.polyfit(squared.ravel(), light.ravel().astype(float), 1)[0]
    assert say(picture.vignetting, image) == pytest.approx(-slope / light.mean(), abs=1e-5)
    assert say(picture.vignetting, image) == pytest.approx(200 * loss / light.mean(), abs=0.01)


def test_vignetting_takes_no_notice_of_light_from_one_side():
    ramp = np.rint(np.linspace(50, 200, WIDTH // 2)).astype(np.uint8).repeat(2)
    image = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)).copy()
    assert abs(say(picture.vignetting, image)) < 0.01


def test_what_cannot_be_said_of_a_black_image_is_nan():
    unknown = [name for name, function in METRICS.items() if np.isnan(say(function, plain()))]
    assert sorted(unknown) == ["rms_contrast", "vignetting"]


@pytest.mark.parametrize("function", METRICS.values(), ids=METRICS)
class TestLaws:
    def test_it_is_of_the_whole_image_at_one_scale(self, function):
        spec = spec_of(function)
        assert (spec.level, spec.needs, spec.scope, spec.side) == ("image", ("image",), "frame", SIDE)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 7), (48, 96), (97, 31)])
    @pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (1, 2, 3)])
    def test_images_of_any_shape_and_of_one_colour_get_a_number_or_nan(self, function, shape, colour):
        assert not np.isinf(say(function, plain(colour, *shape)))

    def test_boxes_do_not_matter(self, function):
        with_boxes = frame(photo(), [[0, 0, 10, 10], [600, 400, 640, 480]])
        assert call_metric(function, with_boxes)[0] == say(function, photo())

    def test_the_image_is_left_as_it_was(self, function):
        image, before = blocks(), blocks()
        say(function, image)
        np.testing.assert_array_equal(image, before)

    def test_twice_the_size_by_repeating_pixels_changes_nothing(self, function):
        image = blocks()
        assert say(function, image.repeat(2, axis=0).repeat(2, axis=1)) == say(function, image)

    def test_the_scale_of_the_stored_image_hardly_matters(self, function):
        small, large = say(function, photo(480, 640)), say(function, photo(1200, 1600))
        assert large == pytest.approx(small, rel=0.02, abs=0.02)

    def test_a_jpeg_decoded_at_a_reduced_scale_scores_like_all_of_it(self, function):
        data = cv2.imencode(".jpg", photo(600, 800)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        whole, reduction = frame(decode(data)), reduction_for(800, SIDE)
        reduced = Frame(1, 800, 600, np.zeros((0, 4)), np.zeros(0, int), image=decode_small(data, reduction))
        assert reduction == 8
        assert call_metric(function, reduced) == pytest.approx(call_metric(function, whole), rel=0.01, abs=0.01)

    def test_turning_the_image_around_changes_nothing(self, function):
        image = blocks()
        assert say(function, np.ascontiguousarray(image[::-1, ::-1])) == pytest.approx(say(function, image), abs=1e-6)


def test_a_brighter_image_is_brighter_and_no_more():
    """Thirty levels more, none of them clipped: the spread stays, and the level moves by 30."""
    image = np.clip(photo(HEIGHT, WIDTH) // 2 + 20, 20, 200).astype(np.uint8)
    brighter = image + np.uint8(30)
    for name, shift in {
        "brightness": 30 / 255,
        "perceived_brightness": None,
        "highlights": 30 / 255,
        "shadows": -30 / 255,
        "contrast": 0,
        "dynamic_range": 0,
        "entropy": 0,
        "colourfulness": 0,
    }.items():
        before, after = say(METRICS[name], image), say(METRICS[name], brighter)
        if shift is None:
            assert after > before
        else:
            assert after - before == pytest.approx(shift, abs=1e-9 if name != "colourfulness" else 0.05), name


def test_a_grey_image_has_no_colour():
    grey = np.repeat(photo()[..., :1], 3, axis=2)
    assert say(picture.saturation, grey) == 0
    assert say(picture.colourfulness, grey) == 0
