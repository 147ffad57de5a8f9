"""deliver: promote an arm, register it in MLflow, bundle the champion, and try the bundle's server."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop import layout
from metricloop.comparison.comparison_file import read_comparison
from metricloop.delivery.choose import choose, refuse_old_labels
from metricloop.delivery.promote import Wish
from metricloop.delivery.promoted import CHAMPION, aliases
from metricloop.flows.artifacts import flow_name
from metricloop.flows.reaper import end_server_with_me
from metricloop.flows.stage import mlflow_step, step
from metricloop.study.environment import hide_keys
from metricloop.study.processes import say
from metricloop.study.run_record import claimed


@flow(name="deliver", flow_run_name=flow_name, log_prints=False, validate_parameters=False)
def deliver(workspace: str = ".", arm: str = "", target: str = "", anyway: bool = False) -> None:
    """Make an arm of a finished study into a bundle that has been tried.

    arm: by default the winner. target: the bundle's folder, relative to the workspace; by default beside the promoted
    version. anyway: promote the arm whatever its verdict.
    """
    hide_keys()
    end_server_with_me()
    folder = Path(workspace).resolve()
    wish = Wish(arm or None, anyway)
    chosen = choose(read_comparison(folder), folder, wish.arm, wish.anyway)
    if warning := refuse_old_labels(folder, chosen["name"], wish.anyway):
        say(warning)
    with claimed(folder, "deliver"):
        step(folder, "metricloop.tasks.steps.promote", *wish.arguments())
        mlflow_step(folder, "metricloop.tasks.steps.register")
        bundle = target or layout.bundle_folder(aliases(folder)[CHAMPION])
        step(folder, "metricloop.tasks.steps.bundle", bundle)
        step(folder, "metricloop.tasks.steps.check_bundle", bundle)
