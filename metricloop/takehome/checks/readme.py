"""README: it has the commands to use the application, they name files that exist, and the Python ones run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from metricloop.takehome.bench import Bench
from metricloop.takehome.checks.dockerfile import OBJECT
from metricloop.takehome.checks.own_tests import CODE as RUN_TESTS
from metricloop.takehome.checks.own_tests import PROGRAM as TESTS_PROGRAM
from metricloop.takehome.contract import APP, DOCKERFILE, EXTRACT, PREDICT, README, REQUIREMENTS, SERVERS, TRAIN
from metricloop.takehome.result import Result, failed, judged
from metricloop.takehome.source import modules
from metricloop.text.clean import clean

BLOCK = re.compile(r"^```(?:sh|bash|shell|console)[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")
OTHERS = {"pip", "pip3", "docker", "curl", "export", "cd", "mkdir", "source", "git", "uv", "ruff"}
MOST_COMMANDS, MOST_TRAINING = 20, 3  # training may take minutes


def check(bench: Bench) -> Result:
    if README not in bench.files:
        return failed(f"there is no {README}")
    lines = commands(bench.files[README])
    if not lines:
        return failed(f"{README} has no command in a block that begins with ```sh")
    faults = [f"no command runs {program}" for program in needed(bench) if not any(program in line for line in lines)]
    if len(lines) > MOST_COMMANDS:
        faults.append(f"it has {len(lines)} commands; at most {MOST_COMMANDS}")
    if sum(TRAIN in line for line in lines) > MOST_TRAINING:
        faults.append(f"it trains more than {MOST_TRAINING} times")
    if faults:
        return judged(faults)
    ran = 0
    kept: Path | None = None
    for line in lines:
        argv, fault = understood(line, bench)
        if not fault and argv:
            fault, kept = _run(bench, argv, kept)
            ran += 1
        if fault:
            faults.append(fault)
    return judged(faults, commands=len(lines), ran=ran)


def needed(bench: Bench) -> list[str]:
    """The programs that the README has to show."""
    return [TRAIN, *([EXTRACT] if bench.assignment.front.kind == "text" else []), PREDICT]


def commands(text: str) -> list[str]:
    """The commands in the shell blocks of a Markdown text, one a line; continued lines are joined."""
    found = []
    for block in BLOCK.findall(text.replace("\r\n", "\n")):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            line = line.strip().removeprefix("$ ").strip()
            if line and not line.startswith("#"):
                found.append(line)
    return found


def understood(line: str, bench: Bench) -> tuple[list[str], str]:
    """What to run in the sandbox for a command, [] for one that is only looked at; and what is wrong with it."""
    shown = f"`{clean(line, 120)}`"
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return [], f"{shown}: its quotes do not match"
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if not words:
        return [], ""
    program = words[0].rpartition("/")[2]
    if program in ("curl", "docker"):
        return [], _looked_at(shown, program, line, bench)
    if set(words) & {"|", "&&", "||", ";", ">", "<", "&"} or any(mark in line for mark in ("$(", "`", "<(")):
        return [], f"{shown}: one plain command per line, without pipes and redirections"
    if program == "pytest":
        words, program = ["python", "-m", *words], "python"
    if program in ("python", "python3"):
        return _python(shown, words[1:], bench)
    if program in SERVERS:
        return [], _served(shown, words, bench)
    return [], "" if program in OTHERS and _installs_what_exists(words, bench) else f"{shown}: not a command known here"


def _python(shown: str, words: list[str], bench: Bench) -> tuple[list[str], str]:
    if words[:1] == ["-m"] and len(words) > 1:
        module = words[1]
        if module == "pytest":
            return [TESTS_PROGRAM, "tests"], ""
        if module in ("pip", "venv"):
            return [], ""
        if module in SERVERS:
            return [], _served(shown, words[1:], bench)
        if module not in modules(bench.files):
            return [], f"{shown}: there is no module {clean(module, 40)}"
        return words, ""
    script = words[0].removeprefix("./") if words else ""
    if script not in bench.files:
        return [], f"{shown}: there is no file {clean(script, 60)}"
    if script == APP:  # it would serve until it is ended
        return [], "" if ".run(" in bench.files[APP] else f"{shown}: {APP} never runs a server"
    return [script, *words[1:]], ""


def _served(shown: str, words: list[str], bench: Bench) -> str:
    named = [word.partition(":")[0] for word in words[1:] if OBJECT.fullmatch(word)]
    lacks = [name for name in named if name not in modules(bench.files)]
    return f"{shown}: there is no module {clean(lacks[0], 40)}" if lacks else ""


def _looked_at(shown: str, program: str, line: str, bench: Bench) -> str:
    if program == "docker" and "build" in line and DOCKERFILE not in bench.files:
        return f"{shown}: there is no {DOCKERFILE}"
    if program == "curl" and "predict" not in line:
        return f"{shown}: the endpoint is /predict"
    return ""


def _installs_what_exists(words: list[str], bench: Bench) -> bool:
    return not ("-r" in words and REQUIREMENTS not in bench.files)


def _run(bench: Bench, argv: list[str], kept: Path | None) -> tuple[str, Path | None]:
    """Run a command where the commands before it ran. Returns what is wrong, and the folder with all that was made."""
    extra = {TESTS_PROGRAM: RUN_TESTS.read_text()} if argv[0] == TESTS_PROGRAM else {}
    seconds = 60 * bench.assignment.front.minutes if argv[0] == TRAIN else None
    ran = bench.run(argv, extra, seconds, kept)
    if ran.fault:
        said = ran.fault if argv[0] != TESTS_PROGRAM else f"`python -m pytest`\n{ran.printed}"
        return f"a command of {README} does not run: {said}", kept
    if kept is None:
        return "", ran.made
    try:
        shutil.copytree(ran.made, kept, dirs_exist_ok=True)
    except OSError:  # a file where an earlier command made a folder, or the other way round
        return f"`{clean(' '.join(argv))}` makes files that are in the way of earlier ones", kept
    return "", kept
