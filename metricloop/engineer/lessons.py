"""A page of lessons of finished studies, which a new study may give to its language model.

It holds numbers and words of our own tables only: no picture, file, folder, class or study name, and nothing that a
person or a model wrote, unless `words` asks for it. Nothing in it is computed from the truth about deliberate mistakes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.data.label_errors import TARGETS
from metricloop.data.tables import read_json
from metricloop.engineer.ideas import Event, Idea, compared, ideas, with_variants
from metricloop.engineer.policy_menu import offered_text
from metricloop.engineer.prompt_text import idea_family, mean_sd, result_word
from metricloop.engineer.scorecard_table import escaped
from metricloop.engineer.study_view import truth_arms
from metricloop.llm.journal import read_journal
from metricloop.metrics.families import IDEA_FAMILIES
from metricloop.params import Params, load_params
from metricloop.scoring.gate_rules import Rule
from metricloop.scoring.open_metrics import catalogue
from metricloop.study.plan import load_plan
from metricloop.text import numbers
from metricloop.text.clean import clean

MOST = 12_000  # characters of a page
ROWS = (12, 6, 3)  # ideas of one study: as many as find room
WORDS = 300  # characters of one text of the model
NEEDS = ("image", "predictions")  # what the code of a metric may ask for besides labels
ORDER = ("better", "refuted", "undecided")
TITLE = (
    "# Lessons of earlier studies\n\n"
    "Gains are in mAP against random samples of the same size, without the luck of the best of several arms. "
    "Refuted: the whole 95 % interval lies below zero.\n"
)


class LessonsError(ValueError):
    """The lessons cannot be made or read; the message says what to do."""


@dataclass(frozen=True)
class Tried:
    """One metric and policy that were measured. own: its name and texts of the model, told only with `words`."""

    family: str
    targets: str
    metric: str
    policy: str
    expected: float
    share: float | None
    interval: tuple[float, float] | None
    result: str
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Studied:
    """The lessons of one study. about: its data and its noise, in numbers. refused: the rules that ideas broke."""

    name: str
    about: str
    tried: tuple[Tried, ...]
    refused: Mapping[str, int]


def read_study_lessons(folder: Path) -> Studied:
    """The lessons of the study in a workspace. Errors: LessonsError when nothing was compared there yet."""
    if not (folder / layout.COMPARISON).is_file():
        raise LessonsError(f"{folder}: no {layout.COMPARISON}, so nothing was learnt there yet; run the study first")
    params, comparison = load_params(folder / layout.PARAMS), read_comparison(folder)
    hidden = truth_arms(load_plan(folder))
    arms = {arm["name"]: arm for arm in comparison["arms"] if arm["name"] not in hidden}
    events = read_journal(folder / layout.JOURNAL)
    found = with_variants(compared(ideas(events), comparison | {"arms": list(arms.values())}))
    named = {event["suggestion"] for event in events if event["event"] == "accepted"}
    base = next(arm for arm in arms.values() if arm["role"] == "baseline")
    tried = [_of_idea(idea, events, base) for idea in found if idea.gain]
    tried += [_of_arm(arm, base) for name, arm in arms.items() if _counts(arm) and name not in named]
    tried.sort(key=lambda one: (ORDER.index(one.result), -one.expected))
    last = [idea.failures[-1] for idea in found if idea.state == "refused" and idea.failures]
    broken = Counter(attempt.broken[0][0] for attempt in last)
    about = _about(read_json(folder / layout.SUMMARY), params, comparison, base)
    known = {rule: count for rule, count in broken.items() if rule in set(Rule)}
    return Studied(clean(params.study.name, 60), about, tuple(tried), known)


def _counts(arm: Mapping[str, Any]) -> bool:
    return arm["role"] == "treatment" and bool(arm["gain"])


def _about(summary: Mapping[str, Any], params: Params, comparison: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """The data and the noise of a study in numbers, without any name that a person gave."""
    pool = summary["splits"]["pool"]
    boxes = pool["boxes"] / max(pool["images"], 1)
    seen = numbers.count(comparison["search_images"], "held-out image")
    return (
        f"Pool of {numbers.count(pool['images'], 'image')}, {numbers.fixed(boxes, 1)} boxes an image, "
        f"{numbers.percent(pool['images_without_boxes'] / max(pool['images'], 1))} of the images without boxes, "
        f"{numbers.count(summary['classes'], 'class', 'classes')}; {numbers.percent(comparison['budget'])} of the pool "
        f"is trained on. Detector {params.train.detector}, {numbers.count(params.train.iterations, 'iteration')}. "
        f"Random samples: mAP {mean_sd(base['mAP']['per_seed'])}, "
        f"{numbers.count(len(base['seeds']), 'seed')}, on {seen}."
    )


def _of_idea(idea: Idea, events: Sequence[Event], base: Mapping[str, Any]) -> Tried:
    needs: tuple[str, ...] = ()
    for event in events:
        if event["event"] == "gate" and event["suggestion"] == idea.name and event["round"] == idea.round:
            needs = tuple(need for need in (event["spec"] or {}).get("needs", ()) if need in NEEDS)
    texts = {"Hypothesis": idea.hypothesis, "Adapts its family": idea.adapts, "Conclusion": idea.lesson or ""}
    assert idea.gain is not None
    return _tried(
        idea.family if idea.family in IDEA_FAMILIES else "other",
        idea.targets if idea.targets in TARGETS else "none",
        f"code of its own (labels{''.join(f', {need}' for need in needs)})" if idea.has_code else _metric(idea.metric),
        offered_text(idea.policy) + (f" with {_metric(idea.partner)}" if idea.partner else ""),
        idea.gain, idea.expected, idea.verdict, base,
        (escaped(clean(idea.name, 60)), *(f"{k}: {escaped(clean(text, WORDS))}" for k, text in texts.items() if text)),
    )  # fmt: skip


def _of_arm(arm: Mapping[str, Any], base: Mapping[str, Any]) -> Tried:
    """An arm of arms.yaml."""
    metric = catalogue().get(arm["metric"] or "")
    return _tried(
        idea_family(metric) if metric else "other", "none", _metric(arm["metric"]), offered_text(arm["policy"]),
        arm["gain"]["mAP"], arm["shrunken_gain"], arm["verdict"], base, (escaped(clean(arm["name"], 60)),),
    )  # fmt: skip


def _metric(name: str | None) -> str:
    """The name of a metric of the catalogue; other names are not told, since a person or a model gave them."""
    if not name:
        return "none"
    return f"`{name}`" if name in catalogue() else "a metric of its own"


def _tried(
    family: str, targets: str, metric: str, policy: str, gain: Mapping[str, Any], expected: float | None,
    verdict: str | None, base: Mapping[str, Any], own: tuple[str, ...],
) -> Tried:  # fmt: skip
    known, level = gain["abs"] if expected is None else expected, base["mAP"]["mean"]
    bounds = gain["ci95"] and (gain["ci95"][0], gain["ci95"][1])
    result = result_word(verdict, bounds)
    return Tried(family, targets, metric, policy, known, known / level if level else None, bounds, result, own)


def lessons_page(studies: Sequence[Studied], words: bool = False) -> str:
    """The page as Markdown of at most MOST characters. It ends with the number of studies that did not fit.

    words: add the names of studies and ideas, and texts of the model.
    """
    page, left = TITLE + _families(studies), 0
    for number, study in enumerate(studies, start=1):
        sections = (_section(number, study, words, rows) for rows in ROWS)
        section = next((text for text in sections if len(page) + len(text) <= MOST - 100), None)
        page, left = (page + section, left) if section else (page, left + 1)
    if left:
        page += f"\n{numbers.count(left, 'study', 'studies')} more found no room on this page.\n"
    return page


def _families(studies: Sequence[Studied]) -> str:
    """A table of the families: how many ideas were tried in all studies, and their mean gain."""
    of: dict[str, list[Tried]] = defaultdict(list)
    for study in studies:
        for one in study.tried:
            of[one.family].append(one)
    rows = ["", "| family | tried | better | refuted | mean expected gain |", "| --- | ---: | ---: | ---: | ---: |"]
    for family in [name for name in (*IDEA_FAMILIES, "control", "other") if name in of]:
        own, shares = of[family], [one.share for one in of[family] if one.share is not None]
        counts = Counter(one.result for one in own)
        mean = f"{numbers.signed(100 * float(np.mean(shares)), 0)}\u00a0%" if shares else numbers.DASH
        rows.append(f"| {family} | {len(own)} | {counts['better']} | {counts['refuted']} | {mean} |")
    never = [name for name in IDEA_FAMILIES if name not in of]
    rows += ["", f"Never tried: {', '.join(never)}."] if never else []
    return "\n".join(rows) + "\n"


def _section(number: int, study: Studied, words: bool, rows: int) -> str:
    lines = ["", f"## Study {number}{f': {study.name}' if words else ''}", "", study.about, ""]
    lines += ["| family | against | metric | policy | expected gain | 95 % | result |", f"|{' --- |' * 7}"]
    for one in study.tried[:rows]:
        gain, bounds = numbers.signed(one.expected), numbers.interval(one.interval)
        cells = (one.family, one.targets, one.metric, one.policy, gain, bounds, one.result)
        lines.append(f"| {' | '.join(cells)} |")
    if len(study.tried) > rows:
        lines += ["", f"{len(study.tried) - rows} more are left out."]
    if study.refused:
        told = ", ".join(f"{rule} ({count})" for rule, count in study.refused.items())
        lines += ["", f"Ideas that the gate refused, by the rule that they broke: {told}."]
    if words:
        lines += ["", *(f"- {'. '.join(text.rstrip('.') for text in one.own)}." for one in study.tried[:rows])]
    return "\n".join(lines) + "\n"


def read_lessons(folder: Path, file: str) -> str:
    """The text of the file that llm.lessons names, every line as a Markdown quotation; "" when llm.lessons is "".

    Errors: LessonsError when the file is missing, is no text, or is too long.
    """
    if not file:
        return ""
    path = folder / Path(file).expanduser()
    if not path.is_file():
        raise LessonsError(f"llm.lessons: no file {path}; make one with `metricloop learn STUDY --out {path}`")
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise LessonsError(f"llm.lessons: {path} is not UTF-8 text; save it as UTF-8") from None
    if len(text) > MOST:
        raise LessonsError(f"llm.lessons: {path} is {len(text):,} characters long; shorten it to {MOST:,}")
    return "\n".join(f"> {clean(line, MOST)}".rstrip() for line in text.splitlines())
