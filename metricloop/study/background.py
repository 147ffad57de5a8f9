"""Read what advice on the next step needs of a workspace, beyond its comparison. Nothing is asked of DVC or Git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metricloop import layout
from metricloop.comparison.background import Background
from metricloop.comparison.comparison_table import ALPHA
from metricloop.comparison.statistics import Outcome, verdict
from metricloop.data.tables import SCORES, column, read_json, read_table
from metricloop.params import Params, load_params
from metricloop.study.old_labels import arms_of_old_labels, subset_digest
from metricloop.study.pace import read_pace
from metricloop.study.plan import Plan, load_plan
from metricloop.study.split_sizes import split_sizes
from metricloop.text.numbers import listing

CHAMPION = "champion"  # the alias of the version to use
PROBABLE = 0.5  # of a finding: the level from which an audit lists it
NEAR = 0.03  # a search split whose share is so near to data.search_share was drawn so

VAL_PLACES = {  # format -> where it has the pictures of the split val
    "coco": "a label file with val in its name, such as annotations/instances_val.json",
    "cvat": "images whose subset is val",
    "fiftyone": "a folder named val, with a labels.json of its own",
    "huggingface": "a Parquet file, metadata.jsonl or tar with val in its name, or in that of its folder",
    "label-studio": "tasks whose data have split: val",
    "voc": "XML files and pictures in a folder named val",
    "yolo": "the folder or list that data.yaml names as val",
    "ytvos": "the folder valid, with a meta.json of its own",
}


def read_background(folder: Path) -> Background:
    """The background of a workspace with a comparison. What was not made yet counts as not done."""
    params, plan = load_params(folder / layout.PARAMS), load_plan(folder)
    sizes = split_sizes(folder)
    share = params.data.search_share
    return Background(
        folder=folder,
        pace=read_pace(folder, params, plan),
        iterations=params.train.iterations,
        old_labels=arms_of_old_labels(folder, plan),
        scored=_scored(folder, plan),
        drawn_split=drawn_split(sizes, share),
        search_share=share,
        val_place=VAL_PLACES.get(params.data.format, ""),
        audited=(folder / layout.AUDIT / "audit.json").is_file(),
        promoted=(folder / layout.ALIASES).is_file(),
        audit_listed=_audit_lists(folder / layout.AUDIT / "audit.json"),
        audit_old=_changed_since(folder / layout.AUDIT / "audit.json", folder, params),
        promoted_before=_promoted_before(folder, params),
        confirms=None if params.confirm.when == "never" else params.confirm.baseline + 2 * params.confirm.seeds,
        tested=_tested(folder),
        planned=tuple(dict.fromkeys(one["arm"] for one in (*plan["blocks"].values(), *plan["screens"].values()))),
        full_planned=any(arm["policy"]["name"] == "full" for arm in plan["arms"].values()),
        folds=params.predict.folds if _changed_since(folder / layout.PREDICTIONS, folder, params) else 0,
    )


def drawn_split(sizes: Mapping[str, int], share: float) -> bool:
    """Whether metricloop drew the search split, and the source gave none. sizes: images by split; {} before ingest."""
    return not sizes or abs(sizes["search"] / max(sum(sizes.values()), 1) - share) < NEAR


def _audit_lists(file: Path) -> bool:
    """Whether an audit lists labels that are probably wrong. Repeated pictures do not count: marks repair labels."""
    if not file.is_file():
        return False
    suspects = read_json(file).get("suspects", {})
    rows = [row for kind, found in suspects.items() if kind not in ("leak", "repeated") for row in found]
    return any(row.get("other") or (row.get("probability") or 0.0) >= PROBABLE for row in rows)


def _changed_since(file: Path, folder: Path, params: Params) -> bool:
    """Whether the labels have changed since a file was made, or the file does not exist."""
    labels = folder / params.data.labels
    if not file.is_file():
        return True
    return bool(params.data.labels) and labels.is_file() and file.stat().st_mtime < labels.stat().st_mtime


def _promoted_before(folder: Path, params: Params) -> str:
    """How the promoted detector differs from one promoted now: other settings, or another subset; "" if it does not."""
    version = read_json(folder / layout.ALIASES).get(CHAMPION) if (folder / layout.ALIASES).is_file() else None
    file = folder / layout.promoted_folder(version or 0) / "detector.json"
    if not file.is_file():
        return ""
    facts = read_json(file)
    then = facts.get("recipe", {}).get("fields", {})
    settings = {"iterations": "iterations", "image_size": "pixels", "batch_size": "images a batch"}
    told = [
        f"{then[name]} {unit} (now {getattr(params.train, name)})"
        for name, unit in settings.items()
        if name in then and then[name] != getattr(params.train, name)
    ]
    subset, now = facts.get("subset", {}).get("md5"), subset_digest(folder, facts.get("arm", ""))
    if subset and now and subset != now:
        told.append("a subset of other images or labels than now")
    return listing(told)


def _scored(folder: Path, plan: Plan) -> dict[str, tuple[int, int]]:
    """Arm -> how many images have a score of its metric, and how many images have been scored or tried."""
    found: dict[str, tuple[int, int]] = {}
    known: dict[str, tuple[int, int]] = {}
    for name, arm in plan["arms"].items():
        file = str(arm["a"])
        if arm["role"] != "treatment" or not (folder / file).is_file() or not file.startswith(f"{layout.SCORES}/"):
            continue
        if file not in known:
            table = read_table(folder / file, SCORES)
            image_id, there = column(table, "image_id"), np.isfinite(column(table, "score").astype(float))
            known[file] = len(np.unique(image_id[there])), len(np.unique(image_id))
        found[name] = known[file]
    return found


def _tested(folder: Path) -> Outcome | None:
    """The verdict on the winner on the test split; None while that is closed."""
    file = folder / layout.CONFIRMATION
    content: Mapping[str, Any] = read_json(file) if file.is_file() else {}
    if not content.get("arms"):
        return None
    change = content.get("gain", {}).get("winner", {}).get("mAP")
    return verdict(change["p"], change["ci95"], ALPHA) if change else "undecided"
