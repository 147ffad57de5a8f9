"""Choose a subset of a data set by scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop.api.data import Data, InputError, objects_of, truth_rows
from metricloop.api.scores import Score, Scores, score_rows, vectors_of
from metricloop.data.formats.export import of_subset
from metricloop.data.manifest import draw_of, manifest
from metricloop.data.tables import SUBSET
from metricloop.selection.policies import POLICIES, check_policy, needs_embeddings
from metricloop.selection.select import SAME_IMAGES
from metricloop.selection.select import select as select_draws

HIGHEST_SEED = np.iinfo(np.int32).max  # a table of draws stores seeds as int32


def select(
    scores: Score | Scores | Data,
    policy: str = "best",
    *,
    keep: float = 0.25,
    seed: int = 0,
    second: Score | None = None,
    like: Data | None = None,
    embeddings: np.ndarray | None = None,
    objectives: Mapping[str, float] | None = None,
    **options: Any,
) -> Data:
    """Choose images to train on. The result is a data set again: score it, or write it with to_coco or to_yolo.

    Boxes that the policy masks come back as crowd regions. The data must be of one split: images to evaluate on are not
    to be trained on.

    scores: a `Score`; or all `Scores`, together with `objectives`; or the data, for a policy that reads no scores.
    policy: how scores become a subset: best, inverse, drop_worst, among, strata, band, class_balanced, diverse; without
        scores random, random_by_group, match, full; with the truth of `damage` oracle, relabelled, and with a
        score as well relabel. docs/policies.md describes each, and its options.
    keep: share of the images to keep; the result holds exactly round(keep * images), at least 1. `full` and `match`
        ignore it.
    seed: the same seed gives the same subset. Draws are not those of a study, which depend on its name too.
    second: the second metric, with combine="product", "intersection" or "veto".
    like: the subset whose numbers of boxes the policy `match` copies.
    embeddings: (n, d) one vector per image in the order of `data.images`, for `diverse` and distinct="looks".
    objectives: {metric: strength} for the product of several ranks; a strength below 0 prefers low scores.
    options: the options of the policy. `direction` ("higher" or "lower" is better) is what the metric declares unless
        it is given.
    Errors: PolicyError naming an unknown policy or option with the nearest known one, or a budget that cannot be met;
        InputError for an input that is missing or has another size, and for data of several splits.

    >>> scores = ml.score(data, "object_count")
    >>> subset = ml.select(scores["object_count"], policy="strata", keep=0.25, by="size", seed=0)
    >>> subset
    Data(3 images, 7 boxes of panda)
    >>> subset.images.file.tolist()
    ['images/00005.jpg', 'images/00011.jpg', 'images/00015.jpg']
    """
    data = _data_of(scores)
    if len(splits := sorted({str(name) for name in data.arrays.split})) > 1:
        raise InputError(
            f"the data hold the splits {', '.join(splits)}; select from one, as read_dataset(split='train')"
        )
    if "name" in options:
        raise InputError("give the name of the policy as `policy`")
    if objectives is not None:
        options["objectives"] = ", ".join(f"{name} {strength:g}" for name, strength in objectives.items())
    given = {"name": policy, **_directions(policy, scores, second, options), **options}
    name, checked = check_policy(given)
    if not 0 < keep <= 1:
        raise InputError(f"keep={keep}; it is a share of the images, above 0 and at most 1")
    if not isinstance(seed, (int, np.integer)) or abs(int(seed)) > HIGHEST_SEED:
        raise InputError(f"seed={seed!r}; it must be an integer from -{HIGHEST_SEED} to {HIGHEST_SEED}")
    reads, pool = POLICIES[name].reads, objects_of(data)
    a, b = _score_tables(scores, given), None if second is None else score_rows(second)
    if reads == "truth":
        a, b = truth_rows(data), a if name == "relabel" else b
        if a is None:
            raise InputError(f"policy {name} reads the truth, which only the result of `damage` has")
    elif reads == "subset":
        if like is None:
            raise InputError(f"policy {name} needs the subset to match; pass like=...")
        b = _subset_rows(like)
    vectors = None
    if needs_embeddings(name, checked):
        if embeddings is None:
            raise InputError(f"policy {name} with these options needs embeddings; pass embeddings=...")
        vectors = vectors_of(embeddings, data).pool
    drawn = next(select_draws(pool, given, a, b, vectors, study=("", 0), arm=name, budget=keep, seeds=[seed]))
    chosen = of_subset(pool, drawn, seed)
    truth = None if name in SAME_IMAGES else data.truth  # of labels that were replaced, it would no longer hold
    return replace(data, arrays=chosen, truth=None if truth is None else truth[truth.image_id.isin(chosen.image_id)])


def _data_of(scores: Score | Scores | Data) -> Data:
    if isinstance(scores, Scores):
        if not scores:
            raise InputError("there are no scores to select by")
        scores = next(iter(scores.values()))
    if isinstance(scores, Score):
        return scores.data
    if isinstance(scores, Data):
        return scores
    raise InputError(f"select takes a Score, Scores or Data; got {type(scores).__name__}")


def _directions(
    policy: str, scores: Score | Scores | Data, second: Score | None, options: Mapping[str, Any]
) -> dict[str, str]:
    """The options `direction` and `direction_b` as the metrics declare them, where the policy has them.

    Errors: InputError for a score without a direction, unless `options` give one.
    """
    known = POLICIES[policy].options.model_fields if policy in POLICIES else {}
    if "direction" not in known or "objectives" in options:
        return {}
    found = {"direction": scores if isinstance(scores, Score) else None, "direction_b": second}
    declared = {}
    for name, score in found.items():
        if score is None or name in options:
            continue
        if score.higher_is is None:
            raise InputError(f"the direction of {score.name} is unknown; pass {name}='higher' or {name}='lower'")
        declared[name] = "higher" if score.higher_is == "better" else "lower"
    return declared


def _score_tables(scores: Score | Scores | Data, given: Mapping[str, Any]) -> pa.Table | dict[str, pa.Table] | None:
    if isinstance(scores, Data):
        return None
    if isinstance(scores, Score):
        return score_rows(scores)
    if "objectives" not in given:
        raise InputError("several metrics need objectives={metric: strength}; or give one Score: scores['name']")
    _, options = check_policy(given)
    return {name: score_rows(scores[name]) for name in options.strengths}


def _subset_rows(data: Data) -> pa.Table:
    rows = manifest(data.arrays, np.arange(len(data)), np.where(data.arrays.crowd, "mask", "keep"))
    table = rows.add_column(0, "draw", pa.array(np.zeros(len(rows), np.int32)))
    return draw_of(table.select(SUBSET.names), 0, "like")
