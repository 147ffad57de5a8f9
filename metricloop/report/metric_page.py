"""The page of a metric that was tried: its scores as a histogram, the pictures at either end, the rules of the gate.

It stands by itself as report.html does, and looks like it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from metricloop.data.tables import replacing
from metricloop.figures import subset_profile, svg
from metricloop.metrics.contract import Spec
from metricloop.report import study_page
from metricloop.study.try_metric import Performance, Stage
from metricloop.text import numbers

FOLDER = "try"  # of the workspace; git is told to ignore it


def build(
    seen: Performance,
    stage: Stage,
    spec: Spec,
    policy: Mapping[str, Any],
    rules: Sequence[tuple[str, str, str]],
    filename: str,
) -> str:
    """The page as HTML. rules: from `audition.rule_lines`; filename: where the metric's code is."""
    gallery, choice = study_page.Gallery(seen.sample), subset_profile.chosen(seen.subset, seen.sample)
    higher = policy["direction"] != "lower"
    ends = subset_profile.extremes(seen.scores, higher, study_page.EXAMPLES)
    best, worst = (
        [shown for k in end if (shown := study_page.example(gallery, seen.scores, choice, int(k)))] for end in ends
    )
    taken = subset_profile.subset_profile(seen.subset, seen.sample)
    lines = subset_profile.changes(subset_profile.pool_profile(seen.sample), taken, seen.sample.class_names)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(study_page.TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.globals["f"] = numbers
    return environment.get_template("audition.html.j2").render(
        spec=spec,
        policy=policy,
        rules=rules,
        filename=filename,
        study=stage.params.study,
        images=len(seen.sample),
        pool=len(stage.pool),
        frames=len(stage.frames),
        score=study_page.score_figure(spec.name, seen.scores, subset_profile.kept(seen.scores, choice), higher),
        best=best,
        worst=worst,
        changes=[{"line": line, "bar": svg.change_bar(line.ratio)} for line in lines],
        store=svg.picture_store(gallery.pictures),
    )


def write_page(folder: Path, name: str, text: str) -> Path:
    """Put a page where git does not see it: it can be made again at any time."""
    ignore, target = folder / FOLDER / ".gitignore", folder / FOLDER / f"{name}.html"
    for path, content in ((ignore, "*\n"), (target, text)):
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return target
