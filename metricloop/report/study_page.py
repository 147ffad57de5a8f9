"""Write report.html: the whole study on one page.

All its numbers are of the search split. It says whether the study was confirmed on the test split, and shows no number
of it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from metricloop import layout
from metricloop.comparison.arm_rows import boxes_apart, of_role
from metricloop.comparison.headlines import headlines
from metricloop.comparison.phrases import seeds_text
from metricloop.comparison.table_notes import notes
from metricloop.comparison.verdict import summarise
from metricloop.data.tables import replacing
from metricloop.report.arm_section import arm_section
from metricloop.report.data_section import class_counts, mistake_rates, split_counts
from metricloop.report.forest_plot import forest_plot
from metricloop.report.html import SCRIPTS, render
from metricloop.report.image_gallery import Gallery
from metricloop.report.language_model_section import language_model_section
from metricloop.report.report_data import ReportData, read_report_data

PROBLEMS = 12  # rows of problems.csv shown


def build(study: ReportData) -> str:
    """The page as HTML. Reads scores, subsets and the pictures shown; says which files of an arm are missing."""
    gallery = Gallery(study.pool)
    treatments = of_role(study.comparison, "treatment")
    sections = [arm_section(study, gallery, arm) for arm in treatments]
    return render(
        "report.html.j2",
        SCRIPTS,
        study=study,
        comparison=study.comparison,
        verdict=summarise(study.comparison),
        headlines=headlines(study.comparison),
        notes=notes(study.comparison),
        boxes_apart=boxes_apart,
        seeds_text=seeds_text,
        baseline=[arm for arm in study.comparison["arms"] if arm["role"] == "baseline"],
        treatments=treatments,
        controls=of_role(study.comparison, "control"),
        forest=forest_plot(study.comparison),
        sections=sections,
        gap=any(arm["oracle_gap_closed"] is not None for arm in study.comparison["arms"]),
        language_model=language_model_section(study.events, study.comparison, study.folder),
        store=gallery.store(),
        splits=split_counts(study.data),
        classes=class_counts(study.data),
        rates=mistake_rates(study.summary.get("damage") or {}),
        problem_kinds=Counter(row.get("problem", "") for row in study.problems).most_common(),
        problems=study.problems[:PROBLEMS],
        blocks=sorted(study.plan["blocks"]),
    )


def write_report(folder: Path, root: Path) -> Path:
    """Write FOLDER/report.html for the study in the workspace `folder`; root: the folder of its image files."""
    target = folder / layout.REPORT
    page = build(read_report_data(folder, root))
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target
