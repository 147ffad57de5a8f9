"""A batch of metrics, ready to run: trusted ones in this process, all others in the sandbox."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np

from metricloop.data.dataset import Dataset
from metricloop.data.embeddings import Embeddings
from metricloop.data.frame import Frame
from metricloop.metrics.contract import Metric, MetricResult, Spec, call_metric, spec_of
from metricloop.sandbox.limits import Limits
from metricloop.sandbox.supervisor import Sandbox
from metricloop.scoring import sandboxed
from metricloop.scoring.metric_digest import digest_of, digest_of_text

# Why the code of a batch ran where it did: the catalogue is our own; a person moved it to metrics/adopted or named it
# with --trust; it ran in the sandbox; or it ran in this process untrusted, by --unsafe-in-process.
Trust = Literal["catalogue", "adopted", "trusted", "sandbox", "unsafe-in-process"]


class Batch(Protocol):
    """The metrics of one batch. Picklable, so that worker processes can get it."""

    @property
    def specs(self) -> tuple[Spec, ...]: ...

    @property
    def trust(self) -> Trust: ...

    def digest(self, spec: Spec) -> str | None:
        """The digest of everything besides the frame that a metric's scores depend on; None when unknown."""
        ...

    def run(
        self, specs: Sequence[Spec], subjects: Sequence[Frame] | Dataset, embedding: Embeddings | None = None
    ) -> list[list[MetricResult]]:
        """Run the metrics: per spec, one result per frame, or one result for the whole pool.

        A failure is recorded in the result it belongs to. An object-level metric is not called for a frame without
        boxes. embedding: the embeddings of the pool, for metrics that need them.
        """
        ...


@dataclass(frozen=True)
class InProcessBatch:
    """Metrics that run in this process."""

    metrics: tuple[Metric, ...]
    trust: Trust = "catalogue"

    @property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(spec_of(metric) for metric in self.metrics)

    def digest(self, spec: Spec) -> str | None:
        found = digest_of(next(metric for metric in self.metrics if spec_of(metric) == spec))
        return found and _mixed(self.trust, spec, found)

    def run(
        self, specs: Sequence[Spec], subjects: Sequence[Frame] | Dataset, embedding: Embeddings | None = None
    ) -> list[list[MetricResult]]:
        chosen = {spec_of(metric).name: metric for metric in self.metrics}
        if isinstance(subjects, Dataset):
            return [[_result_of(chosen[spec.name], subjects, embedding)] for spec in specs]
        for frame in subjects:
            for array in (frame.image, frame.boxes, frame.labels):
                if array is not None:
                    array.flags.writeable = False  # no metric can change the input of the next one by mistake
        return [[_result_of(chosen[spec.name], frame) for frame in subjects] for spec in specs]


@dataclass(frozen=True)
class SandboxedBatch:
    """Untrusted metrics, which run in the sandbox. A process starts its sandbox on first use.

    pace: seconds per image that each metric may take, on average over one call, before it is ended.
    """

    metrics: tuple[tuple[sandboxed.MetricFile, Spec], ...]
    limits: Limits
    trust: Trust = "sandbox"
    pace: float = math.inf

    @property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(spec for _, spec in self.metrics)

    def digest(self, spec: Spec) -> str | None:
        source = next(source for source, own in self.metrics if own == spec)
        found = digest_of_text(source.code)
        return found and _mixed(self.trust, spec, found)

    def run(
        self, specs: Sequence[Spec], subjects: Sequence[Frame] | Dataset, embedding: Embeddings | None = None
    ) -> list[list[MetricResult]]:
        chosen = [(source, spec) for source, spec in self.metrics if spec in specs]
        seconds = self.limits.start_seconds + self.pace * len(subjects)
        return sandboxed.run_metrics(sandbox(self.limits), chosen, subjects, seconds)


@cache
def sandbox(limits: Limits) -> Sandbox:
    """The started sandbox of this process for metrics. It ends with the process."""
    made = Sandbox(sandboxed.ENTRIES, limits)
    made.start()
    return made


def _mixed(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _result_of(metric: Metric, subject: Frame | Dataset, embedding: Embeddings | None = None) -> MetricResult:
    n = len(subject.boxes) if spec_of(metric).level == "object" else len(subject) if isinstance(subject, Dataset) else 1
    if not n:
        return MetricResult(np.zeros(0))
    try:
        return MetricResult(call_metric(metric, subject, embedding))
    except Exception as error:  # a metric may raise anything: it is recorded here and counted by the caller
        return MetricResult(np.full(n, np.nan), f"{type(error).__name__}: {error}")
