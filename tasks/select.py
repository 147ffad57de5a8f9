"""select@ARM: the subsets an arm draws from the pool, one manifest for all of its draws."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from detection.dataset import Dataset
from detection.tables import SCORES, SUBSET, TRUTH, column, read_table, stamp_of, write_table
from metrics.trust import UNSAFE
from tasks.goodness import damaged_share, image_goodness, object_goodness, relabel, without_crowds
from tasks.guard import guard
from tasks.params import load_params
from tasks.plan import CONFIRM_SEED_BASE, MOST_CONFIRM_SEEDS, MOST_SEEDS, entry_of, load_plan
from tasks.policies import POLICIES, Draw, PolicyError, check_policy
from tasks.pool import read_pool
from tasks.subset import draw_of, manifest

BASELINE = "random"  # the arm whose images `relabelled` shares
SCHEMAS = {"scores": SCORES, "object scores": SCORES, "truth": TRUTH, "subset": SUBSET}


def select(
    pool: Dataset,
    policy: Mapping[str, Any],
    a: pa.Table | None = None,
    b: pa.Table | None = None,
    *,
    study: Sequence[Any],
    arm: str,
    budget: float,
    seeds: Sequence[int],
) -> pa.Table:
    """The subsets of an arm as one SUBSET table, rows ordered by draw, image and box.

    policy: {"name": ..., option: value, ...} out of tasks.policies.POLICIES.
    a, b: SCORES for policies that read scores (b is used where `combine` is given); TRUTH as a for oracle and
        relabelled; another arm's SUBSET as b for match.
    study: name and seed of the study. A draw depends on (study, arm, seed), the pool and the inputs alone, so more
        seeds never change earlier ones; relabelled draws what the arm `random` draws.
    budget: share of the pool's images; each draw holds exactly round(budget * images), at least 1.
    Where all draws are equal, only one is stored, as draw 0.
    Errors: PolicyError when the policy or an input is unfit, or fewer images are left than the budget needs.
    """
    name, options = check_policy(policy)
    reads, cap = POLICIES[name].reads, getattr(options, "per_group", None)
    if not len(pool):
        raise PolicyError("the pool holds no images")
    needed = {"scores": a, "object scores": a, "truth": a, "subset": b}.get(reads, pool)
    if needed is None:
        raise PolicyError(f"policy {name} needs {reads} as its input {'b' if reads == 'subset' else 'a'}")
    truth = without_crowds(a, pool) if reads == "truth" else None
    labels = relabel(pool, truth) if name == "relabelled" else pool
    goodness, box_goodness = np.zeros(len(pool)), None
    if reads == "scores":
        goodness = image_goodness(pool, options, a, b, flip=name == "inverse")
    elif reads == "object scores":
        box_goodness = object_goodness(pool, options, a, b)
    elif name == "oracle":
        goodness = -damaged_share(pool, truth)
    subsets = []
    for seed in seeds:
        rng = draw_rng(study, BASELINE if name == "relabelled" else arm, seed)
        tie = rng.permutation(len(pool))
        wanted = _box_counts(draw_of(b, seed, "the subset to match")) if reads == "subset" else np.zeros(0)
        order, use = POLICIES[name].order(Draw(pool, options, goodness, box_goodness, wanted, rng, tie))
        count = {"full": len(pool), "match": len(wanted)}.get(name, max(1, round(budget * len(pool))))
        subsets.append(manifest(labels, take(order, count, pool.group, cap), use))
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


def take(order: np.ndarray, count: int, group: np.ndarray, cap: int | None = None) -> np.ndarray:
    """The first `count` of `order` with at most `cap` of one group, as sorted image rows. Errors: PolicyError."""
    if cap is not None:
        _, member = np.unique(group[order], return_inverse=True)
        by_group = np.argsort(member, kind="stable")
        sizes = np.bincount(member)
        nth = np.empty(len(order), int)
        nth[by_group] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        order = order[nth < cap]
    if len(order) < count:
        raise PolicyError(
            f"the policy leaves {len(order)} of {len(group)} images, and the budget needs {count}: "
            "lower study.budget, or let the policy take more (share, band, per_group)"
        )
    return np.sort(order[:count])


def _box_counts(draw: pa.Table) -> np.ndarray:
    """Boxes kept of every image of a draw."""
    _, image = np.unique(column(draw, "image_id"), return_inverse=True)
    return np.bincount(image, column(draw, "use") == "keep")


def arguments(argv: Sequence[str]) -> tuple[str, dict[str, str]]:
    """`ARM --name best --keep 0.25` as the arm and a dict, the way DVC unpacks one. Errors: PolicyError."""
    arm, *rest = argv or ("",)
    if not arm or arm.startswith("--") or len(rest) % 2 or not all(key.startswith("--") for key in rest[::2]):
        raise PolicyError(
            f"usage: python -P -m tasks.select ARM --name POLICY [--OPTION VALUE ...]; got {' '.join(argv)}"
        )
    return arm, {key.removeprefix("--"): value for key, value in zip(rest[::2], rest[1::2], strict=True)}


def main(argv: Sequence[str]) -> None:
    guard(f"select@{argv[0]}")
    arm, policy = arguments(argv)
    params = load_params()
    if "a" not in policy or "b" not in policy:
        entry = entry_of(load_plan(), "arms", arm)
        policy = {"a": entry["a"], "b": entry["b"]} | (policy or entry["policy"])
    files = policy.pop("a"), policy.pop("b")
    name, _ = check_policy(policy)
    schema = SCHEMAS.get(POLICIES[name].reads)
    pool = read_pool("data", params.data.folder)
    combined = policy.get("combine") or schema is SUBSET
    subset = select(
        pool,
        policy,
        read_table(files[0], schema) if schema and schema is not SUBSET else None,
        read_table(files[1], schema) if schema and combined else None,
        study=(params.study.name, params.study.seed),
        arm=arm,
        budget=params.study.budget,
        seeds=[*range(MOST_SEEDS), *range(CONFIRM_SEED_BASE, CONFIRM_SEED_BASE + MOST_CONFIRM_SEEDS)],
    )
    stamp = {UNSAFE: "yes"} if any(UNSAFE in stamp_of(file) for file in files) else {}
    columns = {name: subset[name].combine_chunks() for name in SUBSET.names}
    write_table(Path("subsets") / f"{arm}.parquet", SUBSET, columns, stamp)
    draws = np.unique(column(subset, "draw"))
    first = draw_of(subset, 0, arm)
    print(
        f"select {arm}: {len(np.unique(first['image_id']))} images, {int(_box_counts(first).sum())} boxes, "
        f"{len(draws)} draw{'s' if len(draws) > 1 else ''}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
