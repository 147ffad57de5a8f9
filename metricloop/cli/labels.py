"""The commands that hand labels to other tools, and take them back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metricloop.cli.command import HERE, Commands, Workspace, flag
from metricloop.data.readers import NAMES as READ
from metricloop.data.writers import NAMES

if TYPE_CHECKING:
    from metricloop.study.follow_labels import Effects

    FormatName = str  # a type checker takes no names that are found at run time
    ReadName = str
else:
    FormatName = Literal[NAMES]
    ReadName = Literal["auto", *READ]

commands = Commands("Study")
NAMED = 6  # scores, subsets or stages at most that are named in one line


@commands.add(
    "metricloop export box_tightness yolo-folder -C ~/lions",
    "metricloop export box_tightness coco-folder --format coco --copy -C ~/lions",
    "metricloop export box_tightness subset.json --seed 2 -C ~/lions",
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
            help="A folder to train on (YOLO, COCO) or to look at (VOC, FiftyOne), a .json file (COCO, Label Studio), "
            "or an .xml file (CVAT).",
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
    hard: Annotated[bool, flag("--hard-links", "Make hard links to the pictures, which stay when they move.")] = False,
    with_test: Annotated[
        bool, flag("--with-test", "In a folder to train on: the test split too, even if it was never opened.")
    ] = False,
    folder: Workspace = HERE,
) -> None:
    """Write a subset, a split or suspicious labels for another tool."""
    from metricloop.study.export import export as write

    lines = write(folder.resolve(), what, target, seed, form, copy=copy, hard=hard, most=most, with_test=with_test)
    print("\n".join(lines))


@commands.add(
    "metricloop import-labels repaired.json -C ~/lions",
    "metricloop import-labels yolo-folder --format yolo -C ~/lions",
    name="import-labels",
)
def import_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Repaired labels: a file or folder in any format read.")],
    form: Annotated[
        ReadName, typer.Option("--format", metavar="FORMAT", help=f"auto, {', '.join(READ[:-1])} or {READ[-1]}.")
    ] = "auto",
    held_out: Annotated[
        bool, flag("--held-out", "Take labels of the search and test split too, which judge all arms.")
    ] = False,
    no_arm: Annotated[bool, flag("--no-arm", "Do not add the control that trains on the labels before.")] = False,
    folder: Workspace = HERE,
) -> None:
    """Take repaired labels of some images back as a new version of the pool."""
    from metricloop.study.import_labels import ARM, check_file
    from metricloop.study.import_labels import import_labels as take
    from metricloop.study.run_record import claimed
    from metricloop.text.shell import run_line

    folder = folder.resolve()
    check_file(file)  # a mistake in its name is told first, also while another command works
    with claimed(folder, "import-labels"):
        made = take(folder, file, form, held_out=held_out, arm=not no_arm)
    print(f"labels {made.version}: {len(made.changed)} of {made.named} images differ; {folder / made.path}")
    for line in [*_told(made.summary), *made.notes]:
        print(f"  {line}")
    if made.added:
        print(f"new arm {ARM}: the baseline's images with the labels before any repair, to see what it was worth")
    print("\n".join(_effects(made.effects, folder)))
    print(f"go on: {run_line(folder)}")


@commands.add(
    "metricloop fix marks.json -C ~/lions --dry-run",
    "metricloop fix marks.json -C ~/lions",
    "metricloop fix marks.json -C ~/lions --to repaired",
)
def fix(
    file: Annotated[
        Path, typer.Argument(metavar="MARKS", help="The file of marks that the page audit/audit.html saved.")
    ],
    held_out: Annotated[
        bool, flag("--held-out", "Change labels of the search and test split too, which judge all arms.")
    ] = False,
    dry_run: Annotated[bool, flag("--dry-run", "Only say what would change.")] = False,
    no_arm: Annotated[bool, flag("--no-arm", "Do not add the control that trains on the labels before.")] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="Write the repaired labels of all splits there, for other tools, and leave the workspace as it is.",
        ),
    ] = None,
    form: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"Of TARGET: {', '.join(NAMES[:-1])} or {NAMES[-1]}.",
            show_default="of a folder that of the data set, if it can be written; else as for export",
        ),
    ] = None,
    copy: Annotated[bool, flag("--copy", "Copy the pictures to TARGET instead of linking to them.")] = False,
    folder: Workspace = HERE,
) -> None:
    """Repair labels as marked on the page of an audit."""
    from metricloop.study.fix import export_fixed
    from metricloop.study.fix import fix as apply
    from metricloop.study.import_labels import ARM
    from metricloop.study.look_only import looking_only
    from metricloop.study.marks import read_marks
    from metricloop.study.print_fix import summary
    from metricloop.study.run_record import claimed
    from metricloop.text.shell import command_line, run_line

    folder = folder.resolve()
    read_marks(file)  # a mistake in its name is told first, also while another command works
    if to is not None:
        if dry_run or held_out or no_arm:
            raise typer.BadParameter(
                "--dry-run, --held-out and --no-arm are for the workspace; leave them out with --to"
            )
        done, lines = export_fixed(folder, file, to, form, copy=copy)
        print("\n".join([*summary(file, done, to), *lines]))
        return
    if form is not None or copy:
        raise typer.BadParameter("--format and --copy need --to TARGET")
    if not dry_run:
        print(f"applying the marks of {file.name}", flush=True)
    with looking_only() if dry_run else claimed(folder, "fix"):
        done = apply(folder, file, held_out=held_out, arm=not no_arm, dry_run=dry_run)
    print("\n".join(summary(file, done)))
    if dry_run:
        print("dry run: nothing was written")
    elif done.made:
        print(f"labels {done.made.version}: {folder / done.made.path}")
        if done.made.added:
            print(f"new arm {ARM}: the baseline's images with the labels before any repair, to see what it was worth")
        print("\n".join(_effects(done.made.effects, folder)))
        print(f"list what is left: {command_line('metricloop', 'audit', '-C', folder)}")
        print(f"go on: {run_line(folder)}")


def _effects(found: Effects, folder: Path) -> list[str]:
    """Which scores, subsets and trials depend on the changed labels, and which do not, as lines."""
    from metricloop.cli.status_lines import few
    from metricloop.text.shell import command_line

    def listed(title: str, names: Sequence[str]) -> list[str]:
        return [f"{title}: {few(names, NAMED)}"] if names else []

    again = [f"{arm} ({count} of {total})" for arm, (count, total) in found.trials.items()]
    changed, trials = (sum(numbers) for numbers in zip(*found.trials.values(), strict=True)) if again else (0, 0)
    lines = listed("scores that differ now", found.scores) + listed("scores as before", found.same_scores)
    lines += listed("subsets that differ now", found.arms) + listed("subsets as before", found.same_arms)
    title = f"trials with changed labels, {changed} of {trials}" if len(again) > 1 else "trials with changed labels"
    lines += listed(title, again or ["none"] * bool(found.same_arms))
    if len(found.later) > NAMED:
        told = command_line("metricloop", "status", "-C", folder)
        waits = f", {found.waiting} of which wait for the others" if found.waiting else ""
        lines.append(f"out of date now: {len(found.later)} stages{waits}; {told} lists them")
    else:
        lines += listed("out of date now", found.later)
    return [*lines, f"scores and subsets are not all made again: {found.failed}"] if found.failed else lines


def _told(summary: dict[str, Any]) -> list[str]:
    """What changed, as lines: in all, per class, and how far boxes moved."""
    from metricloop.data.label_changes import KINDS

    lines = [", ".join(f"{summary[kind]} {kind}" for kind in KINDS)]
    if len(summary["per_class"]) > 1:
        lines += [
            f"{name}: " + ", ".join(f"{own[kind]} {kind}" for kind in KINDS if own[kind])
            for name, own in summary["per_class"].items()
        ]
    lines += [f"renamed {pair}: {count}" for pair, count in summary["renamed_from"].items()]
    if summary["moved"] + summary["renamed"]:
        bins = ", ".join(f"{span}: {count}" for span, count in summary["iou"].items() if count)
        lines.append(f"IoU of old and new boxes: {bins}")
    return lines
