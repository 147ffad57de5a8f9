"""Connect to a Ray cluster: quietly, without the workspace on the import path, and only to one that a person named."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metricloop.execution.settings import Execution

NAMED = "RAY_ADDRESS"  # as Ray reads it: the cluster that `auto` means
START = "ray start --head"
CLIENT = "ray://"  # begins the address of a cluster for a machine outside, which is not a node of it
PATIENCE = 5.0  # seconds for a cluster's port


class ClusterError(RuntimeError):
    """There is no cluster to run on; the message says what to do."""


def connect(settings: Execution) -> Any:
    """The module `ray`, connected to the cluster of the settings. Errors: ClusterError."""
    # These are read when Ray is imported. Without the first it prints a warning of what later versions do.
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a cluster that is lost is not replaced by one here
    os.environ.setdefault("RAY_grpc_client_keepalive_timeout_ms", "20000")  # a node that is cut off: not two minutes
    if "RAY_AUTH_MODE" not in os.environ and _token().is_file():
        os.environ["RAY_AUTH_MODE"] = "token"  # as a cluster that finds a token asks for; Ray does it for `auto` alone
    try:
        import ray
    except ImportError:
        raise ClusterError(
            f"execution.engine is ray, and Ray is not installed; install it: "
            f"{sys.executable} -m pip install 'metricloop[ray]'"
        ) from None
    if ray.is_initialized():
        return ray
    address = address_of(settings)
    if address.startswith(CLIENT) and find_spec("grpc") is None:
        raise ClusterError(
            f"{address} needs a package that is not installed (grpcio); install it: "
            f"{sys.executable} -m pip install 'metricloop[ray]'"
        )
    check_port(address)
    with _elsewhere():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many kinds
            first = str(error).strip().partition("\n")[0]
            advice = f"start one here: {START}" if address == "auto" else "see whether it runs there: ray status"
            advice += "; ray:// takes the port of its client server, usually 10001" * address.startswith(CLIENT)
            raise ClusterError(f"no Ray cluster at {address}: {first}; {advice}") from None
    return ray


def address_of(settings: Execution) -> str:
    """The address to connect to: that of RAY_ADDRESS for `auto`.

    Whoever answers there gets our data and sends back pickles, which can run code. A stranger's workspace may name any
    address, so another machine's counts only when RAY_ADDRESS names it, too.
    Errors: ClusterError.
    """
    named = os.environ.get(NAMED, "")
    if settings.address == "auto":
        return named or "auto"
    if settings.address != named and not _on_this_machine(_host(settings.address)):
        found = f"{NAMED} is {named}" if named else f"{NAMED} is not set"
        raise ClusterError(
            f"execution.address is {settings.address}, and {found}; if you trust that cluster with your data: "
            f"export {NAMED}={settings.address}"
        )
    return settings.address


def check_port(address: str) -> None:
    """Errors: ClusterError when nobody listens at the address; Ray itself would try for a minute."""
    if address == "auto":
        return
    host, port = _host(address), address.rpartition(":")[2]
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster at {address}: {getattr(error, 'strerror', None) or error}; see whether it runs there: "
            "ray status"
        ) from None


def _token() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")


def _host(address: str) -> str:
    return address.removeprefix(CLIENT).rpartition(":")[0].strip("[]")


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Meanwhile in an empty folder: Ray puts the current folder on the import path of every worker, and a workspace may
    hold a file that hides a module.
    """
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="metricloop-") as empty:
        os.chdir(empty)
        try:
            yield
        finally:
            os.chdir(before)
