"""Run the server until it is stopped."""

from __future__ import annotations

import errno
import signal
import socket
import threading

import uvicorn

from metricloop.serving.app import create_app
from metricloop.serving.connection import connection_class
from metricloop.serving.detector import Detector
from metricloop.serving.limits import Limits

HEADER_BYTES = 16 * 2**10
GOODBYE_SECONDS = 10  # for requests that are being answered when the server is stopped


def serve(detector: Detector, host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None) -> None:
    """Serve a detector until Ctrl-C or SIGTERM. Port 0 takes a free one.

    Errors: OSError saying that the port is taken or the host is not of this machine.
    """
    limits = limits or Limits()
    listener = open_port(host, port)
    try:
        app = create_app(detector, limits, (host, listener.getsockname()[0]))
    except ValueError:
        listener.close()
        raise
    server = uvicorn.Server(server_settings(app, limits))
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    print(f"{app.title} {app.version} on {address}; its documentation: {address}/docs. Ctrl-C stops it.", flush=True)
    if threading.current_thread() is threading.main_thread():  # uvicorn raises the signal once more at the end
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
    print("the server has stopped", flush=True)


def server_settings(app: object, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs the application."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=connection_class(limits.seconds),
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,  # paths are foreign text; /metrics counts them
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )


def open_port(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address, so that a taken port is told before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; else each answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} of {host} is taken; choose another with --port") from None
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            raise OSError(f"port {port} needs more rights; choose one above 1023 with --port") from None
        raise OSError(f"cannot listen on port {port} of {host} ({error}); check --host and --port") from None
    return listener
