"""Open the libraries that read each kind of storage, so that they neither wait nor complain where `storage` does it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CONNECTIONS = 64  # at the same time, to one server
FROM_ENVIRONMENT = {"trust_env": True}  # proxies, and passwords of ~/.netrc
OPTIONS: dict[str, dict[str, Any]] = {
    "http": {"client_kwargs": FROM_ENVIRONMENT},
    "https": {"client_kwargs": FROM_ENVIRONMENT},
    "gs": {"session_kwargs": FROM_ENVIRONMENT},
    "s3": {
        "max_concurrency": 1,  # of one file; otherwise its size is asked for first
        "config_kwargs": {
            "max_pool_connections": CONNECTIONS,
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"total_max_attempts": 2, "mode": "standard"},
        },
    },
}
AGAIN = 1  # times that a library itself asks a second time; `storage.ask` does it, too
LOGGED = {"gs": ("gcsfs", "gcsfs.credentials", "google.auth"), "az": ("azure",)}  # they log what they raise
EMULATOR, NO_TOKEN = "STORAGE_EMULATOR_HOST", {"token": "anon"}  # as Google's own libraries do with such a server
# Unless this says false, gcsfs asks by gRPC which kind of bucket it reads: before each picture, and for a minute where
# no gRPC gets through. Only zonal buckets need that; for them, set it to true.
GRPC = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"


def opened(scheme: str) -> AbstractFileSystem:
    """What reads URLs of a scheme, with the credentials that it finds. Errors: ImportError; those of the library."""
    import fsspec

    if scheme == "gs" and os.environ.setdefault(GRPC, "false").lower() not in ("true", "1"):
        from gcsfs.core import GCSFileSystem

        fsspec.register_implementation("gs", GCSFileSystem, clobber=True)  # where it was imported without the variable
    for name in LOGGED.get(scheme, ()):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    options = OPTIONS.get(scheme, {}) | (NO_TOKEN if scheme == "gs" and os.environ.get(EMULATOR) else {})
    with _opening[0]:
        system = fsspec.filesystem(scheme, use_listings_cache=False, **options)
        if scheme in IMPATIENT:
            IMPATIENT[scheme](system)
    return system


def _unlock() -> None:
    _opening[0] = threading.Lock()


_opening = [threading.Lock()]  # else each of many threads that begin together would look for credentials
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def _hurry_gcsfs(system: Any) -> None:
    """Let gcsfs try a request twice at most. It tries six times, which takes half a minute, and has no option."""
    once = getattr(type(system)._request, "__wrapped__", None)
    if once is not None and "_request" not in vars(system):
        from gcsfs.retry import retry_request

        system._request = partial(retry_request(retries=1 + AGAIN)(once), system)


def _hurry_adlfs(system: Any) -> None:
    """The same for Azure's client, whose four attempts take more than a minute."""
    with suppress(AttributeError):  # where a later version keeps it elsewhere, it only takes longer
        policy = system.service_client._config.retry_policy
        policy.total_retries, policy.initial_backoff, policy.random_jitter_range = AGAIN, 1, 0


IMPATIENT: dict[str, Callable[[Any], None]] = {"gs": _hurry_gcsfs, "az": _hurry_adlfs}
