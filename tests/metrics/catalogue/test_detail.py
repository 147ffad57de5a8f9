"""Sharpness, noise and edges: numbers worked out by hand, plain NumPy references, and laws."""

import doctest

import cv2
import numpy as np
import pytest

from metricloop.data.frame import Frame
from metricloop.data.pictures import decode, decode_small
from metricloop.metrics.catalogue import detail
from metricloop.metrics.catalogue._small import SIDE
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in

METRICS = metrics_in(detail)
HEIGHT, WIDTH = 72, SIDE  # nothing is resampled


def frame(grey, boxes=()):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    image = np.repeat(grey[..., None], 3, axis=2)
    return Frame(1, grey.shape[1], grey.shape[0], boxes, np.zeros(len(boxes), int), image=image)


def say(function, grey):
    (score,) = call_metric(function, frame(np.asarray(grey, np.uint8)))
    return score


def texture(height=HEIGHT, width=WIDTH, seed=0):
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (18, 24), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def convolved(grey, kernel, mode):
    """Plain sums of shifted pictures, the border mirrored ("reflect") or left out ("valid")."""
    padded = np.pad(grey.astype(float), 1, mode="reflect") if mode == "reflect" else grey.astype(float)
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    return sum(kernel[i][j] * padded[i : i + height, j : j + width] for i in range(3) for j in range(3))


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(detail)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("seed", range(3))
def test_sharpness_is_the_variance_of_the_laplacian(seed):
    grey = texture(seed=seed)
    expected = convolved(grey, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], "reflect").var()
    assert say(detail.sharpness, grey) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_immerkaers_estimate(seed):
    grey = texture(seed=seed)
    response = convolved(grey, [[1, -2, 1], [-2, 4, -2], [1, -2, 1]], "valid")
    expected = np.sqrt(np.pi / 2) / (6 * (WIDTH - 2) * (HEIGHT - 2)) * np.abs(response).sum()
    assert say(detail.noise, grey) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sigma", [3, 8, 15])
def test_noise_finds_the_deviation_of_white_noise(sigma):
    noisy = np.random.default_rng(0).normal(128, sigma, (HEIGHT, WIDTH))
    assert say(detail.noise, np.rint(noisy)) == pytest.approx(sigma, rel=0.05)


def test_noise_takes_no_notice_of_straight_edges():
    grey = np.zeros((HEIGHT, WIDTH))
    grey[:, 40:] = 200
    assert say(detail.noise, grey) == 0


def test_edges_are_counted_in_the_halved_picture():
    grey = np.zeros((HEIGHT, WIDTH))
    grey[18:54, 24:72] = 255  # 18 x 24 there; its outline, a pixel wide, is 2 * (18 + 24), give or take the corners
    assert say(detail.edge_density, grey) * (36 * 48) == pytest.approx(2 * (18 + 24), abs=4)


@pytest.mark.parametrize(("step", "expected"), [(50, 0), (51, 1 / 48)])
def test_an_edge_begins_with_a_step_of_more_than_50_levels(step, expected):
    """The Sobel derivative of a step is four times as large, and the threshold 200."""
    grey = np.zeros((HEIGHT, WIDTH))
    grey[:, 48:] = step
    assert say(detail.edge_density, grey) == pytest.approx(expected)


def test_blur_lowers_sharpness_noise_and_edges():
    grey = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    for function in METRICS.values():
        scores = [say(function, cv2.GaussianBlur(grey, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 2 * scores[-1]


def test_an_image_too_flat_for_the_kernel_has_no_noise_to_speak_of():
    assert np.isnan(say(detail.noise, np.zeros((1, WIDTH))))


@pytest.mark.parametrize("function", METRICS.values(), ids=METRICS)
class TestLaws:
    def test_it_is_of_the_whole_image_at_one_scale(self, function):
        spec = spec_of(function)
        assert (spec.level, spec.needs, spec.scope, spec.side) == ("image", ("image",), "frame", SIDE)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 7), (72, 96)])
    @pytest.mark.parametrize("level", [0, 7, 255])
    def test_a_plain_image_of_any_shape_has_none(self, function, shape, level):
        score = say(function, np.full(shape, level))
        assert score == 0 or np.isnan(score)

    def test_boxes_do_not_matter(self, function):
        assert call_metric(function, frame(texture(), [[0, 0, 10, 10]]))[0] == say(function, texture())

    def test_brightness_does_not_matter(self, function):
        grey = texture() // 2
        assert say(function, grey + 60) == say(function, grey)

    def test_twice_the_size_by_repeating_pixels_changes_nothing(self, function):
        assert say(function, texture().repeat(2, axis=0).repeat(2, axis=1)) == say(function, texture())

    def test_the_scale_of_the_stored_image_hardly_matters(self, function):
        small, large = say(function, texture(480, 640)), say(function, texture(1200, 1600))
        assert large == pytest.approx(small, rel=0.15)

    @pytest.mark.parametrize("kind", [".jpg", ".png"])
    def test_decoding_at_a_reduced_scale_hardly_matters(self, function, kind):
        """A PNG is averaged, too, and not thinned out, or noise would come through."""
        rng = np.random.default_rng(2)
        grey = np.clip(texture(480, 640) * 0.7 + rng.normal(30, 15, (480, 640)), 0, 255).astype(np.uint8)
        data = cv2.imencode(kind, grey)[1].tobytes()
        whole = decode(data)
        full = Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int), image=whole)
        reduced = Frame(1, 640, 480, np.zeros((0, 4)), np.zeros(0, int), image=decode_small(data, 4))
        assert call_metric(function, reduced) == pytest.approx(call_metric(function, full), rel=0.05)
