"""Whether a workspace is whole: its files can be read, its data set and its repository are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from metricloop import layout
from metricloop.data.tables import TableError
from metricloop.execution.capacity import ask
from metricloop.execution.ray_cluster import ClusterError
from metricloop.execution.settings import Execution
from metricloop.params import ParamsError, load_params
from metricloop.study.data_files import missing
from metricloop.study.graph import GraphError, stages_of
from metricloop.study.machine_checks import Check
from metricloop.study.plan import PlanError, load_plan
from metricloop.text.shell import run_line


def check_workspace(folder: Path) -> Iterator[Check]:
    """The checks of a workspace; nothing is written and nothing is run."""
    try:
        params = load_params(folder / layout.PARAMS)
    except (ParamsError, TableError) as error:
        yield Check(layout.PARAMS, "fail", str(error), "correct it")
        return
    yield Check(layout.PARAMS, "ok", f"the study {params.study.name}")
    try:
        plan = load_plan(folder)
        stages = stages_of(folder, plan)
        yield Check(layout.ARMS, "ok", f"{len(plan['arms'])} arms, {len(stages)} stages")
    except (PlanError, TableError, GraphError) as error:
        yield Check(layout.ARMS, "fail", str(error), "correct it")
    if lacking := missing(folder, params.data):
        yield Check("data set", "fail", lacking, f"metricloop relocate --help; then {run_line(folder)}")
    else:
        yield Check("data set", "ok", params.data.source)
    if params.execution.engine == "ray":
        yield cluster(params.execution)
    both = [name for name in (".git", ".dvc") if not (folder / name).exists()]
    if both:
        yield Check(
            "repository", "warn", f"no {' and no '.join(both)} here", "results are not committed; see git status"
        )
    else:
        yield Check("repository", "ok", "git and DVC")
    if (folder / layout.COMPARISON).is_file():
        yield Check("results", "ok", layout.COMPARISON)
    else:
        yield Check("results", "warn", "none yet", run_line(folder))


def cluster(settings: Execution) -> Check:
    """Whether the cluster that runs trials and scoring answers, and what it holds."""
    try:
        found = ask(settings)
    except ClusterError as error:
        what, _, advice = str(error).rpartition("; ")
        return Check("cluster", "fail", what or advice, advice if what else "see docs/scale.md")
    held = f"{found.nodes} nodes, {found.cpus:g} cores, {found.gpus:g} GPUs"
    return Check("cluster", "ok", f"Ray at {settings.address}: {held}")
