"""Decide what a study does next: which rounds are open, which arms get more seeds, whether it is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.llm.journal import Event, read_journal
from metricloop.params import Params
from metricloop.study.dvc_commands import outdated
from metricloop.study.graph import stages_of
from metricloop.study.plan import Plan, load_plan

STATE = (
    layout.STAGES, layout.LOCK, layout.PARAMS, layout.ARMS, layout.ROUNDS, layout.CODE, layout.BRIEF, layout.JOURNAL,
    layout.COMPARISON, layout.FINALISTS, layout.CONFIRMATION, layout.OPENINGS,
)  # fmt: skip


def open_rounds(events: Sequence[Event], params: Params) -> list[int]:
    """The numbers of the language model's unfinished rounds. events: of the journal.

    A round that ends with a reflection is finished: its arms are in the plan and up to date.
    """
    finished = {event["round"] for event in events if event["event"] == "reflected"}
    wanted = range(1, params.llm.rounds + 1) if params.llm.provider != "none" else ()
    return [number for number in wanted if number not in finished]


def promising(comparison: dict[str, Any], plan: Plan, params: Params) -> list[tuple[str, str]]:
    """More blocks to train, as (arm, seeds), for undecided treatments that may still turn out better.

    An arm gets one more block when its gain is positive and the number of seeds that a decision probably needs is not
    above seeds.max. The baseline gets the same seeds, because trials are paired.
    """
    size, most = params.seeds.block, params.seeds.max
    arms = {arm["name"]: arm for arm in comparison["arms"]}
    base = next(arm for arm in comparison["arms"] if arm["role"] == "baseline")
    more = []
    for arm in arms.values():
        if arm["role"] != "treatment" or arm["verdict"] != "undecided" or arm["name"] not in plan["arms"]:
            continue
        done, needed = len(arm["seeds"]), arm["seeds_needed"]
        if done < most and needed is not None and needed <= most:
            more.append((arm["name"], f"{done}-{min(done + size, most) - 1}"))
    wanted = {seeds for _, seeds in more}
    return [(base["name"], seeds) for seeds in sorted(wanted) if int(seeds.split("-")[0]) >= len(base["seeds"])] + more


def nothing_left(folder: Path, params: Params) -> bool:
    """Whether the study is finished and shown as it is now. Asks DVC once, and last."""
    shown, report, database = (folder / name for name in (layout.SHOWN, layout.REPORT, layout.MLFLOW))
    if not all(path.is_file() for path in (shown, report, database)) or shown.read_text() != state_of(folder):
        return False
    plan = load_plan(folder)
    if open_rounds(read_journal(folder / layout.JOURNAL), params):
        return False
    if promising(read_json(folder / layout.COMPARISON), plan, params):
        return False
    return not outdated(folder, list(stages_of(folder, plan)))


def state_of(folder: Path) -> str:
    """A digest of everything that report, MLflow and the commit are made from: written when all three are done."""
    total = hashlib.sha256(version("metricloop").encode())
    files = [folder / name for name in STATE]
    for path in (*files, *sorted((folder / layout.METRICS).rglob("*.*"))):
        content = b"there " + path.read_bytes() if path.is_file() else b"missing"
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + content + b"\0")
    return total.hexdigest()
