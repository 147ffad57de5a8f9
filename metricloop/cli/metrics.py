"""The commands about metrics: score the pool, try one of your own, adopt one that a language model wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metricloop import layout
from metricloop.cli import confirm_prompt
from metricloop.cli.command import HERE, STOPPED, Commands, OwnMetric, Policy, Workspace, flag, print_json
from metricloop.cli.named_file import own_file
from metricloop.text.shell import run_line

commands = Commands("Metrics")


@commands.add("metricloop score --list", "metricloop score -C ~/lions", "metricloop score pixels labels -C ~/lions")
def score(
    batches: Annotated[
        list[str] | None, typer.Argument(metavar="BATCH", help="Batches of arms.yaml.", show_default="all")
    ] = None,
    catalogue: Annotated[bool, flag("--list", "List every metric of the catalogue.")] = False,
    as_json: Annotated[
        bool,
        flag("--json", 'With --list: print a list of {"name", "family", "level", "higher_is", "needs", "summary"}.'),
    ] = False,
    folder: Workspace = HERE,
) -> None:
    """Score the pool with the metrics of arms.yaml, or list the metrics there are."""
    if as_json and not catalogue:
        raise typer.BadParameter("it goes with --list only", param_hint="'--json'")
    if catalogue:
        _list_catalogue(as_json)
        return
    from metricloop.flows.interrupt import quick_end
    from metricloop.flows.scoring import scoring
    from metricloop.study.environment import hide_keys
    from metricloop.study.plan import entry_of, load_plan

    hide_keys()
    folder = folder.resolve()
    plan = load_plan(folder)
    for name in batches or []:
        entry_of(plan, "batches", name)  # an unknown name is told before a server is started
    names = batches or list(plan["batches"])
    with quick_end(STOPPED):
        scoring(str(folder), names)
    for name in names:
        print(f"{folder / layout.SCORES / name}: {', '.join(plan['batches'][name]['metrics'])}")


def _list_catalogue(as_json: bool) -> None:
    from metricloop.report.metric_handbook import chapters, listing
    from metricloop.text.console import known_width

    known = chapters()
    if not as_json:
        print(listing(known, known_width()))
        return
    print_json(
        [
            {
                "name": entry.spec.name,
                "family": chapter.name,
                "level": entry.spec.level,
                "higher_is": entry.spec.higher_is,
                "needs": list(entry.spec.needs),
                "summary": entry.summary,
            }
            for chapter in known
            for entry in chapter.entries
        ]
    )


@commands.add(
    "metricloop try mine.py -C ~/lions",
    "metricloop try mine.py --metric glare --policy among share=0.4 -C ~/lions",
    name="try",
)
def try_metric(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file of metrics; it runs in the sandbox.")],
    metric: OwnMetric = None,
    policy: Policy = None,
    folder: Workspace = HERE,
) -> int:
    """Check your own metric at the acceptance gate, and see how it scores the pool.

    The exit status is 0 when every metric of the file was accepted.
    """
    from metricloop.cli.try_report import TryReport, read_policy
    from metricloop.scoring.metric_file import read_source
    from metricloop.study.plan import load_plan
    from metricloop.study.try_metric import metrics_to_try, open_sandbox, policy_of, read_try_inputs

    name, options = read_policy(policy or ["best"])
    policy_of(name, options)  # mistakes in what was typed are told before anything takes time
    load_plan(folder.resolve())
    inputs = read_try_inputs(folder.resolve())
    file = own_file(file, folder.resolve())
    source = read_source(file, folder.resolve())
    opened = open_sandbox(inputs, source.filename)
    names = metrics_to_try(opened, source, metric)
    alone = metric is None and len(names) == 1
    report = TryReport(folder, file, inputs, source, name, options, alone=alone)
    accepted = [report.on(one) for one in names]
    return 0 if all(accepted) else 1


@commands.add("metricloop adopt box_width -C ~/lions")
def adopt(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the metric or repair.")],
    yes: Annotated[bool, flag("--yes", "Do not ask: you have read it.")] = False,
    folder: Workspace = HERE,
) -> None:
    """Read code that a language model wrote, and let it run without the sandbox."""
    from metricloop.runtime.stage_start import ROUNDS_LOCK, hold_lock
    from metricloop.study.adopt import adopt as move
    from metricloop.study.adopt import read_generated, text_to_review

    workspace = folder.resolve()
    found = read_generated(workspace, name)
    print(text_to_review(found))
    if found.interrupted:
        print(f"{found.metric} was being adopted when something stopped it; finishing the adoption")
    elif not confirm_prompt.agrees("adopt it? it will run without the sandbox from now on", yes):
        print("not adopted")
        return
    hold_lock(workspace / ROUNDS_LOCK)  # a round that is being written writes rounds.yaml, too
    move(workspace, found)
    print(
        f"{found.metric} is in {found.adopted}; you can edit it there. The next run makes its "
        f"{'scores again under another name' if found.batch else 'edits again'}, and trains nothing again if they are "
        f"the same: {run_line(folder)}"
    )
