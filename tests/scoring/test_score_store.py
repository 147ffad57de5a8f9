"""Scores are filed by content: what is known is not computed again, and the store changes no output."""

import hashlib
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from metricloop.data.dataset import pool_of
from metricloop.data.frame import Detections, Frame
from metricloop.metrics.contract import metric
from metricloop.scoring import batch as batch_module
from metricloop.scoring.batch import InProcessBatch
from metricloop.scoring.metric_inputs import MetricInputs
from metricloop.scoring.score_pool import score_pool
from metricloop.scoring.score_store import ScoreStore, keys_of

ASKED: list[int] = []


@metric(level="image", needs=("image",))
def mean_grey(frame):
    ASKED.append(frame.image_id)
    return float(frame.image.mean())


@metric(level="object", needs=("image",))
def box_width(frame):
    ASKED.append(frame.image_id)
    return frame.boxes[:, 2] - frame.boxes[:, 0]


@metric(level="image", needs=("image",))
def moody(frame):
    ASKED.append(frame.image_id)
    if frame.image_id == 1:
        raise RuntimeError("not today")
    return 1.0


@pytest.fixture(autouse=True)
def _digests(monkeypatch):
    """The code of this file cannot be followed: it imports pytest."""
    monkeypatch.setattr(batch_module, "digest_of", lambda metric: metric.__name__)


@pytest.fixture
def pool(tmp_path):
    """Four pictures with 0, 1, 2 and 3 boxes."""
    rng = np.random.default_rng(0)
    frames, hashes = [], []
    for row in range(4):
        path = tmp_path / f"{row}.jpg"
        cv2.imwrite(str(path), rng.integers(0, 255, (30, 40, 3), np.uint8))
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
        boxes = np.float32([[k, 0, 2 * k + 5, 10] for k in range(row)]).reshape(-1, 4)
        frames.append(Frame(row, 40, 30, boxes, np.zeros(row, np.int64)))
    return replace(pool_of(frames), root=tmp_path, sha256=np.array(hashes, object))


def asked(pool, *metrics, store, **more):
    """The tables, and the ids of the images that were really looked at."""
    ASKED.clear()
    tables = score_pool(pool, InProcessBatch(metrics), store=store, max_failures=1, **more)
    return {name: columns["score"].tolist() for name, columns in tables.items()}, list(ASKED)


def test_a_second_run_computes_nothing_and_says_the_same(pool, tmp_path):
    first, looked = asked(pool, mean_grey, box_width, store=tmp_path / "s")
    assert looked == [0, 1, 2, 3, 1, 2, 3]  # box_width is not asked about an image without boxes
    assert asked(pool, mean_grey, box_width, store=tmp_path / "s") == (first, [])
    shutil.rmtree(tmp_path / "s")
    again, looked = asked(pool, mean_grey, box_width, store=tmp_path / "s")
    assert again == first
    assert len(looked) == 7


def test_a_new_metric_is_all_that_is_computed(pool, tmp_path):
    asked(pool, mean_grey, store=tmp_path / "s")
    assert asked(pool, mean_grey, box_width, store=tmp_path / "s")[1] == [1, 2, 3]


def test_a_new_or_changed_image_is_all_that_is_computed(pool, tmp_path):
    three = pool_part(pool, 3)
    asked(three, mean_grey, box_width, store=tmp_path / "s")
    assert asked(pool, mean_grey, box_width, store=tmp_path / "s")[1] == [3, 3]
    moved = replace(pool, boxes=pool.boxes + np.float32([[0, 0, 1, 0]] + [[0] * 4] * 5))
    tables, looked = asked(moved, mean_grey, box_width, store=tmp_path / "s")
    assert looked == [1, 1]  # its box is wider by one
    assert tables["box_width"][0] == pool.boxes[0, 2] - pool.boxes[0, 0] + 1


def test_a_picture_that_was_replaced_is_looked_at_again(pool, tmp_path):
    asked(pool, mean_grey, store=tmp_path / "s")
    (tmp_path / "2.jpg").write_bytes((tmp_path / "1.jpg").read_bytes() + b" ")
    tables = score_pool(pool, InProcessBatch((mean_grey,)), store=tmp_path / "s", max_failures=1)
    assert "its hash differs" in tables["mean_grey"]["error"][2]


def test_failures_are_not_kept(pool, tmp_path):
    asked(pool, moody, store=tmp_path / "s")
    assert asked(pool, moody, store=tmp_path / "s")[1] == [1]


def test_predictions_and_other_code_are_other_scores(pool, tmp_path):
    asked(pool, mean_grey, store=tmp_path / "s")
    found = {2: Detections(np.float32([[0, 0, 9, 9]]), np.float32([0.5]), np.array([0]))}
    assert asked(pool, mean_grey, store=tmp_path / "s", predictions=found)[1] == [2]
    assert InProcessBatch((mean_grey,)).digest(mean_grey.spec) != InProcessBatch((mean_grey,), "trusted").digest(
        mean_grey.spec
    )
    assert InProcessBatch((mean_grey,)).digest(mean_grey.spec) != InProcessBatch((box_width,)).digest(box_width.spec)


def test_image_ids_count_for_foreign_metrics_alone(pool):
    renumbered = MetricInputs(replace(pool, image_id=pool.image_id + 10))
    for ids in (False, True):
        same = keys_of(MetricInputs(pool), about="", files=True, ids=ids) == keys_of(
            renumbered, about="", files=True, ids=ids
        )
        assert same.all() != ids


def test_half_a_file_counts_as_none(tmp_path):
    store = ScoreStore(tmp_path)
    keys = np.array([bytes([k] * 16) for k in (3, 1)], "V16")
    store.add("d", keys, np.array([2, 1]), np.array([0.5, np.nan, 7.0]))
    known, scores = store.find("d", keys[::-1], np.array([1, 2]))
    assert known.all()
    np.testing.assert_array_equal(scores, [7.0, 0.5, np.nan])
    assert not store.find("d", keys, np.array([2, 3]))[0][1]  # one box more than there were
    file = next(tmp_path.glob("*.npz"))
    file.write_bytes(file.read_bytes()[:100])
    assert not store.find("d", keys, np.array([2, 1]))[0].any()


def pool_part(pool, n):
    """The first n images."""
    m = int(pool.offsets[n])
    images = ("image_id", "file", "sha256", "width", "height", "group", "split")
    boxes = ("box_id", "boxes", "labels", "crowd")
    cut = {name: getattr(pool, name)[:n] for name in images} | {name: getattr(pool, name)[:m] for name in boxes}
    return replace(pool, **cut, offsets=pool.offsets[: n + 1])
