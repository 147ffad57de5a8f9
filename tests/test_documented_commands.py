"""Every command that README and docs show can be typed: its program knows the subcommand, options and settings."""

from __future__ import annotations

import re

import pytest
import typer
from documented import PAGES, PROGRAMS, ROOT, commands_of, shown_commands

from metricloop.cli.main import app
from metricloop.params import known_keys

TOP = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
NUMBERS = {"N": "1"}  # placeholder -> what a command line takes there
VARIABLES = {"CPU", "FULL", "CLEAN", "PYTHON", "EXAMPLES", "ALL"}


def shown(program: str) -> list:
    """Each command of a program once, with the page where it stands and whether it stands in a sentence."""
    found = {}
    for page in PAGES:
        for words, within in shown_commands(page.read_text()):
            if words[0] == program:
                found.setdefault((*words[1:], within), (page, words[1:], within))
    return [pytest.param(words, within, id=f"{page.stem}: {' '.join(words)}") for page, words, within in found.values()]


@pytest.mark.parametrize(("words", "within"), shown("metricloop"))
def test_metricloop_takes_it(words, within):
    typed(words, within)


def typed(words: list[str], within: bool) -> None:
    """Parse a command as the command line would. In a sentence what a command must be given may be left out."""
    if not words or words[0] == "--help":
        return
    assert words[0] in TOP.commands
    command = TOP.commands[words[0]]
    with TOP.make_context("metricloop", []) as top:
        try:
            params = command.make_context(words[0], [NUMBERS.get(word, word) for word in words[1:]], parent=top).params
        except typer.Exit:  # --help
            return
        except typer.TyperException as error:
            if within and str(error).startswith("Missing parameter"):
                return
            raise
    for assignment in params.get("changes") or []:
        key = assignment.partition("=")[0]
        assert key in ("KEY", "SECTION.KEY") or key in known_keys(), assignment


@pytest.mark.parametrize("wrong", ["rnu", "run --dryrun", "init ~/lions --dta /d", "run --set train.iteration=5"])
def test_a_wrong_command_would_be_found(wrong):
    with pytest.raises((AssertionError, typer.TyperException)):
        typed(wrong.split(), True)


@pytest.mark.parametrize(("words", "within"), shown("make"))
def test_make_has_the_target(words, within):
    for word in words:
        assert word in TARGETS or word.partition("=")[0] in VARIABLES or word == "..."


@pytest.mark.parametrize(("words", "within"), shown("dvc"))
def test_dvc_takes_it(words, within):
    from dvc.cli.parser import get_main_parser

    parser = get_main_parser()
    if within and len(words) == 1:  # such as `dvc plots`, of which only a part can be run
        assert words[0] in parser._subparsers._group_actions[0].choices
    else:
        parser.parse_args(words)  # raises an error


@pytest.mark.parametrize(("words", "within"), shown("prefect"))
def test_prefect_takes_it(words, within):
    from prefect.cli._app import _app

    _app.parse_args([word for word in words if word != "--no-prompt"], exit_on_error=False, print_error=False)


@pytest.mark.parametrize(("words", "within"), shown("mlflow"))
def test_mlflow_takes_it(words, within):
    from mlflow.cli import cli

    group, rest = cli, words
    while hasattr(group, "commands"):
        name, group, rest = group.resolve_command(group.context_class(group), rest)
    with group.context_class(group) as context:
        group.make_context(name, list(rest), parent=context)


def test_every_program_is_shown_and_sentences_count_too():
    assert all(shown(program) for program in PROGRAMS)
    block = "```sh\nA=1 .venv/bin/metricloop score \\\n  x | head  # metricloop no\nls\n```\n"
    text = f"Type `metricloop run --set a=1` twice.\n\n{block}"
    assert list(shown_commands(text)) == [
        (["metricloop", "score", "x"], False),
        (["metricloop", "run", "--set", "a=1"], True),
    ]
    assert commands_of("cd x && make demo; dvc repro > log") == [["make", "demo"], ["dvc", "repro"]]
