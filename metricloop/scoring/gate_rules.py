"""The rules of the acceptance gate: one table, from which checks take their names, and prompt and docs their text."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

SUSPECT = 0.8  # |Spearman's rho| on the gate's images from which on more images are asked
WIDE = 200  # how many images these are, evenly from the emptiest to the most crowded
COPY = 0.95  # |Spearman's rho| with an earlier metric from which on a metric is its copy


class WordedRule(StrEnum):
    """One rule of a gate. Its value is its name in journals and messages.

    broken_when: a sentence for the docs. passed: a sentence for `metricloop try`; "" for rules about an idea.
    code_must: a phrase for the prompt, "your code must ..."; "" when another rule's phrase includes it, or another
    part of the prompt explains it.
    """

    broken_when: str
    passed: str
    code_must: str

    def __new__(cls, name: str, broken_when: str, passed: str = "", code_must: str = "") -> Self:
        rule = str.__new__(cls, name)
        rule._value_ = name
        rule.broken_when, rule.passed, rule.code_must = broken_when, passed, code_must
        return rule


class Rule(WordedRule):
    """The rules for metrics, and for the ideas that a language model has."""

    # About an idea, before its code runs.
    ANSWER = "answer", "the model's repair cannot be read; the idea stays as it was"
    NAME = "name", "the name of the metric or the repair is taken"
    POLICY = "policy", "the policy or an option does not exist, or does not fit the metric or the repair"
    REPEAT = (
        "repeat",
        "metric, repair and policy are those of an arm, or family, target and policy are those of a refuted idea",
    )
    # About the code of a metric, in the order of the checks.
    LOADS = (
        "loads",
        "the file fails or declares another metric; or an idea without code names an unknown metric or repair",
        "its code is imported and declares it",
        "load",
    )
    NEEDS = "needs", "the metric needs something that the study does not have", "the study has what it needs"
    RUNS = (
        "runs",
        "it fails on one of two dozen images of the pool, from the emptiest to the most crowded",
        "gives numbers of the right shape for every image, within the limits",
        "run on every image, also with no boxes and with boxes of one pixel; return finite numbers of the right shape",
    )
    FAST = (
        "fast",
        "at its speed the whole pool would take longer than `sandbox.pool_seconds`",
        "scores the pool within the time limit",
    )
    DETERMINISTIC = (
        "deterministic",
        "it gives other numbers when asked again",
        "gives the same numbers when asked again",
        "give the same numbers when asked again",
    )
    ORDER = (
        "order",
        "it gives other numbers when the boxes are listed in another order",
        "does not depend on the order of the boxes",
        "not depend on the order of the boxes",
    )
    NO_BOXES = "no boxes", "it fails on an image without boxes", "works on images without boxes"
    ONE_PIXEL_BOXES = "one-pixel boxes", "it fails on boxes of one pixel", "works on boxes of one pixel"
    KNOWN = (
        "known",
        "more than half of its scores are nan",
        "at most half of its scores are nan",
        "know a score for at least half of what it judges",
    )
    VARIES = "varies", "all its scores are the same number", "its scores differ", "not be constant"
    NEW = (
        "new",
        f"it ranks as a known metric does: |Spearman's rho| is {COPY} or more; where the two dozen "
        f"images give {SUSPECT} or more, it is taken over up to {WIDE} of the pool",
        "ranks unlike every metric with scores ({})",
        f"not rank as a known metric does (|Spearman's rho| below {COPY})",
    )


CODE_RULES = tuple(rule for rule in Rule if rule.passed)
STOPPING = (Rule.LOADS, Rule.NEEDS, Rule.RUNS)  # when one of these is broken, the rules after it are not checked


def code_must() -> str:
    """What the code of a metric must do, as one list for the prompt."""
    *first, last = [rule.code_must for rule in Rule if rule.code_must]
    return f"{'; '.join(first)}; and {last}"


def rules_table() -> str:
    """The rules as a Markdown table, for the docs."""
    lines = ["| rule | broken when |", "|---|---|"]
    for rule in Rule:
        sentence = rule.broken_when.replace("|", "\\|")
        lines.append(f"| {rule} | {sentence} |")
    return "\n".join(lines)
