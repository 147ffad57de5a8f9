"""The command that makes a workspace."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metricloop import layout
from metricloop.cli.command import Commands, flag
from metricloop.cli.push import REMOTE_HELP
from metricloop.data.label_errors import PRESETS
from metricloop.data.readers import NAMES
from metricloop.data.urls import without_secrets
from metricloop.detector.architectures import DEFAULT
from metricloop.detector.architectures import NAMES as DETECTORS
from metricloop.text.shell import run_line

if TYPE_CHECKING:
    from metricloop.data.formats.problem import RefusedError
    from metricloop.data.splits import SplitError
    from metricloop.study.new_study import NewStudy

    FormatName = str  # a type checker takes no names that are found at run time
    PresetName = str
else:
    FormatName = Literal["auto", *NAMES]
    PresetName = Literal["none", *PRESETS]

commands = Commands("Study")
SHORT_TRIALS = 2  # of each metric, with --screen
FOR_DEMO = ("folder", "demo", "name", "full", "corrupt", "screen", "remote", "changes", "yes")  # what --demo goes with


@commands.add(
    "metricloop init ~/lions --data /data/lions",
    "metricloop init ~/lions --data s3://bucket/lions",
    "metricloop init ~/lions --data /data/lions --categories lion lioness",
    "metricloop init ~/lions --data /data/lions --labels a.json --truth b.json",
    "metricloop init demo --demo",
)
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, anywhere on disk.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Folder or annotation file of the data set, or its URL (s3://, gs://, az://, https://).",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Its labels, where SOURCE holds several: a file, or a folder of files."),
    ] = None,
    images: Annotated[
        str | None, typer.Option(metavar="DIR", help="Its pictures, where they lie apart from the labels.")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A second, cleaner labelling of some pictures, to measure against."),
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
    detector: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"The detector to train: {', '.join(DETECTORS[:-1])} or {DETECTORS[-1]}."),
    ] = DEFAULT,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="The weights to start from: drawn (from drawn animals, for fcos_shufflenet only), default "
            "(torchvision's, from photos, for the other detectors), none, or the path of a file, for fcos_shufflenet "
            "one of torchvision's shufflenet_v2_x0_5.",
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
    remote: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=f"{REMOTE_HELP} Runs push to it.", show_default="none"),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE...",
            help="Any other key of params.yaml, such as train.device=cuda:0 (the GPU), data.group='([^/]+)_[0-9]+' "
            "(what must stay together), data.search_share=0.3 or llm.provider=openai.",
        ),
    ] = None,
    yes: Annotated[
        bool, flag("--yes", "Do not ask: join labellings of the same pictures, and leave out labels without a picture.")
    ] = False,
) -> None:
    """Make a workspace for a data set, read it, and show what is in it."""
    if not demo and data is not None:
        print(f"reading {without_secrets(data)} ...", flush=True)  # the next imports take a second
    from metricloop.data.formats.problem import RefusedError
    from metricloop.data.splits import SplitError
    from metricloop.params import Screen
    from metricloop.study.commits import WorkspaceError
    from metricloop.study.new_study import NewStudy, check_folder, demo_plan, looks_from
    from metricloop.study.remote import check_address, pushed, set_remote

    if demo:
        _refuse_options_of_data(context)
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name)
    if demo:
        study = replace(demo_plan(name, full, corrupt or "article"), changes=tuple(changes or ()))
    elif data is None:
        raise WorkspaceError("say where the data set is: --data SOURCE (or --demo for drawn pandas)")
    else:
        from metricloop.cli.data_place import place_of, truth_of
        from metricloop.detector.architectures import learning_rate

        place = place_of(data, labels, images, form)
        study = NewStudy(
            name=name,
            source=place.source,
            root=place.root,
            format=place.format,
            truth=truth_of(truth, data),
            budget=budget,
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
            changes=tuple(changes or ()),
        )
    study = replace(study, screen=Screen(seeds=SHORT_TRIALS)) if screen else study
    check_folder(folder, study)
    address = check_address(remote) if remote else ""
    try:
        told = _create(folder, study, yes, form == "auto")
    except (RefusedError, SplitError) as error:
        raise WorkspaceError(_refused(error, folder)) from None
    print(told)
    if address:
        set_remote(folder.resolve(), address)
        print(f"  {'copy':<11}{pushed(folder.resolve())}")
    print(
        f"workspace {folder} is ready: params.yaml and arms.yaml say what the study will do\n"
        f"  look first:  {run_line(folder, '--dry-run')}\n  run:         {run_line(folder)}"
    )


def _refuse_options_of_data(context: typer.Context) -> None:
    """Check that no option is given that the demo would ignore: it has its own pictures. Errors: BadParameter."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in FOR_DEMO:
            raise typer.BadParameter(
                "it says nothing with --demo; settings of the demo are changed with --set KEY=VALUE",
                param_hint=repr(parameter.opts[0]),
            )


def _create(folder: Path, study: NewStudy, yes: bool, auto: bool) -> str:
    """Make the workspace and, unless its pictures are still to be drawn, its tables; returns what to tell of them."""
    from metricloop.study.check_files import weights_faults
    from metricloop.study.commits import WorkspaceError
    from metricloop.study.new_study import check_folder, create, new_params

    for fault in weights_faults(folder, new_params(study)):
        raise WorkspaceError(fault)
    if study.drawn:
        create(folder, study)
        return f"the pictures of {folder} are drawn when it runs"
    from metricloop.cli.data_questions import look
    from metricloop.cli.first_data import make_data
    from metricloop.cli.photo_weights import advice

    looked = look(study, yes, auto)
    check_folder(folder, looked.study, {record.file.parent for record in looked.source.records})
    told: list[str] = []
    create(
        folder,
        looked.study,
        lambda made: told.append(make_data(made, None if looked.study.copy else looked.source)),
    )
    told.append(f"  {'example':<11}{folder / layout.EXAMPLE}: look at it, are these the right boxes?")
    return "\n".join([*told, *advice(folder)])


def _refused(error: RefusedError | SplitError, folder: Path) -> str:
    """What to tell of a data set that cannot be used. Its problems are listed in a file beside the new folder."""
    from metricloop.data.problem_list import write_problems

    said = str(error).partition(". All ")[0]
    none = "No workspace was made"
    if "data." in said:
        none += "; what params.yaml would hold can be given as --set KEY=VALUE"
    if not error.problems:
        return f"{said}. {none}"
    listed = folder.absolute().with_name(f"{folder.absolute().name}-problems.csv")
    write_problems(listed, error.problems)
    return f"{said}.\nAll {len(error.problems)} problems are listed in {listed}. {none}"


def _weights(weights: str | None, detector: str) -> str:
    """The word, or the full path of an existing file; by default what fits the detector."""
    if weights is None:
        return "drawn" if detector == "fcos_shufflenet" else "default"
    if weights in ("drawn", "none", "default"):
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f"--weights: {weights} does not exist; give drawn, none, default or the path of a file")
    return str(Path(weights).resolve())
