"""DVC stages and other steps as Prefect tasks: one subprocess each, which ends when the flow ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from metricloop.flows.artifacts import step_name
from metricloop.study.dvc_commands import run_stages
from metricloop.study.environment import network
from metricloop.study.processes import call, call_model_step, on_terminal, say
from metricloop.tracking.registry import server_variables


@task(task_run_name="{label}", cache_policy=NO_CACHE)
def stages(workspace: Path, names: Sequence[str], label: str) -> None:
    """Run DVC stages in the order given, if out of date. label: their name in the UI and in the terminal."""
    began = time.monotonic()
    if len(names) == 1 and not on_terminal():  # several say their names themselves when they begin
        say(label)
    run_stages(workspace, names, label, each=len(names) > 1)
    say(f"{label}: done in {time.monotonic() - began:.1f} s")


@task(task_run_name=step_name, cache_policy=NO_CACHE)
def step(workspace: Path, module: str, *arguments: str) -> None:
    """Run a step that is not a DVC stage, such as report or track."""
    call(workspace, [sys.executable, "-P", "-m", module, *arguments], module)


@task(task_run_name=step_name, cache_policy=NO_CACHE)
def model_step(workspace: Path, module: str, number: int) -> None:
    """Run a step of round `number` that asks the language model."""
    call_model_step(workspace, module, number)


@task(task_run_name=step_name, cache_policy=NO_CACHE)
def mlflow_step(workspace: Path, module: str) -> None:
    """Run a step that writes to MLflow; only these get the variables with which a server is reached."""
    call(workspace, [sys.executable, "-P", "-m", module], module, variables=server_variables() | network())
