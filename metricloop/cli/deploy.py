"""The command that makes deployments of Prefect: studies that a server starts, by hand or by the clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace, flag

commands = Commands("Reports and checks")
FLOW = "metricloop.flows.improve.improve"


@commands.add(
    "metricloop deploy -C ~/lions",
    "metricloop deploy -C ~/lions --cron @daily",
    "metricloop deploy --all",
)
def deploy(
    folder: Workspace = HERE,
    pool: Annotated[str, typer.Option(metavar="NAME", help="The work pool, whose worker runs the study.")] = "local",
    cron: Annotated[str, typer.Option(metavar="TIMES", help="When to run, as crontab writes it.")] = "",
    everything: Annotated[
        bool, flag("--all", "Make the deployments of all flows, to be given a workspace with --param.")
    ] = False,
) -> int:
    """Make a deployment of the study for a Prefect server, at PREFECT_API_URL."""
    return subprocess.run(arguments(folder.resolve(), pool, cron, everything), check=False).returncode


def arguments(folder: Path, pool: str, cron: str, everything: bool) -> list[str]:
    """The command line of Prefect. Errors: ParamsError where the folder is no workspace."""
    from metricloop import flows
    from metricloop.params import load_params

    prefect = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--prefect-file"]
    if everything:
        return [*prefect, str(Path(flows.__file__).with_name("prefect.yaml")), "--all"]
    study = load_params(folder / layout.PARAMS).study.name
    return [
        *prefect, str(folder / layout.SCRATCH / "none.yaml"),  # else a prefect.yaml of the current folder counts, too
        FLOW, "--name", study, "--pool", pool, "--param", f"workspace={folder}", "--tag", "metricloop",
        "--tag", study, "--concurrency-limit", "1", *(["--cron", cron] if cron else []),
    ]  # fmt: skip
