"""What a bundle's README and model card say about a detector, made from the facts in its detector.json."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any

from metricloop.text.numbers import DASH, fixed, gain, interval

Facts = Mapping[str, Any]
UNKNOWN = "not recorded"
OWN_SHARE = "subset.parquet"  # of a detector that was promoted with --share
TRAINING = {  # fields of a recipe -> words
    "iterations": "batches",
    "batch_size": "images per batch",
    "learning_rate": "learning rate",
    "augment": "augmentation",
}


def warning(facts: Facts) -> str:
    """What has to stand above everything else; "" for a detector whose arm is better by the study's verdict."""
    if not facts.get("anyway"):
        return ""
    return (
        f"Promoted against its verdict. The study's verdict on the arm {facts.get('arm')} is "
        f'"{facts.get("verdict") or "not tested"}", not "better": it is not shown that this detector beats one trained '
        "on a random subset of the same size."
    )


def numbers(facts: Facts) -> str:
    """A table in Markdown of what was measured on which split, and the sentences that belong to it."""
    search, test = facts.get("search") or {}, facts.get("test") or {}
    rows = [
        ["", "images", "mAP", "mAP50", "mAR"],
        ["---"] * 5,
        ["this detector, on the search split", *_cells(search)],
        [f"{test.get('trials', '')} trials of its arm, on the sealed test split".strip(), *_cells(test)],
    ]
    if not test:
        rows.pop()
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([table, *_remarks(facts, test)])


def _cells(found: Facts) -> list[str]:
    images = found.get("images")
    return [DASH if images is None else str(images), *(fixed(found.get(name)) for name in ("mAP", "mAP50", "mAR"))]


def _remarks(facts: Facts, test: Facts) -> list[str]:
    verdict = f"Verdict of the study on the arm `{facts.get('arm')}`: **{facts.get('verdict') or 'not tested'}**."
    found = (test.get("gain") or {}).get("mAP")
    if found:
        verdict += (
            " Gain over a random subset of the same size on the test split: "
            f"{gain(found['abs'], found['rel'], 'mAP')}, 95 % interval {interval(found['ci95'])}."
        )
    subset = facts.get("subset") or {}
    share, theirs = subset.get("share"), test.get("share")
    if share and not theirs and subset.get("file") == OWN_SHARE:
        verdict += (
            f" It was promoted with a share of its own, {100 * share:.3g} % of the pool's images; "
            f"{'the verdict and the gain are' if found else 'the verdict is'} of the study's budget."
        )
    if not test:
        return [verdict, "The sealed test split was not opened for this arm: nothing is known about it there."]
    remark = (
        "The test numbers are means over trials of the same arm with other seeds; this detector was not tried there."
    )
    if share and theirs and not isclose(share, theirs):
        remark += (
            f" It was trained on a {'larger' if share > theirs else 'smaller'} subset than those trials: on "
            f"{100 * share:.3g} % of the pool's images, not {100 * theirs:.3g} %. "
            f"{'The verdict and the gain are' if found else 'The verdict is'} of their size, not of its own."
        )
    return [verdict, remark]


def about(facts: Facts) -> list[tuple[str, str]]:
    """The rows of the card's first table."""
    recipe = (facts.get("recipe") or {}).get("fields", {})
    training = ", ".join(f"{recipe[name]} {words}" for name, words in TRAINING.items() if name in recipe)
    rows = {
        "Task": f"object detection: {', '.join(facts['classes'])}",
        "Architecture": facts["architecture"],
        "Input": f"pictures of any size, scaled to a long side of {facts['image_size']} px",
        "Training": training or UNKNOWN,
        "Seed": str(facts.get("seed", UNKNOWN))
        + (f", the best of {len(facts['trials'])} on the search split" if len(facts.get("trials") or ()) > 1 else ""),
        "Study, arm": f"{facts.get('study', UNKNOWN)}, {facts.get('arm', UNKNOWN)}",
        "Made": f"{facts.get('made', UNKNOWN)} with metricloop {facts.get('metricloop', UNKNOWN)}",
    }
    return [(name, str(value)) for name, value in rows.items()]


def data(facts: Facts) -> list[str]:
    """What the detector was trained on."""
    subset = facts.get("subset") or {}
    share = subset.get("share")
    lines = [
        f"{subset.get('images', UNKNOWN)} images with {subset.get('boxes', UNKNOWN)} labelled boxes"
        + (f", {100 * share:.3g} % of the pool's images" if share else ""),
        f"file of the subset: `{subset.get('file', UNKNOWN)}`, MD5 `{subset.get('md5', UNKNOWN)}`",
        f"classes, in the order of the labels: {', '.join(facts['classes'])}",
    ]
    if facts.get("metric"):
        other = facts.get("second_metric")
        lines.append(f"ranked by the metric `{facts['metric']}`" + (f", combined with `{other}`" if other else ""))
    return [*lines, f"chosen by the policy {policy(facts)}"]


def policy(facts: Facts) -> str:
    """The policy and its options, such as `best` (direction higher)."""
    found = facts.get("policy")
    if not isinstance(found, Mapping):
        return str(found or UNKNOWN)
    options = ", ".join(f"{name} {value}" for name, value in found.items() if name != "name")
    name = f"`{found.get('name', UNKNOWN)}`"
    return f"{name} ({options})" if options else name


def limits(facts: Facts) -> list[str]:
    """What a person must know before relying on the detector."""
    size = facts["image_size"]
    best = facts.get("best_score")
    lines = [
        f"Pictures are scaled to {size} px: an object that is then smaller than about 8 px is usually missed, such as "
        f"one below {8 * 1000 // size} px on a photo that is 1000 px wide.",
        "Scores are no probabilities. Choose a least score on labelled pictures of your own"
        + (f"; on the search split, detections agreed best with the labels from {best:.2f}." if best else "."),
        f"At most {facts['max_detections']} objects are found on a picture.",
        "Pictures of another camera, scene, season or region than those of the data set were not tried.",
        "It must not decide alone where a missed or an invented object can hurt someone.",
    ]
    if facts.get("unsafe_in_process"):
        lines.append(
            "The metric that ranked the images ran without the sandbox, so its scores may have been tampered with."
        )
    return lines
