"""The laws that every metric of the catalogue keeps, whatever its family; values by hand are in catalogue/."""

import doctest
import importlib
import pkgutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

import metricloop.metrics.catalogue
from metricloop.data.dataset import pool_of
from metricloop.data.embeddings import Embeddings, ImageEmbeddings
from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.open_metrics import catalogue

MODULES = [info.name for info in pkgutil.iter_modules(metricloop.metrics.catalogue.__path__)]
# In pixels, bytes or bits by their nature; every other metric says the same of a picture stored twice as large.
IN_PIXELS = {"image_width", "image_height", "image_area", "bytes_per_pixel", "object_size", "degenerate"}
EACH = pytest.mark.parametrize("function", catalogue().values(), ids=catalogue())


def scene(scale=1):
    """A grey picture with two textured rectangles, at (40, 20, 80, 60) and (120, 40, 180, 80)."""
    image = np.full((100, 200, 3), (80, 90, 100), np.uint8)
    for x1, y1, x2, y2 in ((40, 20, 80, 60), (120, 40, 180, 80)):
        image[y1:y2, x1:x2] = (170, 160, 150)
        image[y1:y2:4, x1:x2] = 230
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


def found(rows):
    rows = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


FOUND = [[40, 20, 80, 60, 0.9, 0], [120, 40, 180, 60, 0.8, 0], [122, 41, 181, 77, 0.3, 1], [0, 0, 20, 20, 0.5, 0]]
VIEWS = {name: [[42, 20, 81, 60, 0.8, 0], [0, 0, 20, 20, 0.2, 1]] for name in ("flip", "crop", "seed")}


def frame(boxes, labels=None, scale=1, predicted=FOUND):
    boxes = scale * np.array(boxes, np.float32).reshape(-1, 4)

    def scaled(rows):
        return found([[*(scale * value for value in row[:4]), *row[4:]] for row in rows])

    return Frame(
        image_id=1,
        width=200 * scale,
        height=100 * scale,
        boxes=boxes,
        labels=np.array([0, 1] * len(boxes))[: len(boxes)] if labels is None else np.array(labels, np.int64),
        class_names=("cat", "dog"),
        image=scene(scale),
        file_size=2000,
        predictions=scaled(predicted),
        views={name: scaled(rows) for name, rows in VIEWS.items()},
        embedding=np.float32([1, 0, 0]),
    )


TIGHT = [[40, 20, 80, 60], [120, 40, 180, 80]]
TINY = [[0, 0, 1, 1], [10, 10, 10, 10], [199, 99, 200, 100], [0, 0, 200, 100]]


def ask(function, *frames):
    """What a metric says of each of some frames, as it does of a pool made of them and a few others."""
    if spec_of(function).scope == "frame":
        return [call_metric(function, one) for one in frames]
    others = [replace(frame([[10 + k, 10, 60, 40 + k]], [k % 2]), image_id=10 + k) for k in range(6)]
    pool = pool_of([*frames, *others])
    rng = np.random.default_rng(0)
    looks = ImageEmbeddings(unit(rng.normal(size=(len(pool), 8))), rng.integers(0, 2**62, len(pool)).astype(np.uint64),
                  rng.integers(0, 255, (len(pool), 256)).astype(np.uint8))  # fmt: skip
    # a crop's point follows from its box, however boxes are ordered
    place = pool.boxes / pool.width[pool.box_row, None]
    crops = unit(np.stack([place[:, 0] + 0.1, place[:, 1] + 0.1, pool.labels + 1], axis=1))
    given = Embeddings(looks, crops, replace(looks, images=looks.images[:2], hashes=looks.hashes[:2],
                                             thumbnails=looks.thumbnails[:2]))  # fmt: skip
    scores = call_metric(function, pool, given if spec_of(function).needs else None)
    ends = pool.offsets if spec_of(function).level == "object" else np.arange(len(pool) + 1)
    return [scores[ends[row] : ends[row + 1]] for row in range(len(frames))]


def unit(points):
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"metricloop.metrics.catalogue.{name}")).failed == 0


@EACH
def test_a_metric_explains_itself(function):
    text = function.__doc__
    assert "Direction" in text  # "Direction and source: as `other`." is enough for a variation of another metric
    assert "ource:" in text
    assert ">>>" in text


@EACH
class TestLaws:
    def test_box_order_does_not_matter(self, function):
        (scores,) = ask(function, frame(TIGHT, [0, 1]))
        (again,) = ask(function, frame(TIGHT[::-1], [1, 0]))
        again = again[::-1] if spec_of(function).level == "object" else again
        np.testing.assert_allclose(again, scores, rtol=1e-9, atol=1e-12)

    def test_the_order_of_predictions_does_not_matter(self, function):
        if "predictions" not in spec_of(function).needs:
            pytest.skip("asks no predictions")
        np.testing.assert_allclose(*ask(function, frame(TIGHT), frame(TIGHT, predicted=FOUND[::-1])), rtol=1e-9)

    def test_rescaling_the_image_does_not_matter(self, function):
        spec = spec_of(function)
        if spec.name in IN_PIXELS:
            pytest.skip("in pixels by its nature")
        (once,), (twice,) = ask(function, frame(TIGHT)), ask(function, frame(TIGHT, scale=2))
        resampling = 0.05 * max(1.0, float(np.nanmax(np.abs(once)))) if "image" in spec.needs else 1e-6
        np.testing.assert_allclose(twice, once, atol=resampling)

    def test_an_image_without_labels_is_legal(self, function):
        for one in (frame([]), frame([], predicted=[])):
            (scores,) = ask(function, one)
            assert scores.shape == ((0,) if spec_of(function).level == "object" else (1,))

    def test_an_image_without_predictions_is_legal(self, function):
        (scores,) = ask(function, frame(TIGHT, predicted=[]))
        assert scores.shape == ((2,) if spec_of(function).level == "object" else (1,))

    def test_boxes_of_one_pixel_and_of_none_are_legal(self, function):
        (scores,) = ask(function, frame(TINY))  # `call_metric` refuses infinity
        assert scores.shape == ((4,) if spec_of(function).level == "object" else (1,))
