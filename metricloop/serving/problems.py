"""Refusals: what can be wrong with a request, told as application/problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
import unicodedata
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

MEDIA_TYPE = "application/problem+json"
CLIENT_LEFT = 499  # nginx's number for it; nobody receives this answer, but it is counted
log = logging.getLogger("metricloop.serving")


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its status, its title, and what the detail may say."""

    status: int
    title: str
    example: str


KINDS = {
    "bad-http": Kind(400, "Not HTTP", "The request is not valid HTTP/1.1."),
    "bad-multipart": Kind(400, "Broken form", "The form ends before its last boundary; send the upload again."),
    "bad-json": Kind(400, "Broken JSON", 'The body is not valid JSON; send {"images": ["<base64>", ...]}.'),
    "other-site": Kind(
        403, "Another site", "A page of another site sent this; name that site in METRICLOOP_SERVE_HOSTS if it may."
    ),
    "not-found": Kind(404, "No such path", "Nothing is at this path; /docs lists what there is."),
    "bad-method": Kind(405, "Wrong method", "This path does not take this method; see the header Allow."),
    "too-slow": Kind(408, "Too slow", "The upload took longer than 30 s; send fewer or smaller pictures."),
    "too-many-bytes": Kind(413, "Too many bytes", "File 1 has more than 16777216 bytes; send a smaller picture."),
    "too-many-pixels": Kind(
        413, "Too many pixels", "Picture 1 has 50000 x 50000 pixels, more than 40000000 in all; send a smaller one."
    ),
    "too-many-pictures": Kind(413, "Too many pictures", "More than 16 pictures; spread them over several requests."),
    "bad-content-type": Kind(
        415, "Wrong content type", "Send multipart/form-data with fields `files`, or application/json."
    ),
    "wrong-host": Kind(
        421,
        "Wrong host",
        "The header Host is none of this server's names; use 127.0.0.1, or list the name in METRICLOOP_SERVE_HOSTS.",
    ),
    "bad-parameter": Kind(422, "Wrong parameter", "Query parameter `score`: Input should be less than or equal to 1."),
    "bad-field": Kind(422, "Wrong field", "Every field of the form is a file, named `files`."),
    "no-picture": Kind(422, "No picture", "The request holds no picture; send at least one."),
    "bad-base64": Kind(422, "Not base64", "Picture 1 is not base64 (RFC 4648, without line breaks)."),
    "bad-picture": Kind(422, "Not a readable picture", "Picture 1 of 1: cut off: the end of the picture is missing."),
    "failed": Kind(500, "The server failed", "The detector failed; the server's log says why."),
    "busy": Kind(503, "Busy", "64 requests are waiting already; try again after the seconds in Retry-After."),
    "not-ready": Kind(503, "Not ready", "The detector is still warming up; ask again in a second."),
}


class RefusedError(Exception):
    """A request that is refused. kind: a key of KINDS; detail: what is wrong and what to do, without foreign text."""

    def __init__(self, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.headers = kind, detail, headers or {}

    @property
    def status(self) -> int:
        return KINDS[self.kind].status


def body(kind: str, detail: str) -> dict[str, Any]:
    """The members of a problem. Its type is a place in the server's own documentation."""
    return {"type": f"/docs#{kind}", "title": KINDS[kind].title, "status": KINDS[kind].status, "detail": detail}


def problem_bytes(kind: str, detail: str) -> bytes:
    return json.dumps(body(kind, detail)).encode()


def answer(problem: RefusedError) -> Response:
    content = problem_bytes(problem.kind, problem.detail)
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)


def clean(text: str, most: int = 200) -> str:
    """A text without control characters and other unprintable ones, and not longer than `most` characters.

    >>> clean("a\\x1b[31m\\nb")
    'a [31m b'
    """
    shown = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text[: 4 * most])
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def add_handlers(app: FastAPI) -> None:
    """Every failure of the application becomes a problem."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RefusedError)
    return answer(problem)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":  # its name is foreign text
        return answer(RefusedError("bad-parameter", "Unknown query parameter; the known ones are `score` and `max`."))
    return answer(RefusedError("bad-parameter", f"Query parameter `{first['loc'][-1]}`: {clean(first['msg'])}."))


async def _http(request: Request, error: Exception) -> Response:
    """What the router refuses: an unknown path or method."""
    assert isinstance(error, HTTPException)
    kind = "bad-method" if error.status_code == 405 else "not-found"
    return answer(RefusedError(kind, KINDS[kind].example, dict(error.headers or {})))


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return answer(RefusedError("failed", "The server failed at this request; its log says why."))
