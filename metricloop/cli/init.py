"""The command that makes a workspace."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metricloop.cli.command import Commands, flag
from metricloop.data.label_errors import PRESETS
from metricloop.data.readers import NAMES
from metricloop.text.shell import run_line

if TYPE_CHECKING:
    FormatName = str  # a type checker takes no names that are found at run time
    PresetName = str
else:
    FormatName = Literal["auto", *NAMES]
    PresetName = Literal["none", *PRESETS]

commands = Commands("Study")
SHORT_TRIALS = 2  # of each metric, with --screen


@commands.add(
    "metricloop init ~/lions --data /data/lions",
    "metricloop init ~/lions --data /data/lions --categories lion lioness",
    "metricloop init demo --demo",
)
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, anywhere on disk.")],
    data: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Folder or annotation file of the data set."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the study.", show_default="the folder's")] = None,
    budget: Annotated[float, typer.Option(metavar="SHARE", help="Share of the images a subset holds.")] = 0.25,
    form: Annotated[
        FormatName,
        typer.Option("--format", metavar="FORMAT", help=f"auto, {', '.join(NAMES[:-1])} or {NAMES[-1]}."),
    ] = "auto",
    categories: Annotated[
        list[str] | None, typer.Option(metavar="NAME...", help="Keep these classes only, e.g. giant_panda.")
    ] = None,
    detector: Annotated[str, typer.Option(metavar="NAME", help="The detector to train.")] = "fcos_shufflenet",
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="The weights to start from: drawn (trained on drawn animals), default (torchvision's, trained on "
            "photos), none or the path of a file. For photos take another --detector, or a file of torchvision's "
            "shufflenet_v2_x0_5.",
            show_default="drawn for fcos_shufflenet, else default",
        ),
    ] = None,
    image_size: Annotated[int, typer.Option(metavar="PIXELS", help="Long side of an image in training.")] = 224,
    iterations: Annotated[int, typer.Option(metavar="N", help="Batches of 8 per trial.")] = 250,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=2,
            max=6,
            help="Trials every arm starts with; the baseline gets four times as many. Arms that may win get as many "
            "again.",
        ),
    ] = 3,
    screen: Annotated[
        bool,
        flag("--screen", "Try every metric in two short trials first; those below random get no full trials."),
    ] = False,
    corrupt: Annotated[
        PresetName | None,
        typer.Option(
            metavar="MISTAKES",
            help="Make mistakes in the pool's labels on purpose, to measure what metrics find: "
            f"none, {', '.join(PRESETS[:-1])} or {PRESETS[-1]}.",
            show_default="none; article for --demo",
        ),
    ] = None,
    strength: Annotated[float, typer.Option(metavar="SHARE", help="Of these mistakes, 0 to 1.")] = 0.5,
    copy: Annotated[
        bool,
        flag("--import", "Copy the pictures into the workspace and its DVC cache, to retrain on another machine."),
    ] = False,
    demo: Annotated[bool, flag("--demo", "Drawn panda scenes instead of --data.")] = False,
    full: Annotated[bool, flag("--full", "All controls and policies, not the lean list.")] = False,
) -> None:
    """Make a workspace for a data set."""
    from metricloop.params import Screen
    from metricloop.study.commits import WorkspaceError
    from metricloop.study.new_study import NewStudy, create, demo_plan, looks_from

    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name)
    if demo:
        study = demo_plan(name, full, corrupt or "article")
    elif data is None:
        raise WorkspaceError("say where the data set is: --data SOURCE (or --demo for drawn pandas)")
    else:
        from metricloop.data.formats import recognise
        from metricloop.data.formats.place import base_of
        from metricloop.detector.architectures import learning_rate

        source = Path(data).resolve()
        kind = recognise(source) if form == "auto" or not source.exists() else form
        study = NewStudy(
            name=name,
            source=str(source),
            root=str(base_of(source)),
            budget=budget,
            format=kind,
            categories=tuple(categories or ()),
            detector=detector,
            weights=_weights(weights, detector),
            image_size=image_size,
            iterations=iterations,
            learning_rate=learning_rate(detector),
            looks=looks_from(seeds),
            corrupt=corrupt or "none",
            strength=strength,
            copy=copy,
            full=full,
        )
    create(folder, replace(study, screen=Screen(seeds=SHORT_TRIALS)) if screen else study)
    print(
        f"workspace {folder} is ready: params.yaml and arms.yaml say what the study will do\n"
        f"  look first:  {run_line(folder, '--dry-run')}\n  run:         {run_line(folder)}"
    )


def _weights(weights: str | None, detector: str) -> str:
    """The word, or the full path of an existing file; by default what fits the detector."""
    if weights is None:
        return "drawn" if detector == "fcos_shufflenet" else "default"
    if weights in ("drawn", "none", "default"):
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f"--weights: {weights} does not exist; give drawn, none, default or the path of a file")
    return str(Path(weights).resolve())
