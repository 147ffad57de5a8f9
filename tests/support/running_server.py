"""The server on a free port of this machine, in a thread, and requests to it byte by byte."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from metricloop.serving.limits import Limits
from metricloop.serving.server import open_port, server_settings

PATIENCE = 20  # s


@contextmanager
def running(app: FastAPI, limits: Limits) -> Iterator[int]:
    """The port of a server that runs meanwhile."""
    listener = open_port("127.0.0.1", 0)
    server = uvicorn.Server(server_settings(app, limits))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
    assert not thread.is_alive()


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for something that another thread does. Errors: AssertionError when it does not happen."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def first_answer(connection: socket.socket) -> bytes:
    """One answer of a connection that stays open."""
    data = b""
    while not (end := data.find(b"\r\n\r\n") + 4) > 4 or len(data) < end + _length(data[:end]):
        part = connection.recv(65536)
        assert part, "the server has closed the connection"
        data += part
    return data


def _length(head: bytes) -> int:
    return next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))


def answer_in(data: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body)
