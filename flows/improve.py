"""improve: the study. Controls and the person's arms first, then rounds of suggest and experiment, then confirm."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from metricloop.data.tables import read_json
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.stage import stages, step, talk
from metricloop.llm.journal import FILE, read_journal
from metricloop.params import Params, load_params
from metricloop.study.graph import needed_for, stages_of
from metricloop.study.plan import Plan, add_block, load_plan
from metricloop.study.processes import StageError, end_all, hide_keys, outdated, say
from metricloop.study.workspace import commit, create, demo_plan, refresh_code
from metricloop.training.trial import trials_by_cores

SCORING = ("draw", "ingest", "predict", "embed", "score")  # the kinds of stages up to the scores, in order


@flow(name="improve", log_prints=False, validate_parameters=False)
def improve(workspace: str = ".", demo: bool = False) -> None:
    """Run or go on with the study of a workspace; what is up to date is left alone.

    demo: make the workspace first, of drawn pandas, where it does not exist.
    """
    hide_keys()
    end_server_with_me()
    folder = Path(workspace).resolve()
    if demo and not folder.exists():
        create(folder, demo_plan(folder.name))
    params = load_params(folder / "params.yaml")
    refresh_code(folder)
    experiments(folder, params)
    try:
        rounds(folder, params)
    except StageError:
        present(folder, "study interrupted")  # what was found so far is shown, and the test split stays shut
        raise
    while more := promising(read_json(folder / "comparison.json"), load_plan(folder), params):
        for arm, seeds in more:
            add_block(folder, arm, seeds)
        say(f"more seeds for undecided arms: {', '.join(sorted({arm for arm, _ in more}))}")
        experiments(folder, params)
    bring(folder, ["confirm"], "confirm on the test split")
    present(folder, "study finished")


def rounds(folder: Path, params: Params) -> None:
    """The rounds of the language model: suggest, experiment, reflect. A limit that is reached ends them quietly.

    The arms of a round that was reflected upon are in the plan, and up to date by now: it is not gone through again.
    """
    finished = {event["round"] for event in read_journal(folder / FILE) if event["event"] == "reflected"}
    for number in range(1, params.llm.rounds + 1 if params.llm.provider != "none" else 1):
        if number in finished:
            continue
        talk(folder, "metricloop.tasks.suggest", number)
        experiments(folder, params)
        talk(folder, "metricloop.tasks.reflect", number)
        commit(folder, f"round {number}")


def present(folder: Path, message: str) -> None:
    """Show the study as it stands: report, MLflow, and a commit."""
    step(folder, "metricloop.tasks.report")
    step(folder, "metricloop.tasks.track")
    commit(folder, message)


def experiments(folder: Path, params: Params) -> None:
    """Bring everything that the plan holds up to date, but confirm."""
    plan = scored(folder)
    graph = stages_of(folder, plan)
    bring(folder, of_kind(graph, "select"), "select")
    train_and_evaluate(folder, plan["blocks"], params)
    bring(folder, ["compare"], "compare")


def scored(folder: Path, arms: Iterable[str] | None = None) -> Plan:
    """Bring the scores up to date that these arms need, or all; the plan without arms whose metric was given up."""
    plan = load_plan(folder)
    graph = stages_of(folder, plan)
    names = graph if arms is None else needed_for(graph, [f"select@{arm}" for arm in arms])
    for kind in SCORING:
        bring(folder, of_kind(names, kind), kind)
    if not any((folder / "scores").glob("*/failed.json")):
        return plan
    step(folder, "metricloop.tasks.drop_arms")
    return load_plan(folder)


def of_kind(stages: Iterable[str], kind: str) -> list[str]:
    """The stages of one kind, `train` for train@BLOCK, in the order given."""
    return [stage for stage in stages if stage.partition("@")[0] == kind]


def bring(folder: Path, names: list[str], label: str) -> None:
    """Bring stages up to date, in order, in one DVC process."""
    if old := outdated(folder, names):
        what = f"{label} ({', '.join(name.partition('@')[2] for name in old)})" if "@" in old[0] else label
        stages(folder, old, what)


def train_and_evaluate(folder: Path, blocks: Iterable[str], params: Params) -> None:
    """Train and evaluate blocks, as many side by side as the machine has room for."""
    names = list(blocks)
    old = outdated(folder, [f"{stage}@{block}" for block in names for stage in ("train", "evaluate")])
    todo = [block for block in names if f"train@{block}" in old or f"evaluate@{block}" in old]
    if not todo:
        return
    runner: Any = ThreadPoolTaskRunner(max_workers=jobs(params))
    blocks_flow.with_options(task_runner=runner)(folder, todo)


@flow(name="blocks", validate_parameters=False)
def blocks_flow(folder: Path, blocks: list[str]) -> None:
    """Blocks side by side; when one fails the others are finished first, when interrupted all are ended."""
    total = len(blocks)
    futures = [
        stages.submit(folder, [f"train@{b}", f"evaluate@{b}"], f"train and evaluate {b} ({k} of {total})")
        for k, b in enumerate(blocks, start=1)
    ]
    try:
        failed = [future.state for future in futures if not future.wait() and future.state.is_failed()]
    except BaseException:
        end_all()
        raise
    if failed:
        failed[0].result()


def jobs(params: Params) -> int:
    """Blocks trained side by side: cores by threads on a CPU, one on a GPU."""
    if params.train.device.startswith("cuda") or (params.train.device == "auto" and Path("/dev/nvidia0").exists()):
        return 1
    return trials_by_cores(params)


def promising(comparison: dict[str, Any], plan: dict[str, Any], params: Params) -> list[tuple[str, str]]:
    """Further blocks worth their time: (arm, seeds) for undecided treatments whose gain may still prove real.

    An arm gets one more block when its gain is positive and the seeds it would probably take are within seeds.max;
    the baseline gets the same seeds, because trials are paired.
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
