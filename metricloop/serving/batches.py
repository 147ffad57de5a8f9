"""Detect in batches: pictures of requests that arrive at the same time go through the detector together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from metricloop.serving.detector import Detector, Found
from metricloop.serving.limits import Limits
from metricloop.serving.metrics import Metrics

log = logging.getLogger("metricloop.serving")
WARM_UP_SIDE = 64  # px
STOP_SECONDS = 5


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
    """Some threads decode pictures as they come; another takes what is decoded through the detector, batch by batch.

    coming: requests that are being received, for which a batch is worth holding open.
    """

    def __init__(self, detector: Detector, limits: Limits, metrics: Metrics) -> None:
        self.detector, self.limits, self.metrics = detector, limits, metrics
        self.coming = 0
        self.ready = threading.Event()
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._lock = threading.Lock()  # guards all below; the conditions tell what has changed
        self._to_decode, self._to_detect = threading.Condition(self._lock), threading.Condition(self._lock)
        self._queue: deque[Job] = deque()
        self._decoding = 0
        self._decoded: list[Job] = []
        self._pixels = 0  # of pictures that are decoded, or being decoded, or being detected on
        self._before = 0  # pictures of the batch before
        self._since = 0  # pictures that have come since that batch was answered

    def start(self) -> None:
        """Start the threads, once; the detector warms up first."""
        if not self._threads:
            self._stopped = False
            work = [self._detect, *[self._decode] * self.limits.decoders]
            self._threads = [threading.Thread(target=each, name="batches", daemon=True) for each in work]
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """End the threads after the pictures that wait now, without waiting for a detector that hangs."""
        with self._lock:
            self._stopped = True
            self._to_decode.notify_all()
            self._to_detect.notify_all()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._threads = []

    def submit(self, pictures: Sequence[tuple[bytes, int]]) -> list[asyncio.Future[Seen]]:
        """A future per (file, pixels of its header). A cancelled future frees its place in the queue."""
        self.start()
        loop = asyncio.get_running_loop()
        jobs = [Job(*picture, number, loop.create_future()) for number, picture in enumerate(pictures, 1)]
        with self._lock:
            self._queue += jobs
            self._since += len(jobs)
            self._to_decode.notify(len(jobs))
        self.metrics.queue.set(len(self._queue))
        return [job.answer for job in jobs]

    def _decode(self) -> None:
        while (job := self._next_to_decode()) is not None:
            error = self._read(job)
            with self._lock:
                self._decoding -= 1
                if job.picture is None:
                    self._pixels -= job.pixels
                else:
                    self._decoded.append(job)
                self._to_detect.notify()
            if error:
                _tell([(job, error)])

    def _next_to_decode(self) -> Job | None:
        """The first picture of the queue, as soon as there is room for its pixels; None at the end."""
        with self._lock:
            while True:
                while self._queue and self._queue[0].answer.cancelled():
                    self._queue.popleft()
                if self._queue and self._room_for(self._queue[0]):
                    break
                if self._stopped and not self._queue:
                    return None
                self._to_decode.wait()
            job = self._queue.popleft()
            self._decoding += 1
            self._pixels += job.pixels
            self.metrics.queue.set(len(self._queue))
            return job

    def _room_for(self, job: Job) -> bool:
        """One batch is decoded ahead, and twice the pixels of the limit are held, decoded, at most."""
        if len(self._decoded) + self._decoding >= self.limits.batch:
            return False
        return self._pixels + job.pixels <= 2 * self.limits.pixels

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
        while jobs := self._next_batch():
            began = time.perf_counter()
            try:
                answers: list[tuple[Job, Seen | Exception]] = self._answers(jobs)
            except Exception as error:
                log.error("the detector failed at a batch; its pictures are tried one by one", exc_info=error)
                answers = [self._alone(job) for job in jobs]
            self.metrics.detect_seconds.observe(time.perf_counter() - began)
            self.metrics.batch_size.observe(len(jobs))
            self.metrics.pictures.inc(len(jobs))
            with self._lock:
                self._pixels -= sum(job.pixels for job in jobs)
                self._before, self._since = len(jobs), 0
                self._to_decode.notify_all()
            _tell(answers)

    def _next_batch(self) -> list[Job]:
        """What is decoded, up to a batch; empty at the end.

        A batch that is not full waits for what is on its way, and for as many pictures as were just answered: who has
        an answer often sends the next picture at once. It waits a few milliseconds at most.
        """
        with self._lock:
            while not self._wanted():
                if self._stopped and not self._queue and not self._decoding:
                    return []
                self._to_detect.wait()
            until = time.monotonic() + self.limits.batch_ms / 1000
            while len(self._decoded) < self.limits.batch and self._more_soon():
                if not self._to_detect.wait(max(0, until - time.monotonic())):
                    break
            jobs, self._decoded = self._decoded[: self.limits.batch], self._decoded[self.limits.batch :]
            self._to_decode.notify_all()
            return jobs

    def _wanted(self) -> list[Job]:
        """The decoded pictures, without those that nobody waits for any more."""
        left = [job for job in self._decoded if job.answer.cancelled()]
        if left:
            self._decoded = [job for job in self._decoded if job not in left]
            self._pixels -= sum(job.pixels for job in left)
            self._to_decode.notify_all()
        return self._decoded

    def _more_soon(self) -> bool:
        return bool(self._decoding or self._queue or self.coming or self._since < self._before)

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
