"""What to do after a comparison: at most three steps, each a sentence and a command, the most useful first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from metricloop.comparison.arm_rows import boxes_apart, family_size, matched_control, of_role, tried, winner_of
from metricloop.comparison.background import Background
from metricloop.comparison.bottleneck import bottleneck, may_go_on, undertrained
from metricloop.comparison.looks import Look
from metricloop.comparison.open_questions import noise_of
from metricloop.comparison.phrases import seeds_text
from metricloop.comparison.power import FEW_IMAGES, detectable_gain
from metricloop.comparison.verdict import summarise
from metricloop.comparison.whole_pool import dropping, enough_iterations, whole_pool
from metricloop.data.seeds import STUDY_SEEDS
from metricloop.text.duration import duration_range
from metricloop.text.numbers import count, fixed, listing, percent, signed
from metricloop.text.shell import command_line

MOST = 3  # steps that are told
LONGER = 4  # times as many iterations for a detector that has hardly learnt
MOST_SHARE = 0.3  # of the images in the search split; more would leave too few to train on
PROMOTED = 3  # trials of `metricloop promote`
NAMED = 3  # arms that are named in a step; of more it says how many
QUICK = 0.0  # trials of a command that trains nothing


@dataclass(frozen=True)
class Step:
    """Something to do. situation: its key, for tests and pages; text: why, in words that a colon may follow; command:
    the line to type; trials: how many it trains, as far as planned; seconds: the range of how long all of it takes,
    where that is known.
    """

    situation: str
    text: str
    command: str
    trials: float = QUICK
    seconds: tuple[float, float] | None = None

    @property
    def sentence(self) -> str:
        """The text, with the time or the number of trials behind it."""
        if not self.trials:
            return self.text
        cost = count(round(self.trials), "trial")
        return f"{self.text} ({cost if self.seconds is None else f'{cost}, {duration_range(*self.seconds)}'})"


def next_steps(comparison: dict[str, Any], background: Background) -> list[Step]:
    """The steps for this study, at most MOST. There is always one."""
    found: list[Step] = []
    for find in (_mixed, _unfinished, *_BY_OUTCOME[summarise(comparison).outcome]):
        found += [step for step in find(comparison, background) if step.command not in [one.command for one in found]]
    return found[:MOST]


def _step(
    background: Background, situation: str, text: str, *words: str,
    trials: float = QUICK, first: str = "compare", times: float = 1,
) -> Step:  # fmt: skip
    """A step; words: of its command after `metricloop`. first, times: of a run, as in `Pace.of_run`."""
    name, *rest = words
    line = command_line(
        "metricloop", name, *rest[: _positional(rest)], "-C", background.folder, *rest[_positional(rest) :]
    )
    pace = background.pace
    if not trials or pace is None:
        return Step(situation, text, line, trials)
    seconds = pace.of_trials(trials) if name in ("promote", "audit") else pace.of_run(trials, first, times)
    return Step(situation, text, line, trials, seconds)


def _positional(words: list[str]) -> int:
    """How many words stand before the first option: -C comes behind them, so that no option takes it for a value."""
    return next((place for place, word in enumerate(words) if word.startswith("--")), len(words))


def all_trials(comparison: dict[str, Any]) -> int:
    """How many trials the study has trained in full; as many would train again after a change of the training."""
    return sum(len(arm["seeds"]) + len(arm["seeds_beyond"]) for arm in comparison["arms"])


Steps = Iterator[Step]


def _mixed(comparison: dict[str, Any], background: Background) -> Steps:
    rows = {arm["name"]: len(arm["seeds"]) + len(arm["seeds_beyond"]) for arm in comparison["arms"]}
    old = [name for name in background.old_labels if name in rows]
    if old:
        which = f"{len(old)} arms" if len(old) > NAMED else listing(old)
        text = f"Train {which} again, because labels have changed since"
        yield _step(background, "mixed", text, "run", trials=sum(rows[name] for name in old))


def _unfinished(comparison: dict[str, Any], background: Background) -> Steps:
    first = comparison["looks"][0]
    left = (family_size(comparison) - tried(comparison)) * first["arms"]
    rows = [arm for arm in comparison["arms"] if arm["role"] != "baseline"]
    left += sum(max(first["arms"] - len(arm["seeds"]), 0) for arm in rows)
    going = [arm for arm in rows if arm["goes_on"]]
    looks = comparison["looks"][1:] if going else []
    for arm in going:
        own = len(arm["seeds"])
        left += next((look["arms"] for look in looks if look["arms"] > own), own) - own
    base = len(of_role(comparison, "baseline")[0]["seeds"])
    wanted = next((look["baseline"] for look in looks if look["baseline"] > base), first["baseline"])
    left += max(wanted - base, 0)
    if left > 0:
        yield _step(background, "unfinished", "Go on with the study, which is not finished", "run", trials=left)
        return
    known = {arm["name"] for arm in (*comparison["arms"], *comparison["screened"])}
    if added := [name for name in background.planned if name not in known]:
        verbs = ("was", "has") if len(added) == 1 else ("were", "have")
        text = f"Run {listing(added)}, which {verbs[0]} added and {verbs[1]} no results"
        yield _step(background, "added", text, "run", trials=len(added) * first["arms"])
        return
    winner = winner_of(comparison)
    if winner and boxes_apart(winner) and matched_control(comparison, winner) is None:
        text = f"Find out whether the number of boxes explains the gain of {winner['name']}"
        yield _step(background, "boxes_control", text, "run", trials=first["arms"])


def _whole_is_better(comparison: dict[str, Any], background: Background) -> Steps:
    whole = whole_pool(comparison)
    if whole is None or dropping(comparison) != "costs":
        return
    if whole["verdict"] == "better" and not background.promoted:
        text = f"All images are better than a subset: train on {whole['name']} for use"
        yield _step(background, "drop_nothing", text, "promote", whole["name"], trials=PROMOTED)


def _whole_longer(comparison: dict[str, Any], background: Background) -> Steps:
    number = enough_iterations(comparison)
    if dropping(comparison) != "short" or number is None:
        return
    whole, times = whole_pool(comparison), number / comparison["trained"]["iterations"]
    text = f"Train long enough for the whole pool ({whole['name'] if whole else ''}) to show what it can"
    words = ("run", "--set", f"train.iterations={number}")
    yield _step(background, "whole_longer", text, *words, trials=all_trials(comparison), times=times)


def _many_boxes(comparison: dict[str, Any], background: Background) -> Steps:
    winner = winner_of(comparison)
    control = matched_control(comparison, winner) if winner and boxes_apart(winner) else None
    if winner is None or control is None or winner["boxes_ratio"] <= 1 or comparison["budget"] >= 1:
        return
    lead = control["lead_over_it"]["ci95"]
    if lead is None or lead[0] <= 0:
        share = min(1.0, math.ceil(comparison["budget"] * winner["boxes_ratio"] * 100) / 100)
        text = f"The gain may be one of boxes, not of choice: see what {percent(share)} of the images give, chosen anew"
        words = ("run", "--set", f"study.budget={share:g}")
        yield _step(background, "boxes", text, *words, trials=all_trials(comparison), first="select")


def _confirm(comparison: dict[str, Any], background: Background) -> Steps:
    if background.tested:
        return
    text = "Confirm it on the test split, which opens once"
    if background.confirms is None:
        words = ("run", "--set", "confirm.when=better")
        yield _step(background, "confirm_never", text, *words, trials=24)
    else:
        yield _step(background, "confirm", text, "run", trials=background.confirms)


def _use(comparison: dict[str, Any], background: Background) -> Steps:
    winner = winner_of(comparison)
    if winner is None:
        return
    if not background.promoted:
        text = f"Use it: train the detector of {winner['name']}"
        yield _step(background, "promote", text, "promote", trials=PROMOTED)
    elif background.promoted_before:
        text = f"Train the detector of {winner['name']} anew: the promoted one had {background.promoted_before}"
        yield _step(background, "promote_again", text, "promote", trials=PROMOTED)
    text = "Train your own detector: its images and labels as a folder, with val and data.yaml"
    yield _step(background, "export", text, "export", winner["name"], f"{winner['name']}-data")


def _see_test(comparison: dict[str, Any], background: Background) -> Steps:
    if background.tested:
        text = "See what the test split says"
        if background.tested != "better":
            text = "Be careful: the test split does not show this gain"
        yield _step(background, "tested", text, "compare", "--confirmed")


def _see_failed_test(comparison: dict[str, Any], background: Background) -> Steps:
    if background.tested in ("worse", "undecided"):
        yield from _see_test(comparison, background)


def _train_longer(comparison: dict[str, Any], background: Background) -> Steps:
    if not undertrained(comparison):
        return
    base, number = of_role(comparison, "baseline")[0], background.iterations * LONGER
    text = f"Train longer: mAP {fixed(base['mAP']['mean'])} of {base['name']} says that the detector has hardly learnt"
    words = ("run", "--set", f"train.iterations={number}")
    yield _step(background, "undertrained", text, *words, trials=all_trials(comparison), times=LONGER)


def _more_images(comparison: dict[str, Any], background: Background) -> Steps:
    few = comparison["search_images"] < FEW_IMAGES and bool(comparison["looks_taken"])
    if bottleneck(comparison) != "images" and not few:
        return
    images = count(comparison["search_images"], "search image")
    share = larger_share(background.search_share)
    if background.drawn_split and share > background.search_share:
        more = round(comparison["search_images"] * share / background.search_share)
        text = f"Compare on about {more} in place of {images}{_found(comparison, more)}; every arm is trained anew"
        words = ("run", "--set", f"data.search_share={share:g}")
        yield _step(background, "images", text, *words, trials=all_trials(comparison), first="ingest")
    else:
        where = f" ({background.val_place})" if background.val_place else ""
        text = f"Compare on more than {images}: add labelled images to the split val of your data{where}, then"
        yield _step(background, "images_given", text, "run", trials=all_trials(comparison), first="ingest")


def larger_share(share: float) -> float:
    """A larger share of the images for the search split that metricloop draws: twice as large, at most MOST_SHARE."""
    return round(min(2 * share, MOST_SHARE), 2)


def _found(comparison: dict[str, Any], images: int) -> str:
    """Which gain so many search images would find in place of that which the present ones find; "" if the same."""
    looks, family = [Look(**look) for look in comparison["looks"]], max(family_size(comparison), 1)
    then, now = (
        detectable_gain(looks, family, number, noise_of(comparison)) for number in (images, comparison["search_images"])
    )
    if signed(then) == signed(now):
        return ""
    return f", to find a gain of {signed(then)} mAP four times in five, and not only {signed(now)}"


def _more_seeds(comparison: dict[str, Any], background: Background) -> Steps:
    open_ = may_go_on(comparison)
    arm = next((arm for arm in open_ if arm["seeds_needed"]), None)
    last, base = comparison["looks"][-1], of_role(comparison, "baseline")[0]
    if arm is None or comparison["looks_taken"] < len(comparison["looks"]):
        return
    number = max(arm["seeds_needed"][0], last["arms"] + 1)
    wanted = max(min(math.ceil(number * last["baseline"] / last["arms"]), len(STUDY_SEEDS)), last["baseline"] + 1)
    if number > len(STUDY_SEEDS) or wanted > len(STUDY_SEEDS):
        return
    new = {"arms": number, "baseline": wanted, "alpha": last["alpha"]}
    values = [f"looks.{key}=[{','.join(f'{look[key]:g}' for look in [*comparison['looks'], new])}]" for key in new]
    trials = sum(number - len(one["seeds"]) for one in open_) + wanted - len(base["seeds"])
    text = (
        f"{seeds_text(arm['seeds_needed'])} would probably decide {arm['name']}; a look that was not planned is "
        "marked: its verdicts have no guarantee"
    )
    yield _step(background, "seeds", text, "run", "--set", *values, trials=trials)


def _larger_subset(comparison: dict[str, Any], background: Background) -> Steps:
    if dropping(comparison) == "costs" and comparison["budget"] < 0.5:
        share = min(1.0, 2 * comparison["budget"])
        text = f"More images help more than choosing them: compare at {percent(share)} of the pool"
        words = ("run", "--set", f"study.budget={share:g}")
        yield _step(background, "budget", text, *words, trials=all_trials(comparison), first="select")


def _add_full(comparison: dict[str, Any], background: Background) -> Steps:
    if not background.full_planned and not any(arm["policy"]["name"] == "full" for arm in comparison["arms"]):
        text = "Find out whether anything should be dropped at all: add the whole pool as a control, then run"
        yield _step(background, "add_full", text, "add", "full", trials=comparison["looks"][0]["arms"])


def _repair(comparison: dict[str, Any], background: Background) -> Steps:
    if background.audited and background.audit_old:
        text = "See what labels still look wrong: they changed after the audit, so audit again"
        yield _step(background, "audit_again", text, "audit", trials=background.folds)
    elif background.audited and background.audit_listed:
        text = "Repair the labels that look wrong: mark them in audit/audit.html, save the marks, then"
        yield _step(background, "repair", text, "fix", "marks.json")
    elif not background.audited:
        text = "See whether labels should be repaired instead of images dropped"
        yield _step(background, "audit", text, "audit", trials=background.folds)


def _other_metrics(comparison: dict[str, Any], background: Background) -> Steps:
    yield Step("metrics", "See which other metrics there are to try", command_line("metricloop", "score", "--list"))


_LAST = (_add_full, _repair, _other_metrics)
_OPEN = (_train_longer, _more_seeds, _more_images, _whole_longer, _whole_is_better, _larger_subset, *_LAST)
_BY_OUTCOME: dict[str, tuple[Callable[[dict[str, Any], Background], Steps], ...]] = {
    "better": (_see_failed_test, _whole_is_better, _many_boxes, _confirm, _use, _see_test),
    "together": _OPEN,
    "undecided": _OPEN,
    "worse": (_train_longer, _whole_longer, _whole_is_better, _larger_subset, *_LAST),
    "no_gain": _OPEN,
    "none": (_whole_longer, _whole_is_better, _train_longer, _repair, _other_metrics),
}
