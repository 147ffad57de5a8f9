"""Audit a workspace: score its pool with the metrics about labels, rank the labels, and measure against the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.auditing.budget import budgets
from metricloop.auditing.copies import repeated_pictures
from metricloop.auditing.disagreement import disagreement
from metricloop.auditing.everything import held_out_detections, joined, joined_scores, read_held_out
from metricloop.auditing.expected import Expected
from metricloop.auditing.findings import findings
from metricloop.auditing.label_errors import PICTURE_KINDS, Kind, judged_kinds
from metricloop.auditing.measure import measure
from metricloop.auditing.reference import PLANTED, SECOND, Reference, second_truth
from metricloop.auditing.suspects import LEAST, Suspect
from metricloop.auditing.suspicion import MetricScores, label_metrics, suspicion
from metricloop.auditing.truth import Truth, truth_of
from metricloop.auditing.worth import in_order
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.pool import read_pool
from metricloop.data.tables import TRUTH, read_table
from metricloop.evaluation.coco import coco_evaluate
from metricloop.metrics.contract import spec_of
from metricloop.params import Params
from metricloop.scoring.metric_inputs import read_predictions
from metricloop.scoring.open_metrics import CATALOGUE, catalogue, open_batch
from metricloop.scoring.score_pool import score_pool
from metricloop.selection.keep_values import relabel, without_crowds
from metricloop.study.judged import judged_right
from metricloop.text.numbers import count, fixed, listing
from metricloop.text.shell import command_line

NOTHING_KNOWN = (
    "no mistake of these labels is known, so there is nothing to hold the orders against: no mistakes were made on "
    "purpose (data.corrupt), and no second labelling is named (data.second_labels). Have some images labelled again, "
    "for example the first of `metricloop export suspicious` and as many at random, or repair them and name the file "
    "that `metricloop import-labels` made, with data.labels set back to what it was before"
)
ONE_OF_EACH = ("metricloop", "add", "near_duplicate")
LOW_MAP = 0.1  # of the out-of-fold models against the labels, below which their boxes are poor evidence


class AuditError(ValueError):
    """The pool has nothing to audit; the message says why."""


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    kinds: those that could be judged. truth: of the first of `references`. suspects: by kind. model: mAP and training
    of the out-of-fold models, None without them. seconds: by step, None for a step that was up to date. notes: what
    was not judged, and why. references: what the labels were compared with, mistakes made on purpose first. expected:
    by kind. everything: the images and labels of all splits, the pool's first, in its order; None for the pool alone.
    first: where nothing is listed, the most suspicious labels whatever the evidence, as in `Findings`.
    """

    pool: Dataset
    kinds: list[Kind]
    truth: Truth | None
    suspects: dict[str, list[Suspect]]
    model: dict[str, Any] | None
    seconds: dict[str, float | None]
    notes: list[str]
    references: Sequence[Reference] = ()
    expected: Mapping[str, Expected] = field(default_factory=dict)
    everything: Dataset | None = None
    first: Sequence[Suspect] = ()

    @property
    def data(self) -> Dataset:
        """The images and labels that suspects point into, the pool's first."""
        return self.pool if self.everything is None else self.everything

    @property
    def doubtful(self) -> list[Suspect]:
        """The suspects that are not shown to be wrong: listed because a lower probability was asked for."""
        return [one for found in self.suspects.values() for one in found if not one.probable]

    @property
    def fix_first(self) -> list[Suspect]:
        """The suspects of all kinds in one order, those first whose repair is worth most per minute."""
        return sorted((one for found in self.suspects.values() for one in found), key=lambda one: one.order)


def check(folder: Path, params: Params, *, budget: bool = False) -> Dataset:
    """Read the pool, and check before anything is trained that an audit is possible.

    budget: also check that some mistakes are known. Errors: AuditError where there are no images or no labels, or no
    known mistakes.
    """
    pool = read_pool(folder / layout.DATA, folder / params.data.folder)
    if not len(pool):
        raise AuditError(f"the pool of {folder} holds no images; see {folder / layout.PROBLEMS}")
    if not len(pool.boxes):
        raise AuditError(f"none of the {len(pool)} images of the pool has a label, so there is nothing to audit")
    if budget:
        planted = truth_of(pool, without_crowds(read_table(folder / layout.TRUTH, TRUTH), pool))
        if planted is None and not params.data.second_labels:
            raise AuditError(NOTHING_KNOWN)
    return pool


def audit(
    folder: Path,
    params: Params,
    *,
    predicted: bool,
    most: int,
    least: float = LEAST,
    seconds: Mapping[str, float | None] | None = None,
) -> Audit:
    """Score the labels, say which are probably wrong, and measure the ranking of the pool where the truth is known.

    predicted: whether the predictions on disk belong to today's labels. most: entries of the list per kind. least:
    probability from which on a label is listed; 0: the most suspicious ones, whatever the evidence. seconds: durations
    of the steps that ran before. Errors: AuditError, as in `check`.
    """
    pool = check(folder, params)
    began = time.monotonic()
    predictions = read_predictions(folder / layout.PREDICTIONS) if predicted else None
    jobs, most_failures = params.score.jobs, params.score.max_failures
    store = folder / layout.KNOWN_SCORES
    scores, notes = label_scores(pool, predictions, store=store, jobs=jobs, max_failures=most_failures)
    scored = time.monotonic()
    kinds, not_judged = judged_kinds(pool, scores)
    by_kind = {kind.name: suspicion(kind, pool, scores) for kind in kinds}
    table = without_crowds(read_table(folder / layout.TRUTH, TRUTH), pool)
    truth = truth_of(pool, table)
    second = second_truth(folder, params, pool)
    references = [
        Reference(
            name,
            known,
            measure(pool, known, kinds, scores, by_kind),
            budgets(pool, known, scores, by_kind),
            disagreement(pool, known) if name == SECOND else [],
        )
        for name, known in ((PLANTED, truth), (SECOND, second))
        if known is not None
    ]
    model = None if predictions is None else model_quality(params, pool, relabel(pool, table), predictions, truth)
    ranked = time.monotonic()
    data, every_score, every_prediction = pool, scores, predictions
    held = read_held_out(folder / layout.DATA, folder / params.data.folder)
    held_predictions = held_out_detections(folder) if predicted else None
    if len(held) and (held_predictions is not None or not predicted):
        held_scores, _ = label_scores(held, held_predictions, store=store, jobs=jobs, max_failures=1.0)
        data, every_score = joined(pool, held), joined_scores(scores, held_scores)
        every_prediction = None if predictions is None else {**predictions, **(held_predictions or {})}
    elif len(held):
        notes.append("The held-out labels are not judged: there are no predictions for their pictures.")
    right = judged_right(folder, data)
    if judged := int(right.boxes.sum()):
        notes.append(f"{count(judged, 'label')} not listed: a person judged them right ({layout.JUDGED}).")
    found = findings(kinds, data, every_score, every_prediction, most=most, least=least, right=right, jobs=jobs)
    repeated, whole = repeated_pictures(data, folder / layout.PROBLEMS, most)
    copies = {
        kind: [one for one in listed if (one.row, kind, one.other) not in right.pictures]
        for kind, listed in repeated.items()
    }
    notes += cut_short(found.suspects | copies, most)
    if whole:
        one_each = command_line(*ONE_OF_EACH, "-C", folder.absolute())
        notes.append(f"{whole} Whether one of each is enough: {one_each}")
    taken = {"score": scored - began, "rank": ranked - scored, "calibrate": time.monotonic() - ranked}
    return Audit(
        pool,
        [*kinds, *(kind for kind in PICTURE_KINDS if copies[kind.name])],
        references[0].truth if references else None,
        in_order(found.suspects | {kind: listed for kind, listed in copies.items() if listed}),
        model,
        {**(seconds or {}), **taken},
        notes + not_judged + weak(model),
        references,
        found.expected,
        data,
        found.first,
    )


def cut_short(found: Mapping[str, Sequence[Suspect]], most: int) -> list[str]:
    """A line that names the kinds whose list may be longer than `most` entries; else []."""
    full = [kind for kind, listed in found.items() if len(listed) >= most]
    return [f"At most {most} of a kind are listed (--most); there may be more of {listing(full)}."] if full else []


def weak(model: Mapping[str, Any] | None) -> list[str]:
    """A warning if the models have hardly learnt; else []."""
    if model is None or model["mAP"] >= LOW_MAP:
        return []
    return [
        f"The model is weak (mAP {fixed(model['mAP'])} against these labels), so its boxes are poor and the shares "
        "uncertain: look before you change a label. A model that trains longer tells more."
    ]


def label_scores(
    pool: Dataset,
    predictions: Mapping[int, Detections] | None,
    *,
    store: Path | None = None,
    jobs: int = 1,
    max_failures: float = 0.2,
) -> tuple[dict[str, MetricScores], list[str]]:
    """The scores of every metric of the catalogue about labels, and one line for each metric that failed.

    store, jobs, max_failures: as in `score_pool`.
    """
    known = catalogue()
    names = label_metrics(known, {"image"} | ({"predictions"} if predictions is not None else set()))
    failed: dict[str, str] = {}
    tables = score_pool(
        pool,
        open_batch(CATALOGUE[0], names),
        predictions,
        store=store,
        jobs=jobs,
        max_failures=max_failures,
        give_up=failed.__setitem__,
    )
    scores = {
        name: MetricScores(
            spec_of(known[name]),
            known[name].__module__.rpartition(".")[2],
            np.asarray(tables[name]["score"], float),
        )
        for name in names
        if name not in failed
    }
    return scores, [f"{name} was left out: it {why.splitlines()[0]}" for name, why in failed.items()]


def model_quality(
    params: Params, pool: Dataset, true: Dataset, predictions: Mapping[int, Detections], truth: Truth | None
) -> dict[str, Any]:
    """The mAP of the out-of-fold models against the pool's labels, and against the true labels where they are known."""
    found = [predictions.get(int(image), Detections.empty()) for image in pool.image_id]
    most = params.evaluate.max_detections
    return {
        "folds": params.predict.folds,
        "iterations": params.predict.iterations,
        "mAP": coco_evaluate(pool, found, most).numbers["mAP"],
        "mAP_of_truth": None if truth is None else coco_evaluate(true, found, most).numbers["mAP"],
    }
