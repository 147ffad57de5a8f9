"""Lines of progress: several threads say them at the same time."""

import io
import sys

from metricloop.study.processes import say


class Writes(io.StringIO):
    """A stream that keeps what each call wrote."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, text):
        self.pieces.append(text)
        return super().write(text)


def test_a_line_is_written_in_one_piece_with_its_end(monkeypatch):
    stream = Writes()
    monkeypatch.setattr(sys, "stdout", stream)
    say("train a (1 of 2)")
    say("train b (2 of 2)")
    assert [piece[10:] for piece in stream.pieces if piece] == ["train a (1 of 2)\n", "train b (2 of 2)\n"]
