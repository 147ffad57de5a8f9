"""Limits of time, memory, processes and files for sandboxed code."""

from __future__ import annotations

from pydantic import Field

from metricloop.config import Section

DAY = 86_400


class MetricLimits(Section):
    """Limits of a metric: the `sandbox` section of params.yaml.

    memory_mb: on top of what the interpreter with numpy and OpenCV takes before the untrusted code starts.
    start_seconds: for importing its code; frame_seconds: for one frame; batch_seconds: for all of one call;
    pool_seconds: for the whole pool on all cores, estimated from a few frames before the metric is accepted. A metric
    of the language model that then takes three times as long is given up.
    """

    memory_mb: int = Field(default=1024, ge=64)
    start_seconds: float = Field(default=10, gt=0, le=DAY)
    frame_seconds: float = Field(default=5, gt=0, le=DAY)
    batch_seconds: float = Field(default=120, gt=0, le=DAY)
    pool_seconds: float = Field(default=1800, gt=0, le=DAY)


class Limits(MetricLimits):
    """Limits of one call in the sandbox. Memory and processes are summed over the whole process tree.

    The fields below, except open_files, are for projects (`sandbox.project.run`): a metric has one process and writes
    no file.
    file_mb is for one file, scratch_mb and scratch_entries for all files and folders, written_mb for all that is
    written, also over older bytes; output_kb is for each stream.
    """

    open_files: int = Field(default=64, ge=16, le=1024)
    processes: int = Field(default=16, ge=1, le=64)
    file_mb: int = Field(default=64, ge=1)
    scratch_mb: int = Field(default=256, ge=1)
    scratch_entries: int = Field(default=2000, ge=10)
    written_mb: int = Field(default=4096, ge=1)
    output_kb: int = Field(default=64, ge=1)

    @classmethod
    def of(cls, metric: MetricLimits) -> Limits:
        """These limits of a metric, and defaults for the rest."""
        return cls(**metric.model_dump())
