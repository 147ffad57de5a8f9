"""Ask what stores things at URLs, patiently, and tell in one clear line why it does not answer.

Credentials are found by the libraries of each kind of storage in the usual places (environment, files of the home
folder, roles of the machine); none passes through here.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from metricloop.data import door, storage_libraries
from metricloop.data.urls import SCHEMES, without_secrets

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between attempts: longer than a server takes to start again
AWAY = 60.0  # seconds in which a server that was away is not asked again
NO_CREDENTIALS = re.compile(
    r"Unable to locate credentials|Anonymous caller|Credential failed to retrieve a token", re.IGNORECASE
)
NO_ACCOUNT = "Must provide either a connection_string or account_name"  # as adlfs words it
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
LISTED = re.compile(r"b/[^/]+/o")  # what gcsfs names when a bucket cannot be listed because there is none
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
    scheme = url.partition("://")[0]
    try:
        return storage_libraries.opened(scheme)
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
            if not _lacks_bucket(url, error):
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


def _lacks_bucket(url: str, error: FileNotFoundError) -> bool:
    """Whether a file was not found because there is no such bucket: then no file of the data set is gone."""
    if url.startswith("gs://"):
        return LISTED.fullmatch(str(error)) is not None or not _lists(url)
    return _code(error) in NO_BUCKET


def _lists(url: str) -> bool:
    """Whether a bucket of Google's is there: its answer for a file that is gone is that for a missing bucket."""
    try:
        system: Any = system_of(url)
        system.call("GET", "b/{}/o", url.split("/", 3)[2], maxResults=1)
    except FileNotFoundError:
        return False
    except Exception:  # it is there, and may not be listed; or it is away, which the next file will show
        return True
    return True


def _code(error: BaseException) -> str:
    """The code in an answer of S3 or Azure; "" in other errors."""
    for own in (error, error.__cause__, error.__context__):
        answer = getattr(own, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
        if code := getattr(own, "error_code", None):
            return str(getattr(code, "value", code))
    return ""


def _reason(error: Exception) -> tuple[str, bool]:
    """Why a server did not give what it was asked for, in words, and whether that may be temporary."""
    told = " ".join(without_secrets(str(error)).split())[:200]
    status = next((int(own) for name in ("status", "status_code", "code")
                   if str(own := getattr(error, name, "")).isdigit()), 0)  # fmt: skip
    if NO_ACCOUNT in told:
        return "the storage account is not named; set AZURE_STORAGE_ACCOUNT_NAME (docs/scale.md)", False
    if "Credential" in type(error).__name__ or NO_CREDENTIALS.search(told):
        return "no credentials are found; give them where the storage's own tools look (docs/scale.md)", False
    if isinstance(error, PermissionError) or status in (401, 403) or told.startswith("Forbidden: "):  # of gcsfs
        return f"access is refused ({told or status})", False
    if 400 <= status < 500 and status not in (408, 429):
        return f"the server answers {status}", False
    if isinstance(error, (ValueError, TypeError)) and not status:
        return f"it cannot be read ({told})", False
    return f"the server does not answer ({told or type(error).__name__})", True
