"""What the language model is shown before it proposes: brief, data card, errors, results, its own past; as text.

Never the truth about deliberate mistakes, nor anything made from it, and never the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metricloop.data.dataset import Dataset
from metricloop.data.loading import load
from metricloop.data.pool import read_pool
from metricloop.data.tables import SCORES, column, read_json, read_table
from metricloop.engineer.brief import read_brief
from metricloop.engineer.data_card import data_card
from metricloop.engineer.error_card import error_card, read_errors
from metricloop.engineer.ideas import Idea, compared, ideas
from metricloop.engineer.policy_menu import policy_text
from metricloop.engineer.prompt_text import idea_text, known_text, results_text
from metricloop.engineer.rules import Known
from metricloop.evaluation.error_types import Errors
from metricloop.figures.example_sheets import error_sheet, pool_sheets
from metricloop.llm.journal import Event
from metricloop.llm.message import Message, Picture
from metricloop.llm.prompt import render
from metricloop.params import Params
from metricloop.scoring.evidence import PREDICTED, read_predictions
from metricloop.scoring.probe_frames import SPECIMENS
from metricloop.selection.policies import POLICIES
from metricloop.study.plan import Plan
from metricloop.text import numbers


@dataclass(frozen=True)
class Scene:
    """The study as it stands when a round begins. comparison: without arms that are made from the truth."""

    folder: Path
    params: Params
    plan: Plan
    pool: Dataset
    search: Dataset
    comparison: Mapping[str, Any]
    events: Sequence[Event]


def read_scene(folder: Path, params: Params, plan: Plan, events: Sequence[Event]) -> Scene:
    """Errors: those of the files, when the study's own arms have not been compared yet."""
    root = folder / params.data.folder
    comparison, truthful = read_json(folder / "comparison.json"), truth_arms(plan)
    return Scene(
        folder, params, plan, read_pool(folder / "data", root), load(folder / "data", root, "search"),
        comparison | {"arms": [arm for arm in comparison["arms"] if arm["name"] not in truthful]}, events,
    )  # fmt: skip


def truth_arms(plan: Plan) -> set[str]:
    """Arms that are made from the truth about deliberate mistakes, or from the subset of one that is."""
    arms, found = plan["arms"], set[str]()
    while more := {
        name
        for name, arm in arms.items()
        if name not in found
        and (
            POLICIES[arm["policy"]["name"]].reads == "truth"
            or {arm["a"], arm["b"]} & {"data/truth.parquet", *(f"subsets/{known}.parquet" for known in found)}
        )
    }:
        found |= more
    return found


def opening(scene: Scene, number: int) -> list[Message]:
    """The messages that a round begins with: who the model is, and what it is shown."""
    errors = baseline_errors(scene)
    pictures = look_at(scene, errors)
    return [
        Message("system", render("system", system_context(scene))),
        Message("user", render("propose", proposal_context(scene, number, errors, pictures)), tuple(pictures)),
    ]


def system_context(scene: Scene) -> dict[str, str]:
    limits, settings = scene.params.sandbox, scene.params.llm
    pool = f"{numbers.count(round(limits.pool_seconds))} s for the pool of {numbers.count(len(scene.pool), 'image')}"
    return {
        "limits": f"{limits.frame_seconds:g} s for one image, {pool}, {numbers.count(limits.memory_mb)} MB of memory",
        "specimens": numbers.count(min(SPECIMENS, len(scene.pool))),
        "repairs": numbers.count(settings.repairs, "time"),
        "policies": policy_text(),
    }


def proposal_context(
    scene: Scene, number: int, errors: Sequence[Errors], pictures: Sequence[Picture]
) -> dict[str, str]:
    settings, past = scene.params.llm, past_ideas(scene)
    return {
        "round": str(number),
        "rounds": str(settings.rounds),
        "wanted": numbers.count(settings.suggestions, "suggestion"),
        "brief": read_brief(scene.folder),
        "card": data_card(scene.pool, scene.params.study.budget),
        "errors": error_card(errors, scene.search.class_names) if errors else "",
        "known": known_text(known_metrics(scene.folder, scene.plan), past),
        "results": results_text(scene.comparison["arms"], scene.plan),
        "ideas": "\n\n".join(idea_text(idea) for idea in past),
        "families": ", ".join(sorted({idea.family for idea in past if idea.state != "refused"})),
        "pictures": "\n".join(f"{k}. {picture.title}" for k, picture in enumerate(pictures, start=1)),
    }


def past_ideas(scene: Scene) -> list[Idea]:
    """Earlier ideas, with the gains that they have by now: seeds and arms may have come since they were measured."""
    return compared(ideas(scene.events), scene.comparison)


def look_at(scene: Scene, errors: Sequence[Errors]) -> list[Picture]:
    """The pictures of a proposal; none where the person does not let them leave the house."""
    detail = scene.params.llm.pictures
    if detail == "none":
        return []
    found = scene.folder / PREDICTED
    shown = pool_sheets(scene.pool, detail, read_predictions(found) if found.is_file() else None)
    worst = error_sheet(scene.search, errors[0], detail) if errors else None
    return [*shown, worst] if worst else shown


def known_metrics(folder: Path, plan: Plan) -> dict[str, Known]:
    """Every metric with scores in this study, by name; none that failed while the pool was scored."""
    found = {}
    for batch, item in plan["batches"].items():
        place = Path("scores") / batch
        failed = read_json(folder / place / "failed.json") if (folder / place / "failed.json").is_file() else {}
        for name in item["metrics"]:
            file = place / f"{name}.parquet"
            if name not in failed and (folder / file).is_file():
                objects = bool((column(read_table(folder / file, SCORES), "box_id") >= 0).any())
                found[name] = Known("object" if objects else "image", file.as_posix())
    return found


def refuted(past: Sequence[Idea]) -> dict[str, str]:
    """Arms that did not beat random in the mean, with the evidence in a few words."""
    return {
        idea.name: f"did not beat random: {numbers.signed(idea.gain['abs'])} mAP"
        for idea in past
        if idea.gain and idea.gain["abs"] <= 0
    }


def baseline_errors(scene: Scene) -> list[Errors]:
    """What the detectors of the random arm get wrong on the search split, seed by seed."""
    return errors_of(scene, [name for name, arm in scene.plan["arms"].items() if arm["role"] == "baseline"])


def errors_of(scene: Scene, arms: Sequence[str]) -> list[Errors]:
    """What the detectors of these arms get wrong on the search split; none of a block that has no results yet."""
    blocks = [name for name, block in scene.plan["blocks"].items() if block["arm"] in arms]
    there = [name for name in blocks if (scene.folder / "results" / name / "metrics.json").is_file()]
    return read_errors(scene.folder, there, scene.search)
