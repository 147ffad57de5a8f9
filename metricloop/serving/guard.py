"""Around every request: whom it is for, counting, and headers that keep a browser from doing more than it should."""

from __future__ import annotations

import time
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metricloop.serving.hosts import Hosts
from metricloop.serving.metrics import Metrics
from metricloop.serving.problems import RefusedError, answer

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Guard:
    """ASGI middleware. paths: those that are counted by name; all others count as one, or a stranger could fill the
    memory with counters.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Collection[str], hosts: Hosts) -> None:
        self.app, self.metrics, self.paths, self.hosts = app, metrics, frozenset(paths), hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
                if not any(name == b"content-security-policy" for name, _ in message["headers"]):
                    message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        try:
            self.hosts.check(scope["method"], Headers(scope=scope))
            await self.app(scope, receive, send_with_headers)
        except RefusedError as problem:  # of the check: the application answers its own
            await answer(problem)(scope, receive, send_with_headers)
        finally:
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.metrics.requests.labels(path, status).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - began)
