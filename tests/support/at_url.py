"""Data sets at URLs: in fsspec's memory, and on a server of the standard library that counts, fails and comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec

from metricloop.data import picture_cache, remote


def in_memory(folder: Path, name: str) -> str:
    """Put the files of a folder at memory://NAME, and nothing else; returns the URL."""
    memory = fsspec.filesystem("memory")
    if memory.exists(f"/{name}"):
        memory.rm(f"/{name}", recursive=True)
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"memory://{name}"


def fresh_node(monkeypatch, folder: Path) -> None:
    """As on a machine that has fetched nothing yet, and keeps what it fetches in `folder`; nothing is waited for."""
    monkeypatch.setenv("METRICLOOP_CACHE", str(folder))
    monkeypatch.setattr("metricloop.data.storage.WAITS", (0.0, 0.0, 0.0))
    picture_cache.picture_cache.cache_clear()
    remote.forget()


class Server:
    """asked: how often each path was asked for, by GET. failing: path -> how many more answers are `status`.

    password: the header that every request must have.
    """

    def __init__(self, url: str) -> None:
        self.url, self.asked, self.failing, self.status = url, Counter[str](), Counter[str](), 503
        self.password = ""


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a folder, with listings, on this machine."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked[self.path] += 1
            if server.password and self.headers.get("Authorization") != server.password:
                self.send_error(401)
            elif server.failing[self.path] > 0:
                server.failing[self.path] -= 1
                self.send_error(server.status)
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
