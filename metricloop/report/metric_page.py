"""The page of a metric that was tried: histogram of its scores, pictures with the best and worst, rules of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metricloop.data.tables import replacing
from metricloop.figures import subset_changes, svg
from metricloop.metrics.contract import Spec
from metricloop.report.html import SCRIPTS, render
from metricloop.report.image_gallery import Gallery
from metricloop.report.score_figures import examples, score_figure
from metricloop.selection.policy_words import policy_words
from metricloop.study.try_metric import SampleResult, TryInputs

FOLDER = "try"  # of the workspace; git ignores it, because the pages can be made again


def build(
    result: SampleResult,
    inputs: TryInputs,
    spec: Spec,
    policy: Mapping[str, Any],
    rules: Sequence[tuple[str, str, str]],
    filename: str,
) -> str:
    """The page as HTML. rules: (state, rule, message) per rule of the gate; filename: where the metric's code is."""
    gallery, draw = Gallery(result.sample), subset_changes.first_draw(result.subset, result.sample)
    higher = policy["direction"] != "lower"
    best, worst = examples(gallery, result.scores, draw, higher)
    taken = subset_changes.subset_profile(result.subset, result.sample)
    lines = subset_changes.changes(subset_changes.pool_profile(result.sample), taken, result.sample.class_names)
    return render(
        "metric.html.j2",
        SCRIPTS,
        spec=spec,
        words=policy_words(policy, inputs.params.study.budget, metric=spec.name, per_object=spec.level == "object"),
        rules=rules,
        filename=filename,
        study=inputs.params.study,
        images=len(result.sample),
        pool=len(inputs.pool),
        frames=len(inputs.frames),
        score=score_figure(spec.name, result.scores, subset_changes.kept(result.scores, draw), higher),
        best=best,
        worst=worst,
        changes=[{"line": line, "bar": svg.change_bar(line.ratio)} for line in lines],
        store=gallery.store(),
    )


def write_page(folder: Path, name: str, text: str) -> Path:
    """Write the page to FOLDER/NAME.html of the workspace `folder`; returns its path."""
    ignore, target = folder / FOLDER / ".gitignore", folder / FOLDER / f"{name}.html"
    for path, content in ((ignore, "*\n"), (target, text)):
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return target
