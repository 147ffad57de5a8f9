"""The section of the report about one metric's arm: its scores, curves and examples, and how its subset differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from metricloop import layout
from metricloop.comparison.arm_rows import Arm
from metricloop.data.dataset import Dataset
from metricloop.data.tables import SUBSET, TRUTH, column, read_table
from metricloop.figures import subset_changes, svg
from metricloop.figures.subset_changes import Change, FirstDraw
from metricloop.report.curve_figures import loss_figure, precision_figure
from metricloop.report.downloads import subset_file as subset_download
from metricloop.report.image_gallery import Gallery
from metricloop.report.policy_text import policy_text
from metricloop.report.report_data import ReportData
from metricloop.report.score_figures import examples, score_figure
from metricloop.report.trial_results import Trials, read_trials
from metricloop.scoring.scores import read_scores
from metricloop.text import numbers


def arm_section(study: ReportData, gallery: Gallery, arm: Arm, baseline: tuple[str, Trials] | None) -> dict[str, Any]:
    """The values that the template shows for one arm. `missing` lists files that are not on this machine.

    baseline: its name and trials, which the curves are held against.
    """
    pool, entry = study.pool, study.plan["arms"].get(arm["name"], {})
    subset_file = Path(layout.subset_file(arm["name"]))
    inputs = dict.fromkeys((entry.get("a", ""), entry.get("b", "")))  # an arm of one metric has the same file twice
    score_files = [Path(file) for file in inputs if file.startswith(f"{layout.SCORES}/")]
    section: dict[str, Any] = {"arm": arm, "scores": [], "best": [], "worst": [], "changes": [], "draws": 0}
    section |= {"words": numbers.policy(arm["policy"]), "download": None}
    trials = read_trials(study.folder, study.plan, study.search, arm["name"])
    shown = [("baseline", *baseline)] if baseline else []
    lines = [(name, kind, own) for kind, name, own in [*shown, ("arm", "this arm", trials)]]
    section["precision"] = precision_figure(lines) if trials.precision else None
    section["loss"] = loss_figure(lines) if trials.loss is not None else None
    section["missing"] = [str(file) for file in (subset_file, *score_files) if not (study.folder / file).is_file()]
    if str(subset_file) in section["missing"]:
        return section
    subset = read_table(study.folder / subset_file, SUBSET)
    draw = subset_changes.first_draw(subset, pool)
    section["draws"] = draw.draws
    section["changes"] = [
        {"line": line, "bar": svg.change_bar(line.ratio)} for line in changes(study.folder, subset, draw, pool)
    ]
    section["download"] = subset_download(arm["name"], subset, pool)
    higher = arm["direction"] != "lower"
    per_object = {}
    for number, file in enumerate(file for file in score_files if str(file) not in section["missing"]):
        scores = read_scores(study.folder / file, pool)
        per_object[str(file)] = scores.per_object
        section["scores"].append(score_figure(file.stem, scores, subset_changes.kept(scores, draw), higher))
        if number == 0:
            section["best"], section["worst"] = examples(gallery, scores, draw, higher)
    section["words"] = words(arm["policy"], study.comparison["budget"], entry, per_object)
    return section


def words(policy: Mapping[str, Any], budget: float, entry: Mapping[str, Any], per_object: Mapping[str, bool]) -> str:
    """The policy as a sentence. entry: the arm in the plan; per_object: whether a file of scores scores objects."""
    a, b = entry.get("a", ""), entry.get("b", "")
    return policy_text(
        policy, budget, metric=entry.get("metric") or Path(a).stem, partner=Path(b).stem,
        per_object=per_object.get(a, False), partner_per_object=per_object.get(b, False),
    )  # fmt: skip


def changes(folder: Path, subset: pa.Table, draw: FirstDraw, pool: Dataset) -> list[Change]:
    """How the subset differs from the pool; where mistakes were made on purpose, also its share of images with one."""
    lines = subset_changes.changes(
        subset_changes.pool_profile(pool), subset_changes.subset_profile(subset, pool), pool.class_names
    )
    truth = folder / layout.TRUTH
    if truth.is_file():
        table = read_table(truth, TRUTH)
        wrong = column(table, "image_id")[column(table, "mistake") != "none"]
        with_mistake = np.isin(pool.image_id, wrong)
        if with_mistake.any() and draw.images.any():
            before, after = float(with_mistake.mean()), float(with_mistake[draw.images].mean())
            lines.insert(2, subset_changes.share("Images with a mistake", before, after))
    return lines
