"""The command that adds an arm to a study."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metricloop.cli.command import HERE, Commands, Workspace, flag
from metricloop.text.shell import run_line

commands = Commands("Study")


@commands.add(
    "metricloop add-arm --full -C ~/lions",
    "metricloop add-arm --relabel 50 --metric object_confidence -C ~/lions",
    "metricloop add-arm --relabel 100 --metric box_fit --truth planted -C ~/lions",
    name="add-arm",
)
def add_arm(
    full: Annotated[bool, flag("--full", "The whole pool: whether anything should be dropped at all.")] = False,
    relabel: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="How many images get other labels, with --metric.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="The metric that says which are the worst.", show_default=False)
    ] = None,
    truth: Annotated[
        Literal["planted", "second"] | None,
        typer.Option(
            help="Whose labels: the true ones where mistakes were made on purpose, or those of data.second_labels.",
            show_default="second, where it is set",
        ),
    ] = None,
    folder: Workspace = HERE,
) -> None:
    """Add a control: the whole pool, or what correcting the worst images gains."""
    from metricloop.study.add_arm import as_yaml
    from metricloop.study.full_arm import add_full_arm
    from metricloop.study.relabel_arm import add_relabel_arm

    if full:
        if relabel is not None or metric is not None or truth is not None:
            raise typer.BadParameter("it adds another arm than --relabel; type one of the two", param_hint="'--full'")
        name, addition = add_full_arm(folder.resolve())
    elif relabel is None or metric is None:
        raise typer.BadParameter("say which control: --full, or --relabel N --metric NAME", param_hint="'add-arm'")
    else:
        name, addition = add_relabel_arm(folder.resolve(), metric, relabel, truth)
    print(f"added to arms.yaml:\n{as_yaml(addition)}")
    print(f"next: {run_line(folder, '--arm', name)}")
