"""What the server counts, in Prometheus' text format. Each application counts for itself."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "metricloop_requests", "Requests, by path and status.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "metricloop_request_seconds",
            "Seconds from a request's header to its answer, by path.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.pictures = Counter("metricloop_pictures", "Pictures detected on.", registry=self.registry)
        self.batch_size = Histogram(
            "metricloop_batch_size", "Pictures detected together.", buckets=SIZES, registry=self.registry
        )
        self.detect_seconds = Histogram(
            "metricloop_detect_seconds", "Seconds of the detector per batch.", buckets=SECONDS, registry=self.registry
        )
        self.waiting = Gauge(
            "metricloop_requests_waiting", "Requests being received or waiting for an answer.", registry=self.registry
        )
        self.queue = Gauge("metricloop_pictures_queued", "Pictures waiting for the detector.", registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)
