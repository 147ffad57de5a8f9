"""takehome: give a language model a take-home assignment, or go on with it."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop.flows.artifacts import flow_name
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.stage import model_step
from metricloop.study.environment import hide_keys
from metricloop.takehome.prepare import prepare


@flow(name="takehome", flow_run_name=flow_name, log_prints=False, validate_parameters=False)
def takehome(workspace: str = "", assignment: str = "", rounds: int = 0) -> None:
    """Run the take-home in the folder `workspace`, by default takehome-NAME.

    assignment: the name of a worked assignment, for a folder that does not exist yet. rounds: further rounds of
    improvement.
    """
    hide_keys()
    end_server_with_me()
    folder = Path(workspace or f"takehome-{assignment}").resolve()
    prepare(folder, assignment, None, None, {})
    model_step(folder, "metricloop.tasks.steps.takehome", rounds)
