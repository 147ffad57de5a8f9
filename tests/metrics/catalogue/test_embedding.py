"""Embedding metrics on hand-made points: known neighbours, brute force, and the laws they promise."""

import doctest

import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr

from metricloop.data import k_center
from metricloop.data.dataset import pool_of
from metricloop.data.embeddings import embeddings_of
from metricloop.data.frame import Frame
from metricloop.metrics.catalogue import _centres, _neighbours, embedding
from metricloop.metrics.contract import call_metric, spec_of
from metricloop.scoring.metric_file import metrics_in

METRICS = list(metrics_in(embedding).values())
OF_IMAGES = [function for function in METRICS if spec_of(function).level == "image"]


def pool_with(boxes, labels=None, classes=2):
    """Images with so many boxes each; labels in the order of the boxes."""
    labels = np.zeros(sum(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    parts = np.split(labels, np.cumsum(boxes)[:-1])
    names = tuple("abcdefgh"[:classes])
    square = np.float32([[0, 0, 8, 8]])
    return pool_of([Frame(i, 64, 64, np.repeat(square, n, axis=0), parts[i], names) for i, n in enumerate(boxes)])


def on_circle(*degrees):
    """Vectors of length 1; the cosine distance of two is 1 - cos of the angle between them."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def cosine(*degrees):
    return 1 - np.cos(np.radians(degrees))


def cloud(n=60, d=6, seed=0):
    """Four clusters of unlike density, and one point apart."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, d))
    points = centres[np.arange(n) % 4] + rng.normal(size=(n, d)) * (0.05 + 0.1 * (np.arange(n) % 4))[:, None]
    points[-1] = -centres.sum(axis=0)
    return points


def brute(points):
    """Cosine distances of all pairs in float64, own ones as infinity."""
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    np.fill_diagonal(distance, np.inf)
    return distance


def test_the_examples_in_the_docstrings():
    result = doctest.testmod(embedding)
    assert result.attempted > 0
    assert result.failed == 0


def test_uniqueness_is_the_distance_to_the_nearest():
    # on the circle at 0, 10 and 40 degrees: nearest at 10, 10 and 30
    scores = call_metric(embedding.uniqueness, pool_with([0] * 3), embeddings_of(on_circle(0, 10, 40)))
    np.testing.assert_allclose(scores, cosine(10, 10, 30), atol=1e-6)


def test_typicality_is_the_inverse_of_the_mean_euclidean_distance():
    # chords of 60, 180 and 120 degrees are 1, 2 and sqrt(3)
    scores = call_metric(embedding.typicality, pool_with([0] * 3), embeddings_of(on_circle(0, 60, 180)))
    chord = np.sqrt(3)
    expected = [1 / (1 + (1 + 2) / 2), 1 / (1 + (1 + chord) / 2), 1 / (1 + (2 + chord) / 2)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_typicality_takes_the_twenty_nearest_and_no_more():
    near = on_circle(*np.zeros(21), *np.full(5, 180))  # 21 equal points: all 20 neighbours of each are at distance 0
    scores = call_metric(embedding.typicality, pool_with([0] * 26), embeddings_of(near))
    np.testing.assert_allclose(scores[:21], 1)
    # one of the five: four at distance 0, 16 at the other end, 2 away: mean 1.6
    np.testing.assert_allclose(scores[21:], 1 / 2.6)


def test_outlier_is_loneliness_against_that_of_the_neighbours():
    # 0, 10, 20, 90 degrees, fewer than ten neighbours: all count
    angles = np.array([0, 10, 20, 90])
    distance = 1 - np.cos(np.radians(np.abs(angles[:, None] - angles[None])))
    mean = distance.sum(axis=1) / 3
    around = [np.median(np.delete(mean, k)) for k in range(4)]
    scores = call_metric(embedding.outlier, pool_with([0] * 4), embeddings_of(on_circle(*angles)))
    np.testing.assert_allclose(scores, mean / (mean + around), rtol=1e-5)
    assert scores.argmax() == 3


def test_object_outlier_is_the_outlier_among_the_objects_of_other_images():
    vectors = on_circle(0, 10, 20, 90)
    alone = call_metric(embedding.outlier, pool_with([0] * 4), embeddings_of(vectors))
    scores = call_metric(embedding.object_outlier, pool_with([1] * 4), embeddings_of(vectors, crops=vectors))
    np.testing.assert_allclose(scores, alone)
    # the first two objects share an image: each has the other two as neighbours, at 20 and 90, or at 10 and 80 degrees
    scores = call_metric(embedding.object_outlier, pool_with([2, 1, 1]), embeddings_of(vectors[:3], crops=vectors))
    mean = [np.mean(cosine(20, 90)), np.mean(cosine(10, 80)), np.mean(cosine(20, 10, 70)), np.mean(cosine(90, 80, 70))]
    around = [np.mean(mean[2:])] * 2 + [np.median([mean[0], mean[1], mean[3]]), np.median(mean[:3])]
    np.testing.assert_allclose(scores, np.array(mean) / (np.array(mean) + around), rtol=1e-5)


def test_the_point_apart_is_the_outlier_of_the_cloud():
    scores = call_metric(embedding.outlier, pool_with([0] * 60), embeddings_of(cloud()))
    assert scores.argmax() == 59
    assert scores[59] > 0.8
    assert 0.4 < np.median(scores) < 0.6


def test_representativeness_rises_with_density_and_falls_with_the_distance_to_the_middle():
    """FiftyOne Brain's, as shipped, goes the other way."""
    rng = np.random.default_rng(0)
    points = np.array([1.0, 0, 0, 0]) + 0.4 * rng.normal(size=(200, 4))
    pool, made = pool_with([0] * 200), embeddings_of(points)
    scores = call_metric(embedding.representativeness, pool, made)
    middle = np.linalg.norm(made.pool.images - made.pool.images.mean(axis=0), axis=1)
    assert spearmanr(scores, middle).statistic == pytest.approx(-1)
    density = 1 / np.sort(brute(points), axis=1)[:, :10].mean(axis=1)
    assert spearmanr(scores, density).statistic > 0.8
    assert scores.min() == 0


def test_cluster_difficulty_is_the_distance_to_the_centre_of_the_others():
    # two classes, two clusters: {0, 10, 20} and {180, 200} degrees
    points = on_circle(0, 10, 20, 180, 200)
    scores = call_metric(embedding.cluster_difficulty, pool_with([0] * 5), embeddings_of(points))
    groups = [[1, 2], [0, 2], [0, 1], [4], [3]]
    expected = [np.linalg.norm(points[k] - points[others].mean(axis=0)) for k, others in enumerate(groups)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_a_cluster_of_one_is_hard_and_not_easy():
    points = on_circle(0, 1, 2, 3, 180)
    scores = call_metric(embedding.cluster_difficulty, pool_with([0] * 5), embeddings_of(points))
    # measured to the other cluster's centre, the mean of the four
    assert scores[4] == pytest.approx(np.linalg.norm(points[4] - points[:4].mean(axis=0)), rel=1e-5)
    assert scores.argmax() == 4


def greedy(points):
    """k-center by the book: the medoid, then the farthest from all taken."""
    distance = 1 - points @ points.T
    order = [int(distance.sum(axis=1).argmin())]
    gap = distance[order[0]].copy()
    while len(order) < len(points):
        gap[order] = -1
        order.append(int(gap.argmax()))
        gap = np.minimum(gap, distance[order[-1]])
    return order


@pytest.mark.parametrize("candidates", [1024, 16, 1])
def test_k_center_takes_the_points_in_the_order_of_the_book(monkeypatch, candidates):
    """However few candidates are looked at together."""
    monkeypatch.setattr(k_center, "BLOCK", candidates)
    points = embeddings_of(cloud(120)).pool.images
    scores = call_metric(embedding.k_center_rank, pool_with([0] * 120), embeddings_of(points))
    assert np.argsort(scores).tolist() == greedy(points.astype(np.float64))
    np.testing.assert_allclose(np.sort(scores), np.arange(120) / 120)


def test_k_center_beyond_its_most_picks_goes_by_distance(monkeypatch):
    monkeypatch.setattr(k_center, "BLOCK", 4)
    monkeypatch.setattr(_centres, "MOST_PICKS", 10)
    points = embeddings_of(cloud(50)).pool.images
    place = _centres.k_center_order(points)
    assert sorted(place) == list(range(50))
    exact = greedy(points.astype(np.float64))
    assert np.argsort(place)[:10].tolist() == exact[:10]


def test_k_center_covers_better_than_chance():
    points = embeddings_of(cloud(200, seed=3)).pool.images
    order = np.argsort(_centres.k_center_order(points))

    def radius(chosen):
        return (1 - points @ points[chosen].T).min(axis=1).max()

    chance = min(radius(np.random.default_rng(seed).permutation(200)[:20]) for seed in range(20))
    assert radius(order[:20]) < chance


def test_object_label_agreement_is_the_share_of_look_alikes_with_the_label():
    # one box an image at 0, 1, 2 and 90 degrees: three others are neighbours of each, fewer than ten
    pool = pool_with([1, 1, 1, 1], [0, 0, 1, 0])
    made = embeddings_of(np.eye(4), np.pad(on_circle(0, 1, 2, 90), ((0, 0), (0, 2))))
    np.testing.assert_allclose(call_metric(embedding.object_label_agreement, pool, made), [2 / 3, 2 / 3, 0, 2 / 3])


def test_the_wrong_label_in_a_group_of_look_alikes_scores_lowest():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    crops = np.eye(4)[labels] + 0.1 * rng.normal(size=(40, 4))
    labels[5] = 1
    scores = call_metric(
        embedding.object_label_agreement, pool_with([2] * 20, labels), embeddings_of(np.eye(20, 4), crops)
    )
    assert scores[5] == 0
    assert np.delete(scores, 5).min() >= 0.9


def test_objects_of_the_same_image_are_no_neighbours():
    # image 0 holds three equal boxes; the one box elsewhere is at a right angle
    crops = [[1, 0], [1, 0], [1, 0], [0, 1]]
    pool, made = pool_with([3, 1], [0, 0, 0, 1]), embeddings_of(np.eye(2), crops)
    np.testing.assert_allclose(call_metric(embedding.object_uniqueness, pool, made), [1, 1, 1, 1])
    np.testing.assert_allclose(call_metric(embedding.object_label_agreement, pool, made), [0, 0, 0, 0])


def test_nothing_can_be_said_of_a_box_without_area_or_without_others():
    pool = pool_with([1, 2, 0])
    made = embeddings_of(np.eye(3), [[1, 0, 0], [np.nan] * 3, [0, 1, 0]])
    for function in set(METRICS) - set(OF_IMAGES):
        assert np.isnan(call_metric(function, pool, made)).tolist() == [False, True, False]
        alone = call_metric(function, pool_with([2, 0]), embeddings_of(np.eye(2), np.eye(2)))
        assert np.isnan(alone).all()


def test_of_too_many_objects_some_are_neighbours(monkeypatch):
    monkeypatch.setattr(_neighbours, "MOST", 3)
    # of five boxes at 0, 1, 2, 3, 4 degrees the first, the third and the last are looked among
    made = embeddings_of(np.eye(5), np.pad(on_circle(0, 1, 2, 3, 4), ((0, 0), (0, 3))))
    scores = call_metric(embedding.object_uniqueness, pool_with([1] * 5), made)
    np.testing.assert_allclose(scores, cosine(2, 1, 2, 1, 2), atol=1e-7)


@pytest.mark.parametrize("blocks", [(1024, 8192), (7, 5), (1, 1)])
def test_neighbours_are_those_of_brute_force_whatever_the_blocks(monkeypatch, blocks):
    monkeypatch.setattr(_neighbours, "ROWS", blocks[0])
    monkeypatch.setattr(_neighbours, "COLUMNS", blocks[1])
    made = embeddings_of(cloud())
    found, distance = _neighbours.of_images(made), brute(made.pool.images.astype(np.float64))
    np.testing.assert_array_equal(found.rows, np.argsort(distance, axis=1)[:, :20])
    np.testing.assert_allclose(found.distances, np.sort(distance, axis=1)[:, :20], atol=1e-6)


def test_the_search_is_made_once_for_all_metrics(monkeypatch):
    made, pool = embeddings_of(cloud()), pool_with([0] * 60)
    before = call_metric(embedding.uniqueness, pool, made)
    monkeypatch.setattr(_neighbours, "nearest", None)
    np.testing.assert_array_equal(call_metric(embedding.uniqueness, pool, made), before)
    call_metric(embedding.outlier, pool, made)


@pytest.mark.parametrize("function", METRICS, ids=lambda function: function.__name__)
class TestLaws:
    def given(self, turn=None, order=None):
        """60 images of one box each, of two classes."""
        points, labels = cloud(), np.arange(60) % 2
        points = points if turn is None else points @ turn
        order = np.arange(60) if order is None else order
        return pool_with([1] * 60, labels[order]), embeddings_of(points[order], points[order])

    def test_the_order_of_the_images_does_not_matter(self, function):
        order = np.random.default_rng(1).permutation(60)
        before, after = call_metric(function, *self.given()), call_metric(function, *self.given(order=order))
        np.testing.assert_allclose(after, before[order], atol=1e-5)

    def test_rotating_the_space_does_not_matter(self, function):
        turn = ortho_group.rvs(6, random_state=0)
        before, after = call_metric(function, *self.given()), call_metric(function, *self.given(turn))
        np.testing.assert_allclose(after, before, atol=1e-5)

    def test_one_image_and_none(self, function):
        one = call_metric(function, pool_with([1]), embeddings_of([[1, 0]], [[1, 0]]))
        assert one.shape == (1,)
        none = np.zeros((0, 4))
        assert call_metric(function, pool_of([]), embeddings_of(none)).shape == (0,)

    def test_images_without_boxes_are_legal(self, function):
        scores = call_metric(function, pool_with([0, 0]), embeddings_of(np.eye(2)))
        assert scores.shape == ((0,) if spec_of(function).level == "object" else (2,))

    def test_equal_vectors_are_legal_and_equal_in_score(self, function):
        same = np.tile([0.3, 0.5, 0.1], (30, 1))
        scores = call_metric(function, pool_with([1] * 30), embeddings_of(same, same))
        assert np.isfinite(scores).all()
        if function is not embedding.k_center_rank:  # one of them comes first
            assert np.ptp(scores) < 1e-6
        else:
            assert sorted(set(scores)) == [0, pytest.approx(1 / 30)]

    def test_it_is_repeatable_and_changes_nothing(self, function):
        pool, made = self.given()
        images, crops = made.pool.images.copy(), made.crops.copy()
        np.testing.assert_array_equal(call_metric(function, pool, made), call_metric(function, *self.given()))
        np.testing.assert_array_equal(made.pool.images, images)
        np.testing.assert_array_equal(made.crops, crops)


@pytest.mark.parametrize(
    ("function", "constant"),
    [
        (embedding.uniqueness, 0),
        (embedding.typicality, 1),
        (embedding.outlier, 0.5),
        (embedding.cluster_difficulty, 0),
        (embedding.representativeness, 1),
        (embedding.object_label_agreement, 1),
    ],
)
def test_what_equal_pictures_score(function, constant):
    same = np.tile([0.3, 0.5, 0.1], (30, 1))
    np.testing.assert_allclose(
        call_metric(function, pool_with([1] * 30), embeddings_of(same, same)), constant, atol=1e-6
    )


def test_k_means_finds_clusters_that_are_there():
    points = embeddings_of(np.repeat(np.eye(5), 8, axis=0) + 0.05 * np.random.default_rng(0).normal(size=(40, 5)))
    _, member = _centres.k_means(points.pool.images, 5)
    groups = member.reshape(5, 8)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0])) == 5
