"""The command that makes deployments of Prefect: studies that a server starts, by hand or by the clock."""

from __future__ import annotations

import subprocess
import sys
import tempfile
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
    "metricloop deploy --all --pool cluster",
    "metricloop deploy --workspace s3://studies/lions --pool cluster",
)
def deploy(
    folder: Workspace = HERE,
    workspace: Annotated[
        str, typer.Option(metavar="ADDRESS", help="In place of -C: a workspace that a worker fetches, s3://... or git.")
    ] = "",
    pool: Annotated[str, typer.Option(metavar="NAME", help="The work pool, whose worker runs the study.")] = "local",
    cron: Annotated[str, typer.Option(metavar="TIMES", help="When to run, as crontab writes it.")] = "",
    everything: Annotated[
        bool, flag("--all", "Make the pool's deployments of all flows, to be given a workspace with --param.")
    ] = False,
) -> int:
    """Make a deployment of the study for a Prefect server, at PREFECT_API_URL."""
    if not everything and not workspace:
        return subprocess.run(arguments(folder.resolve(), pool, cron), check=False).returncode
    text = of_pool(pool) if everything else at_address(workspace, pool, cron)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "prefect.yaml")
        file.write_text(text)
        return subprocess.run([*PREFECT, str(file), "--all"], check=False).returncode


PREFECT = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--prefect-file"]


def of_pool(pool: str) -> str:
    """The text of prefect.yaml with the deployments of a pool. Errors: ValueError where it has none."""
    import yaml

    from metricloop import flows

    told = yaml.safe_load(Path(flows.__file__).with_name("prefect.yaml").read_text())
    pools = [one["work_pool"]["name"] for one in told["deployments"]]
    if pool not in pools:
        known = ", ".join(dict.fromkeys(pools))
        raise ValueError(
            f"--all has deployments for the pools {known}, found {pool}; a single study goes to any pool: "
            f"metricloop deploy --workspace ADDRESS --pool {pool}"
        )
    told["deployments"] = [one for one in told["deployments"] if one["work_pool"]["name"] == pool]
    return yaml.safe_dump(told, sort_keys=False)


def at_address(workspace: str, pool: str, cron: str) -> str:
    """The text of prefect.yaml with the deployment of a study that a worker fetches. Errors: RemoteError."""
    import yaml

    from metricloop.study.fetched import check_workspace

    study = check_workspace(workspace).rstrip("/").rpartition("/")[2].removesuffix(".git")
    one = {
        "name": study,
        "entrypoint": FLOW,
        "parameters": {"workspace": workspace},
        "pull": [],  # else the run would begin in this folder of this machine
        "tags": ["metricloop", study],
        "concurrency_limit": 1,
        "work_pool": {"name": pool},
        "schedules": [{"cron": cron}] if cron else [],
    }
    return yaml.safe_dump({"deployments": [one]}, sort_keys=False)


def arguments(folder: Path, pool: str, cron: str) -> list[str]:
    """The command line of Prefect for a study of this machine. Errors: ParamsError where it is no workspace."""
    from metricloop.params import load_params

    study = load_params(folder / layout.PARAMS).study.name
    return [
        *PREFECT, str(folder / layout.SCRATCH / "none.yaml"),  # else a prefect.yaml of the current folder counts, too
        FLOW, "--name", study, "--pool", pool, "--param", f"workspace={folder}", "--tag", "metricloop",
        "--tag", study, "--concurrency-limit", "1", *(["--cron", cron] if cron else []),
    ]  # fmt: skip
