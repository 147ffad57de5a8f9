"""The progress of a run on a terminal: one bar for the study, one for each trial or stage that runs now.

Lines that stay, such as the result of a trial, are printed above the bars. Where the output is no terminal, all lines
are printed, and there are no bars.
"""

from __future__ import annotations

import re
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from metricloop.study import processes
from metricloop.study.progress_lines import Progress, read_progress
from metricloop.study.run_record import Run, Running, left_text
from metricloop.text.duration import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

SHORT = 30  # characters of a name
UNKNOWN = "time left not known yet"
STARTING = "at work"  # until it says how far it is
PARTS = {"predict": "out-of-fold model"}  # kind of stage -> words in the labels of what it trains
_open: list[Live] = []


class Live:
    """The bars of one run. spent: what the language model has cost so far, in words; "" without one."""

    def __init__(self, run: Run, spent: Callable[[], str], console: Console) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        self.run, self.spent = run, spent
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self.study = self.bars.add_task("study".ljust(SHORT), total=None, told="")
        self.rows: dict[str, TaskID] = {}
        self.began: dict[str, float] = {}
        self._lock = threading.RLock()

    def start(self) -> None:
        """Show the bars until `stop`; all lines of the run come here meanwhile."""
        processes.show_with(self.line, self.take)
        self.run.changed = self.update
        self.bars.start()
        self.update(self.run.state)
        threading.Thread(target=self._tick, daemon=True, name="time left").start()

    def stop(self) -> None:
        """Take the bars away; lines are printed as usual from then on."""
        processes.show_with(None, None)
        self.run.changed = lambda state: None
        self.bars.stop()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        console = self.bars.console
        console.print(hanging(text, console.width), markup=False, highlight=False, soft_wrap=True)

    def take(self, line: str) -> bool:
        """Whether a line of a stage has become a bar, so that it need not be printed."""
        found = read_progress(line)
        if found:
            self._bar(found)
        return found is not None

    def update(self, state: Running) -> None:
        """Show which stages run, and how far the study is."""
        with self._lock:
            for name in state.now:
                trials = any(label != name and _stands_for(label, name) for label in self.rows)
                if name not in self.rows and not trials:
                    self._add(name, None)
            for name in [name for name in self.rows if not _belongs(name, state.now)]:
                self.bars.remove_task(self.rows.pop(name))
            total = len(state.stages)
            place = f"stage {len(state.done) + 1} of {total}" if len(state.done) < total else f"{total} stages done"
            told = f"{place}, {duration(time.time() - state.began)}"
            told += f", {left_text(state) or UNKNOWN}"
            if cost := self.spent():
                told += f", {cost}"
            self.bars.update(self.study, completed=len(state.done), total=total or None, told=told if total else "")

    def _bar(self, found: Progress) -> None:
        with self._lock:
            for name in [n for n in self.rows if n != found.label and _stands_for(found.label, n)]:
                self.bars.remove_task(self.rows.pop(name))  # a bar of its own says more than the stage's
            if found.label not in self.rows:
                self._add(found.label, found.total)
            told = f"{found.done}/{found.total} {found.unit}" + (f", {found.note}" if found.note else "")
            self.bars.update(self.rows[found.label], completed=found.done, total=found.total, told=told)
            if found.done >= found.total:
                self.bars.remove_task(self.rows.pop(found.label))

    def _add(self, name: str, total: int | None) -> None:
        short = name if len(name) <= SHORT - 2 else f"{name[: SHORT - 5]}..."
        self.rows[name] = self.bars.add_task(f"  {short}".ljust(SHORT), total=total, told=STARTING)

    def _tick(self) -> None:
        """Keep the clock of the study going between two stages."""
        while self in _open:
            time.sleep(1)
            self.update(self.run.state)


def hanging(text: str, width: int) -> str:
    """A line of progress as lines of at most `width` characters, those after the first set below its text.

    A word that is longer, such as a path, stays whole.

    >>> print(hanging("21:58:26  ingest: 960 images, none bad", width=28))
    21:58:26  ingest: 960
                images, none bad
    """
    lead = re.match(r"(\d\d:\d\d:\d\d)?\s*", text)
    indent = " " * (len(lead[0]) + 2 if lead else 2)
    return "\n".join(
        textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )


def _belongs(label: str, now: tuple[str, ...]) -> bool:
    """Whether a bar is that of a stage that runs now, or of a part of it."""
    return any(label == name or _stands_for(label, name) for name in now)


def _stands_for(label: str, stage: str) -> bool:
    """Whether the bar `label` is of a part of a stage: `random.0 seed 1` of train@random.0."""
    kind, _, name = stage.partition("@")
    if name:
        return label.startswith((f"{name} ", f"{kind} {name}"))
    return label.startswith(kind) or (kind in PARTS and PARTS[kind] in label)


@contextmanager
def shown(run: Run, spent: Callable[[], str], stream: TextIO | None = None) -> Iterator[None]:
    """Show a run on a terminal with bars; elsewhere nothing is changed, and lines are printed as they come."""
    stream = stream or sys.stdout
    if not stream.isatty():
        yield
        return
    from rich.console import Console

    live = Live(run, spent, Console(file=stream))
    _open.append(live)
    live.start()
    try:
        yield
    finally:
        _open.remove(live)
        live.stop()


def clear() -> None:
    """Take the bars away at once: the process is about to be ended."""
    for live in _open:
        live.stop()
