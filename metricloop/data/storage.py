"""Ask what stores things at URLs, patiently, and tell in one clear line why it does not answer.

Credentials are found by the libraries of each kind of storage in the usual places (environment, files of the home
folder, roles of the machine); none passes through here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from metricloop.data import door
from metricloop.data.urls import SCHEMES, without_secrets

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CONNECTIONS = 64  # at the same time, to one server
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between attempts: longer than a server takes to start again
AWAY = 60.0  # seconds in which a server that was away is not asked again
FROM_ENVIRONMENT = {"client_kwargs": {"trust_env": True}}  # proxies, and passwords of ~/.netrc
OPTIONS: dict[str, dict[str, Any]] = {
    "http": FROM_ENVIRONMENT,
    "https": FROM_ENVIRONMENT,
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
Got = TypeVar("Got")
_patient: ContextVar[bool] = ContextVar("patient", default=True)
_away: dict[str, tuple[float, str]] = {}  # by host or bucket: until when it is not asked again, and what it said


@contextmanager
def hurried() -> Iterator[None]:
    """Within it nothing is tried again: for a look at a study, which must not wait for a server that is away."""
    token = _patient.set(False)
    try:
        yield
    finally:
        _patient.reset(token)


def trust_again() -> None:
    """Ask servers again that were away a moment ago."""
    _away.clear()


def system_of(url: str) -> AbstractFileSystem:
    """What reads this kind of URL; asked for anew each time, because a forked process needs its own."""
    import fsspec

    scheme = url.partition("://")[0]
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, **OPTIONS.get(scheme, {}))
    except ImportError as error:
        extra = SCHEMES[scheme]
        raise door.MissingPackageError(
            f"{url}: {scheme}:// needs a package that is not installed ({error.name or error}); "
            f"install it with: pip install 'metricloop[{extra}]'"
        ) from None


def ask(url: str, what: Callable[[], Got], gone: Got | None = None) -> Got:
    """Ask a server, again and again where its failure may be temporary. gone: the answer where nothing is there.

    Errors: AwayError; DoorError where nothing is there and `gone` is None.
    """
    place = "/".join(url.split("/", 3)[:3])
    waits = (*WAITS, None) if _patient.get() else (None,)
    for wait in waits:
        until, said = _away.get(place, (0.0, ""))
        if time.monotonic() < until:
            raise door.AwayError(said)
        try:
            return what()
        except FileNotFoundError as error:
            if _code(error) != "NoSuchBucket":
                if gone is None:
                    raise door.DoorError("it does not exist") from None
                return gone
            why, temporary = "there is no bucket of this name", False
        except (door.MissingPackageError, door.DoorError):
            raise
        except Exception as error:  # every library has errors of its own
            why, temporary = _reason(error)
        if wait is None or not temporary:
            hint = "; finished results stay, and the same command goes on when it is back" if temporary else ""
            said = f"{url}: {why}{hint}"
            if _patient.get():
                _away[place] = (time.monotonic() + AWAY, said)
            raise door.AwayError(said) from None
        time.sleep(wait * random.uniform(0.7, 1.3))
    raise AssertionError("unreachable")


def _code(error: BaseException) -> str:
    """The code in an answer of S3; "" in other errors."""
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def _reason(error: Exception) -> tuple[str, bool]:
    """Why a server did not give what it was asked for, in words, and whether that may be temporary."""
    told = " ".join(without_secrets(str(error)).split())[:200]
    status = next((int(own) for name in ("status", "status_code", "code")
                   if str(own := getattr(error, name, "")).isdigit()), 0)  # fmt: skip
    if "Credential" in type(error).__name__ or "Unable to locate credentials" in told:
        return "no credentials are found; give them where the storage's own tools look (docs/scale.md)", False
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"access is refused ({told or status})", False
    if 400 <= status < 500 and status not in (408, 429):
        return f"the server answers {status}", False
    if isinstance(error, (ValueError, TypeError)) and not status:
        return f"it cannot be read ({told})", False
    return f"the server does not answer ({told or type(error).__name__})", True
