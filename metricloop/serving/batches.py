"""Detect in batches: pictures of requests that arrive at the same time go through the detector together."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from metricloop.serving.detector import Detector, Found
from metricloop.serving.limits import Limits
from metricloop.serving.metrics import Metrics

log = logging.getLogger("metricloop.serving")
WARM_UP_SIDE = 64  # px


class DetectorError(RuntimeError):
    """The detector failed at a picture that it has read; the log says why."""


@dataclass(frozen=True)
class Seen:
    """A picture's size as shown, in pixels, and what was found on it."""

    width: int
    height: int
    found: Found


@dataclass(eq=False)
class Job:
    """A picture on its way through the detector. number: its place in its request, from 1; pixels: of its header."""

    data: bytes
    pixels: int
    number: int
    answer: asyncio.Future[Seen]
    picture: np.ndarray | None = field(default=None, repr=False)


class UnreadableError(ValueError):
    """A picture cannot be read. number: its place in its request, from 1."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class Batches:
    """Two threads: one collects pictures and decodes them, with helpers, while the other detects on the batch before.

    coming: requests that are being received, for which a batch is worth holding open.
    """

    def __init__(self, detector: Detector, limits: Limits, metrics: Metrics) -> None:
        self.detector, self.limits, self.metrics = detector, limits, metrics
        self.coming = 0
        self.ready = threading.Event()
        self._started = False
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._decoded: queue.Queue[list[Job] | None] = queue.Queue(maxsize=1)
        self._kept: Job | None = None  # did not fit into the batch before
        self._helpers = ThreadPoolExecutor(limits.threads, "decode")

    def start(self) -> None:
        """Start the threads, once; the detector warms up first."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._collect_and_decode, name="batches", daemon=True).start()
            threading.Thread(target=self._detect, name="detect", daemon=True).start()

    def stop(self) -> None:
        """End the threads after the pictures that wait now."""
        self._jobs.put(None)
        self._helpers.shutdown(wait=False)

    async def submit(self, pictures: Sequence[tuple[bytes, int]]) -> list[asyncio.Future[Seen]]:
        """A future per (file, pixels of its header). A cancelled future frees its place in the queue."""
        self.start()
        loop = asyncio.get_running_loop()
        jobs = [Job(*picture, number, loop.create_future()) for number, picture in enumerate(pictures, 1)]
        for job in jobs:
            self._jobs.put(job)
        self.metrics.queue.set(self._jobs.qsize())
        return [job.answer for job in jobs]

    def _collect_and_decode(self) -> None:
        while True:
            jobs = self._collect()
            if jobs is None:
                self._decoded.put(None)
                return
            if jobs := self._decode(jobs):
                self._decoded.put(jobs)  # waits while the detector is two batches behind

    def _collect(self) -> list[Job] | None:
        """The next batch: what is queued, up to its limits, and what comes within the next milliseconds."""
        first = self._kept or self._jobs.get()
        self._kept = None
        if first is None:
            return None
        jobs, pixels = [first], first.pixels
        until = time.monotonic() + self.limits.batch_ms / 1000
        while len(jobs) < self.limits.batch:
            patience = until - time.monotonic() if self.coming else 0
            try:
                job = self._jobs.get(timeout=patience) if patience > 0 else self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            if pixels + job.pixels > self.limits.pixels:  # so many decoded pictures would not fit into memory
                self._kept = job
                break
            jobs.append(job)
            pixels += job.pixels
        self.metrics.queue.set(self._jobs.qsize())
        return jobs

    def _decode(self, jobs: list[Job]) -> list[Job]:
        """The jobs that could be read; the others are answered with what is wrong."""
        jobs = [job for job in jobs if not job.answer.cancelled()]
        errors = [self._read(jobs[0])] if len(jobs) == 1 else list(self._helpers.map(self._read, jobs))
        failed = [(job, error) for job, error in zip(jobs, errors, strict=True) if error]
        _tell(failed)
        return [job for job in jobs if job.picture is not None]

    def _read(self, job: Job) -> Exception | None:
        try:
            job.picture = self.detector.read(job.data)
        except ValueError as error:
            return UnreadableError(job.number, str(error))
        except Exception as error:
            log.error("a picture could not be read", exc_info=error)
            return DetectorError(str(error))
        return None

    def _detect(self) -> None:
        self._warm_up()
        while (jobs := self._decoded.get()) is not None:
            began = time.perf_counter()
            try:
                answers: list[tuple[Job, Seen | Exception]] = self._answers(jobs)
            except Exception as error:
                log.error("the detector failed at a batch; its pictures are tried one by one", exc_info=error)
                answers = [self._alone(job) for job in jobs]
            self.metrics.detect_seconds.observe(time.perf_counter() - began)
            self.metrics.batch_size.observe(len(jobs))
            self.metrics.pictures.inc(len(jobs))
            _tell(answers)

    def _answers(self, jobs: list[Job]) -> list[tuple[Job, Seen | Exception]]:
        pictures = [job.picture for job in jobs if job.picture is not None]
        found = self.detector.detect(pictures)
        return [
            (job, Seen(picture.shape[1], picture.shape[0], each))
            for job, picture, each in zip(jobs, pictures, found, strict=True)
        ]

    def _alone(self, job: Job) -> tuple[Job, Seen | Exception]:
        try:
            return self._answers([job])[0]
        except Exception as error:
            log.error("the detector failed at a picture", exc_info=error)
            return job, DetectorError("the detector failed")

    def _warm_up(self) -> None:
        """The first detection takes longest, so it is not a visitor's."""
        try:
            self.detector.detect([np.zeros((WARM_UP_SIDE, WARM_UP_SIDE, 3), np.uint8)])
        except Exception as error:
            log.error("the detector failed at an empty picture, so the server will not be ready", exc_info=error)
        else:
            self.ready.set()


def _tell(answers: Sequence[tuple[Job, Seen | Exception]]) -> None:
    """Hand answers to the event loop that waits for them, in one step per loop."""
    for loop in {job.answer.get_loop() for job, _ in answers}:
        if not loop.is_closed():
            mine = [(job, answer) for job, answer in answers if job.answer.get_loop() is loop]
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(answers: Sequence[tuple[Job, Seen | Exception]]) -> None:
    for job, answer in answers:
        if job.answer.done():
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
