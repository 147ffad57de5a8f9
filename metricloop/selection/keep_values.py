"""Keep-values: one number per image or box, in pool order, from scores or from the truth. Higher is better to keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metricloop.data.dataset import PER_IMAGE, Dataset
from metricloop.data.label_errors import UNJUDGED
from metricloop.data.loading import assemble
from metricloop.data.tables import column
from metricloop.selection.options import PolicyError, Scored

# The scores of one metric, or with `objectives` those of several, by name.
ScoreTables: TypeAlias = pa.Table | Mapping[str, pa.Table]


def image_keep_values(
    pool: Dataset, options: Scored, a: ScoreTables, b: pa.Table | None = None, *, flip: bool = False
) -> np.ndarray:
    """The keep-values of the images, (n,): higher is better, no nan. flip: reverse the direction of the scores."""

    def one(table: pa.Table, direction: str) -> np.ndarray:
        objects, scores = align(pool, table)
        values = scores if (direction == "higher") != flip else -scores
        return reduce(pool, values, options) if objects else values

    return _combine(options, one, a, b, flip)


def object_keep_values(
    policy: str, pool: Dataset, options: Scored, a: ScoreTables, b: pa.Table | None = None
) -> np.ndarray:
    """The keep-values of the boxes, (m,): higher is better, no nan. Errors: PolicyError for image scores."""

    def one(table: pa.Table, direction: str) -> np.ndarray:
        objects, scores = align(pool, table)
        if not objects:
            raise PolicyError(f"policy {policy} needs a metric that scores objects; this metric scores images")
        return scores if direction == "higher" else -scores

    return _combine(options, one, a, b)


def align(pool: Dataset, table: pa.Table) -> tuple[bool, np.ndarray]:
    """Whether a SCORES table scores objects, and its scores in the order of the pool's boxes or images.

    Errors: PolicyError when an image or box has no row, or several: the table belongs to another pool.
    """
    box_id = column(table, "box_id")
    objects = bool((box_id >= 0).any()) or not len(table)
    ids, wanted = (box_id, pool.box_id) if objects else (column(table, "image_id"), pool.image_id)
    order = np.argsort(ids, kind="stable")
    if not np.array_equal(ids[order], np.sort(wanted)):
        kind = "boxes" if objects else "images"
        raise PolicyError(
            f"the {len(ids)} scores are not those of the pool's {len(wanted)} {kind}; score the batch again"
        )
    scores = column(table, "score").astype(float)
    return objects, scores[order][np.argsort(np.argsort(wanted))]


def reduce(pool: Dataset, values: np.ndarray, options: Any) -> np.ndarray:
    """Values of boxes (m,) to values of images (n,); nan does not count; an image without any value gets nan."""
    known = ~np.isnan(values)
    row, value, n = pool.box_row[known], values[known], len(pool)
    lowest = np.full(n, np.inf)
    np.minimum.at(lowest, row, value)
    lowest[np.isinf(lowest)] = np.nan
    if options.reduce == "min":
        return lowest
    weight = np.exp((lowest[row] - value) / options.temperature) if options.reduce == "softmin" else np.ones(len(row))
    total = np.bincount(row, weight, n)
    return np.divide(np.bincount(row, weight * value, n), total, out=np.full(n, np.nan), where=total > 0)


def fill(values: np.ndarray, unknown: str) -> np.ndarray:
    """Replace nan (the metric gave no score) by the median of the other values ("middle") or by -inf ("last")."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return np.zeros(len(values))
    place = known[len(known) // 2] if unknown == "middle" else -np.inf
    return np.where(np.isnan(values), place, values)


def damaged_share(pool: Dataset, truth: pa.Table) -> np.ndarray:
    """Damaged objects of each image over all its objects, (n,); missed and invented ones count; 0 without objects.

    Labels that nobody judged count neither as damaged nor as objects.
    """
    row = {int(image): row for row, image in enumerate(pool.image_id)}
    rows = np.array([row.get(int(image), -1) for image in column(truth, "image_id")], int)
    own, n = rows >= 0, len(pool)
    mistakes = np.array([mistake or "none" for mistake in truth["mistake"].to_pylist()], object)
    judged = own & (mistakes != UNJUDGED)
    objects = np.bincount(rows[judged], minlength=n)
    return np.bincount(rows[judged & (mistakes != "none")], minlength=n) / np.maximum(objects, 1)


def _combine(
    options: Scored,
    one: Callable[[pa.Table, str], np.ndarray],
    a: ScoreTables,
    b: pa.Table | None,
    flip: bool = False,
) -> np.ndarray:
    """Keep-values from one metric, or from the ranks (1 is best) of several: minus the product of the ranks, each to
    the power of its strength, or minus the worse of two ranks, or minus the rank by the first metric, where images
    that the second one vetoes come after all others. flip: `one` reverses the direction.

    Ordering by the worse rank keeps images good by both metrics; the threshold follows from the budget.
    """
    if options.strengths:
        ranks = [_ranks(one(a[name], "higher" if s > 0 else "lower"), options) for name, s in options.strengths.items()]
        return -product(ranks, [abs(strength) for strength in options.strengths.values()])
    if options.combine is None:
        return fill(one(a, options.direction), options.unknown)
    if b is None:
        raise PolicyError(f"combine={options.combine!r} needs the scores of a second metric as input b")
    if options.combine == "veto":
        direction = _other(options.direction_b) if flip else options.direction_b
        last = vetoed(fill(one(b, direction), options.unknown), options)
        # What a veto puts last is what a policy that keeps the worst takes first.
        return -_ranks(one(a, options.direction), options) + np.where(last, len(last) if flip else -len(last), 0)
    both = [_ranks(one(a, options.direction), options), _ranks(one(b, options.direction_b), options)]
    if options.combine == "intersection":
        return -np.maximum(*both)
    return -product(both, [options.strength, options.strength_b])


def vetoed(values: np.ndarray, options: Scored) -> np.ndarray:
    """Which of the keep-values of a second metric lie below its quantile `options.veto`, (n,) bool.

    At most floor(veto * n) of them: values equal to the quantile are spared.
    """
    return values < np.sort(values)[math.floor(options.veto * len(values))] if len(values) else np.zeros(0, bool)


def _other(direction: str) -> str:
    return "lower" if direction == "higher" else "higher"


def product(ranks: Sequence[np.ndarray], strengths: Sequence[float]) -> np.ndarray:
    """The product of ranks, each to the power of its strength, (n,): lower is better.

    A strength of 0 leaves a metric out, of 2 counts it twice. Whole strengths give exact products up to 2^53.

    >>> product([np.array([1, 2, 3]), np.array([3, 2, 1])], [1, 2]).tolist()
    [9.0, 8.0, 3.0]
    """
    result = np.ones(len(ranks[0]))
    for rank, strength in zip(ranks, strengths, strict=True):
        result = result * rank.astype(float) ** strength
    return result


def _ranks(values: np.ndarray, options: Scored) -> np.ndarray:
    from scipy.stats import rankdata  # takes a second to import, and only combinations need it

    return rankdata(-fill(values, options.unknown))


def without_crowds(truth: pa.Table, pool: Dataset) -> pa.Table:
    """The rows of the truth about the pool's boxes and about missing boxes. A box that the pool lacks is a crowd."""
    box_id = column(truth, "box_id")
    return truth.filter(pa.array((box_id < 0) | np.isin(box_id, pool.box_id)))


def relabel(pool: Dataset, truth: pa.Table) -> Dataset:
    """The pool with its true labels; unchanged when the truth has no rows, because then no label was damaged."""
    if not len(truth):
        return pool
    real = truth.filter(pc.is_valid(truth["x1"]))
    real = real.sort_by([(name, "ascending") for name in ("image_id", "x1", "y1", "x2", "y2", "label")])
    images = {name: getattr(pool, name) for name in PER_IMAGE}
    boxes = real.append_column("crowd", pa.array(np.zeros(len(real), bool)))
    return assemble(pa.table(images), boxes, pool.class_names, pool.root)
