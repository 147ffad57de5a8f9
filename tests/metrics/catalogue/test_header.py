"""Size, shape and compression of images, from the table alone."""

import doctest

import numpy as np
import pytest

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import header
from metricloop.metrics.contract import MetricError, call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in


def frame(width, height, boxes=(), **more):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Frame(width, width, height, boxes, np.zeros(len(boxes), int), **more)


POOL = pool_of([frame(640, 480), frame(1, 1, [[0, 0, 1, 1]]), frame(3000, 1)])
OF_THE_POOL = {name: metric for name, metric in metrics_in(header).items() if spec_of(metric).scope == "dataset"}


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(header)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image_width", [640, 1, 3000]),
        ("image_height", [480, 1, 1]),
        ("image_area", [0.3072, 1e-6, 3e-3]),
        ("image_aspect", [4 / 3, 1, 3000]),
    ],
)
def test_by_hand(name, expected):
    np.testing.assert_allclose(call_metric(OF_THE_POOL[name], POOL), expected)


def test_the_area_of_a_very_large_image_does_not_overflow():
    (area,) = call_metric(header.image_area, pool_of([frame(100_000, 50_000)]))
    assert area == 5000  # 5e9 pixels are more than 32 bits hold


@pytest.mark.parametrize("function", OF_THE_POOL.values(), ids=OF_THE_POOL)
def test_a_pool_without_images_gets_no_scores(function):
    assert call_metric(function, pool_of([])).shape == (0,)


def test_nothing_of_the_picture_is_needed():
    needs = {need for function in metrics_in(header).values() for need in spec_of(function).needs}
    assert needs == {"file_size"}


def test_bytes_per_pixel():
    assert call_metric(header.bytes_per_pixel, frame(100, 50, file_size=2500)) == [0.5]
    with pytest.raises(MetricError, match="needs file_size"):
        call_metric(header.bytes_per_pixel, frame(100, 50))
