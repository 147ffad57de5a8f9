"""Answer one prediction: admit the request, read its pictures, detect, and stop when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from metricloop.serving.answers import Options, prediction
from metricloop.serving.batches import Batches, DetectorError, Seen, UnreadableError
from metricloop.serving.limits import Limits
from metricloop.serving.metrics import Metrics
from metricloop.serving.picture_size import picture_size
from metricloop.serving.problems import RefusedError, clean
from metricloop.serving.upload import CLOSE, Memory, Upload, read_upload

SOON = {"Retry-After": "1"}


class Predictor:
    """The state of predictions: how many requests are inside, and the memory that their uploads hold."""

    def __init__(self, batches: Batches, classes: Sequence[str], limits: Limits, metrics: Metrics) -> None:
        self.batches, self.classes, self.limits, self.metrics = batches, classes, limits, metrics
        self.memory = Memory(limits.held_bytes)
        self.inside = 0

    async def answer(self, request: Request, options: Options) -> Response:
        """The answer to a request. Errors: RefusedError."""
        if len(request.query_params.multi_items()) > len(request.query_params):
            raise RefusedError("bad-parameter", "A query parameter stands twice; give it once.")
        if self.inside >= self.limits.waiting:
            detail = f"{self.limits.waiting} requests are waiting already; try again after the seconds in Retry-After."
            raise RefusedError("busy", detail, {**SOON, **CLOSE})
        held: list[int] = []

        def take(count: int) -> None:
            self.memory.take(count)
            held.append(count)

        self._step(1)
        try:
            uploads, answers = await self._receive(request, take)
            seen = await self._wait(request, answers)
            return prediction([upload.name for upload in uploads], seen, self.classes, options)
        finally:
            self._step(-1)
            self.memory.give_back(sum(held))

    def _step(self, change: int) -> None:
        self.inside += change
        self.metrics.waiting.set(self.inside)

    async def _receive(self, request: Request, take) -> tuple[list[Upload], list[asyncio.Future[Seen]]]:
        """Read the request and queue its pictures. Meanwhile a batch stays open for them."""
        self.batches.coming += 1
        try:
            uploads = await read_upload(request, self.limits, take)
            sizes = [self._pixels(upload, f"Picture {n} of {len(uploads)}") for n, upload in enumerate(uploads, 1)]
            pictures = [(upload.data, pixels) for upload, pixels in zip(uploads, sizes, strict=True)]
            return uploads, self.batches.submit(pictures)
        finally:
            self.batches.coming -= 1

    def _pixels(self, upload: Upload, which: str) -> int:
        try:
            width, height = picture_size(upload.data)
        except ValueError as error:
            raise RefusedError("bad-picture", f"{which}: {clean(str(error))}.") from None
        if width * height > self.limits.pixels:
            detail = (
                f"{which} has {width} x {height} pixels, more than {self.limits.pixels} in all; send a smaller one."
            )
            raise RefusedError("too-many-pixels", detail)
        return width * height

    async def _wait(self, request: Request, answers: list[asyncio.Future[Seen]]) -> list[Seen]:
        """The answers of all pictures, unless the sender leaves or the time is over."""
        gone = asyncio.ensure_future(_left(request))
        waiting: set[asyncio.Future] = set(answers)
        until = time.monotonic() + self.limits.seconds
        try:
            while waiting:
                patience = max(0, until - time.monotonic())
                done, _ = await asyncio.wait({*waiting, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    raise RefusedError("busy", f"No answer within {self.limits.seconds:g} s; try again later.", SOON)
                for answer in done & waiting:
                    answer.result()  # raises what is wrong with a picture, before the others are there
                if gone in done:
                    raise ClientDisconnect
                waiting -= done
            return [answer.result() for answer in answers]
        except UnreadableError as error:
            detail = f"Picture {error.number} of {len(answers)}: {clean(str(error))}."
            raise RefusedError("bad-picture", detail) from None
        except DetectorError:
            raise RefusedError("failed", "The detector failed at this request; the server's log says why.") from None
        finally:
            gone.cancel()
            for answer in answers:
                if not answer.cancel() and not answer.cancelled():  # frees its place in the queue, or is done
                    answer.exception()  # else asyncio would report that nobody looked at it


async def _left(request: Request) -> None:
    """Returns when the sender closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
