"""Decide what a study does next: which rounds are open, which arms get full trials and more seeds, when it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from metricloop import layout
from metricloop.comparison.arm_rows import boxes_apart, of_role
from metricloop.comparison.screening import Screening, read_screening
from metricloop.data.seeds import STUDY_SEEDS, blocks_from, blocks_of
from metricloop.data.tables import read_json
from metricloop.llm.journal import Event, read_journal
from metricloop.params import Params
from metricloop.study.plan import Plan, load_plan, seeds_of

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


def full_trials(screening: Screening, params: Params) -> Plan:
    """The blocks of the first look for the arms whose short trials let them go on; {} when there is none."""
    seeds = list(enumerate(blocks_of(0, params.looks.arms[0])))
    blocks = {f"{arm}.{n}": {"arm": arm, "seeds": text} for arm in screening.passed for n, text in seeds}
    return {"blocks": blocks} if blocks else {}


def more_seeds(comparison: dict[str, Any], plan: Plan) -> list[tuple[str, str]]:
    """The blocks that have to be trained before the next look, as (arm, seeds).

    Every arm that has a block gets the seeds of the first look, arms that go on and the baseline those of the next
    look. An arm gets its lowest free seeds.
    """
    looks, arms = comparison["looks"], {arm["name"]: arm for arm in comparison["arms"]}
    base = next(name for name, arm in plan["arms"].items() if arm["role"] == "baseline")
    wanted = {base: looks[0]["baseline"]}
    for name in plan["arms"]:
        own = seeds_of(plan, name)
        if name == base or not own:
            continue
        wanted[name] = looks[0]["arms"]
        row = arms.get(name)
        coming = next((look for look in looks if row and look["arms"] > len(row["seeds"])), None)
        if row and row["goes_on"] and coming:
            wanted[name] = coming["arms"]
            wanted[base] = max(wanted[base], coming["baseline"])
    more = []
    for name, number in wanted.items():
        own = seeds_of(plan, name)
        free = [seed for seed in STUDY_SEEDS if seed not in own][: max(number - len(own), 0)]
        more += [(name, seeds) for seeds in blocks_from(free)]
    return more


def boxes_control(comparison: dict[str, Any], plan: Plan) -> Plan | None:
    """A control to add for the winner when its subset has far more or fewer boxes than a random one: as many images
    at random with the same box counts. None when there is no need for one, or when the plan has one.
    """
    winner = next((arm for arm in of_role(comparison, "treatment") if arm["verdict"] == "better"), None)
    if winner is None or not boxes_apart(winner):
        return None
    subset = layout.subset_file(winner["name"])
    if any(arm["policy"]["name"] == "match" and arm["b"] == subset for arm in plan["arms"].values()):
        return None
    name = next(name for name in _names(f"{winner['name']}_boxes") if name not in plan["arms"])
    arm = {"role": "control", "automatic": True, "a": layout.IMAGES, "b": subset, "policy": {"name": "match"}}
    blocks = blocks_of(0, comparison["looks"][0]["arms"])
    return {"arms": {name: arm}, "blocks": {f"{name}.{n}": {"arm": name, "seeds": s} for n, s in enumerate(blocks)}}


def _names(first: str) -> Iterator[str]:
    """A name, then name_2, name_3, ..."""
    yield first
    yield from (f"{first}_{number}" for number in count(2))


def nothing_left(folder: Path, params: Params) -> bool:
    """Whether a study is finished and its report up to date. The caller has checked that its stages are up to date."""
    shown, report, database = (folder / name for name in (layout.SHOWN, layout.REPORT, layout.MLFLOW))
    if not all(path.is_file() for path in (shown, report, database)) or shown.read_text() != state_of(folder):
        return False
    plan = load_plan(folder)
    if open_rounds(read_journal(folder / layout.JOURNAL), params):
        return False
    if full_trials(read_screening(plan, folder), params):
        return False
    comparison = read_json(folder / layout.COMPARISON)
    return not more_seeds(comparison, plan) and boxes_control(comparison, plan) is None


def state_of(folder: Path) -> str:
    """A digest of everything that report, MLflow and the commit are made from: written when all three are done."""
    total = hashlib.sha256(version("metricloop").encode())
    files = [folder / name for name in STATE]
    for path in (*files, *sorted((folder / layout.METRICS).rglob("*.*"))):
        content = b"there " + path.read_bytes() if path.is_file() else b"missing"
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + content + b"\0")
    return total.hexdigest()
