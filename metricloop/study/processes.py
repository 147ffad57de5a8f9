"""Run the commands of a study: pass on what they print, and end them when the study is interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from metricloop.llm.key import HANDED, hand_over
from metricloop.runtime.progress import LINES_EVERY
from metricloop.study.environment import environment, keys, network
from metricloop.study.progress_lines import read_progress
from metricloop.study.run_record import Run, current
from metricloop.study.speed import Speed
from metricloop.text.duration import duration
from metricloop.text.shell import run_line

RUNNING = re.compile(r"Running stage '(.+)'")  # as DVC announces a stage
RESUMED = re.compile(r": (?:continues at iteration \d|already trained)")  # as training.trial says it
RAYLET = "raylet"  # in the lines with which Ray tells of a lost process or node; `execution.on_ray` says it in one
SKIPPED = re.compile(r"Stage '(.+)' (?:didn't change|is cached)")


BAR_SECONDS = "2"  # between two lines of a trial that become a bar
SOON = 30.0  # seconds of training, below which they are not told


@dataclass
class Shown:
    """How lines are shown: printed, unless a display has been set with `show_with`."""

    line: Callable[[str], None] | None = None
    take: Callable[[str], bool] | None = None


_live: set[int] = set()  # process groups of running commands
_shown = Shown()
no_more = threading.Event()  # set while a run is being stopped: no command is started then


class StageError(RuntimeError):
    """A stage failed; the message holds the last lines that it printed and the command that runs it again."""


def say(text: str) -> None:
    """Print one line of progress, with the time; nothing more while a run is being stopped."""
    if not no_more.is_set():
        (_shown.line or _print)(f"{time.strftime('%H:%M:%S')}  {text}")


def show_with(line: Callable[[str], None] | None, take: Callable[[str], bool] | None) -> None:
    """Give all lines to a display. line: prints one; take: whether a line of a stage need not be printed."""
    _shown.line, _shown.take = line, take


@contextmanager
def hushed() -> Iterator[None]:
    """Do not show what commands print in this block; an error still holds their last lines."""
    before = _shown.line, _shown.take
    show_with(before[0], lambda line: True)
    try:
        yield
    finally:
        show_with(*before)


def on_terminal() -> bool:
    """Whether a display shows what runs now."""
    return _shown.line is not None


def _print(text: str) -> None:
    print(f"{text}\n", end="", flush=True)  # in one piece: other threads print, too


def call(
    workspace: Path,
    command: Sequence[str],
    label: str,
    secret: str = "",
    variables: Mapping[str, str] | None = None,
    each: bool = False,
    again: str = "",
) -> None:
    """Run a command in the workspace and pass on what it prints.

    label: names the command in an error.
    secret: written to its standard input, because other processes can read its environment and its command line.
    variables: environment variables in addition to those of `environment`.
    each: for a command that runs several stages: print the name of each one when it begins.
    again: the command line that goes on after a failure; by default that of a study.

    The command gets its own process group. The group is killed when this call is interrupted or cancelled.
    Errors: StageError when the command fails, or when the run is being stopped.
    """
    if no_more.is_set():
        raise StageError(f"{label}: the run is being stopped")
    process = subprocess.Popen(
        command,
        cwd=workspace,
        env=environment(workspace)
        | ({LINES_EVERY: BAR_SECONDS} if on_terminal() else {})
        | dict(variables or {})
        | ({HANDED: "stdin"} if secret else {}),
        stdin=subprocess.PIPE if secret else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: list[str] = []
    stages = _Stages(current(workspace))
    _live.add(process.pid)
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError), process.stdin as stream:
                stream.write(secret)
        assert process.stdout is not None
        for line in process.stdout:
            line = line.rstrip()
            lines.append(line)
            stages.read(line)
            if each and (begun := RUNNING.match(line)):
                if not on_terminal():
                    say(f"  {begun[1]}")
            elif (_shown.take is None or not _shown.take(line)) and _worth_showing(line):
                say(f"  {line}{stages.left(line)}")
        code = process.wait()
    except BaseException:
        _end(process.pid)
        process.wait()
        raise
    finally:
        _live.discard(process.pid)
    if not code:
        stages.end()
    if code:
        tail = "\n".join(f"    {line}" for line in lines[-25:] if _worth_showing(line))
        raise StageError(
            f"{label} failed (exit status {code}):\n{tail}\n"
            f"  remove the cause, then continue with: {again or run_line(workspace)}"
        )


class _Stages:
    """Tells the run of this process which stages a DVC command begins and ends."""

    def __init__(self, run: Run | None) -> None:
        self.run, self.now, self.whole = run, "", True
        self.speeds: dict[str, Speed] = {}

    def read(self, line: str) -> None:
        """Take notice of a line that DVC has printed."""
        if begun := RUNNING.match(line):
            self.end()
            self.now, self.whole = begun[1], True
            if self.run:
                self.run.begin(self.now)
        elif RESUMED.search(line):
            self.whole = False
        elif (found := read_progress(line)) and found.unit == "batches":
            self.speeds.setdefault(found.label, Speed()).saw(found.label, found.done, time.monotonic())
            if self.run:
                self.run.saw(found.label, found.done)
        elif (skipped := SKIPPED.match(line)) and self.run:
            self.run.end(skipped[1], ran=False)

    def left(self, line: str) -> str:
        """How long the training of a line goes on, as the line's tail; "" where that is not known, or is over soon."""
        found = read_progress(line)
        each = self.speeds[found.label].iteration() if found and found.label in self.speeds else None
        seconds = each * (found.total - found.done) if found and each else 0.0
        return f", about {duration(seconds)} left" if seconds >= SOON else ""

    def end(self) -> None:
        """The stage that was begun last has ended well."""
        if self.run and self.now:
            self.run.end(self.now, whole=self.whole)
        self.now = ""


def end_all() -> None:
    """Kill every command that `call` waits for, in all threads: an interrupt reaches the main thread only."""
    for group in list(_live):
        _end(group)


def _end(group: int) -> None:
    """Kill a process group at once: stages save their state while they run, so they need no time to clean up."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _worth_showing(line: str) -> bool:
    """Whether to pass on a line: DVC's own lines about stages and git are left out, because we print our own."""
    noise = (
        "Running stage",
        "> python",
        "Updating lock file",
        "Generating lock file",
        "To track the changes",
        "git add",
        "To enable auto staging",
        "Use `dvc push`",
        "dvc config",
        "Verifying outputs",
        "ERROR: failed to reproduce",
        "WARNING:",
        "Stage '",
        "Data and pipelines are up to date",
    )
    return bool(line.strip()) and not line.strip().startswith(noise) and RAYLET not in line


def call_model_step(workspace: Path, module: str, number: int, again: str = "") -> None:
    """Run a step that asks the language model; only these steps get the keys and the NETWORK variables.

    number: of the round. again: as in `call`.
    """
    command = [sys.executable, "-P", "-m", module, str(number)]
    call(workspace, command, f"{module} {number}", hand_over(keys), network(), again=again)
