"""The command that copies a study elsewhere, so that other people and machines can go on with it."""

from __future__ import annotations

from typing import Annotated

import typer

from metricloop.cli.command import HERE, Commands, Workspace

commands = Commands("Study")
REMOTE_HELP = "Where the study's copy is kept: s3://BUCKET/NAME, or a folder of a shared disk."


@commands.add("metricloop push -C ~/lions", "metricloop push -C ~/lions --remote s3://bucket/lions")
def push(
    folder: Workspace = HERE,
    remote: Annotated[str, typer.Option(metavar="ADDRESS", help=f"{REMOTE_HELP} Kept for later runs.")] = "",
) -> None:
    """Copy the study elsewhere; later runs do so by themselves."""
    from metricloop import layout
    from metricloop.params import load_params
    from metricloop.study.remote import push as push_study
    from metricloop.study.remote import set_remote

    folder = folder.resolve()
    load_params(folder / layout.PARAMS)
    if remote:
        set_remote(folder, remote)
    print(push_study(folder))
