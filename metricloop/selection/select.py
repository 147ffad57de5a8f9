"""select@ARM: the subsets an arm draws from the pool, one manifest for all of its draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Looks
from metricloop.data.manifest import draw_of, manifest
from metricloop.data.tables import column
from metricloop.selection.candidates import always_rows, first_of_each, look_groups, part_of
from metricloop.selection.keep_values import (
    Tables,
    damaged_share,
    image_goodness,
    object_goodness,
    relabel,
    without_crowds,
)
from metricloop.selection.policies import NONE, POLICIES, Chosen, Draw, PolicyError, check_policy, needs_looks

BASELINE = "random"  # the arm whose images `relabelled` shares


def select(
    pool: Dataset,
    policy: Mapping[str, Any],
    a: Tables | None = None,
    b: pa.Table | None = None,
    looks: Looks | None = None,
    *,
    study: Sequence[Any],
    arm: str,
    budget: float,
    seeds: Sequence[int],
) -> pa.Table:
    """The subsets of an arm as one SUBSET table, rows ordered by draw, image and box.

    policy: {"name": ..., option: value, ...} out of selection.policies.POLICIES.
    a, b: SCORES for policies that read scores (b is used where `combine` is given), or as a, with `objectives`, SCORES
        by metric; TRUTH as a for oracle and relabelled; another arm's SUBSET as b for match.
    looks: the pool's pictures by their embeddings, for diverse and distinct=looks.
    study: name and seed of the study. A draw depends on (study, arm, seed), the pool and the inputs alone, so more
        seeds never change earlier ones; relabelled draws what the arm `random` draws.
    budget: share of the pool's images; each draw holds exactly round(budget * images), at least 1.
    Where all draws are equal, only one is stored, as draw 0.
    Errors: PolicyError when the policy or an input is unfit, or fewer images are left than the budget needs.
    """
    name, options = check_policy(policy)
    _check_inputs(pool, name, options, a, b, looks)
    reads, cap = POLICIES[name].reads, getattr(options, "per_group", None)
    truth = without_crowds(a, pool) if reads == "truth" else None
    labels = relabel(pool, truth) if name == "relabelled" else pool
    goodness, box_goodness = np.zeros(len(pool)), None
    if reads in ("scores", "scores and embeddings"):
        goodness = image_goodness(pool, options, a, b, flip=name == "inverse")
    elif reads == "object scores":
        box_goodness = object_goodness(pool, options, a, b)
    elif name == "oracle":
        goodness = -damaged_share(pool, truth)
    fixed = always_rows(pool, getattr(options, "always", None))
    same = _same(pool, getattr(options, "distinct", None), looks)
    group = np.unique(pool.group, return_inverse=True)[1] if cap else np.zeros(len(pool), int)
    points = None if looks is None else looks.images
    known: dict[bytes, np.ndarray] = {}
    subsets = []
    for seed in seeds:
        rng = draw_rng(study, BASELINE if name == "relabelled" else arm, seed)
        tie = rng.permutation(len(pool))
        wanted, count = np.zeros(0), len(pool) if name == "full" else max(1, round(budget * len(pool)))
        if reads == "subset":
            wanted, count = _to_match(draw_of(b, seed, "the subset to match"), pool.image_id[fixed])
        draw = Draw(pool, options, goodness, box_goodness, wanted, rng, tie, count, fixed, points, known)
        order, use = _ordered(POLICIES[name].order, draw, same)
        subsets.append(manifest(labels, take(order, count, group, cap, fixed), use))
    if len(subsets) > 1 and all(subset.equals(subsets[0]) for subset in subsets):
        subsets, seeds = subsets[:1], [0]
    draws = [
        subset.add_column(0, "draw", pa.array(np.full(len(subset), seed, np.int32)))
        for seed, subset in zip(seeds, subsets, strict=True)
    ]
    return pa.concat_tables(draws)


def draw_rng(study: Sequence[Any], arm: str, seed: int) -> np.random.Generator:
    """The chance of one draw: a generator that depends on study, arm and seed alone."""
    key = json.dumps([*study, arm, int(seed)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big"))


def take(
    order: np.ndarray, count: int, group: np.ndarray, cap: int | None = None, fixed: np.ndarray = NONE
) -> np.ndarray:
    """The fixed rows and the first of `order`, `count` together, with at most `cap` of one group (fixed rows count, but
    are never left out), as sorted image rows. Errors: PolicyError.
    """
    if len(fixed) > count:
        raise PolicyError(f"always names {len(fixed)} images, and the budget holds {count}: raise study.budget")
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
            f"the policy leaves {len(order)} of {len(group)} images, and the budget needs {count}: "
            "lower study.budget, or let the policy take more (share, band, per_group, distinct)"
        )
    return np.sort(order[:count])


def _ordered(policy: Callable[[Draw], Chosen], draw: Draw, same: np.ndarray | None) -> Chosen:
    """What a policy makes of the images that may be drawn. same: (n,) int, equal for images of which only the best may.

    The rows are those of the whole pool again, and so are the boxes.
    """
    if same is None:
        return policy(draw)
    rows = first_of_each(draw.ranked, same, draw.fixed)
    part, boxes = part_of(draw.data, rows)
    order, use = policy(
        replace(
            draw,
            data=part,
            goodness=draw.goodness[rows],
            box_goodness=None if draw.box_goodness is None else draw.box_goodness[boxes],
            tie=draw.tie[rows],
            fixed=np.searchsorted(rows, draw.fixed),
            points=None if draw.points is None else draw.points[rows],
        )
    )
    if use is None:
        return rows[order], None
    whole = np.full(len(draw.data.boxes), "keep", use.dtype)
    whole[boxes] = use
    return rows[order], whole


def _same(pool: Dataset, distinct: str | None, looks: Looks | None) -> np.ndarray | None:
    """Which images show the same by the option `distinct`, (n,) int; None where all may be drawn."""
    if distinct is None:
        return None
    groups = look_groups(pool, looks) if distinct == "looks" and looks else pool.group
    return np.unique(groups, return_inverse=True)[1]


def _check_inputs(pool: Dataset, name: str, options: Any, a: Any, b: Any, looks: Looks | None) -> None:
    """Errors: PolicyError where an input that the policy reads is not there, or is of another kind."""
    if not len(pool):
        raise PolicyError("the pool holds no images")
    reads, several = POLICIES[name].reads, bool(getattr(options, "strengths", None))
    if reads == "subset" and b is None:
        raise PolicyError(f"policy {name} needs {reads} as its input b")
    if reads not in ("subset", "images") and a is None:
        kind = "scores" if reads == "scores and embeddings" else reads
        raise PolicyError(f"policy {name} needs {kind} as its input a")
    if several != isinstance(a, Mapping) and a is not None and reads != "images":
        raise PolicyError(f"policy {name} needs {'scores by metric' if several else 'one table'} as its input a")
    if needs_looks(name, options) and looks is None:
        raise PolicyError(f"policy {name} needs the embeddings (data/embeddings.parquet) as its input b")
    if looks is not None and len(looks.images) != len(pool):
        raise PolicyError(f"embeddings of {len(looks.images)} pictures, and the pool holds {len(pool)}")


def _box_counts(draw: pa.Table) -> np.ndarray:
    """Boxes kept of every image of a draw, in the order of image ids."""
    _, image = np.unique(column(draw, "image_id"), return_inverse=True)
    return np.bincount(image, column(draw, "use") == "keep")


def _to_match(draw: pa.Table, fixed: np.ndarray) -> tuple[np.ndarray, int]:
    """Boxes kept of every image of a draw but those whose ids are fixed, and how many images the draw has."""
    images = np.unique(column(draw, "image_id"))
    return _box_counts(draw)[~np.isin(images, fixed)], len(images)
