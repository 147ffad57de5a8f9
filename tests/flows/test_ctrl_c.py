"""Ctrl-C ends the process whatever happens while its outputs are put back."""

import signal

import pytest

from metricloop.flows import interrupt
from metricloop.study.processes import no_more


class EndedError(BaseException):
    """In place of the end of the process."""


def test_the_process_ends_also_where_putting_back_fails(monkeypatch, capsys):
    def full():
        raise OSError(28, "No space left on device")

    def ended(status):
        raise EndedError(status)

    monkeypatch.setattr(interrupt, "start_server_apart", lambda: None)
    monkeypatch.setattr(interrupt, "settle_all", full)
    monkeypatch.setattr(interrupt.os, "_exit", ended)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(EndedError) as caught, interrupt.quick_end("stopped; nothing is lost"):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
        no_more.clear()
    assert caught.value.args == (130,)
    assert capsys.readouterr().err == "OSError: [Errno 28] No space left on device\nstopped; nothing is lost\n"
