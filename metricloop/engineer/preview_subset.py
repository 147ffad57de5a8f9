"""The part of a preview about a subset: what a metric and a policy would keep, and what that is likely to gain.

The scores of its code are kept in the store of known scores, so the same preview is not computed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import rankdata

from metricloop import layout
from metricloop.data.dataset import Dataset
from metricloop.data.edits import apply_edits
from metricloop.data.embeddings import read_embeddings
from metricloop.data.tables import SCORES, read_table
from metricloop.engineer.desk import Answer, Desk, QuestionError, image_means
from metricloop.engineer.forecast import forecast, forecast_text, properties
from metricloop.engineer.idea_facts import histogram_text
from metricloop.engineer.questions import Preview
from metricloop.engineer.rules import unfit_objectives
from metricloop.figures import subset_changes
from metricloop.figures.asked_pictures import strips_of_images
from metricloop.figures.choose_examples import shuffled
from metricloop.figures.contact_sheet import LAYOUTS
from metricloop.figures.example_pictures import extremes_picture
from metricloop.llm.message import Picture
from metricloop.metrics.contract import MetricError, Spec
from metricloop.sandbox.limits import Limits
from metricloop.scoring.batch import SandboxedBatch, sandbox
from metricloop.scoring.gate_rules import COPY
from metricloop.scoring.likeness import rank_correlation
from metricloop.scoring.metric_file import MetricFile
from metricloop.scoring.sandboxed import declared
from metricloop.scoring.score_pool import patience, score_pool
from metricloop.scoring.scores import Scores
from metricloop.selection.keep_values import ScoreTables, align
from metricloop.selection.options import strengths_in
from metricloop.selection.policies import check_policy, needs_embeddings
from metricloop.selection.select import select
from metricloop.text.clean import clean
from metricloop.text.numbers import count, fixed, percent

MOST_LIKE = 8  # known metrics, those most alike
NEEDS = {"image", "predictions"}
FILE = "preview.py"


def check_scores(ask: Preview, desk: Desk, options: Any) -> None:
    """Check what is possible before any code runs. options: the checked policy. Errors: QuestionError."""
    assert ask.metric is not None
    if said := unfit_objectives(options, ask.metric, desk.metrics):
        raise QuestionError(said)
    if bool(options.combine) != bool(ask.partner):
        raise QuestionError("a policy with `combine` needs a known metric as partner, and one without it has none")
    drawn = ask.pictures and desk.study.params.llm.pictures != "none"
    if drawn and ask.marks in ("predictions", "both") and desk.predicted is None:
        raise QuestionError("this study has no out-of-fold predictions to draw")
    others = [name for name in (ask.partner, *options.strengths) if name and name != ask.metric]
    for name in [*others, *([ask.metric] if ask.code is None else [])]:
        desk.scores(name)  # refuses an unknown metric


def preview_subset(ask: Preview, desk: Desk, options: Any, edits: pa.Table | None) -> Answer:
    """Score the pool, select, and describe the first draw.

    options: the checked policy. edits: of its repair, if it has one. Errors: QuestionError.
    """
    pool = desk.pool
    assert ask.metric is not None
    table = _table(ask, desk)
    tables = {name: table if name == ask.metric else _known_table(name, desk) for name in options.strengths}
    partner = _known_table(ask.partner, desk) if ask.partner else None
    subset = _select(desk, ask.policy, tables or table, partner, edits)
    scores = _scores(pool, table)
    mend, mended = getattr(options, "mend", None), pool
    if mend and edits is not None:
        mended, _ = apply_edits(pool, edits, mend.least_confidence, mend.chosen_kinds)
    draw = subset_changes.first_draw(subset, pool)
    profiles = subset_changes.pool_profile(pool), subset_changes.subset_profile(subset, pool)
    parts = [
        histogram_text(scores, ask.metric),
        "\n".join(
            ["| what the subset would change | pool | subset |", "| --- | --- | --- |"]
            + [f"| {c.name} | {c.pool} | {c.subset} |" for c in subset_changes.changes(*profiles, pool.class_names)]
        ),
        _without_each(ask, desk, tables, edits, draw.images),
        overlap_text(draw.images, desk.subsets),
        _likeness(scores, ask.metric, desk),
        _forecast(draw, desk),
    ]
    return Answer("\n\n".join(part for part in parts if part), _pictures(ask, desk, scores, draw.images, mended))


def _select(
    desk: Desk, policy: Mapping[str, Any], a: ScoreTables, b: pa.Table | None, edits: pa.Table | None
) -> pa.Table:
    """The first draw of a policy. Errors: QuestionError, such as too few images that are left, or scores of images."""
    study, embeddings = desk.study, None
    try:
        if needs_embeddings(*check_policy(policy)):
            pictures = replace(desk.pool, box_id=desk.pool.box_id[:0])  # of pictures, not of boxes
            embeddings = read_embeddings(study.folder / layout.EMBEDDINGS, pictures).pool
        drawn = select(
            desk.pool, policy, a, b, embeddings, edits, study=(study.params.study.name, study.params.study.seed),
            arm="preview", budget=study.params.study.budget, seeds=[0],
        )  # fmt: skip
        return next(drawn)
    except ValueError as error:
        raise QuestionError(str(error)) from None


def _without_each(
    ask: Preview, desk: Desk, tables: Mapping[str, pa.Table], edits: pa.Table | None, images: np.ndarray
) -> str:
    """With objectives of three metrics or more: how many of the images would stay without each of them."""
    if len(tables) < 3:
        return ""
    strengths, told = strengths_in(str(ask.policy["objectives"])), []
    for left_out in strengths:
        rest = {name: strength for name, strength in strengths.items() if name != left_out}
        policy = {**ask.policy, "objectives": ", ".join(f"{name} {strength:g}" for name, strength in rest.items())}
        subset = _select(desk, policy, {name: tables[name] for name in rest}, None, edits)
        stay = int((subset_changes.first_draw(subset, desk.pool).images & images).sum())
        told.append(f"without {left_out} {count(stay)}")
    return f"Of its {count(int(images.sum()), 'image')} it would keep, with one metric left out: {', '.join(told)}."


def overlap_text(images: np.ndarray, subsets: Mapping[str, np.ndarray]) -> str:
    """The share of a new subset's images that each earlier subset holds too, the largest first; "" without any.

    images: (n,) bool, the new subset; subsets: (n,) bool by arm. A subset that is empty or the whole pool is left out.
    """
    size, n = int(images.sum()), len(images)
    shares = {arm: float(kept[images].mean()) for arm, kept in subsets.items() if 0 < kept.sum() < n}
    if not shares or not size:
        return ""
    told = sorted(shares.items(), key=lambda item: -item[1])[:MOST_LIKE]
    return f"Overlap of its {count(size, 'image')} with earlier subsets (by chance {percent(size / n)}): " + ", ".join(
        f"{arm} {percent(share)}" for arm, share in told
    )


def _table(ask: Preview, desk: Desk) -> pa.Table:
    return _known_table(ask.metric or "", desk) if ask.code is None else _scored(ask, desk)


def _known_table(metric: str, desk: Desk) -> pa.Table:
    return read_table(desk.study.folder / desk.metrics[metric], SCORES)


def _scored(ask: Preview, desk: Desk) -> pa.Table:
    """Scores of the pool by the code of a question, in the sandbox. Errors: QuestionError with the line of the code."""
    params, pool = desk.study.params, desk.pool
    limits, source = Limits.of(params.sandbox), MetricFile(ask.code or "", FILE)
    try:
        specs = declared(sandbox(limits), source)
    except MetricError as error:
        raise QuestionError(clean(str(error), 1000)) from None
    if ask.metric not in specs:
        raise QuestionError(f"the code declares {', '.join(specs) or 'no metric'}, not {ask.metric}")
    spec = specs[ask.metric]
    if strange := set(spec.needs) - NEEDS:
        raise QuestionError(f"{spec.name} needs {', '.join(sorted(strange))}; it may need image and predictions")
    if "predictions" in spec.needs and desk.predictions is None:
        raise QuestionError("this study has no out-of-fold predictions")
    batch = SandboxedBatch(((source, spec),), limits, pace=patience(params, len(pool)))
    failed: dict[str, str] = {}
    columns = score_pool(
        pool, batch, desk.predictions, store=desk.study.folder / layout.KNOWN_SCORES, jobs=params.score.jobs,
        max_failures=params.score.max_failures, give_up=failed.__setitem__,
    )[spec.name]  # fmt: skip
    if failed:
        raise QuestionError(_why(spec, columns, failed[spec.name]))
    return pa.table({name: pa.array(columns[name], type=SCORES.field(name).type) for name in SCORES.names}, SCORES)


def _why(spec: Spec, columns: Mapping[str, Any], said: str) -> str:
    """Why the metric has no scores, without the names of files."""
    if spec.scope == "dataset":
        return clean(f"{spec.name} {said}", 1000)
    errors = [(int(image), error) for image, error in zip(columns["image_id"], columns["error"], strict=True) if error]
    first = "; ".join(f"image {image}: {clean(error, 200)}" for image, error in errors[:2])
    return f"{spec.name} fails on too many images: {first}"


def _scores(pool: Dataset, table: pa.Table) -> Scores:
    objects, value = align(pool, table)
    if objects:
        return Scores(pool.box_row, np.arange(len(pool.boxes)), value, ())
    return Scores(np.arange(len(pool)), np.full(len(pool), -1), value, ())


def _likeness(scores: Scores, name: str, desk: Desk) -> str:
    """A line with the metrics that rank the images most alike, by Spearman's correlation; "" without any."""
    own = image_means(scores, len(desk.pool))
    rhos = {metric: rank_correlation(own, desk.image_values(metric)) for metric in desk.metrics if metric != name}
    found = {metric: rho for metric, rho in rhos.items() if rho is not None}
    if not found:
        return ""
    told = sorted(found.items(), key=lambda item: -abs(item[1]))[:MOST_LIKE]
    copy = f"; from {COPY:g} on the gate takes it for a copy" if abs(told[0][1]) > 0.8 else ""
    return "Rank correlation per image with known metrics: " + ", ".join(f"{m} {fixed(r, 2)}" for m, r in told) + copy


def _forecast(draw: subset_changes.FirstDraw, desk: Desk) -> str:
    ranks = {name: _rank(desk.image_values(name)) for name in desk.metrics}
    gains = {
        arm["name"]: arm["gain"]["mAP"]["abs"]
        for arm in desk.study.comparison["arms"]
        if arm["gain"] and arm["name"] in desk.draws
    }
    size = int(draw.images.sum())
    same = [arm for arm in gains if abs(int(desk.draws[arm].images.sum()) - size) <= 1]  # not the whole pool
    known = [properties(desk.draws[arm], desk.pool, ranks) for arm in same]
    new = properties(draw, desk.pool, ranks)
    found = forecast(np.array(known).reshape(len(same), len(new)), np.array([gains[arm] for arm in same]), new)
    return forecast_text(found, len(same))


def _rank(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1; ties share theirs, unknown values are in the middle."""
    ranks, known = np.full(len(values), 0.5), np.isfinite(values)
    if known.sum() > 1:
        ranks[known] = (rankdata(values[known]) - 1) / (known.sum() - 1)
    return ranks


def _pictures(ask: Preview, desk: Desk, scores: Scores, images: np.ndarray, mended: Dataset) -> tuple[Picture, ...]:
    """Two sheets: the images that score best and worst; images that the policy keeps and leaves out, at random.

    mended: the pool with the labels that the subset would hold.

    None where the model asked for none, or llm.pictures is none.
    """
    detail = desk.study.params.llm.pictures
    if not ask.pictures or detail == "none":
        return ()
    desk.sheets += 2
    policy, higher = ask.policy.get("name", ""), ask.policy.get("direction", "higher") == "higher"
    title = f"{desk.sheets - 1}. What {ask.metric} scores best, and worst"
    extremes = extremes_picture(desk.pool, scores, higher, title, detail)
    title = f"{desk.sheets}. What {policy} by {ask.metric} would keep"
    edited = "" if mended is desk.pool else ", labels mended"
    strips = [
        (f"Kept, at random{edited}", mended, shuffled(np.flatnonzero(images))),
        ("Left out, at random", desk.pool, shuffled(np.flatnonzero(~images))),
    ]
    kept = strips_of_images(title, strips, LAYOUTS[detail], ask.marks, desk.predicted)
    return tuple(sheet for sheet in (extremes, kept) if sheet)
