"""experiment: one arm from its scores to its place in the comparison."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.graph import needed_for, stages_of
from flows.improve import bring, train_and_evaluate
from flows.reaper import end_server_with_me
from flows.stage import hide_keys, step
from flows.workspace import commit, refresh_code
from tasks.params import load_params
from tasks.plan import entry_of, load_plan


@flow(name="experiment", log_prints=False, validate_parameters=False)
def experiment(workspace: str = ".", arm: str = "random") -> None:
    """Run one arm, and the baseline it is compared with; nothing else is scored, selected or trained."""
    hide_keys()
    end_server_with_me()
    folder = Path(workspace).resolve()
    params = load_params(folder / "params.yaml")
    plan = load_plan(folder)
    entry_of(plan, "arms", arm)
    refresh_code(folder)
    wanted = {arm} | {name for name, item in plan["arms"].items() if item["role"] == "baseline"}
    blocks = [name for name, block in plan["blocks"].items() if block["arm"] in wanted]
    needed = needed_for(stages_of(folder, plan), [f"select@{name}" for name in wanted])
    for kind in ("draw", "ingest", "predict", "score", "select"):
        bring(folder, [stage for stage in needed if stage.partition("@")[0] == kind], kind)
    train_and_evaluate(folder, blocks, params)
    bring(folder, ["compare"], "compare")
    step(folder, "tasks.report")
    step(folder, "tasks.track")
    commit(folder, f"experiment {arm}")
