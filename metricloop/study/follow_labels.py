"""After an import of labels: bring up to date what needs no training, and see what really depends on them.

A stage that reads labels depends on all labels of its split as far as DVC knows. Which scores and subsets come out
different shows only when they are made again; that is quick, because scores of unchanged images are remembered. What
remains out of date then is what depends on the changed labels, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metricloop import layout
from metricloop.data.manifest import each_draw
from metricloop.data.seeds import parse_seeds
from metricloop.data.tables import SUBSET, TableError, column
from metricloop.study.dvc_commands import run_stages
from metricloop.study.graph import Graph, downstream, kind_of, stages_of
from metricloop.study.plan import load_plan
from metricloop.study.processes import StageError, hushed
from metricloop.study.staleness import Staleness, staleness

SLOW = ("predict", "embed")  # stages before the scores that train, or look at every box
QUICK = ("second_labels", "score", "mend", "select")


@dataclass(frozen=True)
class Effects:
    """What an import of labels changed, of what was up to date before.

    scores, arms: the metrics (BATCH/METRIC) and arms whose files differ now; same_scores, same_arms: those whose files
    do not. trials: arm of `arms` -> (how many of its trials have a draw that differs now, how many it has); a block of
    trials is trained again as a whole.
    later: the stages that are still out of date; waiting: so many of them run only if what they read comes out
    different. failed: why scores or subsets could not be made; "" if they could.
    """

    scores: Sequence[str] = ()
    same_scores: Sequence[str] = ()
    arms: Sequence[str] = ()
    same_arms: Sequence[str] = ()
    trials: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    later: Sequence[str] = ()
    waiting: int = 0
    failed: str = ""


def read_anew(folder: Path, before: Staleness) -> Effects:
    """Run `ingest` alone, without printing its lines, and return which stages are out of date after it.

    before: what was up to date before the labels changed. Errors: StageError when `ingest` fails.
    """
    with hushed():
        run_stages(folder, ["ingest"], "ingest")
    later, waiting = _later(staleness(folder), before.fresh)
    return Effects(later=later, waiting=waiting)


def follow_labels(folder: Path, before: Staleness, new: Sequence[str] = ()) -> Effects:
    """Run `ingest`, the scores and the subsets that need no training, and tell what differs.

    before: what was up to date before the import; other stages are left alone. new: stages that the import added.
    Errors: StageError when `ingest` fails.
    """
    scores, subsets = _digests(folder, layout.SCORES), _digests(folder, layout.SUBSETS)
    draws = {arm: _draws(folder, arm) for arm in subsets}
    run_stages(folder, ["ingest"], "ingest")
    graph = stages_of(folder, load_plan(folder))
    failed = ""
    try:
        if quick := quick_stages(graph, [*before.fresh, *new]):
            run_stages(folder, quick, "scores and subsets", each=True)
    except StageError as error:
        failed = str(error)
    after = staleness(folder)
    later, waiting = _later(after, [*before.fresh, *new])
    made = _settled(after, "score"), _settled(after, "select")
    changed = [
        _differing(old, _digests(folder, place)) for old, place in ((scores, layout.SCORES), (subsets, layout.SUBSETS))
    ]
    metrics = [name for name in scores if name.partition("/")[0] in made[0]]
    arms = [name for name in subsets if name in made[1]]
    return Effects(
        scores=[name for name in metrics if name in changed[0]],
        same_scores=[name for name in metrics if name not in changed[0]],
        arms=[name for name in arms if name in changed[1]],
        same_arms=[name for name in arms if name not in changed[1]],
        trials=_trials(folder, {name: draws[name] for name in arms if name in changed[1]}),
        later=later,
        waiting=waiting,
        failed=failed,
    )


def _later(after: Staleness, known: Sequence[str]) -> tuple[list[str], int]:
    """The stages among `known` that are out of date, and how many of them wait for others."""
    later = [stage for stage in after.old if stage in known]
    return later, sum(stage in after.waiting for stage in later)


def quick_stages(graph: Graph, fresh: Sequence[str]) -> list[str]:
    """The stages to make again at once: up to date before, of a QUICK kind, and behind no stage that takes long."""
    behind = set(downstream(graph, [stage for stage in graph if kind_of(stage) in SLOW]))
    return [s for s in graph if kind_of(s) in QUICK and s in fresh and s not in behind]


def _settled(after: Staleness, kind: str) -> set[str]:
    """The names of a kind's stages that are up to date, such as batches."""
    return {stage.partition("@")[2] for stage in after.fresh if kind_of(stage) == kind}


def _digests(folder: Path, place: str) -> dict[str, str]:
    """Name -> digest, of the tables in a folder and below; a name has no suffix."""
    top = folder / place
    files = sorted(top.rglob("*.parquet"))
    return {f.relative_to(top).with_suffix("").as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    return {name for name, digest in before.items() if now.get(name) != digest}


def _draws(folder: Path, arm: str) -> dict[int, str]:
    """Draw -> digest of its rows, in the manifest of an arm; {} where that cannot be read."""
    found = {}
    try:
        for number, draw in each_draw(folder / layout.subset_file(arm)):
            total = hashlib.sha256()
            for name in SUBSET.names:
                own = column(draw, name)
                total.update("\0".join(own).encode() if own.dtype == object else own.tobytes())
            found[number] = total.hexdigest()
    except (TableError, OSError):
        return {}
    return found


def _trials(folder: Path, before: Mapping[str, Mapping[int, str]]) -> dict[str, tuple[int, int]]:
    """Arm -> (trials whose draw differs now, all trials). An arm without chance has draw 0 only, for every seed."""
    plan = load_plan(folder)
    found: dict[str, tuple[int, int]] = {}
    for arm, old in before.items():
        now = _draws(folder, arm)
        seeds = [seed for b in plan["blocks"].values() if b["arm"] == arm for seed in parse_seeds(b["seeds"])]
        hit = [seed for seed in seeds if old.get(seed, old.get(0)) != now.get(seed, now.get(0))]
        if seeds:
            found[arm] = (len(hit), len(seeds))
    return found
