"""experiment: run one arm, from its scores to the comparison."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop import layout
from metricloop.data.tables import read_json
from metricloop.engineer.drop_arms import dropped_because
from metricloop.flows.artifacts import flow_name
from metricloop.flows.elsewhere import workspace_of
from metricloop.flows.improve import present
from metricloop.flows.pipeline import out_of_date, run_arms, run_scoring, running
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.screening import screening
from metricloop.llm.journal import Journal
from metricloop.params import Params, load_params
from metricloop.study.environment import hide_keys
from metricloop.study.looks import record_looks
from metricloop.study.plan import Plan, PlanError, entry_of, load_plan
from metricloop.study.refresh import refresh_code

COMPARED = {
    "train": ("detector", "image_size", "iterations", "batch_size", "learning_rate"),
    "evaluate": ("score_threshold", "max_detections"),
}  # settings that all arms of a comparison share, by their section of params.yaml


@flow(name="experiment", flow_run_name=flow_name, log_prints=False, validate_parameters=False)
def experiment(workspace: str = ".", arm: str = "random") -> None:
    """Run one arm and the baseline. No other arm is scored, selected or trained."""
    hide_keys()
    end_server_with_me()
    with workspace_of(workspace) as folder:
        run_arm(folder, arm)


def run_arm(folder: Path, arm: str) -> None:
    """Train and compare one arm and the baseline of the workspace in `folder`."""
    params = load_params(folder / layout.PARAMS)
    with running(folder, params):
        plan = load_plan(folder)
        check_arm(folder, plan, arm)
        refresh_code(folder)
        record_looks(folder, params)
        arms = {arm} | {name for name, item in plan["arms"].items() if item["role"] == "baseline"}
        check_settings(folder, plan, arms, params)
        screening(folder, params, arms)
        plan = load_plan(folder)
        check_arm(folder, plan, arm)
        blocks = [name for name, block in plan["blocks"].items() if block["arm"] in arms]
        targets = [f"select@{name}" for name in arms] + [f"evaluate@{block}" for block in blocks]
        old = out_of_date(folder, targets)
        check_arm(folder, run_scoring(folder, old), arm)
        # compare reads the results of all arms; those of other arms are not brought up to date
        run_arms(folder, [*old, "compare"], params)
        present(folder, f"experiment {arm}")


def check_arm(folder: Path, plan: Plan, arm: str) -> None:
    """Check that the plan has the arm. Errors: PlanError, with the reason when the arm was dropped."""
    dropped = Journal(folder).last("dropped", suggestion=arm)
    if arm not in plan["arms"] and dropped:
        raise PlanError(f"{arm} was {dropped_because(dropped.get('metric'), dropped['reason'])}")
    entry_of(plan, "arms", arm)


def check_settings(folder: Path, plan: Plan, arms: set[str], params: Params) -> None:
    """Check, before anything is trained, that `arms` will be comparable with the results of the other arms.

    Errors: PlanError for a setting that is another one now than when those were trained.
    """
    for name, block in plan["blocks"].items():
        path = folder / layout.recipe_file(name)
        if block["arm"] in arms or not path.is_file():
            continue
        fields = read_json(path)["fields"]
        for section, settings in COMPARED.items():
            for setting in settings:
                now, then = getattr(getattr(params, section), setting), fields.get(setting)
                if now != then:
                    raise PlanError(
                        f"{section}.{setting} is {now} now, but {then} made the results of {block['arm']}, and arms "
                        "are compared under equal settings; run all arms (without --arm), or go back: "
                        f"--set {section}.{setting}={then}"
                    )
