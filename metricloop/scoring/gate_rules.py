"""The rules of the acceptance gate: one table, from which the checks take names and prompt and docs take sentences."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """One rule. Its value is the name that journals and messages use.

    broken_when: the sentence of the docs. code_must: the words of the prompt, "Your code must ..."; "" where another
    rule's words, or another part of the prompt, say it already.
    """

    broken_when: str
    code_must: str

    def __new__(cls, name: str, broken_when: str, code_must: str = "") -> Rule:
        rule = str.__new__(cls, name)
        rule._value_ = name
        rule.broken_when, rule.code_must = broken_when, code_must
        return rule

    # What is asked of an idea before its code runs.
    ANSWER = "answer", "the model's repair cannot be read; the idea stays as it was"
    NAME = "name", "the metric has a name that is taken"
    POLICY = "policy", "the policy or one of its options does not exist, or does not fit the metric"
    REPEAT = (
        "repeat",
        "the idea has metric and policy of another arm, or family and policy of an idea that did not beat random",
    )
    # What is asked of the code of a metric.
    LOADS = "loads", "the file fails, or declares another metric; without code: the metric is not known", "load"
    NEEDS = "needs", "the metric asks for something that the study does not have"
    RUNS = (
        "runs",
        "the metric fails on one of two dozen images of the pool, from the emptiest to the most crowded",
        "run on every image, also with no boxes and with boxes of one pixel; return finite numbers of the right shape",
    )
    FAST = "fast", "at the metric's pace the whole pool would take longer than `sandbox.pool_seconds`"
    DETERMINISTIC = (
        "deterministic",
        "the metric gives other numbers when it is asked again",
        "give the same numbers when asked again",
    )
    ORDER = (
        "order",
        "the metric gives other numbers when the boxes are listed in another order",
        "not depend on the order of the boxes",
    )
    NO_BOXES = "no boxes", "the metric fails on an image without boxes"
    ONE_PIXEL_BOXES = "one-pixel boxes", "the metric fails on boxes of one pixel"
    KNOWN = (
        "known",
        "more than half of the metric's scores are nan",
        "know a score for at least half of what it judges",
    )
    VARIES = "varies", "all of the metric's scores are the same number", "not be constant"
    NEW = (
        "new",
        "the metric ranks as a known metric does: |Spearman's rho| is 0.95 or more",
        "not rank as a known metric does (|Spearman's rho| below 0.95)",
    )


def code_must() -> str:
    """What the code of a metric must do, as one enumeration for the prompt."""
    *first, last = [rule.code_must for rule in Rule if rule.code_must]
    return f"{'; '.join(first)}; and {last}"


def rules_table() -> str:
    """The rules as a table in Markdown, for the docs."""
    rows = [f"| {rule} | {rule.broken_when.replace('|', chr(92) + '|')} |" for rule in Rule]
    return "\n".join(["| rule | broken when |", "|---|---|", *rows])
