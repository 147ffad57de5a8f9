"""What the language model's rounds read of a study: data, plan, results and the journal's events.

Never the truth about deliberate mistakes or anything computed from it, and never the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, column, read_json, read_table
from metricloop.engineer.error_card import read_errors
from metricloop.engineer.ideas import Idea, compared, ideas
from metricloop.engineer.known_ideas import KnownIdeas, KnownMetric
from metricloop.engineer.policy_menu import on_offer
from metricloop.evaluation.error_types import Errors
from metricloop.llm.journal import Event
from metricloop.mending.failed_edits import failed_edits
from metricloop.mending.open_repair import repair_catalogue
from metricloop.metrics.repair_contract import repair_spec_of
from metricloop.params import Params
from metricloop.scoring.open_metrics import CATALOGUE, catalogue
from metricloop.selection.policies import POLICIES
from metricloop.study.add_arm import file_for
from metricloop.study.graph import reads_embeddings
from metricloop.study.plan import Plan
from metricloop.text import numbers


@dataclass(frozen=True)
class StudyView:
    """The study as it stands when a round begins. comparison: without arms that are computed from the truth."""

    folder: Path
    params: Params
    plan: Plan
    pool: Dataset
    search: Dataset
    comparison: Mapping[str, Any]
    events: Sequence[Event]


def read_study(folder: Path, params: Params, plan: Plan, events: Sequence[Event]) -> StudyView:
    """Read the study as the model may see it.

    Errors: those of reading the files, for example when the study's own arms have not been compared yet.
    """
    root = folder / params.data.folder
    comparison, hidden = read_json(folder / layout.COMPARISON), truth_arms(plan)
    shown = {
        section: [arm for arm in comparison.get(section, ()) if arm["name"] not in hidden]
        for section in ("arms", "screened")
    }
    return StudyView(
        folder, params, plan, read_pool(folder / layout.DATA, root), load(folder / layout.DATA, root, "search"),
        comparison | shown, events,
    )  # fmt: skip


def before_round(study: StudyView, number: int) -> StudyView:
    """The study as it was before round `number`: without the journal's events of that round."""
    return replace(study, events=[event for event in study.events if event.get("round", 0) < number])


def truth_arms(plan: Plan) -> set[str]:
    """Arms that read the truth about deliberate mistakes, or the subset of another such arm."""
    arms, found = plan["arms"], set[str]()
    while more := {
        name
        for name, arm in arms.items()
        if name not in found
        and (
            POLICIES[arm["policy"]["name"]].reads == "truth"
            or {arm["a"], arm["b"]} & {layout.TRUTH, *(layout.subset_file(known) for known in found)}
        )
    }:
        found |= more
    return found


def past_ideas(study: StudyView) -> list[Idea]:
    """Earlier ideas with their present gains: seeds and arms may have been added since they were measured."""
    return compared(ideas(study.events), study.comparison)


def known_metrics(folder: Path, plan: Plan) -> dict[str, KnownMetric]:
    """Every metric that has scores in this study, by name, without those that failed on the pool."""
    found = {}
    for batch, item in plan["batches"].items():
        failures = folder / layout.failures_file(batch)
        failed = read_json(failures) if failures.is_file() else {}
        for name in item["metrics"]:
            file = layout.scores_file(batch, name)
            if name not in failed and (folder / file).is_file():
                objects = bool((column(read_table(folder / file, SCORES), "box_id") >= 0).any())
                found[name] = KnownMetric("object" if objects else "image", file)
    return found


def known_ideas(study: StudyView, number: int) -> KnownIdeas:
    """What the ideas of round `number` are compared with: the metrics, arms and families of this study before it."""
    past = [idea for idea in past_ideas(study) if idea.round < number]
    metrics = known_metrics(study.folder, study.plan)
    names = {metric for item in study.plan["batches"].values() for metric in item["metrics"]} | set(catalogue())
    repairs = known_repairs(study)
    return KnownIdeas(
        metrics=metrics,
        arms=dict(study.plan["arms"]),
        reserved=frozenset((names | study.plan.get("repairs", {}).keys()) - metrics.keys() - repairs.keys()),
        families={idea.name: idea.family for idea in past if idea.state != "refused"},
        targets={idea.name: idea.targets for idea in past if idea.state != "refused"},
        refuted=refuted(past),
        offered=offered(study),
        repairs=repairs,
    )


def offered(study: StudyView) -> tuple[str, ...]:
    """The policies that the model may choose in this study."""
    embeddings = reads_embeddings(study.plan) and (study.folder / layout.EMBEDDINGS).is_file()
    return on_offer(len(study.pool.class_names), embeddings)


def known_repairs(study: StudyView) -> dict[str, Mapping[str, Any]]:
    """The repairs of the catalogue and of the plan, with their entries, without those that failed on the pool."""
    failed = failed_edits(study.folder)
    ours = {
        name: {"code": CATALOGUE[1], "needs": file_for(repair_spec_of(repair).needs)}
        for name, repair in repair_catalogue().items()
    }
    known = ours | study.plan.get("repairs", {})
    return {name: entry for name, entry in known.items() if layout.edits_file(name) not in failed}


def refuted(past: Sequence[Idea]) -> dict[str, str]:
    """Arms that are shown to be worse than random, each with the evidence in a few words."""
    return {idea.name: f"is refuted: 95 % interval {numbers.interval(idea.interval)}" for idea in past if idea.refuted}


def baseline_errors(study: StudyView) -> list[Errors]:
    """Errors of the random arm's detectors on the search split, one entry per seed."""
    return errors_of(study, baseline_arms(study))


def baseline_arms(study: StudyView) -> list[str]:
    """The name of the random arm, in a list; [] where the plan has none."""
    return [name for name, arm in study.plan["arms"].items() if arm["role"] == "baseline"]


def errors_of(study: StudyView, arms: Sequence[str]) -> list[Errors]:
    """Errors of these arms' detectors on the search split; blocks without results are left out."""
    return read_errors(study.folder, _evaluated(study, arms), study.search)


def class_ap_of(study: StudyView, arms: Sequence[str]) -> dict[str, float]:
    """Mean AP by class of all detectors of these arms on the search split. A class without objects is left out."""
    found: dict[str, list[float]] = {}
    for block in _evaluated(study, arms):
        for entry in read_json(study.folder / layout.numbers_file(block))["seeds"].values():
            for name, values in entry["per_class"].items():
                if values["mAP"] is not None:
                    found.setdefault(name, []).append(values["mAP"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _evaluated(study: StudyView, arms: Sequence[str]) -> list[str]:
    blocks = [name for name, block in study.plan["blocks"].items() if block["arm"] in arms]
    return [name for name in blocks if (study.folder / layout.numbers_file(name)).is_file()]
