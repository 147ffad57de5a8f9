"""experiment: one arm from its scores to its place in the comparison."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop.flows.improve import bring, of_kind, scored, train_and_evaluate
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.stage import step
from metricloop.llm.journal import Journal
from metricloop.params import load_params
from metricloop.study.graph import needed_for, stages_of
from metricloop.study.plan import Plan, PlanError, entry_of, load_plan
from metricloop.study.processes import hide_keys
from metricloop.study.workspace import commit, refresh_code


@flow(name="experiment", log_prints=False, validate_parameters=False)
def experiment(workspace: str = ".", arm: str = "random") -> None:
    """Run one arm, and the baseline it is compared with; nothing else is scored, selected or trained."""
    hide_keys()
    end_server_with_me()
    folder = Path(workspace).resolve()
    params = load_params(folder / "params.yaml")
    plan = load_plan(folder)
    on_trial(folder, plan, arm)
    refresh_code(folder)
    wanted = {arm} | {name for name, item in plan["arms"].items() if item["role"] == "baseline"}
    plan = scored(folder, wanted)
    on_trial(folder, plan, arm)
    needed = needed_for(stages_of(folder, plan), [f"select@{name}" for name in wanted])
    bring(folder, of_kind(needed, "select"), "select")
    train_and_evaluate(folder, [name for name, block in plan["blocks"].items() if block["arm"] in wanted], params)
    bring(folder, ["compare"], "compare")
    step(folder, "metricloop.tasks.report")
    step(folder, "metricloop.tasks.track")
    commit(folder, f"experiment {arm}")


def on_trial(folder: Path, plan: Plan, arm: str) -> None:
    """Errors: PlanError when the plan lacks the arm, with the reason where it was dropped."""
    dropped = Journal(folder).last("dropped", suggestion=arm)
    if arm not in plan["arms"] and dropped:
        metric = dropped.get("metric", "its metric")
        raise PlanError(f"{arm} was dropped, because {metric} failed while the pool was scored: {dropped['reason']}")
    entry_of(plan, "arms", arm)
