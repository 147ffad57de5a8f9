"""Write report.html: the whole study on one page.

Its numbers are of the search split, but for the section about the test split, which `confirm` alone opens.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from metricloop import layout
from metricloop.comparison.arm_rows import boxes_apart, is_oracle, of_role
from metricloop.comparison.headlines import headlines
from metricloop.comparison.next_steps import next_steps
from metricloop.comparison.phrases import seeds_text
from metricloop.comparison.table_notes import notes
from metricloop.comparison.verdict import summarise
from metricloop.data.tables import replacing
from metricloop.report.arm_section import arm_section
from metricloop.report.before_after import before_after
from metricloop.report.confirmation_section import confirmation_section
from metricloop.report.curve_figures import TALL, loss_figure, precision_figure, still_falling
from metricloop.report.data_section import class_counts, mistake_rates, split_counts
from metricloop.report.downloads import table_file
from metricloop.report.forest_plot import forest_plot
from metricloop.report.html import SCRIPTS, render
from metricloop.report.image_gallery import Gallery
from metricloop.report.language_model_section import language_model_section
from metricloop.report.report_data import ReportData, read_report_data
from metricloop.report.trial_results import read_trials

PROBLEMS = 12  # rows of problems.csv shown


def build(study: ReportData) -> str:
    """The page as HTML. Reads scores, subsets and the pictures shown; says which files of an arm are missing."""
    gallery = Gallery(study.pool)
    treatments, controls = (of_role(study.comparison, role) for role in ("treatment", "control"))
    baseline = [arm for arm in study.comparison["arms"] if arm["role"] == "baseline"]
    compared = [*baseline[:1], *(treatments[:1] or controls[:1])]
    known = [arm for arm in controls if arm not in compared]
    compared += [arm for arm in known if is_oracle(arm)] or known[:1]
    trials = [
        (arm["name"], kind, read_trials(study.folder, study.plan, study.search, arm["name"]))
        for arm, kind in zip(compared, ("baseline", "arm", "oracle"), strict=False)
    ]
    held_against = (trials[0][0], trials[0][2]) if baseline else None
    sections = [arm_section(study, gallery, arm, held_against) for arm in treatments]
    examples = before_after(study, gallery, *compared[:2]) if baseline and len(compared) > 1 else None
    return render(
        "report.html.j2",
        SCRIPTS,
        study=study,
        comparison=study.comparison,
        verdict=summarise(study.comparison),
        headlines=headlines(study.comparison),
        steps=next_steps(study.comparison, study.background) if study.background else [],
        notes=notes(study.comparison),
        boxes_apart=boxes_apart,
        seeds_text=seeds_text,
        baseline=baseline,
        treatments=treatments,
        controls=controls,
        table=table_file(study.comparison),
        confirmation=confirmation_section(study.confirmation, study.comparison, study.openings),
        openings=[entry["opened"][:10] for entry in study.openings],
        precision=precision_figure(trials, TALL),
        loss=loss_figure(trials, TALL),
        falling=[(name, still_falling(own.loss)) for name, _, own in trials[:2] if own.loss is not None],
        examples=examples,
        forest=forest_plot(study.comparison),
        sections=sections,
        gap=any(arm["oracle_gap_closed"] is not None for arm in study.comparison["arms"]),
        language_model=language_model_section(
            study.events, study.comparison, study.folder, {part["arm"]["name"]: part["words"] for part in sections}
        ),
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
