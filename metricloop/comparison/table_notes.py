"""The notes below the comparison table: what its numbers mean, and where to be careful with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metricloop.comparison.arm_rows import (
    BOXES_APART,
    Arm,
    boxes_apart,
    family_size,
    planned_looks,
    undecided_above_zero,
    unplanned_looks,
)
from metricloop.comparison.groups import ROUND
from metricloop.comparison.looks import Look
from metricloop.comparison.open_questions import noise_of, why_no_seeds
from metricloop.comparison.parts import strongest_part
from metricloop.comparison.phrases import (
    AS_MANY_BOXES,
    ONE_ARM_ALONE,
    SURE,
    change_text,
    groups_text,
    interval_text,
    seeds_text,
)
from metricloop.comparison.power import FEW_IMAGES, detectable_gain, least_gain
from metricloop.comparison.verdict import summarise
from metricloop.selection.policies import POLICIES
from metricloop.text.numbers import count, fixed, listing, p_value, percent, signed

if TYPE_CHECKING:
    from metricloop.comparison.background import Background

FEW_SCORED = 0.5  # of the pool's images: a metric that scores fewer says little about the rest
APART = "†"  # marks a number of boxes


def notes(comparison: dict[str, Any]) -> list[str]:
    """One note a line: how gain and p are made, looks, controls, numbers of boxes, seeds that would decide."""
    arms = comparison["arms"]
    lines = [_how(comparison), *_looks(comparison), *_seeds_beyond(comparison), *_collapsed(arms)]
    if stopped := comparison["screened"]:
        lines.append(_screened(stopped))
    if comparison["headlines"]:
        lines.append(
            f"Each mean gain ({SURE} interval, p) takes the seeds of the first look of every metric. It is a test of "
            "its own, corrected for the looks and not for the other means."
        )
    lines += _other_mean(comparison)
    if later := [arm["name"] for arm in arms if _later_round(arm)]:
        lines.append(
            f"The model had seen results of this search split when it proposed {listing(later)}: their p is "
            "conditional on this split, and only the test split is new to them."
        )
    for arm in arms:
        if arm["role"] == "control":
            lines.append(f"{arm['name']} (control): {_about(arm)}.")
    lines += [*_boxes(arms), *_leads_over_parts(comparison), *_unsafe(arms)]
    lines += _undecided(comparison)
    if comparison["search_images"] < FEW_IMAGES and summarise(comparison).outcome == "undecided":
        lines.append(_out_of_reach(comparison))
    return lines


def warnings(comparison: dict[str, Any]) -> list[str]:
    """Those of the notes that a reader of the table must not miss."""
    arms = comparison["arms"]
    return [*_looks(comparison), *_other_mean(comparison), *_collapsed(arms), *_boxes(arms), *_unsafe(arms)]


def scored_notes(comparison: dict[str, Any], scored: Mapping[str, tuple[int, int]]) -> list[str]:
    """A note on every metric that scores few images of the pool; scored: arm -> (images with a score, images)."""
    lines = []
    for arm in (arm for arm in comparison["arms"] if arm["name"] in scored):
        known, images = scored[arm["name"]]
        if known < FEW_SCORED * images:
            ends = (
                f", and its subset has {arm['images']}: the others are a random choice" if known < arm["images"] else ""
            )
            lines.append(f"{arm['name']}: the metric scores {known} of {count(images, 'image')} only{ends}.")
    return lines


def promoted_text(background: Background) -> list[str]:
    """A line that says that the promoted detector is out of date; [] if it is not."""
    if not background.promoted_before:
        return []
    return [
        f"The promoted detector is from before a change: it had {background.promoted_before}. Promote again to use it."
    ]


def old_labels_text(background: Background) -> str:
    """What is wrong with a table of old and new labels; "" where all trials had the labels of now."""
    if not background.old_labels:
        return ""
    names, one = list(background.old_labels), len(background.old_labels) == 1
    return (
        f"Not comparable: {listing(names)} {'was' if one else 'were'} trained on labels from before a change, the "
        "others on the labels of now. No verdict below holds until all are trained on the same labels."
    )


def _unsafe(arms: list[Arm]) -> list[str]:
    unsafe = [arm["name"] for arm in arms if arm.get("unsafe_in_process")]
    return [f"Scored by unread code without the sandbox (--unsafe-in-process): {listing(unsafe)}."] if unsafe else []


def _how(comparison: dict[str, Any]) -> str:
    arms = [arm for arm in comparison["arms"] if arm["role"] != "baseline"]
    base = _baseline(comparison)
    numbers = sorted({len(arm["seeds"]) for arm in arms})
    seeds = " to ".join(str(number) for number in dict.fromkeys(numbers[:1] + numbers[-1:]))
    own = f"{count(len(base['seeds']), 'seed')} of {base['name']}"
    if not arms:
        return f"{own}; nothing is compared with it yet."
    return (
        f"{own}, {seeds} of every other arm; gain is the difference of their mean mAP, and its interval holds for "
        f"other seeds and other images of this kind. {_corrected(comparison)}"
    )


def _corrected(comparison: dict[str, Any]) -> str:
    """For what p is corrected, and where an arm is decided."""
    metrics, controls = family_size(comparison), family_size(comparison, "control")
    families = [count(metrics, "metric") + (" (controls apart)" if controls else "")] if metrics else []
    if controls and not metrics:
        families = [count(controls, "control")]
    planned, below = planned_looks(comparison), f"below {comparison['alpha']:g}"
    if planned:
        what = " and for ".join([*families, count(planned, "look")])
        return f"p is corrected for {what}; {below} an arm is decided."
    what = f"p is corrected for {families[0]}" if families else "p is not corrected"
    return f"{what}, and for no look, because none was planned; {below}, set for look 1, an arm is decided."


def _baseline(comparison: dict[str, Any]) -> Arm:
    return next(arm for arm in comparison["arms"] if arm["role"] == "baseline")


def _about(arm: dict[str, Any]) -> str:
    """What a control does, in words."""
    if arm["matches"]:
        return f"{AS_MANY_BOXES} as {arm['matches']}"
    about = POLICIES[arm["policy"]["name"]].about
    if worst := arm["policy"].get("worst"):
        about += f": {worst} by {arm['metric']}" if arm.get("metric") else f": {worst}"
    return about


def _looks(comparison: dict[str, Any]) -> list[str]:
    """Which look a row is of, and looks without a guarantee."""
    arms, base, lines = comparison["arms"], _baseline(comparison), []
    if not comparison["looks_taken"] and len(arms) > 1:
        first = comparison["looks"][0]
        lines.append(
            f"The first look, with {count(first['arms'], 'seed')} of an arm and {first['baseline']} of {base['name']}, "
            "is not complete: nothing is decided yet."
        )
    if unplanned := unplanned_looks(comparison):
        one = len(unplanned) == 1
        which = f"{'Look' if one else 'Looks'} {listing([str(number) for number in unplanned])}"
        lines.append(
            f"{which} {'was' if one else 'were'} added or changed after the first trial: "
            f"{'its' if one else 'their'} verdicts have no guarantee."
        )
    if len({arm["baseline_seeds"] for arm in arms if arm["baseline_seeds"] is not None}) > 1:
        lines.append(
            f"Gain, interval and p of an arm are those of its last look, with as many seeds of {base['name']} as that "
            "look takes."
        )
    return lines


def _other_mean(comparison: dict[str, Any]) -> list[str]:
    """A line that explains why the mean gain of all metrics differs from the mean of the column; [] if it does not."""
    rows = {arm["name"]: arm for arm in comparison["arms"]}
    told = max(comparison["headlines"], key=lambda entry: len(entry["arms"]), default=None)
    if told is None or not comparison["looks_taken"] or not all(name in rows for name in told["arms"]):
        return []
    column = [rows[name]["gain"]["mAP"]["abs"] for name in told["arms"]]
    mean, shown = sum(column) / len(column), told["gain"]["mAP"]["abs"]
    if signed(mean) == signed(shown):
        return []
    looks, base = comparison["looks"], _baseline(comparison)
    last = min(looks[comparison["looks_taken"] - 1]["baseline"], len(base["seeds"]))
    return [
        f"The mean gain, {signed(shown)}, is not the mean of the gains in the table, {signed(mean)}: it takes the "
        f"first {looks[0]['arms']} seeds of every metric, so that no metric counts by more seeds because it was ahead, "
        f"and {last} of {base['name']}; the table takes the seeds of each arm's last look."
    ]


def _seeds_beyond(comparison: dict[str, Any]) -> list[str]:
    """Seeds that count in no test, because their arm has more than its looks take."""
    last, over = comparison["looks"][-1], comparison["looks_taken"] == len(comparison["looks"])
    found: dict[tuple[str, int], list[str]] = {}
    for arm in (arm for arm in comparison["arms"] if arm["seeds_beyond"]):
        number, base = len(arm["seeds_beyond"]), arm["role"] == "baseline"
        if over and len(arm["seeds"]) + number > last["baseline" if base else "arms"]:
            take = "the looks take"
        else:
            take = "the looks so far take" if base else "its last look takes"
        found.setdefault((take, number), []).append(arm["name"])
    return [
        f"{listing(names)} {'has' if len(names) == 1 else 'each have'} {count(number, 'more seed')} than "
        f"{take if len(names) == 1 else take.replace('its', 'their')}; "
        f"{'it counts' if number == len(names) == 1 else 'they count'} in no test."
        for (take, number), names in found.items()
    ]


def _collapsed(arms: Sequence[Arm]) -> list[str]:
    """Trials that learnt next to nothing. Their arm keeps its scatter, which says nothing about other arms."""
    lines = []
    asked = "treatment" if any(arm["role"] == "treatment" for arm in arms) else "control"
    for arm in (arm for arm in arms if arm["collapsed"]):
        seeds, one = arm["collapsed"], len(arm["collapsed"]) == 1
        reached = [fixed(arm["mAP"]["per_seed"][arm["seeds"].index(seed)]) for seed in seeds]
        lines.append(
            f"{arm['name']}: the {'trial with seed' if one else 'trials with seeds'} "
            f"{listing([str(seed) for seed in seeds])} learnt next to nothing (mAP {listing(reached)})"
            + ("; its scatter does not count for the other arms." if arm["role"] == asked else ".")
        )
    return lines


def _undecided(comparison: dict[str, Any]) -> list[str]:
    """What would decide the undecided arms, or why no number of seeds is given."""
    arms, lines = comparison["arms"], []
    if needed := [f"{arm['name']} {seeds_text(arm['seeds_needed'])}" for arm in arms if arm["seeds_needed"]]:
        lines.append(f"Would probably decide the undecided arms: {listing(needed)}.")
    if above := undecided_above_zero(comparison):
        lines.append(f"Undecided, though the interval lies above zero: {listing(above)}; {ONE_ARM_ALONE}.")
    told = {
        "small": "The gain so far is too small for any reasonable number of seeds to decide, though one up to the "
        "upper end of its interval is not ruled out",
        "images": f"Too few search images ({groups_text(comparison)}) for any number of seeds",
        "scatter": "Trials differ too much to say how many seeds would decide",
    }
    for reason, text in told.items():
        if own := [arm["name"] for arm in arms if why_no_seeds(comparison, arm) == reason]:
            lines.append(f"{text}: {listing(own)}.")
    return lines


def _screened(stopped: Sequence[dict[str, Any]]) -> str:
    """The arms that got no full trials, and what that means for the numbers above."""
    rivals = [arm["mAP"] >= arm["baseline"] for arm in stopped]
    below, rival = f"below random's {fixed(stopped[0]['baseline'])} mAP", "another variant did better"
    why = below if not any(rivals) else rival if all(rivals) else f"{below}, or {rival}"
    named = [f"{arm['name']} ({fixed(arm['mAP'])} mAP)" for arm in stopped]
    one = len(stopped) == 1
    return (
        f"Stopped after short trials, {why}: {listing(named)}. "
        f"{'It was' if one else 'They were'} tried, so {'it counts' if one else 'they count'} in the correction of p, "
        "but cannot be called better. The mAP of short trials does not compare with that of full ones."
    )


def _later_round(arm: Arm) -> bool:
    number = str(arm["group"] or "").removeprefix(ROUND)
    return number != arm["group"] and number.isdigit() and int(number) > 1


def _boxes(arms: list[Arm]) -> list[str]:
    """Arms whose number of boxes may explain their gain, and what a control with as many boxes says."""
    lines = []
    if apart := [
        f"{arm['name']} ({signed(100 * (arm['boxes_ratio'] - 1), 0)}\u00a0%)" for arm in arms if boxes_apart(arm)
    ]:
        lines.append(
            f"{APART} over {percent(BOXES_APART)} more or fewer boxes than the baseline, so that the gain may come "
            f"from their number: {listing(apart)}."
        )
    for arm in arms:
        if arm["matches"] and (lead := arm["lead_over_it"]):
            lines.append(
                f"{arm['matches']} against {arm['name']}, {AS_MANY_BOXES}: "
                f"{change_text(lead)}, {interval_text(lead)}, {p_value(lead['p'])}."
            )
    return lines


def _leads_over_parts(comparison: dict[str, Any]) -> list[str]:
    """One note with the lead of each arm over the best arm that uses only a part of what it uses. [] without any."""
    told = []
    for arm in comparison["arms"]:
        if found := strongest_part(comparison, arm):
            part, lead = found
            told.append(f"{arm['name']} {signed(lead['abs'])} mAP over {part['name']} ({interval_text(lead)})")
    return [f"Leads over the strongest arm that uses only a part of what they use: {listing(told)}."] if told else []


def _out_of_reach(comparison: dict[str, Any]) -> str:
    """Which gains so few search images cannot decide."""
    looks = [Look(**look) for look in comparison["looks"]]
    images, family = comparison["search_images"], max(family_size(comparison), 1)
    planned = detectable_gain(looks, family, images, noise_of(comparison))
    ever = least_gain(looks, family, images, noise_of(comparison))
    return (
        f"Only {groups_text(comparison)}: the planned seeds decide a gain of "
        f"{signed(planned)} mAP four times in five; below {signed(ever)} mAP no number of seeds would, more images "
        "would."
    )
