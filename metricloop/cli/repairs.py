"""The command about repairs: see what one would change in the labels, before anything is trained."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace, flag, output_to_stderr, print_json
from metricloop.cli.named_file import own_file
from metricloop.text.shell import command_line

commands = Commands("Metrics")


@commands.add(
    "metricloop mend consensus -C ~/lions",
    "metricloop mend consensus --kinds drop,add --least-confidence 0.8 -C ~/lions",
    "metricloop mend my_repair.py -C ~/lions",
    "metricloop mend --list",
)
def mend(
    wanted: Annotated[
        str | None, typer.Argument(metavar="WHAT", help="A repair of the catalogue, or a file with one of your own.")
    ] = None,
    repair: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which repair of the file.", show_default="the only one")
    ] = None,
    least_confidence: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Leave out edits of which the repair is less sure.")
    ] = 0.6,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Edits of these kinds only, such as drop,add: drop, move, relabel, add.",
            show_default="all",
        ),
    ] = None,
    catalogue: Annotated[bool, flag("--list", "List the repairs of the catalogue.")] = False,
    as_json: Annotated[
        bool, flag("--json", 'Print {"repair", "edits", "f1", "kinds", "strength", "agreement"}.')
    ] = False,
    folder: Workspace = HERE,
) -> int:
    """See what a repair would change in the pool's labels; nothing is written.

    Where mistakes were made on purpose, it is measured against the truth; else only against a model's predictions. The
    exit status is 1 where a file of your own is refused by the gate.
    """
    from contextlib import nullcontext

    from metricloop.auditing.try_repair import (
        catalogue_repair,
        check_repair,
        quality_of,
        read_mend_inputs,
        repair_to_try,
    )
    from metricloop.mending.open_repair import Opened
    from metricloop.scoring.metric_file import read_source
    from metricloop.selection.options import Mend, kinds_in

    if catalogue:
        if as_json:
            raise typer.BadParameter("the list has no such form; leave it out", param_hint="'--json'")
        _list_catalogue()
        return 0
    if wanted is None:
        raise typer.BadParameter(
            "name a repair or a file; for those there are: metricloop mend --list", param_hint="'WHAT'"
        )
    own = wanted.endswith(".py")
    if repair is not None and not own:
        raise typer.BadParameter("it goes with a file of your own only", param_hint="'--repair'")
    try:
        chosen = kinds_in(kinds)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--kinds'") from None
    workspace = folder.resolve()
    with output_to_stderr() if as_json else nullcontext():
        params, inputs = read_mend_inputs(workspace)
        opened: Opened
        if own:
            opened = repair_to_try(params, read_source(own_file(wanted, workspace, kind="repair"), workspace), repair)
            result = check_repair(opened, params, inputs)
            print(f"{opened.spec.name}: {'accepted by the gate' if result.accepted else 'refused by the gate'}")
            for broken in result.broken:
                print(f"  {broken.rule}: {broken.said}")
            if not result.accepted:
                return 1
        else:
            opened = catalogue_repair(wanted)
        found = quality_of(workspace, opened, params, inputs, least_confidence, chosen)
    if as_json:
        print_json(found)
    else:
        print("\n".join(lines_of(found)))
        here = () if folder == HERE else ("-C", folder)
        print(f"put it to a test: {command_line('metricloop', 'add', wanted, *here)}")
        asked = Mend(repair=found["repair"], least_confidence=least_confidence, kinds=kinds)
        if other := asked.model_dump(exclude_defaults=True, exclude={"repair"}):
            told = ", ".join(f"{option}: {value}" for option, value in other.items())
            print(f"then write into its mend in {layout.ARMS}: {told}")
    return 0


def lines_of(found: dict[str, Any]) -> list[str]:
    """The measurement as text of at most 80 columns."""
    from metricloop.auditing.repair_quality import RIGHT

    said = ", ".join(f"{number} {kind}" for kind, number in found["edits"].items() if number) or "none"
    lines = [
        f"{found['repair']} on {found['images']} images with {found['labels']} labels; edits it is at least "
        f"{found['least_confidence']:.0%} sure of:",
        f"  {said}" + (f"; it failed on {found['failed']} images" if found["failed"] else ""),
    ]
    if found["f1"]:
        lines += ["F1 of the labels against the truth", *_f1_lines(found["f1"])]
        lines += [f"{f'right by IoU {RIGHT:g}':28}{'cases':>7}{'before':>8}{'after':>8}"]
        lines += [
            f"  {_kind(row['kind']):26}{row['cases']:7}{row['before']:8}{row['after']:8}" for row in found["kinds"]
        ]
        lines += ["F1 by least confidence      " + "".join(f"{float(at):8.2f}" for at in found["strength"][0]["f1"])]
        lines += [
            f"  {row['least_confidence']:<26g}" + "".join(f"{value:8.3f}" for value in row["f1"].values())
            for row in found["strength"]
        ]
        return lines
    lines += ["The truth is not known here, so nothing says whether these labels are better."]
    if found["agreement"]:
        lines += ["F1 of the labels against out-of-fold predictions", *_f1_lines(found["agreement"])]
        lines += ["A repair that follows the predictions raises this by itself."]
    return lines


def _f1_lines(rows: list[dict[str, float]]) -> list[str]:
    return [
        f"  from IoU {row['iou']:<17g}{row['before']:8.3f} -> {row['after']:.3f} ({row['after'] - row['before']:+.3f})"
        for row in rows
    ]


def _kind(kind: str) -> str:
    return "right at first" if kind == "none" else kind


def _list_catalogue() -> None:
    from metricloop.mending.open_repair import repair_catalogue
    from metricloop.metrics.repair_contract import repair_spec_of

    for name, function in sorted(repair_catalogue().items()):
        about = (function.__doc__ or "").split("\n")[0]
        print(f"{name} (needs {', '.join(repair_spec_of(function).needs) or 'labels only'})\n  {about}")
