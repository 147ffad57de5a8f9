"""metricloop: the command line. Each module of commands is added here; heavy imports wait until a command runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from metricloop.cli import (
    arms,
    deliver,
    deploy,
    doctor,
    init,
    labels,
    language_model,
    metrics,
    push,
    relocate,
    repairs,
    show,
    study,
    takehome,
)
from metricloop.cli.command import SETTINGS, examples_text

app = typer.Typer(
    context_settings=SETTINGS,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    epilog=examples_text(["metricloop init demo --demo", "metricloop run -C demo", "metricloop run --help"]),
)
for module in (
    init,
    study,
    push,
    relocate,
    labels,
    arms,
    metrics,
    repairs,
    language_model,
    show,
    deliver,
    deploy,
    doctor,
    takehome,
):
    app.add_typer(module.commands)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"metricloop {version('metricloop')}")
        raise typer.Exit


@app.callback()
def top(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Which images and labels should I train on? Metrics put to the test, with proof."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 after an expected failure, 2 where it was typed wrongly."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # a failure is told once, by us
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")  # pages of text where its server is killed
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect's client neither sends usage data nor prints a notice of it
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # on a loaded machine
    os.environ["PYTHONSAFEPATH"] = "1"  # Prefect's server must not import a `select.py` of the current folder
    try:
        return typer.main.get_command(app).main(arguments, prog_name="metricloop", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _typed_wrongly(error)


def _typed_wrongly(error: Any) -> int:
    """Say in a line what was typed wrongly, what was probably meant, and where the help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "metricloop"
    near = getattr(error, "possibilities", None) or []
    near = [name for name in near if name.startswith(error.option_name)] or near
    message = f"{error.message}; did you mean {' or '.join(near)}?" if near else error.format_message()
    message = message.replace("Value error, ", "")  # so pydantic begins
    print(f"{command}: {message}\nSee: {command} --help", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
