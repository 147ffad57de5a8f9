"""experiment: one arm from its scores to its place in the comparison."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.improve import bring, needs_predictions, prepare, train_and_evaluate
from flows.reaper import end_server_with_me
from flows.stage import step
from flows.workspace import refresh_code
from tasks.params import load_params
from tasks.plan import load_plan


@flow(name="experiment", log_prints=False, validate_parameters=False)
def experiment(workspace: str = ".", arm: str = "") -> None:
    """Run one arm, and the baseline it is compared with."""
    end_server_with_me()
    folder = Path(workspace).resolve()
    params = load_params(folder / "params.yaml")
    plan = load_plan(folder)
    if arm not in plan["arms"]:
        raise ValueError(f"no arm {arm!r} in {folder}; there are: {', '.join(sorted(plan['arms']))}")
    refresh_code(folder)
    prepare(folder)
    baseline = next(name for name, item in plan["arms"].items() if item["role"] == "baseline")
    wanted = {arm: plan["arms"][arm], baseline: plan["arms"][baseline]}
    inputs = {item[side] for item in wanted.values() for side in ("a", "b")}
    batches = [batch for batch in plan["batches"] if any(path.startswith(f"scores/{batch}/") for path in inputs)]
    if needs_predictions({"batches": {batch: plan["batches"][batch] for batch in batches}}):
        bring(folder, ["predict"], "predict, out of fold")
    bring(folder, [f"score@{batch}" for batch in batches], "score")
    sources = [Path(path).stem for path in inputs if path.startswith("subsets/")]
    bring(folder, [f"select@{name}" for name in [*sources, *wanted]], "select")
    train_and_evaluate(folder, [name for name, block in plan["blocks"].items() if block["arm"] in wanted], params)
    bring(folder, ["compare"], "compare")
    step(folder, "tasks.track")
