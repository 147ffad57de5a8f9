"""Pictures and cropped objects compared by their embeddings: common, unusual, or already covered by others.

Vectors have length 1 and distances are cosine distances, 0 (the same) to 2 (opposite), unless another one is named.
All scores stay the same when the space of the vectors is rotated and when the images come in another order.
"""

from __future__ import annotations

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings
from metricloop.metrics.catalogue._centres import k_center_order, k_means, nearest_centre
from metricloop.metrics.catalogue._neighbours import Neighbours, of_crops, of_images
from metricloop.metrics.contract import metric

TYPICAL, LOCAL = 20, 10  # neighbours
MOST_CLUSTERS = 256


@metric(level="image", needs=("embedding",), scope="dataset")
def uniqueness(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Distance to the most similar other picture of the pool; 0 to 2, in practice well below 1.

    0 for a picture with a copy in the pool. nan in a pool of one.
    Direction: higher is better: near copies teach the same thing twice. The highest may be outliers, though; see
    `outlier`. Source: uniqueness of FiftyOne Brain and singularity of encord-active, with the nearest neighbour alone
    and without their scaling to the pool.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> uniqueness(pool, embeddings_of([[1, 0], [1, 0], [0, 1]])).tolist()
    [0.0, 0.0, 1.0]
    """
    return of_images(embeddings).mean(1)


@metric(level="image", needs=("embedding",), scope="dataset")
def typicality(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """How dense the pool is around a picture: 1 / (1 + mean Euclidean distance to the 20 nearest); 1/3 to 1.

    In the order of 1 / mean distance, which has no value where pictures are equal. With fewer than 21 pictures, all
    others count. nan in a pool of one.
    Direction: higher is better when few images are chosen; with a large budget the rare ones gain in worth.
    Source: TypiClust (Hacohen et al., ICML 2022, arXiv 2202.02794), k = 20; also in LightlyStudio.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> typicality(pool, embeddings_of([[1, 0], [1, 0], [-1, 0]])).tolist()  # distances 0 and 2; 2 and 2
    [0.5, 0.5, 0.3333333333333333]
    """
    found = of_images(embeddings)
    return 1 / (1 + Neighbours(found.rows, np.sqrt(2 * found.distances)).mean(TYPICAL))


@metric(level="image", needs=("embedding",), scope="dataset", higher_is="worse")
def outlier(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Distance of a picture to its 10 nearest, relative to the distance of those to theirs; 0 to 1.

    d / (d + e) with d the mean distance to its 10 nearest and e the median of the same of those ten: 0.5 is as dense
    as its surroundings, 0.9 nine times as lonely. 0.5 where both are 0. nan in a pool of one.
    Direction: higher is worse: out of place, broken, or of another source. The odd picture out can also be the rare
    one that is wanted. A picture beside a heap of equal ones scores high, too.
    Source: mean k-nearest-neighbour distance as an out-of-distribution score (Sun et al., ICML 2022, arXiv 2204.06507;
    cleanlab), as a ratio to the neighbours' (simplified local outlier factor, Schubert et al. 2014), made finite.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> outlier(pool, embeddings_of([[1, 0], [1, 0], [0, 1]])).round(2).tolist()  # mean distances 0.5, 0.5 and 1
    [0.4, 0.4, 0.67]
    """
    return _local_ratio(of_images(embeddings), LOCAL)


@metric(level="image", needs=("embedding",), scope="dataset", higher_is="worse")
def cluster_difficulty(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Euclidean distance to the centre of the picture's cluster, computed without the picture itself; 0 to 2.

    Clusters are k-means', their number that of the classes or sqrt(n / 2), whichever is more, 256 at most. Leaving the
    picture out is what keeps an outlier that has a cluster to itself from counting as easy: it is measured to the next
    centre. 0 for the only picture of a pool, and where all are equal.
    Direction: higher is worse: far from a prototype is hard, or wrong. On large budgets hard images teach more
    (Sorscher et al., NeurIPS 2022, arXiv 2206.14486), so try both ends.
    Source: difficulty ranking of encord-active (distance to the centre of class-count k-means).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(3)])
    >>> cluster_difficulty(pool, embeddings_of([[1, 0], [1, 0], [-1, 0]])).round(2).tolist()  # one cluster
    [1.0, 1.0, 2.0]
    """
    images = embeddings.pool.images
    if not len(images):
        return np.zeros(0)
    wanted = max(len(pool.class_names), round(np.sqrt(len(images) / 2)), 1)
    centres, member = k_means(images, min(wanted, len(images), MOST_CLUSTERS))
    size = np.bincount(member, minlength=len(centres))[member]
    distance = np.linalg.norm((images - centres[member]).astype(np.float64), axis=1)
    own = np.divide(size * distance, size - 1, out=np.zeros(len(images)), where=size > 1)
    for row in np.flatnonzero(size == 1):
        others = np.delete(centres, member[row], axis=0)
        if len(others):
            own[row] = np.sqrt(nearest_centre(images[row : row + 1], others)[1][0])
    return own


@metric(level="image", needs=("embedding",), scope="dataset", higher_is="worse")
def k_center_rank(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Place of a picture in greedy k-center order, as a share of the pool; 0 to below 1.

    The next picture is always the one farthest from all pictures before it.

    0 is the medoid, which starts; equal pictures share the last place. The lowest quarter is a core set that covers
    the pool with the smallest greedy radius. Places beyond the first 50,000 follow the distance to those.
    Direction: higher is worse: what comes late is covered already. What comes early holds the outliers.
    Source: greedy k-center (Gonzalez 1985), as in core-set selection (Sener and Savarese, ICLR 2018, arXiv 1708.00489).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(4)])
    >>> k_center_rank(pool, embeddings_of([[1, 0], [1, 0.1], [-1, 0], [1, -0.2]])).tolist()
    [0.0, 0.75, 0.25, 0.5]
    """
    return k_center_order(embeddings.pool.images) / max(len(pool), 1)


@metric(level="image", needs=("embedding",), scope="dataset")
def representativeness(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """How near a picture lies to the mean of the pool: 1 - d / max d, with d the Euclidean distance to it; 0 to 1.

    0 is the farthest picture, 1 lies on the mean; 1 for all where they are equal, and in a pool of one.
    Direction: higher is better: much like most of the pool. Where the pool is made of distant groups, a picture between
    them scores high, too: see `typicality`.
    Source: representativeness of FiftyOne Brain, the right way round (there, as shipped, it rises with the distance).

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for i in range(4)])
    >>> representativeness(pool, embeddings_of([[1, 0], [1, 0], [1, 0], [-1, 0]])).round(2).tolist()  # the mean: 0.5, 0
    [0.67, 0.67, 0.67, 0.0]
    """
    images = embeddings.pool.images
    if not len(images):
        return np.zeros(0)
    distance = np.linalg.norm(images - images.mean(axis=0, dtype=np.float64), axis=1)
    distance[distance < 1e-6] = 0  # rounding of equal vectors
    return 1 - distance / (distance.max() or 1)


@metric(level="object", needs=("embedding",), scope="dataset")
def object_label_agreement(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Share of the 10 most similar objects of other images that have the same label; (m,), 0 to 1.

    In a pool of more than 50,000 boxes, neighbours are looked for among 50,000 of them, evenly spread. nan for a box
    without area, and where no other image has a box.
    Direction: higher is better: 0 is a label that no look-alike shares: a wrong class, or a box on something else. Rare
    classes score lower by nature. Says nothing with one class.
    Source: label quality by nearest neighbours of encord-active and fastdup, on crops.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> box, labels = np.float32([[0, 0, 4, 4]]), [0, 0, 1]
    >>> pool = pool_of([Frame(i, 9, 9, box, np.array([label])) for i, label in enumerate(labels)])
    >>> object_label_agreement(pool, embeddings_of(np.eye(3), crops=[[1, 0, 0], [1, 0.1, 0], [1, 0, 0.1]])).tolist()
    [0.5, 0.5, 0.0]
    """
    found = of_crops(pool, embeddings)
    held = found.rows >= 0
    if not held.any():
        return np.full(len(pool.labels), np.nan)
    same = held & (pool.labels[found.rows] == pool.labels[:, None])
    return np.divide(same.sum(axis=1), held.sum(axis=1), out=np.full(len(held), np.nan), where=held.any(axis=1))


@metric(level="object", needs=("embedding",), scope="dataset")
def object_uniqueness(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Distance to the most similar object of another image; (m,), 0 to 2.

    nan as in `object_label_agreement`, and the same neighbours.
    Direction: higher is better: an object that is there once teaches more than one of a hundred copies, as in a video.
    The highest may be boxes on nothing; see `object_outlier`. Source: `uniqueness`, on crops.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.float32([[0, 0, 4, 4]]), np.array([0])) for i in range(3)])
    >>> object_uniqueness(pool, embeddings_of(np.eye(3), crops=[[1, 0, 0], [1, 0, 0], [0, 0, 1]])).tolist()
    [0.0, 0.0, 1.0]
    """
    return of_crops(pool, embeddings).mean(1)


@metric(level="object", needs=("embedding",), scope="dataset", higher_is="worse")
def object_outlier(pool: Dataset, embeddings: Embeddings) -> np.ndarray:
    """Distance of an object to its 10 nearest of other images, relative to theirs; (m,), 0 to 1.

    As `outlier`, with the neighbours and the nan of `object_label_agreement`. The labels have no part in it.
    Direction: higher is worse: a box on something that is no object, or one cut off or far too large.
    Source: `outlier`, on crops.

    >>> from metricloop.data.dataset import pool_of
    >>> from metricloop.data.embeddings import embeddings_of
    >>> from metricloop import Frame
    >>> pool = pool_of([Frame(i, 9, 9, np.float32([[0, 0, 4, 4]]), np.array([0])) for i in range(3)])
    >>> object_outlier(pool, embeddings_of(np.eye(2), crops=[[1, 0], [1, 0], [0, 1]])).round(2).tolist()
    [0.4, 0.4, 0.67]
    """
    return _local_ratio(of_crops(pool, embeddings), LOCAL)


def _local_ratio(found: Neighbours, k: int) -> np.ndarray:
    """d / (d + e), with d the mean distance to the k nearest and e the median of theirs; nan without neighbours."""
    own = found.mean(k)
    result = np.full(len(own), np.nan)
    some = np.flatnonzero(np.isfinite(own))
    if not len(some):
        return result
    rows = found.rows[some, :k]
    others = np.nanmedian(np.where(rows >= 0, own[rows], np.nan), axis=1)
    total = own[some] + others
    result[some] = np.divide(own[some], total, out=np.full(len(some), 0.5), where=total > 0)
    return result
