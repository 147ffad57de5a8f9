"""Read the pictures of a request: a form with files, or JSON with base64. Limits hold while the bytes arrive."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from python_multipart.multipart import parse_options_header

from metricloop.serving.form import read_form
from metricloop.serving.limits import Limits
from metricloop.serving.problems import KINDS, RefusedError

CLOSE = {"Connection": "close"}
EXTRA_SIGNS = 16  # brackets, commas and colons of a JSON body beside those of its pictures


@dataclass(frozen=True)
class Upload:
    """A picture as it was sent. name: as the sender calls it, cleaned."""

    name: str
    data: bytes


class Memory:
    """Bytes of uploads that are held at this moment, over all requests."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    def take(self, count: int) -> None:
        """Errors: RefusedError "busy" when that is too many."""
        if self.held + count > self.most:
            raise RefusedError(
                "busy",
                f"Uploads fill the {self.most} bytes of memory set aside for them; try again later.",
                {"Retry-After": "1", **CLOSE},
            )
        self.held += count

    def give_back(self, count: int) -> None:
        self.held -= count


async def read_upload(request: Request, limits: Limits, take: Callable[[int], None]) -> list[Upload]:
    """The pictures of a request, at least one. take: called with the size of each piece before it is kept.

    Errors: RefusedError saying what is wrong with the request.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError("bad-content-type", "The body is compressed; send it without Content-Encoding.")
    if kind not in (b"multipart/form-data", b"application/json"):
        raise RefusedError("bad-content-type", KINDS["bad-content-type"].example)
    if (request.headers.get("content-length") or "0").rjust(20, "0") > str(limits.request_bytes).rjust(20, "0"):
        raise _too_many(limits)
    pieces = _pieces(request, limits, take)
    try:
        async with asyncio.timeout(limits.seconds):
            if kind == b"application/json":
                return _from_json(b"".join([piece async for piece in pieces]), limits)
            return [Upload(name, data) for name, data in await read_form(pieces, options.get(b"boundary"), limits)]
    except TimeoutError:
        detail = f"The upload took longer than {limits.seconds:g} s; send fewer or smaller pictures."
        raise RefusedError("too-slow", detail, CLOSE) from None


async def _pieces(request: Request, limits: Limits, take: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The body as it arrives, up to its limit."""
    count = 0
    async for piece in request.stream():
        count += len(piece)
        if count > limits.request_bytes:
            raise _too_many(limits)
        take(len(piece))
        yield piece


def _too_many(limits: Limits) -> RefusedError:
    return RefusedError(
        "too-many-bytes", f"The request has more than {limits.request_bytes} bytes; send fewer or smaller pictures."
    )


def _from_json(body: bytes, limits: Limits) -> list[Upload]:
    """The pictures of {"images": [base64, ...]}."""
    # Base64 holds none of these signs, so a body with many is not ours: parsing it could take a gigabyte.
    if sum(map(body.count, (b"[", b"{", b":", b"]", b"}"))) > limits.pictures + EXTRA_SIGNS:
        raise RefusedError("bad-json", KINDS["bad-json"].example)
    if body.count(b",") > 2 * limits.pictures + EXTRA_SIGNS:
        raise _too_many_pictures(limits)
    try:
        value = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise RefusedError("bad-json", KINDS["bad-json"].example) from None
    if not isinstance(value, dict) or set(value) != {"images"} or not isinstance(value["images"], list):
        raise RefusedError("bad-json", 'The JSON is not {"images": ["<base64>", ...]}, with this one member.')
    images = value["images"]
    if not images:
        raise RefusedError("no-picture", KINDS["no-picture"].example)
    if len(images) > limits.pictures:
        raise _too_many_pictures(limits)
    return [Upload(f"images[{place}]", _from_base64(text, place + 1, limits)) for place, text in enumerate(images)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _from_base64(text: object, number: int, limits: Limits) -> bytes:
    wrong = RefusedError("bad-base64", f"Picture {number} is not base64 (RFC 4648, without line breaks).")
    if not isinstance(text, str):
        raise wrong
    if text.startswith("data:"):  # as browsers write it: data:image/png;base64,...
        text = text[:100].partition(",")[2] + text[100:]
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise wrong from None
    if len(data) > limits.file_bytes:
        raise RefusedError(
            "too-many-bytes", f"Picture {number} has more than {limits.file_bytes} bytes; send a smaller one."
        )
    return data


def _too_many_pictures(limits: Limits) -> RefusedError:
    return RefusedError(
        "too-many-pictures", f"More than {limits.pictures} pictures; spread them over several requests."
    )
