"""Run stages of a study, each after those it depends on; one DVC process runs several stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, tags
from prefect.task_runners import ThreadPoolTaskRunner

from metricloop.engineer.drop_arms import failed_arms
from metricloop.flows.artifacts import Progress, flow_name, study_of
from metricloop.flows.elsewhere import push_meanwhile
from metricloop.flows.stage import stages, step
from metricloop.params import Params
from metricloop.study.graph import by_kind, downstream, kind_of, kinds_before, needed_for, stages_of
from metricloop.study.plan import Plan, load_plan
from metricloop.study.processes import end_all
from metricloop.study.run_record import claimed, current
from metricloop.study.staleness import to_do_among
from metricloop.study.time_left import time_left
from metricloop.training.parallel import parallel_jobs


@contextmanager
def running(folder: Path, params: Params) -> Iterator[None]:
    """Lock the workspace during a run, estimate the time left, and tag its tasks in Prefect with the study's name."""
    with tags(params.study.name), claimed(folder, "run") as run:
        run.left = partial(time_left, folder, params, parallel_jobs(params, with_torch=False))
        yield


def out_of_date(folder: Path, targets: Iterable[str] | None = None) -> list[str]:
    """The stages to run, in order: those that changed and all that depend on them.

    targets: only stages that these need, themselves included.
    """
    graph = stages_of(folder, load_plan(folder))
    names = list(graph) if targets is None else needed_for(graph, targets)
    wanted = set(names)
    old = [stage for stage in downstream(graph, to_do_among(folder, names)) if stage in wanted]
    if run := current(folder):
        run.plan(old)
    return old


def run_all(folder: Path, old: Sequence[str], params: Params) -> None:
    """Run the stages `old`, except confirm. Arms whose generated metric failed are dropped."""
    run_scoring(folder, old)
    run_arms(folder, old, params)


def run_scoring(folder: Path, old: Sequence[str]) -> Plan:
    """Run those of the stages `old` that come before select. Returns the plan without arms whose metric failed."""
    plan = load_plan(folder)
    early = kinds_before(stages_of(folder, plan), "select")
    run_stages(folder, [stage for stage in old if kind_of(stage) in early])
    return without_failed(folder)


def without_failed(folder: Path) -> Plan:
    """The plan, after those of the model's arms that failed were dropped."""
    if failed_arms(folder):
        step(folder, "metricloop.tasks.steps.drop_arms")
    return load_plan(folder)


def run_arms(folder: Path, old: Sequence[str], params: Params) -> None:
    """Run those of the stages `old` that come after the scores, except confirm, for arms still in the plan."""
    graph = stages_of(folder, load_plan(folder))
    early, before_training = kinds_before(graph, "select"), kinds_before(graph, "train")
    left = [stage for stage in old if stage in graph and kind_of(stage) not in (*early, "confirm")]
    run_stages(folder, [stage for stage in left if kind_of(stage) in before_training])
    graph = stages_of(folder, without_failed(folder))
    left = [stage for stage in left if stage in graph]
    blocks = [stage.partition("@")[2] for stage in (*of_kind(left, "train"), *of_kind(left, "evaluate"))]
    train_and_evaluate(folder, list(dict.fromkeys(blocks)), params)
    run_stages(folder, [s for s in left if kind_of(s) not in (*before_training, "train", "evaluate")])


def run_screens(folder: Path, old: Sequence[str], params: Params) -> None:
    """Run those of the stages `old` that come after the scores, up to the short trials of arms still in the plan."""
    graph = stages_of(folder, load_plan(folder))
    early = kinds_before(graph, "select")
    left = [stage for stage in old if stage in graph and kind_of(stage) not in early]
    run_stages(folder, [stage for stage in left if kind_of(stage) != "screen"])
    graph = stages_of(folder, without_failed(folder))
    left = [stage for stage in left if stage in graph]
    screens = to_do_among(folder, of_kind(left, "screen"))  # asked again: some subsets may be the same as before
    side_by_side(folder, {f"short trials of {stage.partition('@')[2]}": [stage] for stage in screens}, params)


def of_kind(stages: Iterable[str], kind: str) -> list[str]:
    """The stages of one kind, `train` for train@BLOCK, in the order given."""
    return [stage for stage in stages if kind_of(stage) == kind]


def run_stages(folder: Path, names: Sequence[str], label: str = "") -> None:
    """Run stages in the order given, in one DVC process. label: for people; by default the names, in short."""
    if names:
        stages(folder, names, label or by_kind(names))
        push_meanwhile(folder)


def train_and_evaluate(folder: Path, blocks: Sequence[str], params: Params) -> None:
    """Train and evaluate blocks, several at the same time if the machine allows it.

    What is out of date is looked up again here, because some subsets may be the same as before.
    """
    old = to_do_among(folder, [f"{stage}@{block}" for block in blocks for stage in ("train", "evaluate")])
    todo = [block for block in blocks if f"train@{block}" in old or f"evaluate@{block}" in old]
    if run := current(folder):
        for block in blocks:
            for stage in ("train", "evaluate") if block not in todo else ():
                run.end(f"{stage}@{block}", ran=False)
    chains = {f"train and evaluate {block}": [f"train@{block}", f"evaluate@{block}"] for block in todo}
    side_by_side(folder, chains, params)


def side_by_side(folder: Path, chains: Mapping[str, list[str]], params: Params) -> None:
    """Run chains of stages, label -> stages, several at the same time if the machine allows it."""
    if chains:
        runner: Any = ThreadPoolTaskRunner(max_workers=parallel_jobs(params, with_torch=False))
        chains_flow.with_options(task_runner=runner)(folder, chains)


@flow(name="blocks", flow_run_name=flow_name, validate_parameters=False)
def chains_flow(folder: Path, chains: Mapping[str, list[str]]) -> None:
    """Run chains at the same time. When one fails, the others finish first; an interrupt ends all of them."""
    futures = [
        stages.submit(folder, names, f"{label} ({k} of {len(chains)})")
        for k, (label, names) in enumerate(chains.items(), start=1)
    ]
    bar = Progress(study_of(folder), f"{len(chains)} chains of stages, from {next(iter(chains))}", len(chains))
    failed = []
    try:
        for future in futures:
            future.wait()
            failed += [future.state] if future.state.is_failed() else []
            bar.step()
            push_meanwhile(folder)
    except BaseException:
        end_all()
        raise
    if failed:
        failed[0].result()
