"""A data set at a URL: its URLs written as paths, so that whatever joins, cuts and compares paths works on them, too.

`s3://bucket/lions/a.jpg` is the path `/s3:/bucket/lions/a.jpg`, which lies on no disk: `door` and `Place` read it
through `remote`.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

# Scheme -> the extra of metricloop that brings what reads it; "" for what comes with metricloop.
SCHEMES = {"s3": "s3", "gs": "gcs", "az": "azure", "https": "", "http": "", "memory": ""}
TOLD = ("s3", "gs", "az", "https", "file")  # named in messages; memory is for tests
_STATED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(::|://)(.*)", re.DOTALL)
_AS_PATH = re.compile(rf"/({'|'.join(SCHEMES)}):/(.*)", re.DOTALL)
_IN_TEXT = re.compile(rf"(?<![\w/.~-])/({'|'.join(SCHEMES)}):/")
_SECRET = re.compile(r"(://)[^/\s@]*@|(\?)[^\s'\"]*")


class URLError(ValueError):
    """A URL that cannot be the place of a data set; the message holds no secret that was in it."""


def path_of(place: Path | str) -> Path:
    """A place as a path: a URL as its path, anything else as it is. Errors: URLError.

    >>> path_of("s3://bucket/lions/"), path_of("file:///data/lions"), path_of("lions")
    (PosixPath('/s3:/bucket/lions'), PosixPath('/data/lions'), PosixPath('lions'))
    """
    stated = _STATED.fullmatch(place) if isinstance(place, str) else None
    if stated is None:
        return Path(place)
    scheme, mark, rest = stated[1].lower(), stated[2], stated[3]
    if scheme == "file" and mark == "://":
        return Path(unquote(rest) if rest.startswith("/") else f"/{unquote(rest)}")
    if scheme not in SCHEMES or mark == "::":
        known = ", ".join(f"{one}://" for one in TOLD)
        raise URLError(f"{without_secrets(str(place))}: data are read from {known} or a folder of this machine")
    if "@" in rest.partition("/")[0]:
        raise URLError(
            f"{without_secrets(str(place))}: no user or password in the URL of a data set, which would be written "
            "down with the study; give them by the environment (docs/scale.md)"
        )
    if "?" in rest or "#" in rest:
        raise URLError(f"{without_secrets(str(place))}: a URL with ? or # names no folder of a data set")
    if not rest.partition("/")[0]:
        raise URLError(f"{place}: the name of the {'host' if scheme.startswith('http') else 'bucket'} is missing")
    return Path(f"/{scheme}:/{unquote(rest) if scheme.startswith('http') else rest}")


def url_of(path: Path | str) -> str | None:
    """The URL that a path stands for; None for a path on a disk.

    >>> url_of("/https:/host/my data/a.jpg"), url_of("/data/a.jpg")
    ('https://host/my%20data/a.jpg', None)
    """
    found = _AS_PATH.fullmatch(str(path))
    if found is None:
        return None
    rest = quote(found[2], safe="/:!$&'()*+,;=~-._[]") if found[1].startswith("http") else found[2]
    return f"{found[1]}://{rest}"


def is_url(path: Path | str) -> bool:
    """Whether a path stands for a URL."""
    return _AS_PATH.fullmatch(str(path)) is not None


def stated(path: Path | str) -> str:
    """A path as params.yaml and messages name it: the URL it stands for, or itself."""
    return url_of(path) or str(path)


def with_urls(text: str) -> str:
    """A text in which paths that stand for URLs are written as URLs.

    >>> with_urls("/s3:/bucket/lions: no label file")
    's3://bucket/lions: no label file'
    """
    return _IN_TEXT.sub(r"\1://", text)


def without_secrets(text: str) -> str:
    """A text in which users and passwords in URLs, and what follows a `?`, are masked.

    >>> without_secrets("https://me:pw@host/a?sig=1 failed")
    'https://***@host/a?*** failed'
    """
    return _SECRET.sub(lambda found: f"{found[1]}***@" if found[1] else "?***", text)
