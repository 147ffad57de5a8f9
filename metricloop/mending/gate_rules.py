"""The rules of the gate for repairs: one table, from which checks take their names, and prompt and docs their text."""

from __future__ import annotations

from metricloop.scoring.gate_rules import WordedRule

COPY = 0.95  # share of its edits in common with a known repair, from which on a repair is its copy


class RepairRule(WordedRule):
    """The rules for repairs, in the order of the checks."""

    LOADS = "loads", "the file fails or declares another repair", "its code is imported and declares it", "load"
    NEEDS = "needs", "the repair needs something that the study does not have", "the study has what it needs"
    RUNS = (
        "runs",
        "it fails on one of two dozen images of the pool, returns an edit outside the image or with a number that is "
        "not finite, or more than two edits per label and 100 added boxes",
        "returns allowed edits for every image, within the limits",
        "run on every image; return edits inside the image, with finite numbers and a confidence from 0 to 1; at most "
        "two edits per label and 100 added boxes per image",
    )
    FAST = (
        "fast",
        "at its speed the whole pool would take longer than `sandbox.pool_seconds`",
        "mends the pool within the time limit",
    )
    DETERMINISTIC = (
        "deterministic",
        "it returns other edits when asked again",
        "returns the same edits when asked again",
        "return the same edits when asked again",
    )
    ORDER = (
        "order",
        "it returns other edits when the boxes are listed in another order",
        "does not depend on the order of the boxes",
        "not depend on the order of the boxes",
    )
    NO_BOXES = (
        "no boxes",
        "it fails on an image without boxes",
        "works on images without boxes",
        "work on images without boxes",
    )
    ONE_PIXEL_BOXES = (
        "one-pixel boxes",
        "it fails on boxes of one pixel",
        "works on boxes of one pixel",
        "work on boxes of one pixel",
    )
    ACTS = (
        "acts",
        "it changes no label of the two dozen images",
        "changes some labels",
        "change some label of the images shown",
    )
    NEW = (
        "new",
        f"{COPY:.0%} or more of its edits are those of a known repair, and the other way round",
        "makes other edits than every known repair ({})",
        "not make the edits of a known repair",
    )


STOPPING = (RepairRule.LOADS, RepairRule.NEEDS, RepairRule.RUNS)  # when one of these is broken, the others are skipped


def repair_must() -> str:
    """What the code of a repair must do, as one list for the prompt."""
    *first, last = [rule.code_must for rule in RepairRule if rule.code_must]
    return f"{'; '.join(first)}; and {last}"


def repair_rules_table() -> str:
    """The rules as a Markdown table, for the docs."""
    lines = ["| rule | broken when |", "|---|---|"]
    return "\n".join([*lines, *(f"| {rule} | {rule.broken_when} |" for rule in RepairRule)])
