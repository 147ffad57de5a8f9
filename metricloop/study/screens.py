"""The first trials of an arm: full ones, or short ones in a study that screens and for the variants of an idea."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from metricloop.data.seeds import STUDY_SEEDS, blocks_of
from metricloop.params import Looks, Params, Screen
from metricloop.study.plan import Plan


class Planned(Protocol):
    """What params.yaml says of trials; a new study says it too."""

    @property
    def looks(self) -> Looks: ...

    @property
    def screen(self) -> Screen: ...


VARIANT_SEEDS = 2  # short trials of each variant of an idea, in a study that does not screen


def first_trials(arm: str, plan: Mapping[str, Mapping[str, Any]], params: Planned, *, variant: bool = False) -> Plan:
    """The sections of the plan with the first trials of an arm.

    These are the blocks of the first look. In a study that screens, a treatment gets short trials instead, and so does
    the baseline of the plan unless it has some. variant: the arm is one of several variants of an idea, and gets short
    trials in any study.
    """
    roles = {name: entry["role"] for name, entry in plan["arms"].items()}
    short = params.screen.seeds or (VARIANT_SEEDS if variant else 0)
    if not short or roles.get(arm, "treatment") != "treatment":
        seeds = params.looks.baseline[0] if roles.get(arm) == "baseline" else params.looks.arms[0]
        return {"blocks": {f"{arm}.{n}": {"arm": arm, "seeds": text} for n, text in enumerate(blocks_of(0, seeds))}}
    have = {entry["arm"] for entry in plan.get("screens", {}).values()}
    baselines = [name for name, role in roles.items() if role == "baseline" and name not in have]
    wanted = dict.fromkeys(baselines, params.screen.baseline) | {arm: short}
    return {"screens": {name: {"arm": name, "seeds": screen_seeds(number)} for name, number in wanted.items()}}


def short_trials(params: Params) -> int:
    """The short trials of one suggestion of the language model, at most: with as many variants as it may have."""
    seeds, variants = params.screen.seeds, params.llm.variants
    return variants * (seeds or VARIANT_SEEDS) if variants > 1 else seeds


def screen_seeds(number: int) -> str:
    """The last seeds of a study, 2 -> "38-39". Full trials begin with seed 0, so both seldom draw the same images."""
    return f"{STUDY_SEEDS[-number]}-{STUDY_SEEDS[-1]}"
