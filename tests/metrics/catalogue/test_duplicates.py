"""Duplicates by file, by look and across splits: literal hashes and thumbnails, brute force, and the laws."""

import doctest
from dataclasses import replace

import cv2
import numpy as np
import pytest

from metricloop.data.dataset import pool_of
from metricloop.data.embeddings import Embeddings, ImageEmbeddings, embeddings_of
from metricloop.data.frame import Frame
from metricloop.data.pictures import fingerprint
from metricloop.metrics.catalogue import duplicates
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in

METRICS = list(metrics_in(duplicates).values())
LOOKING = [function for function in METRICS if spec_of(function).needs]


def empty(n):
    return pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(n)])


def grey(*levels):
    return np.repeat(np.array(levels, np.uint8)[:, None], 256, axis=1)


def made_of(hashes, levels, images=None):
    vectors = np.eye(len(hashes)) if images is None else images
    return embeddings_of(vectors, hashes=hashes, thumbnails=grey(*levels))


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(duplicates)
    assert result.attempted > 0
    assert result.failed == 0


def test_exact_duplicates_are_the_other_files_with_the_same_bytes():
    pool = replace(empty(6), sha256=np.array(list("abacaa"), object))
    assert call_metric(duplicates.exact_duplicate, pool).tolist() == [3, 0, 3, 0, 3, 3]


@pytest.mark.parametrize(
    ("hashes", "levels", "expected"),
    [
        ([0, 0b111], [90, 90], [1, 1]),  # three bits, equal thumbnails
        ([0, 0b1111], [90, 90], [0, 0]),  # four bits
        ([0, 0], [90, 94], [1, 1]),  # the same hash, thumbnails four levels apart
        ([0, 0], [90, 95], [0, 0]),  # five: plain pictures that do not look alike
        ([0, 0b111, 0b111111], [90, 90, 90], [2, 2, 2]),  # the ends, six bits apart, are linked by the middle
        ([0, 0b111, 0b111111, 1 << 60], [90, 92, 94, 200], [2, 2, 2, 0]),
    ],
)
def test_near_duplicates_are_counted_by_linked_groups(hashes, levels, expected):
    scores = call_metric(duplicates.near_duplicate, empty(len(hashes)), made_of(hashes, levels))
    assert scores.tolist() == expected


def test_a_rescaled_picture_is_a_near_duplicate_and_another_is_none():
    rng = np.random.default_rng(0)
    scenes = [cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (120, 120)) for _ in range(2)]
    pictures = [scenes[0], cv2.resize(scenes[0], (60, 60), interpolation=cv2.INTER_AREA), scenes[1]]
    hashes, thumbnails = zip(*map(fingerprint, pictures), strict=True)
    made = embeddings_of(np.eye(3), hashes=hashes, thumbnails=thumbnails)
    assert call_metric(duplicates.near_duplicate, empty(3), made).tolist() == [1, 1, 0]
    near, _, far = call_metric(duplicates.nearest_hash_distance, empty(3), made)
    assert near <= 3 < far


def test_nearest_hash_distance_is_the_least_number_of_bits():
    hashes = [0, 0b11, 0b11, (1 << 64) - 1]
    scores = call_metric(duplicates.nearest_hash_distance, empty(4), made_of(hashes, [0] * 4))
    assert scores.tolist() == [2, 0, 0, 62]


@pytest.mark.parametrize("blocks", [(256, 8192), (7, 5), (1, 1)])
def test_hashes_are_held_against_all_others_whatever_the_blocks(monkeypatch, blocks):
    monkeypatch.setattr(duplicates, "ROWS", blocks[0])
    monkeypatch.setattr(duplicates, "COLUMNS", blocks[1])
    hashes = np.random.default_rng(0).integers(0, 2**64, 40, dtype=np.uint64)
    brute = np.bitwise_count(hashes[:, None] ^ hashes[None]).astype(int)
    np.fill_diagonal(brute, 99)
    scores = call_metric(duplicates.nearest_hash_distance, empty(40), made_of(hashes, [0] * 40))
    np.testing.assert_array_equal(scores, brute.min(axis=1))


def test_leakage_is_one_for_a_look_alike_and_the_best_cosine_elsewhere():
    own = made_of([0, 0xF0F << 20, 7 << 40], [10, 10, 10], [[1, 0], [0.6, 0.8], [-1, 0]]).pool
    # the first held-out picture has the hash of the pool's first, but for a bit; the other is like none
    held = ImageEmbeddings(np.float32([[0, 1], [0.8, 0.6]]), np.array([1, 0xFF << 50], np.uint64), grey(10, 10))
    scores = call_metric(duplicates.split_leakage, empty(3), Embeddings(own, np.zeros((0, 2), np.float32), held))
    # 0.6 * 0.8 + 0.8 * 0.6 = 0.96 with the second; (-1, 0) is at a right angle to the first
    np.testing.assert_allclose(scores, [1, 0.96, 0], atol=1e-6)


def test_copies_within_the_pool_are_no_leak():
    made = embeddings_of([[1, 0], [1, 0]], held_out=[[0, 1]])
    assert call_metric(duplicates.split_leakage, empty(2), made).tolist() == [0, 0]


def test_without_held_out_pictures_leakage_cannot_be_told():
    assert np.isnan(call_metric(duplicates.split_leakage, empty(2), embeddings_of(np.eye(2)))).all()


@pytest.mark.parametrize("function", METRICS, ids=lambda function: function.__name__)
class TestLaws:
    def scores(self, function, order):
        """Forty pictures, every eighth an exact copy of the one before, every fifth a near one."""
        rng = np.random.default_rng(0)
        hashes, points = rng.integers(0, 2**64, 40, dtype=np.uint64), rng.normal(size=(40, 5))
        files = np.array([f"{row:064x}" for row in range(40)], object)
        hashes[7::8], files[7::8] = hashes[6::8], files[6::8]
        hashes[5::5] = hashes[4:-1:5] ^ np.uint64(5)
        made = embeddings_of(points[order], held_out=points[:3], hashes=hashes[order], thumbnails=grey(*[50] * 40))
        pool = replace(empty(40), sha256=files[order])
        return call_metric(function, pool, made if spec_of(function).needs else None)

    def test_the_order_of_the_images_does_not_matter(self, function):
        order = np.random.default_rng(1).permutation(40)
        before = self.scores(function, np.arange(40))
        assert len(set(before)) > 1
        np.testing.assert_allclose(self.scores(function, order), before[order], atol=1e-6)

    def test_one_image_and_none(self, function):
        for n in (0, 1):
            made = embeddings_of(np.eye(n, 4), held_out=np.eye(2, 4)) if spec_of(function).needs else None
            assert call_metric(function, empty(n), made).shape == (n,)


@pytest.mark.parametrize("function", LOOKING, ids=lambda function: function.__name__)
def test_equal_pictures_are_legal(function):
    same = embeddings_of(np.ones((20, 3)), held_out=np.ones((4, 3)))
    scores = call_metric(function, empty(20), same)
    expected = {"near_duplicate": 19, "nearest_hash_distance": 0, "split_leakage": 1}[function.__name__]
    assert scores.tolist() == [expected] * 20
