"""Show the progress of a long step: a bar in a terminal, at most ten lines elsewhere, with rate and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

LINES = 10
LINES_EVERY = "METRICLOOP_LINES_EVERY"  # environment variable: seconds between two lines of a trial
PAUSE = 1.0  # seconds between two lines: a short step shows its last line alone


@contextmanager
def shown(label: str, unit: str, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Yield a function `progress(done, total)`; each call shows the progress on `stream`, by default stderr."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _lines(label, unit, stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, {{task.fields[rate]}}/s, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as bar:
        task, began = bar.add_task(label, total=None, rate="-"), time.monotonic()

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, rate=_rate(done, time.monotonic() - began))

        yield progress


def _lines(label: str, unit: str, stream: TextIO) -> Callable[[int, int], None]:
    began = shown_at = time.monotonic()
    last = 0

    def progress(done: int, total: int) -> None:
        nonlocal last, shown_at
        tenth = LINES * done // max(total, 1)
        if tenth <= last:
            return
        now = time.monotonic()
        if done < total and now - shown_at < PAUSE:
            return
        last, shown_at, took = tenth, now, now - began
        left = "" if done == total else f", {took / done * (total - done):.0f} s left"
        print(f"{label}: {done}/{total} {unit}, {_rate(done, took)}/s{left}", file=stream, flush=True)

    return progress


def _rate(done: int, seconds: float) -> str:
    return f"{done / seconds:.0f}" if seconds > 0 and done else "-"
