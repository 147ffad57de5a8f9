"""The command that adds an arm to a study."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metricloop.cli.command import HERE, Commands, Workspace
from metricloop.text.shell import run_line

commands = Commands("Study")


@commands.add(
    "metricloop add-arm --relabel 50 --metric object_confidence -C ~/lions",
    "metricloop add-arm --relabel 100 --metric box_fit --truth planted -C ~/lions",
    name="add-arm",
)
def add_arm(
    relabel: Annotated[int, typer.Option(metavar="N", min=1, help="How many images get other labels.")],
    metric: Annotated[str, typer.Option(metavar="NAME", help="The metric that says which are the worst.")],
    truth: Annotated[
        Literal["planted", "second"] | None,
        typer.Option(
            help="Whose labels: the true ones where mistakes were made on purpose, or those of data.second_labels.",
            show_default="second, where it is set",
        ),
    ] = None,
    folder: Workspace = HERE,
) -> None:
    """Add a control that shows what correcting the worst images gains."""
    from metricloop.study.add_arm import as_yaml
    from metricloop.study.relabel_arm import add_relabel_arm

    name, addition = add_relabel_arm(folder.resolve(), metric, relabel, truth)
    print(f"added to arms.yaml:\n{as_yaml(addition)}")
    print(f"next: {run_line(folder, '--arm', name)}")
