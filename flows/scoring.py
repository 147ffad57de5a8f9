"""score: score the pool by batches of metrics, without running an arm."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from metricloop.flows.artifacts import flow_name
from metricloop.flows.pipeline import out_of_date, run_stages
from metricloop.flows.reaper import end_server_with_me
from metricloop.study.environment import hide_keys
from metricloop.study.plan import load_plan
from metricloop.study.refresh import refresh_code
from metricloop.study.run_record import claimed


@flow(name="score", flow_run_name=flow_name, log_prints=False, validate_parameters=False)
def scoring(workspace: str, batches: list[str]) -> None:
    """Run the stages `score` of some batches and the stages they depend on, if out of date."""
    hide_keys()
    end_server_with_me()
    folder = Path(workspace).resolve()
    load_plan(folder)  # says so where this is no workspace
    with claimed(folder, "score"):
        refresh_code(folder)
        run_stages(folder, out_of_date(folder, [f"score@{name}" for name in batches]))
