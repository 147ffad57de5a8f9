"""Headlines: the mean gain of several metrics over the baseline. It has power where single metrics have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metricloop.comparison.groups import ALL, MODEL, ROUND
from metricloop.comparison.phrases import both_or_all, change_text, interval_text
from metricloop.comparison.statistics import Outcome
from metricloop.text.numbers import count, p_value

SHOWN = {"better": "better than random", "worse": "worse than random", "undecided": "undecided"}


@dataclass(frozen=True)
class Headline:
    """name: of the group; who: the group in words; gain: by measure, as in comparison.json; verdict: on its mAP."""

    name: str
    who: str
    arms: tuple[str, ...]
    gain: dict[str, dict[str, Any]]
    verdict: Outcome


def headlines(comparison: dict[str, Any]) -> list[Headline]:
    """The headlines of comparison.json: groups of the plan, the model's rounds, the model, all.

    A headline is corrected for the looks, and not for the other headlines.
    """
    return [
        Headline(
            entry["name"],
            _who(entry["name"], len(entry["arms"]), len(entry["stopped"])),
            tuple(entry["arms"]),
            entry["gain"],
            entry["verdict"],
        )
        for entry in sorted(comparison["headlines"], key=lambda entry: _place(entry["name"]))
    ]


def sentence(headline: Headline) -> str:
    """A headline in one sentence, with the verdict on the gain in mAP behind it."""
    told = {"mAP": f", {SHOWN[headline.verdict]}"}
    both = [
        f"{change_text(change, measure)}, {interval_text(change)}, {p_value(change['p_looks'])}{told.get(measure, '')}"
        for measure, change in headline.gain.items()
    ]
    return f"Mean gain of {headline.who}: {'; '.join(both)}."


def _place(name: str) -> tuple[int, int]:
    """Groups of the plan first, as they stand there; then the rounds by number, the model, and all."""
    number = name.removeprefix(ROUND)
    if name.startswith(ROUND) and number.isdigit():
        return 1, int(number)
    return {MODEL: 2, ALL: 3}.get(name, 0), 0


def _who(name: str, arms: int, stopped: int) -> str:
    if stopped:
        return f"{arms} of {_who(name, arms + stopped, 0)}, after short trials"
    metrics = count(arms, "metric")
    if name in (MODEL, "article"):
        return f"the {name.removeprefix('the ')}'s {metrics}"
    if name == ALL:
        return f"{both_or_all(arms)} metrics"
    return f"the {metrics} of {name}"
