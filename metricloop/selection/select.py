"""Draw the subsets of an arm from the pool, one draw for each seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset, part_of
from metricloop.data.edits import apply_edits
from metricloop.data.embeddings import ImageEmbeddings
from metricloop.data.manifest import draw_of, manifest
from metricloop.data.tables import column
from metricloop.selection.always_and_distinct import always_rows, first_of_each, near_duplicate_groups
from metricloop.selection.corrected import (
    candidates,
    corrected,
    correction_values,
    judged_images,
    true_labels,
    worst_rows,
)
from metricloop.selection.keep_values import (
    ScoreTables,
    damaged_share,
    image_keep_values,
    object_keep_values,
    relabel,
    without_crowds,
)
from metricloop.selection.mended import scores_of_mended, use_of_mended
from metricloop.selection.policies import POLICIES, PolicyError, check_policy, needs_embeddings
from metricloop.selection.policy import NONE, Chosen, Draw, places_of

BASELINE = "random"  # the arm whose images the policies of SAME_IMAGES use
SAME_IMAGES = ("relabelled", "relabel")


def select(
    pool: Dataset,
    policy: Mapping[str, Any],
    a: ScoreTables | None = None,
    b: pa.Table | None = None,
    embeddings: ImageEmbeddings | None = None,
    edits: pa.Table | None = None,
    *,
    study: Sequence[Any],
    arm: str,
    budget: float,
    seeds: Sequence[int],
) -> Iterator[pa.Table]:
    """The draws of an arm, one after the other, as SUBSET rows ordered by image and box.

    policy: {"name": ..., option: value, ...}; the names are those of selection.policies.POLICIES.
    a, b: SCORES for policies that read scores (b only with `combine`); with `objectives`, a is {metric: SCORES};
        for oracle, relabelled and relabel, a is TRUTH; for relabel, b is SCORES; for match, b is another arm's SUBSET.
    embeddings: the embeddings of the pool's images, for diverse and distinct=looks.
    edits: EDITS of the pool, for the option mend. Their labels are in the draws; what the policy sees of them says
        `when`.
    study: name and seed of the study. A draw depends only on (study, arm, seed), the pool and the inputs, so more
        seeds never change earlier draws. `relabelled` and `relabel` draw the images of the arm `random`; equally
        bad images are corrected in an order that is drawn for this arm and seed.
    budget: share of the pool's images; each draw holds exactly round(budget * images), at least 1.
    If all draws of several seeds are equal, there is one, of number 0.
    Errors: PolicyError when the policy or an input does not fit, or fewer images are left than the budget needs.
    """
    name, options = check_policy(policy)
    _check_inputs(pool, name, options, a, b, embeddings)
    if mend := getattr(options, "mend", None):
        if edits is None:
            raise PolicyError(f"policy {name} with mend needs the edits of {mend.repair} as its input b")
        mended, source = apply_edits(pool, edits, mend.least_confidence, mend.chosen_kinds)
        if mend.when == "before":
            pool, a, source = mended, scores_of_mended(pool, mended, source, a), np.arange(len(mended.boxes))
    chosen = POLICIES[name]
    reads, cap = chosen.reads, getattr(options, "per_group", None)
    truth = without_crowds(a, pool) if reads == "truth" else None
    labels = relabel(pool, truth) if name == "relabelled" else pool
    correct = _correction(pool, options, truth, b) if name == "relabel" else None
    values, box_values = np.zeros(len(pool)), None
    if reads in ("scores", "scores and embeddings"):
        values = image_keep_values(pool, options, a, b, flip=chosen.flip)
    elif reads == "object scores":
        box_values = object_keep_values(name, pool, options, a, b)
    elif name == "oracle":
        _check_whole(pool, truth)
        values = -damaged_share(pool, truth)
    fixed = always_rows(pool, getattr(options, "always", None))
    same = _same(pool, getattr(options, "distinct", None), embeddings)
    group = np.unique(pool.group, return_inverse=True)[1] if cap else np.zeros(len(pool), int)
    points = None if embeddings is None else embeddings.images
    known: dict[bytes, np.ndarray] = {}
    places = places_of(values)

    def drawn(seed: int) -> _Drawn:
        rng = draw_rng(study, BASELINE if name in SAME_IMAGES else arm, seed)
        tie = rng.permutation(len(pool))
        wanted, count = np.zeros(0), len(pool) if chosen.whole_pool else max(1, round(budget * len(pool)))
        if reads == "subset":
            wanted, count = _to_match(draw_of(b, seed, "the subset to match"), pool.image_id[fixed])
        draw = Draw(pool, options, values, box_values, wanted, rng, tie, count, fixed, points, known, places)
        order, use = _ordered(chosen.order, draw, same)
        own = labels if correct is None else correct(draw_rng(study, arm, seed).permutation(len(pool)))
        rows = take(order, count, group, cap, fixed)
        return _Drawn(mended, rows, use_of_mended(use, source)) if mend else _Drawn(own, rows, use)

    yield from _tables(seeds, drawn)


@dataclass(frozen=True)
class _Drawn:
    """What one seed draws: the labels it is taken from, the image rows, and the use of each box (None: keep all)."""

    labels: Dataset
    rows: np.ndarray
    use: np.ndarray | None

    def same(self, other: _Drawn) -> bool:
        """Whether both have the same manifest."""
        if not np.array_equal(self.rows, other.rows):
            return False
        if self.labels is not other.labels:
            return self.table(0).equals(other.table(0))
        if self.use is None or other.use is None:
            return self.use is other.use
        taken = np.isin(self.labels.box_row, self.rows)
        return np.array_equal(self.use[taken], other.use[taken])

    def table(self, number: int) -> pa.Table:
        made = manifest(self.labels, self.rows, self.use)
        return made.add_column(0, "draw", pa.array(np.full(len(made), number, np.int32)))


def _tables(seeds: Sequence[int], drawn: Callable[[int], _Drawn]) -> Iterator[pa.Table]:
    """The draw of each seed; one of number 0 if those of several seeds are equal.

    Only the first draw is held, until one differs: where the pool has a million images, a draw is large.
    """
    first, alike = drawn(seeds[0]), 1
    for seed in seeds[1:]:
        if not first.same(now := drawn(seed)):
            break
        alike += 1
    else:
        yield first.table(0 if len(seeds) > 1 else seeds[0])
        return
    for seed in seeds[:alike]:
        yield first.table(seed)
    yield now.table(seeds[alike])
    for seed in seeds[alike + 1 :]:
        yield drawn(seed).table(seed)


def draw_rng(study: Sequence[Any], arm: str, seed: int) -> np.random.Generator:
    """The random generator of one draw; it depends only on study, arm and seed."""
    key = json.dumps([*study, arm, int(seed)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big"))


def take(
    order: np.ndarray, count: int, group: np.ndarray, cap: int | None = None, fixed: np.ndarray = NONE
) -> np.ndarray:
    """`count` image rows, sorted: the fixed rows, then the first of `order`, with at most `cap` rows of one group.

    Fixed rows count towards the cap of their group, but are never left out. Errors: PolicyError.
    """
    if len(fixed) > count:
        raise PolicyError(f"always names {len(fixed)} images, but the budget is {count}: raise study.budget")
    if len(fixed):
        order = np.concatenate([fixed, order[~np.isin(order, fixed)]])
    if cap is not None:
        member = group[order]
        by_group = np.argsort(member, kind="stable")
        sizes = np.bincount(member)
        nth = np.empty(len(order), int)
        nth[by_group] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        nth[: len(fixed)] = 0
        order = order[nth < cap]
    if len(order) < count:
        raise PolicyError(
            f"the policy leaves {len(order)} of {len(group)} images, but the budget needs {count}: "
            "lower study.budget, or let the policy take more (share, band, per_group, distinct)"
        )
    return np.sort(order[:count])


def _correction(pool: Dataset, options: Any, truth: pa.Table, scores: pa.Table) -> Callable[[np.ndarray], Dataset]:
    """A function from a random order of the images, for equal scores, to the pool with its worst images corrected."""
    rows = candidates(pool, truth, options.worst)
    values, true = correction_values(pool, options, scores), true_labels(pool, truth)
    return lambda tie: corrected(pool, true, worst_rows(rows, values, options.worst, tie))


def _check_whole(pool: Dataset, truth: pa.Table) -> None:
    """Refuse a truth about some images only. Errors: PolicyError."""
    known = judged_images(pool, truth)
    if not known.all():
        raise PolicyError(
            f"oracle needs the truth of all {len(pool)} images of the pool, but its input a judges {int(known.sum())}: "
            "it would take the others for clean"
        )


def _ordered(policy: Callable[[Draw], Chosen], draw: Draw, same: np.ndarray | None) -> Chosen:
    """Apply a policy to the images that may be drawn; the result is about rows and boxes of the whole pool.

    same: (n,) int, equal for images that show the same, and then only the best of them may be drawn; None: all may be.
    """
    if same is None:
        return policy(draw)
    rows = first_of_each(draw.ranked, same, draw.fixed)
    part, boxes = part_of(draw.data, rows)
    order, use = policy(
        replace(
            draw,
            data=part,
            keep_values=draw.keep_values[rows],
            box_keep_values=None if draw.box_keep_values is None else draw.box_keep_values[boxes],
            tie=draw.tie[rows],
            places=places_of(draw.keep_values[rows]),
            fixed=np.searchsorted(rows, draw.fixed),
            points=None if draw.points is None else draw.points[rows],
        )
    )
    if use is None:
        return rows[order], None
    whole = np.full(len(draw.data.boxes), "keep", use.dtype)
    whole[boxes] = use
    return rows[order], whole


def _same(pool: Dataset, distinct: str | None, embeddings: ImageEmbeddings | None) -> np.ndarray | None:
    """Equal numbers for images that show the same by the option `distinct`, (n,) int; None without the option."""
    if distinct is None:
        return None
    groups = near_duplicate_groups(pool, embeddings) if distinct == "looks" and embeddings else pool.group
    return np.unique(groups, return_inverse=True)[1]


def _check_inputs(pool: Dataset, name: str, options: Any, a: Any, b: Any, embeddings: ImageEmbeddings | None) -> None:
    """Check that the policy gets the inputs it reads. Errors: PolicyError when one is missing or of another kind."""
    if not len(pool):
        raise PolicyError("the pool holds no images")
    reads, several = POLICIES[name].reads, bool(getattr(options, "strengths", None))
    if reads == "subset" and b is None:
        raise PolicyError(f"policy {name} needs {reads} as its input b")
    if name == "relabel" and b is None:
        raise PolicyError("policy relabel needs scores as its input b")
    if reads not in ("subset", "images") and a is None:
        kind = "scores" if reads == "scores and embeddings" else reads
        raise PolicyError(f"policy {name} needs {kind} as its input a")
    if several != isinstance(a, Mapping) and a is not None and reads != "images":
        raise PolicyError(f"policy {name} needs {'scores by metric' if several else 'one table'} as its input a")
    if needs_embeddings(name, options) and embeddings is None:
        raise PolicyError(f"policy {name} needs the embeddings (data/embeddings.parquet) as its input b")
    if embeddings is not None and len(embeddings.images) != len(pool):
        raise PolicyError(
            f"these are embeddings of {len(embeddings.images)} pictures, but the pool holds {len(pool)}; run the stage "
            "embed again"
        )


def box_counts(draw: pa.Table) -> np.ndarray:
    """How many boxes each image of a draw keeps, in the order of image ids."""
    _, image = np.unique(column(draw, "image_id"), return_inverse=True)
    return np.bincount(image, column(draw, "use") == "keep")


def _to_match(draw: pa.Table, fixed: np.ndarray) -> tuple[np.ndarray, int]:
    """How many boxes each image of a draw keeps, without the images `fixed`; and how many images the draw has."""
    images = np.unique(column(draw, "image_id"))
    return box_counts(draw)[~np.isin(images, fixed)], len(images)
