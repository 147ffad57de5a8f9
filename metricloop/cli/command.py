"""What all commands share: how arguments are read, how failures are reported, and how JSON is printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from metricloop import layout
from metricloop.data.urls import with_urls
from metricloop.runtime.damaged_files import told, words_of
from metricloop.text.shell import command_line, run_line

ITS_HELP = ("The workspace.", "Workspaces")  # how the help of an option or argument begins that names workspaces
Workspace = Annotated[Path, typer.Option("-C", metavar="DIR", help=ITS_HELP[0], show_default="here")]
HERE = Path()
OwnMetric = Annotated[
    str | None, typer.Option("--metric", metavar="NAME", help="One of the file's metrics.", show_default="all")
]
Policy = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="NAME OPTION=VALUE...",
        help="How its scores become a subset, e.g. among share=0.4. How many images: study.budget, for all arms.",
        show_default="best",
    ),
]
STOPPED = "\nstopped; nothing is lost: the same command goes on from here"
EXPECTED = (ValueError, RuntimeError, OSError, KeyError, subprocess.SubprocessError)
MARKS = (layout.PARAMS, layout.ARMS, layout.ROUNDS, layout.STAGES, layout.LOCK)  # of a workspace
OUR_SOURCE = Path("metricloop", "cli", "main.py")  # in a clone of metricloop, which is a workspace, but nobody's study
SETTINGS = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose options may take several values, and whose expected failures end in one message and status 1."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, after `one_value_a_flag` has prepared them for the options of this command."""
        options = [param for param in self.params if isinstance(param, TyperOption) and not param.is_flag]
        several = [name for option in options if option.multiple for name in option.opts]
        single = [name for option in options if not option.multiple for name in option.opts]
        try:
            args = one_value_a_flag(args, several, single)
        except MissingValueError as error:
            if not ctx.resilient_parsing:  # as it is while a shell completes what is typed
                raise typer.BadParameter("a value is missing", ctx=ctx, param_hint=repr(str(error))) from None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> int:
        """Run the command and return its exit status."""
        try:
            status = super().invoke(ctx) or 0
            sys.stdout.flush()
            return status
        except (typer.Exit, typer.Abort, typer.TyperException):  # typed wrongly: no matter of damaged files
            raise
        except KeyboardInterrupt:
            print(STOPPED, file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader of our output, such as `head`, has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141  # as of a program that SIGPIPE ended: a study that stopped half-way is no success
        except Exception as error:
            if os.environ.get("METRICLOOP_DEBUG"):
                raise
            message = told(error, *_workspaces(ctx), outputs=True)
            if message is None and not isinstance(error, EXPECTED):
                raise
            said = words_of(error)
            message = no_workspace(self, ctx, said) or (said if message is None else message)
            print(f"{ctx.command_path}: {with_urls(message)}", file=sys.stderr)
            return 1


def _workspaces(ctx: Any) -> list[Path]:
    """The workspaces among the values of a command's options and arguments."""
    given = [one for value in ctx.params.values() for one in (value if isinstance(value, list | tuple) else [value])]
    folders = [Path(one).resolve() for one in given if isinstance(one, str | Path)]
    marks = (layout.PARAMS, layout.STAGES, layout.LOCK)
    return list(dict.fromkeys(folder for folder in folders if any((folder / mark).exists() for mark in marks)))


def no_workspace(command: TyperCommand, ctx: Any, said: str) -> str:
    """The message for a command that failed because its folder is no workspace; "" if it failed for another reason.

    said: the message of its error; "" is returned also if it tells this already. A folder counts as a workspace, maybe
    a damaged one, if it holds any of the files that `init` writes.
    """
    named = next((param for param in command.params if str(getattr(param, "help", "")).startswith(ITS_HELP)), None)
    if named is None or "no workspace" in said:
        return ""
    value = ctx.params.get(named.name) or HERE
    folders = [value] if isinstance(value, Path) else value
    folder = next((own for own in folders if not any((own / mark).exists() for mark in MARKS)), None)
    return "" if folder is None else _told_of(folder, named.opts)


def _told_of(folder: Path, options: Sequence[str]) -> str:
    from metricloop.params import ParamsError, load_params

    try:
        load_params(folder / layout.PARAMS)
    except ParamsError as error:
        below = sorted(
            path.parent
            for path in folder.glob(f"*/{layout.PARAMS}")
            if (path.parent / layout.ARMS).exists() and not (path.parent / OUR_SOURCE).exists()
        )
        near = " or ".join(command_line(*[own for own in options if own == "-C"], path) for path in below[:3])
        return f"{error}, or name one: {near}" if near else str(error)
    return ""


class MissingValueError(Exception):
    """An option has no value; the message is its name."""


def one_value_a_flag(arguments: Sequence[str], several: Sequence[str], single: Sequence[str]) -> list[str]:
    """Repeat a flag before each of its values, which is how typer wants them: it reads one value after a flag.

    several: options that take one value or more, up to the next option or `--`. single: options that take one.
    Errors: MissingValueError where no value follows an option.

    >>> one_value_a_flag(["x", "--set", "a=1", "b=2", "--arm", "y"], ["--set"], ["--arm"])
    ['x', '--set', 'a=1', '--set', 'b=2', '--arm', 'y']
    """
    result: list[str] = []
    place = 0
    while place < len(arguments):
        word = arguments[place]
        place += 1
        if word == "--":
            return [*result, *arguments[place - 1 :]]
        if word not in several and word not in single:
            result.append(word)
            continue
        first = place
        while place < len(arguments) and not _is_option(arguments[place]) and (word in several or place == first):
            result += [word, arguments[place]]
            place += 1
        if place == first:
            raise MissingValueError(word)
    return result


def _is_option(word: str) -> bool:
    """Whether a word is an option; a lone dash, a negative number and a text with blanks are values."""
    return word.startswith("-") and word != "-" and " " not in word and not re.fullmatch(r"-\d+|-\d*\.\d+", word)


class Commands(typer.Typer):
    """The commands of one module; they stand together in `metricloop --help`, under `title`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title

    def add(self, *examples: str, name: str | None = None) -> Callable[[Callable], Callable]:
        """Register a function as a command. examples: command lines, shown at the end of its --help."""
        return self.command(
            name,
            cls=Command,
            context_settings=SETTINGS,
            epilog=examples_text(examples),
            rich_help_panel=self.title,
        )


def examples_text(lines: Sequence[str]) -> str:
    """The end of a --help. The blank line before it keeps typer from taking the indent away."""
    return "\n".join(["", "Examples:", *(f"  {line}" for line in lines)]).replace("[", r"\[")


def flag(name: str, help: str) -> Any:
    """An option without a value."""
    return typer.Option(name, metavar="", help=help)


def existing_result(folder: Path, name: str) -> Path:
    """The path of a file that a study writes. Errors: FileNotFoundError saying how it is made, or that it is being."""
    path = folder / name
    if path.is_file():
        return path
    from metricloop.study.run_record import describe, last_run

    if (running := last_run(folder)) and running.alive:
        raise FileNotFoundError(f"{path} does not exist yet: wait for {describe(running)}")
    raise FileNotFoundError(f"{path} does not exist yet; run the study first: {run_line(folder)}")


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Send all output to stderr meanwhile, that of started processes too, so that stdout holds the JSON alone."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
