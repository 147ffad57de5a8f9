"""The contract holds what a metric declares and what it returns, and its messages name what came."""

import numpy as np
import pyarrow as pa
import pytest

from metricloop.data.frame import Frame
from metricloop.data.loading import assemble
from metricloop.data.tables import BOXES, IMAGES
from metricloop.metrics.contract import MetricError, Spec, call_metric, metric, spec_of

TWO_BOXES = Frame(1, 40, 30, np.float32([[0, 0, 10, 10], [5, 5, 20, 20]]), np.array([0, 0]))


def returning(value, level="object", **declared):
    @metric(level=level, **declared)
    def given(frame):
        return value

    return given


def test_declaring_attaches_a_frozen_spec_and_leaves_the_function_as_it_was():
    @metric(level="image", needs=["image"], higher_is="worse")
    def darkness(frame):
        return 1.0

    assert spec_of(darkness) == Spec("darkness", "image", ("image",), "worse", "frame")
    assert darkness(None) == 1.0
    with pytest.raises(AttributeError):
        spec_of(darkness).level = "object"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"level": "box"}, "level='box'"),
        ({"level": "image", "needs": ("pixels",)}, r"needs=\('pixels',\)"),
        ({"level": "image", "higher_is": "good"}, "higher_is='good'"),
        ({"level": "image", "scope": "dataset", "needs": ("image",)}, "gets labels and embeddings only"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_made(declared, message):
    with pytest.raises(MetricError, match=message):
        returning(0.0, **declared)


@pytest.mark.parametrize(
    ("value", "level", "expected"),
    [
        (3, "image", [3.0]),  # an integer is a score too
        (np.float32(0.5), "image", [0.5]),
        (np.array([0.5]), "image", [0.5]),
        (float("nan"), "image", [np.nan]),  # cannot say
        ([1, 2.5], "object", [1.0, 2.5]),
        (np.array([1, 2], np.uint8), "object", [1.0, 2.0]),
    ],
)
def test_what_may_be_returned(value, level, expected):
    scores = call_metric(returning(value, level), TWO_BOXES)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize(
    ("value", "level", "message"),
    [
        (np.zeros(3), "object", r"one float per object, shape \(2,\); got ndarray of dtype float64, shape \(3,\)"),
        (np.zeros((2, 1)), "object", r"shape \(2, 1\)"),
        (0.5, "object", r"float of dtype float64, shape \(\)"),
        (np.zeros(2), "image", r"one float; got ndarray of dtype float64, shape \(2,\)"),
        (None, "image", "got NoneType"),
        (True, "image", "got bool"),
        ("high", "image", "got str"),
        (1j, "image", "got complex"),
        ([[1.0], [1.0, 2.0]], "object", "got list"),
        ([1.0, np.inf], "object", "infinity"),
    ],
)
def test_what_may_not_be_returned(value, level, message):
    with pytest.raises(MetricError, match=f"given.*{message}"):
        call_metric(returning(value, level), TWO_BOXES)


def test_a_frame_without_boxes_gets_no_object_scores_and_one_image_score():
    empty = Frame(1, 40, 30, np.zeros((0, 4), np.float32), np.zeros(0, int))
    assert call_metric(returning(np.zeros(0)), empty).shape == (0,)
    assert call_metric(returning(1.0, "image"), empty).shape == (1,)


def test_a_need_that_is_not_met_is_named():
    with pytest.raises(MetricError, match="given needs image, predictions"):
        call_metric(returning([1, 2], needs=("image", "predictions")), TWO_BOXES)


def test_a_plain_function_is_no_metric():
    with pytest.raises(MetricError, match=r"'<lambda>' is not a metric; decorate it with @metric"):
        call_metric(lambda frame: 1.0, TWO_BOXES)


def test_a_dataset_metric_gets_the_whole_pool_and_answers_for_all_of_it():
    images = {"image_id": [1, 2], "file": ["a", "b"], "sha256": ["", ""], "width": [9, 9], "height": [9, 9]}
    boxes = {"box_id": [1, 2, 3], "image_id": [1, 1, 2], "x1": [0] * 3, "y1": [0] * 3, "x2": [1] * 3, "y2": [1] * 3}
    pool = assemble(
        pa.table(images | {"group": ["a", "b"], "split": ["pool", "pool"]}, IMAGES),
        pa.table(boxes | {"label": [0, 1, 0], "crowd": [False] * 3}, BOXES),
        ("cat", "dog"),
        root=None,
    )

    @metric(level="object", scope="dataset")
    def class_share(pool):
        return np.bincount(pool.labels)[pool.labels] / len(pool.labels)

    np.testing.assert_allclose(call_metric(class_share, pool), [2 / 3, 1 / 3, 2 / 3])
    with pytest.raises(MetricError, match="scope 'dataset', but called with a Frame"):
        call_metric(class_share, TWO_BOXES)
    with pytest.raises(MetricError, match="scope 'frame', but called with a Dataset"):
        call_metric(returning(1.0), pool)
    with pytest.raises(MetricError, match=r"one float per image, shape \(2,\)"):
        call_metric(returning(1.0, "image", scope="dataset"), pool)
