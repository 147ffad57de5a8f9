"""Audit a workspace: score its pool with what speaks of labels, rank the labels, and write audit.json and audit.csv."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metricloop.audit.label_errors import (
    ANY,
    AuditError,
    Kind,
    Said,
    Suspect,
    Truth,
    audited,
    measure,
    possible,
    suspects,
    suspicion,
)
from metricloop.audit.label_errors import truth_of as read_truth
from metricloop.data.dataset import Dataset
from metricloop.data.frame import Detections
from metricloop.data.pool import read_pool
from metricloop.data.tables import TRUTH, read_table, replacing, write_json
from metricloop.evaluation.coco import coco_evaluate
from metricloop.metrics.contract import spec_of
from metricloop.params import Params
from metricloop.scoring.evidence import PREDICTED, nothing, read_predictions
from metricloop.scoring.open_metrics import CATALOGUE, catalogue, open_batch
from metricloop.scoring.score import score
from metricloop.scoring.score_store import STORE
from metricloop.selection.keep_values import relabel, without_crowds

FOLDER = "audit"  # of the workspace; git is told to ignore it: all in it can be made again


@dataclass(frozen=True)
class Audit:
    """What was found. rows: of `audit.measure`, [] without truth; suspects: by kind; model: mAP and how the models
    were trained, None where none was asked; seconds: by step, None for what had been done before; notes: what could
    not be judged, and why."""

    pool: Dataset
    kinds: list[Kind]
    truth: Truth | None
    rows: list[dict[str, Any]]
    suspects: dict[str, list[Suspect]]
    model: dict[str, Any] | None
    seconds: dict[str, float | None]
    notes: list[str]


def check(folder: Path, params: Params) -> None:
    """Refuse a pool with nothing to audit, before anything is trained. Errors: AuditError."""
    pool = read_pool(folder / "data", folder / params.data.folder)
    if not len(pool):
        raise AuditError(f"the pool of {folder} holds no images; see {folder / 'data/problems.csv'}")
    if not len(pool.boxes):
        raise AuditError(f"none of the {len(pool)} images of the pool has a label, so there is none to audit")


def audit(
    folder: Path, params: Params, *, predicted: bool, most: int, seconds: Mapping[str, float | None] | None = None
) -> Audit:
    """Score, rank and measure. predicted: whether there are predictions that belong to the labels.

    most: lines of the list per kind. seconds: what the steps before took. Errors: AuditError, as in `check`.
    """
    check(folder, params)
    began = time.monotonic()
    pool = read_pool(folder / "data", folder / params.data.folder)
    predictions = read_predictions(folder / PREDICTED) if predicted else None
    said, notes = listen(folder, params, pool, predictions)
    scored = time.monotonic()
    kinds, silent = possible(pool, said)
    by_kind = {kind.name: suspicion(kind, pool, said) for kind in kinds}
    table = without_crowds(read_table(folder / "data/truth.parquet", TRUTH), pool)
    truth = read_truth(pool, table)
    rows = [] if truth is None else measure(pool, truth, kinds, said, by_kind)
    model = None if predictions is None else judge_model(params, pool, relabel(pool, table), predictions, truth)
    found = suspects(kinds, by_kind, pool, predictions, most)
    taken = {"score": scored - began, "rank": time.monotonic() - scored}
    return Audit(pool, kinds, truth, rows, found, model, {**(seconds or {}), **taken}, notes + silent)


def listen(
    folder: Path, params: Params, pool: Dataset, predictions: Mapping[int, Detections] | None
) -> tuple[dict[str, Said], list[str]]:
    """What every metric of the catalogue that speaks of labels says of the pool, and a line on each that failed."""
    known = catalogue()
    names = audited(known, {"image"} | ({"predictions"} if predictions is not None else set()))
    failed: dict[str, str] = {}
    tables = score(
        pool,
        open_batch(CATALOGUE[0], names, folder),
        predictions,
        store=folder / STORE,
        jobs=params.score.jobs,
        max_failures=params.score.max_failures,
        give_up=failed.__setitem__,
    )
    said = {
        name: Said(
            spec_of(known[name]),
            known[name].__module__.rpartition(".")[2],
            np.asarray(tables[name]["score"], float),
        )
        for name in names
        if name not in failed
    }
    return said, [f"{name} was left out: it {why.splitlines()[0]}" for name, why in failed.items()]


def judge_model(
    params: Params, pool: Dataset, true: Dataset, predictions: Mapping[int, Detections], truth: Truth | None
) -> dict[str, Any]:
    """How good the out-of-fold model is: mAP against the labels as they are, and as they should be where that is
    known."""
    found = [predictions.get(int(image), nothing()) for image in pool.image_id]
    most = params.evaluate.max_detections
    return {
        "folds": params.predict.folds,
        "iterations": params.predict.iterations,
        "mAP": coco_evaluate(pool, found, most).numbers["mAP"],
        "mAP_of_truth": None if truth is None else coco_evaluate(true, found, most).numbers["mAP"],
    }


def record(audit: Audit) -> dict[str, Any]:
    """The audit as JSON-able values."""
    return {
        "images": len(audit.pool),
        "boxes": len(audit.pool.boxes),
        "model": audit.model,
        "seconds": {name: None if taken is None else round(taken, 2) for name, taken in audit.seconds.items()},
        "notes": audit.notes,
        "measured": audit.rows or None,
        "suspects": {kind: lines(audit, found) for kind, found in audit.suspects.items()},
    }


def lines(audit: Audit, found: Sequence[Suspect]) -> list[dict[str, Any]]:
    """The list of one kind as records: what is where, how suspicious, what the model sees, and the truth if known."""
    pool, made = audit.pool, []
    for place, it in enumerate(found, start=1):
        labelled = it.box >= 0
        made.append(
            {
                "kind": it.kind,
                "place": place,
                "suspicion": round(it.suspicion, 4),
                "file": str(pool.file[it.row]),
                "image_id": int(pool.image_id[it.row]),
                "box_id": int(pool.box_id[it.box]) if labelled else None,
                "label": pool.class_names[pool.labels[it.box]] if labelled else None,
                "box": [round(float(value), 1) for value in pool.boxes[it.box]] if labelled else None,
                "model_label": pool.class_names[it.model[1]] if it.model else None,
                "model_score": round(it.model[2], 4) if it.model else None,
                "model_box": [round(value, 1) for value in it.model[0]] if it.model else None,
                "truth": known(audit.truth, it),
            }
        )
    return made


def known(truth: Truth | None, it: Suspect) -> str | None:
    """What really was done to it; None where nobody knows."""
    if truth is None:
        return None
    return str(truth.boxes[it.box]) if it.box >= 0 else "missing" if truth.lacking[it.row] else "none"


def write(folder: Path, audit: Audit, page: str) -> Path:
    """Write audit.json, audit.csv and audit.html where git does not see them, and return the folder."""
    target, values = folder / FOLDER, record(audit)
    for name, text in ((".gitignore", "*\n"), ("audit.html", page)):
        with replacing(target / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_json(target / "audit.json", values)
    with replacing(target / "audit.csv") as temporary, temporary.open("w", newline="") as stream:
        rows = [_flat(row) for found in values["suspects"].values() for row in found]
        writer = csv.DictWriter(stream, list(_flat(dict.fromkeys(COLUMNS))))
        writer.writeheader()
        writer.writerows(rows)
    return target


COLUMNS = (
    "kind", "place", "suspicion", "file", "image_id", "box_id", "label", "box", "model_label", "model_score",
    "model_box", "truth",
)  # fmt: skip


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record with a column per coordinate."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("box"):
            prefix = name.removesuffix("box")
            flat |= dict(
                zip((f"{prefix}{side}" for side in ("x1", "y1", "x2", "y2")), value or [None] * 4, strict=True)
            )
        else:
            flat[name] = value
    return flat


def print_audit(audit: Audit, console: Any = None) -> None:
    """For the terminal: AUROC per metric and kind of mistake where the truth is known, and how many are listed."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from metricloop.text.numbers import count, fixed, percent

    console = console or Console()
    console = console if console.is_terminal else Console(width=118)
    if audit.model:
        true = audit.model["mAP_of_truth"]
        told = "" if true is None else f", {fixed(true)} against the true ones"
        console.print(f"out-of-fold model: mAP {fixed(audit.model['mAP'])} against the labels{told}", highlight=False)
    kinds = list(dict.fromkeys(row["kind"] for row in audit.rows))
    if kinds:
        by = {(row["metric"], row["kind"]): row for row in audit.rows}
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False, title_justify="left")
        table.title = "AUROC by kind of mistake; in brackets the share found at 10 % false positives"
        table.add_column("metric", overflow="fold")
        for kind in kinds:
            table.add_column(f"{kind} ({by[next(m for m, k in by if k == kind), kind]['wrong']})", justify="right")
        for name in _best_first(audit.rows):
            cells = (by.get((name, kind)) for kind in kinds)
            table.add_row(
                name, *(f"{fixed(row['auroc'], 2)} ({percent(row['recall'])})" if row else "" for row in cells)
            )
        console.print(table)
    for note in audit.notes:
        console.print(note, highlight=False)
    listed = ", ".join(f"{count(len(found))} {kind}" for kind, found in audit.suspects.items())
    console.print(f"listed: {listed or 'nothing'}", highlight=False)


def _best_first(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ranking of the list, then the metrics by their best AUROC; those that tell nothing apart are left out."""
    best: dict[str, float] = {}
    for row in rows:
        if row["kind"] != ANY.name:
            best[row["metric"]] = max(best.get(row["metric"], 0.0), row["auroc"])
    names = sorted(best, key=lambda name: -best[name])
    return ["all together", *(n for n in names if n != "all together" and best[n] >= 0.6)]
