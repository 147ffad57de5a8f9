"""The command that gives a language model a take-home assignment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from metricloop.cli.command import Commands, flag, print_json
from metricloop.text.shell import command_line

commands = Commands("Take-home")


@commands.add(
    "metricloop takehome headlines",
    "metricloop takehome defects --provider openai --model gpt-5.4",
    "metricloop takehome ASSIGNMENT.md --data data -C mine --rounds 1",
    "metricloop takehome -C mine --show",
)
def takehome(
    assignment: Annotated[
        str, typer.Argument(metavar="[ASSIGNMENT]", help="ASSIGNMENT.md, or headlines or defects.", show_default=False)
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("-C", metavar="DIR", help="The folder.", show_default="takehome-ASSIGNMENT")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data that the model gets.")] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Labels that it never sees.", show_default="a share of the data is held out"),
    ] = None,
    rounds: Annotated[int, typer.Option(metavar="N", help="Further rounds of improvement.")] = 0,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="llm.provider")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="llm.model")] = None,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="llm.base_url")] = None,
    cassette: Annotated[str | None, typer.Option(metavar="FILE", help="llm.cassette")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE...", help="Change params.yaml first.")
    ] = None,
    show: Annotated[bool, flag("--show", "Print the scorecard again.")] = False,
    as_json: Annotated[bool, flag("--json", "Print the scorecard as JSON; with --show.")] = False,
) -> None:
    """Give a language model a take-home assignment, and keep the score."""
    from metricloop.data.tables import read_json
    from metricloop.takehome.scorecard_text import print_card
    from metricloop.takehome.settings import SCORECARD

    folder = (folder or _usual_folder(assignment)).resolve()
    if not show:
        options = {"provider": provider, "model": model, "base_url": base_url, "cassette": cassette}
        settings = changed_settings(changes or [])
        if named := {name: text for name, text in options.items() if text}:
            settings["llm"] = settings.get("llm", {}) | named
        _run(folder, assignment, data, truth, rounds, settings)
    if not (folder / SCORECARD).is_file():
        raise FileNotFoundError(f"{folder / SCORECARD} does not exist yet; run: metricloop takehome -C {folder}")
    card = read_json(folder / SCORECARD)
    if as_json:
        print_json(card)
        return
    print_card(card)
    print(f"\nconversation: {folder / 'transcript.md'}\napplication:  {folder / 'project'}")


def _usual_folder(assignment: str) -> Path:
    """takehome-NAME. Errors: ValueError when no assignment is named."""
    from metricloop.takehome.assignment import read_front

    if not assignment:
        raise ValueError("name an assignment (headlines, defects or ASSIGNMENT.md), or a folder with -C")
    path = Path(assignment)
    name = read_front(path)[0].name if path.is_file() else assignment
    return Path(f"takehome-{name}")


def changed_settings(changes: list[str]) -> dict[str, dict[str, Any]]:
    """Changes such as llm.repairs=2, by section. Errors: ValueError for one of another form."""
    import yaml

    found: dict[str, dict[str, Any]] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot and key):
            raise ValueError(f"--set {change}: give SECTION.KEY=VALUE, such as llm.repairs=2")
        found.setdefault(section, {})[key] = yaml.safe_load(value)
    return found


def _run(
    folder: Path, assignment: str, data: Path | None, truth: Path | None, rounds: int, changes: dict[str, Any]
) -> None:
    from metricloop.study.environment import hide_keys
    from metricloop.study.processes import call_model_step
    from metricloop.takehome.prepare import prepare
    from metricloop.takehome.settings import load_settings

    hide_keys()
    prepare(folder, assignment, data, truth, changes)
    load_settings(folder)
    again = command_line("metricloop", "takehome", "-C", folder)
    call_model_step(folder, "metricloop.tasks.steps.takehome", rounds, again)
