"""Progress of a long step: at most ten lines, with the rate and the time left."""

import io
import re
from types import SimpleNamespace

from metricloop.runtime import progress


def test_ten_lines_and_the_last_one_at_the_end(monkeypatch):
    clock = iter([0.0, *(float(tenth + 1) for tenth in range(10))])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    stream = io.StringIO()
    with progress.shown("score pixels", "images", stream) as show:
        for done in range(1, 101):
            show(done, 100)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "score pixels: 10/100 images, 10/s, 9 s left"  # ten in the first second
    assert lines[-1] == "score pixels: 100/100 images, 10/s"


def test_a_short_step_shows_its_end_alone(monkeypatch):
    clock = iter([0.0, *(0.01 * k for k in range(1, 101))])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    stream = io.StringIO()
    with progress.shown("ingest", "pictures", stream) as show:
        for done in range(1, 101):
            show(done, 100)
    assert stream.getvalue() == "ingest: 100/100 pictures, 110/s\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_in_a_terminal():
    stream = Terminal()
    with progress.shown("score pixels", "images", stream) as show:
        show(50, 100)
        show(100, 100)
    assert re.search(r"score pixels.*100/100.*images", stream.getvalue())
