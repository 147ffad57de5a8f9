"""An HTTP connection that does not wait for ever: slow headers, endless bodies, and what is not HTTP at all."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from metricloop.serving.problems import KINDS, MEDIA_TYPE, problem_bytes


class PatientConnection(H11Protocol):
    """uvicorn's connection, with a clock from its first byte to the end of each request."""

    seconds = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            if self._clock is None:
                self._start_clock()
        else:
            self._stop_clock()

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(self.seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_slow(self) -> None:
        self._clock = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._start_clock()  # the application has a clock of its own for the body, and answers
        elif self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            detail = f"The header of the request took longer than {self.seconds:g} s; send it in one piece."
            self._refuse("too-slow", detail)
        else:  # refused long ago, and still sending
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for what is not HTTP."""
        self._refuse("bad-http", KINDS["bad-http"].example)

    def _refuse(self, kind: str, detail: str) -> None:
        content = problem_bytes(kind, detail)
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(content))),
            ("connection", "close"),
        ]
        try:
            for event in (
                h11.Response(status_code=KINDS[kind].status, headers=headers, reason=KINDS[kind].title.encode()),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        except h11.LocalProtocolError:  # in the middle of another answer
            pass
        self.transport.close()


def connection_class(seconds: float) -> type[PatientConnection]:
    """A kind of connection with another patience."""
    return type("Connection", (PatientConnection,), {"seconds": seconds})
