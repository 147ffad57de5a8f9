"""The section of the report about one metric's arm: its scores, its examples, and how its subset differs."""

from __future__ import annotations

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
from metricloop.report.image_gallery import Gallery
from metricloop.report.report_data import ReportData
from metricloop.report.score_figures import examples, score_figure
from metricloop.scoring.scores import read_scores


def arm_section(study: ReportData, gallery: Gallery, arm: Arm) -> dict[str, Any]:
    """The values that the template shows for one arm. `missing` lists files that are not on this machine."""
    pool, entry = study.pool, study.plan["arms"].get(arm["name"], {})
    subset_file = Path(layout.subset_file(arm["name"]))
    inputs = dict.fromkeys((entry.get("a", ""), entry.get("b", "")))  # an arm of one metric has the same file twice
    score_files = [Path(file) for file in inputs if file.startswith(f"{layout.SCORES}/")]
    section: dict[str, Any] = {"arm": arm, "scores": [], "best": [], "worst": [], "changes": [], "draws": 0}
    section["missing"] = [str(file) for file in (subset_file, *score_files) if not (study.folder / file).is_file()]
    if str(subset_file) in section["missing"]:
        return section
    subset = read_table(study.folder / subset_file, SUBSET)
    draw = subset_changes.first_draw(subset, pool)
    section["draws"] = draw.draws
    section["changes"] = [
        {"line": line, "bar": svg.change_bar(line.ratio)} for line in changes(study.folder, subset, draw, pool)
    ]
    higher = arm["direction"] != "lower"
    for number, file in enumerate(file for file in score_files if str(file) not in section["missing"]):
        scores = read_scores(study.folder / file, pool)
        section["scores"].append(score_figure(file.stem, scores, subset_changes.kept(scores, draw), higher))
        if number == 0:
            section["best"], section["worst"] = examples(gallery, scores, draw, higher)
    return section


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
