"""The commands that run a study, and show, check and export its results."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metricloop import layout
from metricloop.cli.command import HERE, STOPPED, Commands, Workspace, existing_result, flag, print_json

if TYPE_CHECKING:
    from metricloop.llm.settings import LanguageModel
    from metricloop.params import Params

commands = Commands("Study")


@commands.add(
    "metricloop run -C ~/lions --dry-run",
    "metricloop run -C ~/lions",
    "metricloop run -C ~/lions --set train.iterations=500 llm.rounds=3",
    "metricloop run -C ~/lions --arm box_tightness",
)
def run(
    folder: Workspace = HERE,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE...", help="Change params.yaml first.")
    ] = None,
    dry_run: Annotated[
        bool,
        flag("--dry-run", "Check everything, show what would run, how long, and what it can decide; write nothing."),
    ] = False,
    arm: Annotated[str | None, typer.Option(metavar="NAME", help="Run one arm only.")] = None,
    trusted: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="FILE...",
            help="You have read these files of metrics: as they are now, they run without the sandbox.",
        ),
    ] = None,
    unsafe: Annotated[
        bool,
        flag("--unsafe-in-process", "Run metrics that nobody has read without the sandbox; every result is marked."),
    ] = False,
) -> None:
    """Run the study, or go on with it where it stopped."""
    doing = "look and time a few iterations" if dry_run else "look for what there is to do"
    line = f"{time.strftime('%H:%M:%S')}  {folder.resolve().name}: {doing}"
    if (folder / layout.PARAMS).is_file():  # at once: the next imports take a second
        print(line, file=sys.stderr if dry_run else sys.stdout, flush=True)
    from metricloop.cli.price_question import ask_price
    from metricloop.data.tables import UNSAFE
    from metricloop.scoring.trust import trust
    from metricloop.study.check_study import check_study
    from metricloop.study.data_files import check_there, missing
    from metricloop.study.edit_params import change_params
    from metricloop.study.environment import hide_keys, set_by_options
    from metricloop.study.plan import entry_of
    from metricloop.study.remote import left_to_push, pushed
    from metricloop.study.run_record import check_free, describe, last_run
    from metricloop.text.duration import duration

    hide_keys()  # before Prefect's server is started, which would inherit them
    folder = folder.resolve()
    if dry_run and (running := last_run(folder)) and running.alive:
        print(describe(running))
        return
    check_free(folder)
    checked = check_study(folder, changes or [])  # a mistake is told before a server is started, or a file changed
    if not dry_run and (asked := ask_price(folder, checked.params.llm)):
        changes = [*(changes or []), *asked]
        checked = check_study(folder, changes)
    params = checked.params
    if params.llm.lessons:
        from metricloop.engineer.lessons import read_lessons

        read_lessons(folder, params.llm.lessons)
    if arm:
        entry_of(checked.plan, "arms", arm)
    would = "would change " if dry_run else ""
    for line in [*(would + change for change in checked.changes), *(f"warning: {one}" for one in checked.warnings)]:
        print(line)
    if dry_run:
        from metricloop.cli.dry_run import outlook

        print(outlook(folder, checked.params_text), flush=True)
        if said := missing(folder, params.data):
            print(f"missing  {said}")
        return
    change_params(folder / layout.PARAMS, changes or [])
    for file in trusted or []:
        print(f"trusted as it is now: {trust(file, folder)}")
    if unsafe:
        print("WARNING: metrics that nobody has read will run without the sandbox; results are marked", file=sys.stderr)
        set_by_options[UNSAFE] = "1"
    began = time.monotonic()
    if arm:
        check_there(folder, params.data)
    elif not (old := _old(folder)) and _nothing_left(folder, params):
        print("nothing to do: every stage, round and seed is done")
        if left_to_push(folder):
            print(pushed(folder))
        _show(folder)
        return
    elif old and missing(folder, params.data):
        check_there(folder, params.data)
    _work(folder, params.llm, arm)
    _show(folder)
    print(f"took {duration(time.monotonic() - began)}")


def _work(folder: Path, model: LanguageModel, arm: str | None) -> None:
    """Run the flow of the study, or of one arm; on a terminal with bars."""
    from metricloop.llm.money import money_so_far
    from metricloop.study.live import shown
    from metricloop.study.processes import say
    from metricloop.study.run_record import claimed

    with claimed(folder, "run") as run, shown(run, lambda: money_so_far(folder / layout.JOURNAL, model)):
        say("start Prefect, which decides what runs next")  # loading it and its server takes seconds
        from metricloop.flows.interrupt import quick_end

        with quick_end(STOPPED):
            if arm:
                from metricloop.flows.experiment import experiment

                experiment(str(folder), arm)
            else:
                from metricloop.flows.improve import improve

                improve(str(folder))


def _old(folder: Path) -> list[str]:
    """The stages that are out of date; found out before Prefect, which takes seconds to start."""
    from metricloop.study.refresh import refresh_code
    from metricloop.study.staleness import staleness

    refresh_code(folder)
    return staleness(folder).old


def _nothing_left(folder: Path, params: Params) -> bool:
    """Whether a study whose stages are up to date has nothing left to do or to show."""
    from metricloop.flows.decisions import nothing_left

    return nothing_left(folder, params)


def _show(folder: Path) -> None:
    """Print the comparison table, what to do next, and where to see more."""
    from metricloop.comparison.comparison_file import read_comparison
    from metricloop.comparison.comparison_table import print_table
    from metricloop.study.background import read_background
    from metricloop.tracking.track import where_to_look

    print()
    print_table(read_comparison(folder), background=read_background(folder))
    report = folder / layout.REPORT
    if report.is_file():
        print(f"\nreport:     {report}")
    print(where_to_look(folder))


@commands.add("metricloop status -C ~/lions", "metricloop status -C ~/lions --json | jq .to_do")
def status(
    folder: Workspace = HERE,
    as_json: Annotated[
        bool,
        flag(
            "--json",
            'Print {"stages": names in order, "to_do": those out of date, "waiting": those that read from them, '
            '"why": {stage to do: [{"kind", "what", "old", "new"}]}, "last_run": the run in progress or the last one '
            "that did not finish, or null}.",
        ),
    ] = False,
) -> None:
    """Show what is up to date, what is not, and why."""
    from metricloop.cli.status_lines import describe_splits, status_lines
    from metricloop.params import load_params
    from metricloop.study.data_files import missing
    from metricloop.study.run_record import describe, describe_stopped, last_run
    from metricloop.study.staleness import staleness
    from metricloop.text.shell import command_line

    folder = folder.resolve()
    found, run = staleness(folder), last_run(folder)
    if as_json:
        why = {name: [asdict(reason) for reason in reasons] for name, reasons in found.why.items()}
        last = asdict(run) | {"alive": run.alive} if run else None
        parts = {"stages": found.stages, "to_do": found.to_do, "waiting": found.waiting, "why": why, "last_run": last}
        print_json(parts)
        return
    if run:
        print(describe(run) if run.alive else describe_stopped(run, folder))
    print("\n".join(status_lines(found, run.now if run and run.alive else ())))
    summary = folder / layout.SUMMARY
    if summary.is_file() and (told := describe_splits(json.loads(summary.read_text()))):
        print(f"data: {told}")
    if not (folder / layout.REPORT).is_file():
        line = command_line("metricloop", "compare", "-C", folder)
        print(f"no {layout.REPORT} yet: it is written when a run ends; after the first comparison: {line}")
    if said := missing(folder, load_params(folder / layout.PARAMS).data):
        print(said)


@commands.add(
    "metricloop compare -C ~/lions",
    "metricloop compare -C ~/lions --notes",
    "metricloop compare -C ~/lions --markdown > table.md",
    "metricloop compare -C ~/lions --confirmed",
)
def compare(
    folder: Workspace = HERE,
    markdown: Annotated[bool, flag("--markdown", "Print the table as Markdown.")] = False,
    confirmed: Annotated[bool, flag("--confirmed", "The test split's numbers, from confirmation.json.")] = False,
    with_notes: Annotated[
        bool, flag("--notes", "Also the mean gains of groups, and how the numbers are made.")
    ] = False,
    as_json: Annotated[bool, flag("--json", "Print comparison.json, or with --confirmed confirmation.json.")] = False,
) -> None:
    """Print the verdict, the table, and what to do next."""
    from metricloop.comparison.comparison_file import read_comparison, read_confirmation
    from metricloop.comparison.comparison_table import markdown_table, print_confirmation, print_table
    from metricloop.data.tables import read_json

    folder = folder.resolve()
    result = existing_result(folder, layout.CONFIRMATION if confirmed else layout.COMPARISON)
    if as_json:
        print_json(read_json(result))
        return
    comparison = read_comparison(folder)
    if confirmed:
        openings = folder / layout.OPENINGS
        lines = openings.read_text().splitlines() if openings.is_file() else []
        print_confirmation(read_confirmation(folder), comparison, [json.loads(line) for line in lines])
    elif markdown:
        print(markdown_table(comparison))
    else:
        from metricloop.params import ParamsError
        from metricloop.study.background import read_background
        from metricloop.study.plan import PlanError
        from metricloop.study.run_record import describe, last_run

        try:
            background, reason = read_background(folder), ""
        except (ParamsError, PlanError) as error:
            background, reason = None, f"What to do next cannot be told: {error}"
        running = last_run(folder)
        if running and running.alive:  # the advice would be to do what is being done
            background, reason = None, f"These are the results so far of {describe(running)}."
        print_table(comparison, background=background, with_notes=with_notes)
        if reason:
            print(f"\n{reason}")


@commands.add("metricloop reproduce random.0 -C ~/lions")
def reproduce(
    block: Annotated[str, typer.Argument(metavar="BLOCK", help="For example random.0.")], folder: Workspace = HERE
) -> int:
    """Compute a block again in a fresh clone and compare every number."""
    from metricloop.cli.reproduce import reproduce_block

    differences = reproduce_block(folder.resolve(), block)
    if differences:
        print("\n".join(differences))
        print(f"{block}: {len(differences)} numbers differ from the recorded ones", file=sys.stderr)
        return 1
    print(f"{block}: computed again from the inputs alone; every number equals the recorded one")
    return 0
