"""The two input files of an idea's arm, a and b, which our code finds from the names that the model gave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from metricloop import layout
from metricloop.engineer.known_ideas import KnownMetric
from metricloop.selection.policies import check_policy, needs_embeddings


def arm_inputs(
    policy: Mapping[str, Any], metric: str | None, partner: str | None, known: Mapping[str, KnownMetric]
) -> dict[str, str]:
    """{"a": file, "b": file} of an arm. known: the metrics with scores, `metric` among them.

    a is the file with the scores of `metric`, b that of `partner`. With `objectives` they are folders of scores: a that
    of `metric`, b that of the other metrics; scores/, which holds all folders, when two inputs are too few for them. A
    policy that reads embeddings has their file as b, and one with `mend` the file of the repair's edits. Input a of an
    arm without a metric is the table of the pool's images.
    """
    name, options = check_policy(policy)
    embeddings, mend = needs_embeddings(name, options), getattr(options, "mend", None)
    if metric is None:
        return {"a": layout.IMAGES, "b": layout.edits_file(mend.repair) if mend else layout.IMAGES}
    a, b = known[metric].scores, known[partner or metric].scores
    if strengths := options.strengths:
        own = _folder(known[metric].scores)
        others = sorted({_folder(known[other].scores) for other in strengths} - {own})
        a, b = own, (others or [own])[0]
        if len(others) > 1:
            b = layout.SCORES
        if others and (embeddings or mend):
            a = layout.SCORES
    if mend:
        b = layout.edits_file(mend.repair)
    return {"a": a, "b": layout.EMBEDDINGS if embeddings else b}


def _folder(file: str) -> str:
    return PurePosixPath(file).parent.as_posix()
