"""The commands that show something: the report, MLflow, and labels that look wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from metricloop import layout
from metricloop.cli.command import HERE, Commands, Workspace, flag, output_to_stderr, print_json

commands = Commands("Reports and checks")


@commands.add(
    "metricloop audit -C ~/lions --no-training",
    "metricloop audit -C ~/lions --most 200",
    "metricloop audit -C ~/lions --least 0",
    "metricloop audit -C ~/lions --budget",
    "metricloop audit -C ~/lions --set predict.iterations=2000",
    "metricloop audit -C ~/lions --json > audit.json",
)
def audit(
    folder: Workspace = HERE,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE...", help="Change params.yaml first.")
    ] = None,
    no_training: Annotated[bool, flag("--no-training", "Train nothing: use labels and pixels only.")] = False,
    most: Annotated[int, typer.Option(metavar="N", help="Lines of the list per kind of mistake, at most.")] = 50,
    least: Annotated[
        float,
        typer.Option(metavar="P", help="List what is wrong with at least this probability; 0 lists all suspects."),
    ] = 0.5,
    budget: Annotated[
        bool, flag("--budget", "Show how many known mistakes a number of corrected labels finds, by metric.")
    ] = False,
    as_json: Annotated[
        bool,
        flag(
            "--json",
            'Print audit.json: "images", "boxes", "model", "measured", "disagreement", "budget", "expected" and '
            '"suspects" by kind, "notes", "seconds".',
        ),
    ] = False,
) -> None:
    """List the labels that look wrong, and how well metrics find known mistakes."""
    from metricloop.data.tables import read_json
    from metricloop.flows.audit import audit as examine
    from metricloop.params import load_params
    from metricloop.study.check_study import check_study
    from metricloop.study.data_files import check_there
    from metricloop.study.edit_params import change_params
    from metricloop.study.run_record import claimed

    params = load_params(folder / layout.PARAMS)
    if changes:
        params = check_study(folder, changes).params
    check_there(folder.resolve(), params.data, pictures=True)
    with output_to_stderr() if as_json else nullcontext(), claimed(folder.resolve(), "audit"):
        for line in change_params(folder / layout.PARAMS, changes or []):
            print(line)
        written = examine(folder.resolve(), no_training=no_training, most=most, least=least, budget=budget)
    if as_json:
        print_json(read_json(written / "audit.json"))


@commands.add("metricloop report -C ~/lions")
def report(folder: Workspace = HERE) -> None:
    """Write report.html."""
    _step(folder.resolve(), "metricloop.tasks.steps.report")


@commands.add("metricloop track -C ~/lions")
def track(folder: Workspace = HERE) -> None:
    """Rebuild the study's view in MLflow, its own and that at MLFLOW_TRACKING_URI."""
    from metricloop.study.environment import network
    from metricloop.tracking.registry import server_variables
    from metricloop.tracking.track import where_to_look

    _step(folder.resolve(), "metricloop.tasks.steps.track", server_variables() | network())
    print(where_to_look(folder))


def _step(folder: Path, module: str, variables: Mapping[str, str] | None = None) -> None:
    """Run a step of a study that this version has compared, in a process of its own. variables: further ones."""
    from metricloop.comparison.comparison_file import read_comparison
    from metricloop.study.processes import call

    read_comparison(folder)
    call(folder, [sys.executable, "-P", "-m", module], module, variables=variables)
