"""The commands that hand labels to other tools, and take them back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metricloop.cli.command import HERE, Commands, Workspace, flag
from metricloop.data.writers import NAMES

if TYPE_CHECKING:
    FormatName = str  # a type checker takes no names that are found at run time
else:
    FormatName = Literal[NAMES]

commands = Commands("Study")


@commands.add(
    "metricloop export box_tightness subset.json -C ~/lions",
    "metricloop export box_tightness yolo-folder --seed 2 -C ~/lions",
    "metricloop export suspicious queue.json --format label-studio -C ~/lions",
    "metricloop export test test-folder --format voc --copy -C ~/lions",
)
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="An arm's name (for its subset), pool, search, test, or suspicious: what `metricloop audit` lists, "
            "the worst first.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET",
            help="A .json file (COCO, Label Studio), an .xml file (CVAT), or a folder (YOLO, VOC, FiftyOne).",
        ),
    ],
    form: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(NAMES[:-1])} or {NAMES[-1]}.",
            show_default="coco for .json, cvat for .xml, yolo for a folder",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which draw of the arm.")] = 0,
    most: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the first N images of suspicious.", show_default="all")
    ] = None,
    copy: Annotated[bool, flag("--copy", "Copy the pictures into the folder instead of linking to them.")] = False,
    folder: Workspace = HERE,
) -> None:
    """Write a subset, a split or suspicious labels for another tool."""
    from metricloop.study.export import export as write

    print("\n".join(write(folder.resolve(), what, target, seed, form, copy=copy, most=most)))
