"""Which arms were trained on other labels than they would be now, as after an import of repaired labels.

Read from dvc.lock alone: a subset holds the labels of its images, and the lock has the digest of every subset that was
trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from metricloop import layout
from metricloop.study.plan import Plan

POOL = layout.boxes_file("pool")


def arms_of_old_labels(folder: Path, plan: Plan) -> tuple[str, ...]:
    """The arms with results of another subset than their own of today, or with a subset of other labels than the
    pool's of today, in the order of the plan.
    """
    stages = _stages(folder)
    pool = _digest(stages.get("ingest", {}), "outs", POOL)
    old = set()
    for name, block in plan["blocks"].items():
        arm = block["arm"]
        trained = _digest(stages.get(f"train@{name}", {}), "deps", layout.subset_file(arm))
        if trained is None or not (folder / layout.numbers_file(name)).is_file():
            continue
        selected = stages.get(f"select@{arm}", {})
        now, read = _digest(selected, "outs", layout.subset_file(arm)), _digest(selected, "deps", POOL)
        if (now and now != trained) or (pool and read and read != pool):
            old.add(arm)
    return tuple(arm for arm in plan["arms"] if arm in old)


def subset_digest(folder: Path, arm: str) -> str | None:
    """The digest of an arm's subset of today; None where none is recorded."""
    return _digest(_stages(folder).get(f"select@{arm}", {}), "outs", layout.subset_file(arm))


def _digest(stage: dict[str, Any], part: str, path: str) -> str | None:
    return next((entry.get("md5") for entry in stage.get(part, ()) if entry["path"] == path), None)


def _stages(folder: Path) -> dict[str, Any]:
    """The stages in dvc.lock. The file is long, so libyaml reads it, if PyYAML has it: ten times as fast."""
    lock = folder / layout.LOCK
    text = lock.read_text() if lock.is_file() else ""
    return (yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}).get("stages", {})
